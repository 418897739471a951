"""Stills of a video: a few pictures that speak for it, read by a process that can open nothing else.

The packages of PyAV carry FFmpeg, which is an extra; `igtool.vision.video_process` is the only module that imports it.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, get_args

import numpy as np

from igtool.errors import ConfigError
from igtool.vision.content import broken, cut_off
from igtool.vision.framing import brightness, sharpness
from igtool.vision.kinds import NotAPicture, Reason, video_container
from igtool.vision.likeness import fingerprint, near
from igtool.vision.pictures import Pixels, need_packages

NEEDED = "stills of videos need a package: pip install 'igtool[video]'"
_PROGRAM = Path(__file__).with_name("video_process.py")
_LOOKED_AT = 3
"""Times the wanted number: some are black, blurred or alike."""
_LIGHTEST_BLACK = 0.05
_SHARP = 0.5
"""What `igtool.vision.framing.sharpness` calls blurred is below."""
_BOX_HEAD, _LONG_BOX_HEAD = 8, 16
_SEGMENT = b"\x18\x53\x80\x67"
_EBML_HEAD = 4096


@dataclass(frozen=True)
class VideoLimits:
    """What is still read of a video.

    ``max_pixels``: of one frame, 4K at most. ``max_side``: of a still, larger ones are made smaller. ``max_frames``:
    decoded where keyframes are too few, 20 seconds of 30 frames each. ``max_memory_bytes``: of addresses, some
    hundred megabytes of which are libraries. ``cpu_s`` and ``wall_s`` end what a hostile file would make endless.
    """

    max_bytes: int = 50_000_000
    max_pixels: int = 9_000_000
    max_side: int = 1_920
    max_seconds: int = 900
    max_frames: int = 600
    max_memory_bytes: int = 1_200_000_000
    cpu_s: int = 20
    wall_s: float = 60.0


DEFAULT_VIDEO_LIMITS = VideoLimits()


def is_installed() -> bool:
    """Whether videos can be read."""
    return find_spec("av") is not None


def keyframes(data: bytes, limits: VideoLimits = DEFAULT_VIDEO_LIMITS, *, at_most: int = 3) -> list[Pixels]:
    """Stills of the video file ``data`` in order of time, upright, in RGB: 1 to ``at_most``.

    MP4, QuickTime, Matroska and WebM are read, by their bytes, with H.264, HEVC, VP8, VP9, AV1 or MPEG-4 in them. The
    stills are keyframes spread over the video, its first tenth left out where it is 3 seconds or longer. Black ones
    and those that show the same are left out, and blurred ones unless there are no others. The same bytes give the
    same stills with the same versions of the packages. Raises NotAPicture; ConfigError where a package is missing.
    """
    need_packages()
    if not is_installed():
        raise ConfigError(NEEDED)
    container = video_container(data)
    if container is None:
        raise NotAPicture("unsupported-kind", "a video that is neither MP4, QuickTime, Matroska nor WebM")
    if len(data) > limits.max_bytes:
        raise NotAPicture("too-large-bytes", f"{len(data):,} bytes; at most {limits.max_bytes:,} are read of a video")
    if _is_cut_off(data, container):
        raise cut_off()
    found = [_turned(*one) for one in _read(data, container, limits, _LOOKED_AT * at_most)]
    chosen = _telling(found, at_most)
    if not chosen:
        raise NotAPicture("no-still", "the video shows nothing: all of it is black or of one colour")
    return chosen


# The file ------------------------------------------------------------------------------------------------------------


def _is_cut_off(data: bytes, container: str) -> bool:
    """Whether the file says that it is longer than it is, or ends before what every video has."""
    return (_mov_end(data) if container == "mov" else _matroska_end(data)) > len(data)


def _mov_end(data: bytes) -> int:
    """Where the last box ends; every box tells how long it is. Beyond the end where there is no table of contents."""
    place, has_index = 0, False
    while place + _BOX_HEAD <= len(data):
        has_index |= data[place + 4 : place + 8] == b"moov"
        size = int.from_bytes(data[place : place + 4], "big")
        if size == 1:
            size = max(_LONG_BOX_HEAD, int.from_bytes(data[place + 8 : place + 16], "big"))
        elif size < _BOX_HEAD:  # 0: to the end of the file; what else is no box
            return len(data)
        place += size
    return place if has_index else len(data) + 1


def _matroska_end(data: bytes) -> int:
    """Where the segment ends; 0 if it does not tell, as those that are written live. Beyond the end without any."""
    place = data.find(_SEGMENT, 0, _EBML_HEAD) + len(_SEGMENT)
    if place < len(_SEGMENT) or place >= len(data):
        return len(data) + 1
    if not data[place]:
        return 0
    length = 9 - data[place].bit_length()
    size = int.from_bytes(data[place : place + length], "big") & ((1 << 7 * length) - 1)
    return 0 if size == (1 << 7 * length) - 1 else place + length + size


# The process ---------------------------------------------------------------------------------------------------------


def _read(data: bytes, container: str, limits: VideoLimits, stills: int) -> list[tuple[Pixels, list[int] | None]]:
    """Frames as they are coded, each with the matrix by which it is to be shown. Raises NotAPicture."""
    task = {
        "container": container,
        "stills": stills,
        "max_side": limits.max_side,
        "max_pixels": limits.max_pixels,
        "max_seconds": limits.max_seconds,
        "max_frames": limits.max_frames,
        "max_memory_bytes": limits.max_memory_bytes,
        "cpu_s": limits.cpu_s,
    }
    command = [sys.executable, "-P", str(_PROGRAM), json.dumps(task)]
    try:  # in a session of its own, so that who interrupts a run does not make a good video a broken one
        done = subprocess.run(  # noqa: S603 - ourselves
            command, input=data, capture_output=True, timeout=limits.wall_s, start_new_session=True, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise NotAPicture("too-costly", f"reading the video took more than {limits.wall_s:.0f} seconds") from error
    if done.returncode:
        raise _ended(done.returncode, limits)
    head, _, pixels = done.stdout.partition(b"\n")
    told: dict[str, Any] = json.loads(head)
    if "reason" in told:
        raise NotAPicture(told["reason"] if told["reason"] in get_args(Reason) else "broken", told["detail"])
    found, place = [], 0
    for still in told["stills"]:
        shape = (still["height"], still["width"], 3)
        size = shape[0] * shape[1] * shape[2]
        found.append((np.frombuffer(pixels, np.uint8, size, place).reshape(shape), still["matrix"]))
        place += size
    return found


def _ended(code: int, limits: VideoLimits) -> NotAPicture:
    import signal

    if -code in (signal.SIGKILL, getattr(signal, "SIGXCPU", signal.SIGKILL)):
        return NotAPicture("too-costly", f"reading the video took more than {limits.cpu_s} seconds of the processor")
    return broken(f"what reads videos ended with {code}")


def _turned(pixels: Pixels, matrix: Sequence[int] | None) -> Pixels:
    """As the video is to be shown: x' = a x + c y and y' = b x + d y (ISO 14496-12, 8.3.2)."""
    a, b, c, d = matrix or (1, 0, 0, 1)
    if not a:
        pixels, a, d = pixels.swapaxes(0, 1), c, b
    return np.ascontiguousarray(pixels[::d, ::a])


# The choice ----------------------------------------------------------------------------------------------------------


def _telling(found: Sequence[Pixels], at_most: int) -> list[Pixels]:
    """Those of ``found`` that show something, each something else, at most so many and spread over them."""
    hashes = [fingerprint(pixels) if brightness(pixels) > _LIGHTEST_BLACK else None for pixels in found]
    sharp = [sharpness(pixels) for pixels in found]
    best_first = sorted((n for n, one in enumerate(hashes) if one), key=lambda n: -sharp[n])
    best_first = [n for n in best_first if sharp[n] >= _SHARP] or best_first[:1]
    kept = [hashes[n] for n in best_first]
    distinct = sorted(n for place, n in enumerate(best_first) if near(kept)[place] == place)
    wanted = min(at_most, len(distinct))
    return [found[distinct[(2 * place + 1) * len(distinct) // (2 * wanted)]] for place in range(wanted)]
