"""Asks a script that another interpreter runs: for contestants whose packages igtool does not install."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

Ask = Callable[[dict[str, Any]], dict[str, Any]]


@contextmanager
def peer(python: str, script: str) -> Iterator[Ask]:
    """Asks ``benchmarks/SCRIPT``, a line of JSON each way; the first line that it says are its versions."""
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "", "TOKENIZERS_PARALLELISM": "false"}
    command = [str(Path(python).absolute()), str(Path(__file__).absolute().with_name(script))]
    with (
        tempfile.TemporaryDirectory() as place,  # an export leaves files of its own where it is started
        subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=environment,
            cwd=place,
        ) as process,
    ):
        assert process.stdin is not None
        assert process.stdout is not None

        def ask(request: dict[str, Any]) -> dict[str, Any]:
            assert process.stdin is not None
            assert process.stdout is not None
            if request:
                print(json.dumps(request), file=process.stdin, flush=True)
            line = process.stdout.readline()
            if not line:
                raise SystemExit(f"{script} ended without an answer: run `{' '.join(command)}` by hand to see why")
            answer: dict[str, Any] = json.loads(line)
            return answer

        yield ask
        process.stdin.close()
