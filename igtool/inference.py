"""Opens ONNX files in ONNX Runtime, on the processor or on CUDA."""

from __future__ import annotations

import io
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any, Literal

from igtool.errors import ConfigError

Device = Literal["cpu", "cuda"]

_PROVIDERS: dict[Device, str] = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}
_WITHOUT = "this ONNX Runtime has no CUDA: `pip uninstall onnxruntime`, then `pip install onnxruntime-gpu` brings it"
_UNUSED = "CUDA could not be used: a graphics card, its driver and the libraries of CUDA and cuDNN have to be there"
_WORDS = 500


class NoCudaError(ConfigError):
    """CUDA was asked for and is not there; the message tells what is missing."""


def load(path: Path, device: Device, threads: int, what: str) -> Any:
    """The session of ``path`` in ONNX Runtime, with ``threads`` of the processor inside one run.

    Raises ConfigError, which begins with ``what`` and the file, for one that does not load, and NoCudaError.
    """
    import onnxruntime

    provider = _PROVIDERS[device]
    if provider not in onnxruntime.get_available_providers():
        raise NoCudaError(_WITHOUT)
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = threads
    settings.inter_op_num_threads = 1
    settings.log_severity_level = 3
    if device == "cuda":
        _find_libraries(onnxruntime)
    try:
        # Its own way to fall back prints to standard output and tells nobody.
        session = onnxruntime.InferenceSession(str(path), settings, providers=[provider], enable_fallback=0)
    except Exception as error:  # its exceptions have no common class but this one
        if device == "cuda" and ("CUDA" in str(error) or "CUDNN" in str(error)):
            raise NoCudaError(_UNUSED) from error
        raise ConfigError(f"{what} {path} does not load: {error!s:.{_WORDS}}") from error
    if provider not in session.get_providers():
        raise NoCudaError(_UNUSED)
    return session


def _find_libraries(onnxruntime: Any) -> None:
    """Let ONNX Runtime use the libraries of CUDA that lie in Python packages, where there are any."""
    with redirect_stdout(io.StringIO()):  # it prints what it does not find, which shows when the session is made
        onnxruntime.preload_dlls()
