"""Models in the format of LiteRT, each thread with an interpreter of its own."""

from __future__ import annotations

import os
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from igtool import models
from igtool.errors import ConfigError, IntegrityError
from igtool.vision.boxes import Floats

_NOTICE = b"INFO: Created TensorFlow Lite XNNPACK delegate for CPU."
_loading = threading.Lock()
_notice_came = False

Shapes = Sequence[tuple[int, ...]]


class TfLite:
    """A ``.tflite`` model: one array in, its arrays out.

    An interpreter belongs to the thread that made it, so any number of threads may call ``run``; each loads the model
    once. Making this object reads nothing. Raises ConfigError for a file that is missing, no model, or another model
    than the caller means (``inputs`` and ``outputs`` are the shapes that it has to have), IntegrityError for a file
    that has not the bytes that the list of models names.
    """

    def __init__(self, path: Path, inputs: tuple[int, ...], outputs: Shapes, threads: int = 1) -> None:
        self._path, self._inputs, self._outputs, self._threads = path, inputs, [*outputs], threads
        self._of_thread = threading.local()

    def run(self, values: Floats) -> list[Floats]:
        """The model's outputs, in its order; copies, which the next call does not change."""
        interpreter = self._interpreter()
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], values)
        interpreter.invoke()
        found = [interpreter.get_tensor(output["index"]) for output in interpreter.get_output_details()]
        if not all(np.isfinite(each).all() for each in found):
            raise self._wrong("gives numbers that are none (NaN): it is damaged")
        return found

    def _interpreter(self) -> Any:
        if not hasattr(self._of_thread, "interpreter"):
            self._of_thread.interpreter = self._loaded()
        return self._of_thread.interpreter

    def _loaded(self) -> Any:
        try:
            from ai_edge_litert.interpreter import Interpreter
        except ImportError as error:
            raise ConfigError(
                "faces and poses need the package ai-edge-litert: `pip install 'igtool[vision]'` gets it"
            ) from error
        self._check()
        try:
            with _without_notice():
                interpreter = Interpreter(model_path=str(self._path), num_threads=self._threads)
                interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            raise self._wrong(f"is no model that LiteRT reads ({error}); `igtool models verify` checks it") from error
        found = [tuple(each["shape"]) for each in interpreter.get_output_details()]
        given = [tuple(each["shape"]) for each in interpreter.get_input_details()]
        if given != [self._inputs] or found != self._outputs:
            raise self._wrong(f"is another model: it takes {given} and gives {found}")
        return interpreter

    def _check(self) -> None:
        """Raises ConfigError where the file is missing, IntegrityError where it has other bytes than its list says."""
        if not self._path.is_file():
            raise ConfigError(f"{self._path} is not there: `igtool models list` names the command that gets it")
        folder = self._path.parent
        listed = [model for model in models.known(folder).values() if model.file == self._path.name]
        if listed and models.state(listed[-1], folder) == "damaged":
            raise IntegrityError(
                f"{self._path} has not the bytes that the list of models names (SHA-256): `igtool models remove "
                f"{listed[-1].name}`, then `igtool models add {listed[-1].name}` gets it again"
            )

    def _wrong(self, what: str) -> ConfigError:
        return ConfigError(f"the model {self._path} {what}")


@contextmanager
def _without_notice() -> Iterator[None]:
    """Standard error without LiteRT's notice of its delegate; whatever else is written meanwhile comes right after.

    LiteRT has no setting for it in Python (google-ai-edge/LiteRT issue 7420), and it would stand inside a progress bar.
    """
    global _notice_came
    with _loading:
        if _notice_came or not _is_open(2):
            yield
            return
        sys.stderr.flush()
        kept = os.dup(2)
        with tempfile.TemporaryFile() as written:
            os.dup2(written.fileno(), 2)
            try:
                yield
            finally:
                os.dup2(kept, 2)
                os.close(kept)
                written.seek(0)
                lines = written.readlines()
                others = [line for line in lines if line.strip() != _NOTICE]
                _notice_came = len(others) < len(lines)
                os.write(2, b"".join(others))


def _is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True
