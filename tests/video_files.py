"""Tiny videos, made when they are asked for; only for tests that need PyAV."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from igtool.vision.keyframes import is_installed

needs_av = pytest.mark.skipif(not is_installed(), reason="PyAV is not here: pip install 'igtool[video]'")
KINDS = {
    "mp4": ("mp4", "libx264"),
    "mov": ("mov", "libx265"),
    "webm": ("webm", "libvpx-vp9"),
    "old webm": ("webm", "libvpx"),
    "mkv": ("matroska", "mpeg4"),
    "av1": ("mp4", "libsvtav1"),
}
"""Container and encoder of every kind that is read."""

Frame = NDArray[np.uint8]


def scene(seed: int, width: int = 64, height: int = 64) -> Frame:
    """A picture of coloured squares, another one for every seed."""
    colours = np.random.default_rng(seed).integers(0, 256, (height // 8, width // 8, 3), dtype=np.uint8)
    return np.kron(colours, np.ones((8, 8, 1), np.uint8))


def plain(level: int) -> Frame:
    """A picture of one grey."""
    return np.full((64, 64, 3), level, np.uint8)


def video(scenes: Sequence[Frame], kind: str = "mp4", *, each: int = 5, **made: Any) -> bytes:
    """A video of ``scenes``, each of so many frames, ten frames a second and a keyframe where a scene begins.

    ``made``: ``gop``, frames from keyframe to keyframe; ``turn`` and ``mirror``, how it is to be shown; ``ratio``, of
    a pixel's sides.
    """
    import av

    container, encoder = KINDS[kind]
    file = BytesIO()
    with av.open(file, "w", format=container) as output:
        stream: Any = output.add_stream(encoder, rate=10)
        stream.height, stream.width = scenes[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        stream.codec_context.gop_size = made.get("gop", each)
        stream.options = {"x265-params": "log-level=none", "sc_threshold": "0", "deadline": "realtime"}
        if "ratio" in made:
            stream.codec_context.sample_aspect_ratio = made["ratio"]
        if "turn" in made:
            stream.set_display_rotation(made["turn"], hflip=made.get("mirror", False))
        for frame in (one for one in scenes for _ in range(each)):
            output.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        output.mux(stream.encode(None))
    return file.getvalue()
