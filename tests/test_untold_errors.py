"""Errors of what igtool stands on keep their name and their exit code where little can be said."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from igtool.errors import StorageError
from igtool.lake_errors import translated


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs the file /dev/full, which Linux has")
def test_the_exit_code_stays_where_the_message_cannot_be_written(tmp_path: Path) -> None:
    """Standard error on a full disk: a wrong usage stays one, and is no bug."""
    command = [sys.executable, "-c", "from igtool.cli import main; main(prog_name='igtool')"]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run([*command, "--workspace", str(tmp_path), "status"], stderr=full, check=False)
    assert done.returncode == 2


@pytest.mark.parametrize(
    "said",
    [
        "Failed to probe DuckLake metadata: Current transaction is aborted (please ROLLBACK)",
        "Failed to initialize DuckLake: Current transaction is aborted (please ROLLBACK)",
    ],
)
def test_a_catalog_that_cannot_be_looked_into_is_an_error_of_the_disk(tmp_path: Path, said: str) -> None:
    """What DuckDB says after a system call failed while it opened a catalog; seen with libfiu."""
    with pytest.raises(StorageError, match="igtool verify"), translated(tmp_path):
        raise duckdb.TransactionException(said)
