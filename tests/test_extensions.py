"""DuckDB extensions come from packages, without a network, or with a clear error."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from igtool import extensions
from igtool.errors import ConfigError


@pytest.fixture
def connection(tmp_path: Path) -> duckdb.DuckDBPyConnection:
    """A connection that knows no installed extension."""
    return duckdb.connect(config={"extension_directory": str(tmp_path), "allow_unsigned_extensions": "false"})


@pytest.mark.parametrize("name", ["ducklake", "sqlite_scanner"])
def test_a_bundled_extension_loads_with_unsigned_ones_off(connection: duckdb.DuckDBPyConnection, name: str) -> None:
    """The packages hold signed files of this DuckDB version."""
    assert extensions.load_extension(connection, name) == "bundled"
    assert connection.execute(
        "select value from duckdb_settings() where name = 'allow_unsigned_extensions'"
    ).fetchone() == ("false",)
    loaded = connection.execute("select loaded from duckdb_extensions() where extension_name = ?", [name]).fetchone()
    assert loaded == (True,)


def test_nothing_is_fetched_behind_our_back(connection: duckdb.DuckDBPyConnection) -> None:
    """DuckDB's own way of installing extensions on first use is off once igtool has the connection."""
    extensions.load_extension(connection, "ducklake")
    setting = connection.execute("select current_setting('autoinstall_known_extensions')").fetchone()
    assert setting == (False,)
    with pytest.raises(duckdb.Error, match=r"(?i)not found|not be loaded|install"):
        connection.execute("load spatial")


def test_offline_a_missing_extension_names_its_package(connection: duckdb.DuckDBPyConnection) -> None:
    """Nothing is fetched, and the fix is in the message."""
    with pytest.raises(ConfigError, match=f"duckdb-extension-no-such-thing=={duckdb.__version__}"):
        extensions.load_extension(connection, "no_such_thing", offline=True)


@pytest.mark.parametrize(("name", "extra"), [("postgres_scanner", "postgres"), ("httpfs", "s3")])
def test_what_an_extra_brings_names_the_extra(
    connection: duckdb.DuckDBPyConnection, name: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where igtool was installed without it."""
    monkeypatch.setattr(extensions, "bundled_path", lambda _: None)
    with pytest.raises(ConfigError, match=rf"igtool\[{extra}\]"):
        extensions.load_extension(connection, name, offline=True)


def test_a_bundled_file_that_does_not_fit_is_named(
    connection: duckdb.DuckDBPyConnection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A damaged or foreign file is refused by DuckDB, and the error says which."""
    broken = tmp_path / "ducklake.duckdb_extension"
    broken.write_bytes(b"nothing that DuckDB signed")
    monkeypatch.setattr(extensions, "bundled_path", lambda _: broken)
    with pytest.raises(ConfigError, match="make setup"):
        extensions.load_extension(connection, "ducklake")
