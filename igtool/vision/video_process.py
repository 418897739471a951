"""A process of its own that reads one video: FFmpeg is a large parser of what strangers send.

Run as a program by `igtool.vision.keyframes`, it imports nothing of igtool. The file comes on stdin; before FFmpeg sees
it the process gives up the right to open anything (files, sockets, devices) and takes limits of memory and processor
time. On stdout goes a line of JSON, ``{"stills": [{"width", "height", "matrix"}, …]}`` or ``{"reason", "detail"}``,
and after it the RGB bytes of every still, one after the other, as they are coded: not turned yet.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from io import BytesIO
from typing import Any

import av
import av.subtitles.stream  # else loaded when it is too late to open a file
from av.sidedata.sidedata import Type
from av.video.reformatter import VideoReformatter

CODECS = ("h264", "hevc", "vp8", "vp9", "av1", "libdav1d", "mpeg4")
_SKIPPED = Fraction(1, 10)
"""Of the length: titles and black are there. Only of videos of `_LONG_S` seconds and more."""
_LONG_S = 3
_MOST_PACKETS = 400_000
_MOST_ASPECT = 4
_ATTACHED = av.stream.Disposition.attached_pic.value
_HALF = 1 << 15
"""One half, in the 16.16 fixed point of a display matrix."""


@dataclass(frozen=True)
class Task:
    """What is wanted of a video; see `igtool.vision.keyframes.VideoLimits`."""

    container: str
    stills: int
    max_side: int
    max_pixels: int
    max_seconds: int
    max_frames: int
    max_memory_bytes: int
    cpu_s: int


class Refused(Exception):  # noqa: N818 - a verdict on bytes, not a failure of the program
    """This is no video that is read: slug and sentence."""


def main() -> None:
    """Read the video on stdin as the one argument, JSON of a `Task`, says."""
    task = Task(**json.loads(sys.argv[1]))
    data = sys.stdin.buffer.read()
    _give_up_rights(task)
    stills: list[tuple[dict[str, Any], bytes]] = []
    try:
        stills = _stills(data, task)
        told: dict[str, Any] = {"stills": [head for head, _ in stills]}
    except Refused as error:
        told = dict(zip(("reason", "detail"), error.args, strict=True))
    except MemoryError:
        told = {"reason": "too-costly", "detail": "reading the video takes too much memory"}
    except (av.error.FFmpegError, ValueError, OSError, OverflowError) as error:
        told = {"reason": "broken", "detail": f"the video cannot be read: {error!s:.200}"}
    sys.stdout.buffer.write(json.dumps(told).encode() + b"\n")
    for _, pixels in stills:
        sys.stdout.buffer.write(pixels)


def _give_up_rights(task: Task) -> None:
    """Nothing can be opened from here on, and memory and processor time end; as far as the system has such limits."""
    try:
        import resource
    except ImportError:
        return
    for what, most in (
        (resource.RLIMIT_AS, task.max_memory_bytes),
        (resource.RLIMIT_CPU, task.cpu_s),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NOFILE, 3),
    ):
        with suppress(ValueError, OSError):
            resource.setrlimit(what, (most, most))


def _stills(data: bytes, task: Task) -> list[tuple[dict[str, Any], bytes]]:
    """Head and RGB bytes of the stills, in order of time."""
    # No protocol, one container and few codecs: what a file points at outside itself is never asked for.
    options = {
        "protocol_whitelist": "none",
        "format_whitelist": "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm",
        "codec_whitelist": ",".join(CODECS),
        "max_pixels": str(task.max_pixels),
    }
    with av.open(BytesIO(data), "r", format=task.container, options=options, metadata_errors="ignore") as container:
        stream = next((one for one in container.streams.video if not one.disposition.value & _ATTACHED), None)
        if stream is None:
            raise Refused("no-still", "there is no moving picture in it")
        context = stream.codec_context
        if context is None or context.name not in CODECS:
            raise Refused("unsupported-kind", "a video in a coding that is not read; H.264, HEVC, VP8, VP9, AV1 are")
        if context.width * context.height > task.max_pixels:
            raise Refused("too-many-pixels", f"{context.width:,} × {context.height:,} pixels a frame")
        context.thread_count = 1
        context.options = {"max_pixels": str(task.max_pixels)}
        ratio = _aspect(stream.sample_aspect_ratio)
        reformatter = VideoReformatter()
        return [_still(frame, ratio, task, reformatter) for frame in _frames(container, stream, task)]


def _aspect(ratio: Fraction | None) -> Fraction:
    """How much wider than high a pixel is shown."""
    return ratio if ratio is not None and Fraction(1, _MOST_ASPECT) <= ratio <= _MOST_ASPECT else Fraction(1)


def _frames(container: Any, stream: Any, task: Task) -> list[Any]:
    """Frames spread over the video: keyframes, or where there are too few of them all kinds."""
    times, keys = [], []
    for packet in _packets(container, stream):
        if packet.pts is not None:
            times.append(packet.pts)
            if packet.is_keyframe:
                keys.append(packet.pts)
    if not times:
        raise Refused("no-still", "there is no moving picture in it")
    first, last = _span(min(times), max(times), stream.time_base or Fraction(1, 1000), task.max_seconds)
    inside = sorted({time for time in keys if first <= time <= last})
    if len(inside) >= task.stills:
        chosen = {inside[place] for place in _spread(len(inside), task.stills)}
        packets = (one for one in _packets(container, stream) if one.is_keyframe and one.pts in chosen)
        return [frame for frame, _ in zip(_decoded(packets, stream), range(task.stills), strict=False)]
    ahead = sorted(time for time in times if time <= last)[: task.max_frames]
    wanted = [time for time in ahead if time >= first] or ahead
    shown = {wanted[place] for place in _spread(len(wanted), task.stills)}
    frames = []
    for frame, _ in zip(_decoded(_packets(container, stream), stream), range(task.max_frames), strict=False):
        if frame.pts in shown:
            frames.append(frame)
            if len(frames) == len(shown):
                break
    return frames


def _span(first: int, last: int, time_base: Fraction, max_seconds: int) -> tuple[int, int]:
    """From when to when a video is looked at, in units of its ``time_base``."""
    last = min(last, first + int(max_seconds / time_base))
    is_long = (last - first) * time_base >= _LONG_S
    return (first + int((last - first) * _SKIPPED) if is_long else first), last


def _spread(count: int, wanted: int) -> list[int]:
    """Places of at most ``wanted`` of ``count`` things, evenly spread."""
    wanted = min(count, wanted)
    return [(2 * place + 1) * count // (2 * wanted) for place in range(wanted)]


def _packets(container: Any, stream: Any) -> Iterator[Any]:
    container.seek(0, stream=stream)
    for packet, _ in zip(container.demux(stream), range(_MOST_PACKETS), strict=False):
        if packet.size:
            yield packet


def _decoded(packets: Iterator[Any], stream: Any) -> Iterator[Any]:
    """What can be decoded of ``packets``; a fault ends a frame, not the video."""
    for packet in packets:
        with suppress(av.error.InvalidDataError):
            yield from stream.codec_context.decode(packet)
    with suppress(av.error.InvalidDataError, av.error.EOFError):
        yield from stream.codec_context.decode(None)


def _still(frame: Any, ratio: Fraction, task: Task, reformatter: Any) -> tuple[dict[str, Any], bytes]:
    if frame.width * frame.height > task.max_pixels:
        raise Refused("too-many-pixels", f"{frame.width:,} × {frame.height:,} pixels a frame")
    one = Fraction(1)
    width, height = frame.width * max(ratio, one), frame.height / min(ratio, one)
    scale = min(one, Fraction(task.max_side) / max(width, height))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    shown = reformatter.reformat(frame, *size, format="rgb24", interpolation="AREA")
    plane, line = shown.planes[0], 3 * size[0]
    rows = memoryview(bytes(plane))
    pixels = b"".join(rows[start : start + line] for start in range(0, size[1] * plane.line_size, plane.line_size))
    return {"width": size[0], "height": size[1], "matrix": _matrix(frame)}, pixels


def _matrix(frame: Any) -> list[int] | None:
    """Signs of the matrix a, b, c, d by which the frame is to be shown; None for one that turns by no right angle."""
    with suppress(KeyError):
        data = bytes(frame.side_data[Type.DISPLAYMATRIX])
        a, b, _, c, d = (int.from_bytes(data[4 * n : 4 * n + 4], sys.byteorder, signed=True) for n in range(5))
        signs = [(number > _HALF) - (number < -_HALF) for number in (a, b, c, d)]
        return signs if abs(signs[0] * signs[3] - signs[1] * signs[2]) == 1 and sum(map(abs, signs)) == 2 else None
    return None


if __name__ == "__main__":
    main()
