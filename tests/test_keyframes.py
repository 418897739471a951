"""Stills of videos: the right ones, upright, from every kind that is read; and nothing but a reason from all else."""

from __future__ import annotations

import struct
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, replace
from fractions import Fraction

import numpy as np
import pytest
from picture_files import EVERY_KIND
from video_files import KINDS, Frame, needs_av, plain, scene, video

from igtool.errors import ConfigError
from igtool.vision import keyframes as module
from igtool.vision.keyframes import DEFAULT_VIDEO_LIMITS, VideoLimits, keyframes
from igtool.vision.kinds import NotAPicture, sniff, video_container
from igtool.vision.pictures import Pixels, read_picture
from igtool.vision.stored import stored_still

SCENES = [scene(seed) for seed in range(4)]


def refusal(data: bytes, limits: VideoLimits = DEFAULT_VIDEO_LIMITS) -> str:
    """Why there are no stills."""
    with pytest.raises(NotAPicture) as caught:
        keyframes(data, limits)
    return caught.value.reason


def is_like(still: Pixels, frame: Frame) -> bool:
    """Whether both show the same colours: squares of 8 pixels, without their edges."""
    return still.shape == frame.shape and bool(np.abs(still[4::8, 4::8].astype(int) - frame[4::8, 4::8]).max() < 40)


@needs_av
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_read_by_its_bytes(kind: str) -> None:
    """Each scene once, in order, in its own colours; and no video passes for a picture."""
    data = video(SCENES, kind)
    assert sniff(data) is None
    stills = keyframes(data, at_most=4)
    assert [is_like(still, frame) for still, frame in zip(stills, SCENES, strict=True)] == [True] * 4


@needs_av
def test_stills_are_spread_and_the_same_again() -> None:
    """Of ten scenes three far from each other, none from the first tenth, the same for the same bytes."""
    scenes = [scene(seed) for seed in range(10)]
    data = video(scenes)
    shown = [[is_like(still, one) for one in scenes].index(True) for still in keyframes(data)]
    assert shown[0] > 0
    assert min(np.diff(shown)) >= 2
    assert [stored_still(one).sha256 for one in keyframes(data)] == [
        stored_still(one).sha256 for one in keyframes(data)
    ]


@needs_av
def test_what_tells_nothing_is_left_out() -> None:
    """Black, white, blurred and repeated scenes; a video with nothing else has none, or its one blurred still."""
    ramp = np.linspace(60, 200, 64, dtype=np.uint8)
    blurred = np.stack(
        [np.broadcast_to(ramp, (64, 64)), np.broadcast_to(ramp[:, None], (64, 64)), plain(90)[..., 0]], 2
    )
    stills = keyframes(video([plain(0), SCENES[1], blurred, plain(255), SCENES[1], SCENES[2]]), at_most=6)
    assert [is_like(still, frame) for still, frame in zip(stills, SCENES[1:3], strict=True)] == [True, True]
    assert len(keyframes(video([blurred, plain(0), blurred]))) == 1
    assert refusal(video([plain(0), plain(3)])) == "no-still"


@needs_av
def test_a_video_of_one_keyframe_is_decoded_through() -> None:
    """Its scenes are found between keyframes, as far as frames are decoded."""
    data = video(SCENES, gop=1000)
    assert len(keyframes(data, at_most=4)) == 4
    assert len(keyframes(data, replace(DEFAULT_VIDEO_LIMITS, max_frames=9), at_most=4)) == 2


@needs_av
@pytest.mark.parametrize(
    ("turn", "mirror", "undone"),
    [
        (90, False, lambda frame: np.rot90(frame)),
        (180, False, lambda frame: np.rot90(frame, 2)),
        (-90, False, lambda frame: np.rot90(frame, -1)),
        (0, True, lambda frame: frame[:, ::-1]),
        (45, False, lambda frame: frame),
    ],
)
def test_stills_are_upright(turn: int, mirror: bool, undone: Callable[[Frame], Frame]) -> None:
    """As the file says that it is to be shown; what is no right angle is left as it is."""
    frame = scene(5, 96, 64)
    (still,) = keyframes(video([frame], turn=turn, mirror=mirror))
    assert is_like(still, undone(frame))


@needs_av
def test_pixels_become_square_and_stills_not_too_large() -> None:
    """A file may say that its pixels are wider than high; a still is made smaller where that is wanted."""
    (still,) = keyframes(video([SCENES[0]], ratio=Fraction(2)))
    assert still.shape == (64, 128, 3)
    (still,) = keyframes(video([scene(1, 96, 48)]), replace(DEFAULT_VIDEO_LIMITS, max_side=48))
    assert still.shape == (24, 48, 3)


@needs_av
def test_what_is_kept_of_a_still_is_a_picture_like_any_other() -> None:
    """A JPEG with the still in it and nothing else."""
    (still,) = keyframes(video([SCENES[0]]))
    stored = stored_still(still)
    assert stored.kind == "jpeg"
    assert is_like(read_picture(stored.content).pixels, SCENES[0])


# Bad input -----------------------------------------------------------------------------------------------------------


@needs_av
@pytest.mark.parametrize("kind", ["mp4", "webm"])
def test_cut_off_videos_are_truncated(kind: str) -> None:
    """Wherever they end; another download may bring the rest."""
    data = video(SCENES, kind)
    assert {refusal(data[:size]) for size in (40, len(data) // 3, len(data) - 1)} == {"truncated"}


@needs_av
@pytest.mark.parametrize("kind", ["mp4", "mov", "webm", "mkv"])
def test_damaged_videos_end_nothing(kind: str) -> None:
    """Random bytes anywhere: stills, or a reason; never another error."""
    data = video(SCENES, kind)
    for seed in range(2):
        random = np.random.default_rng(seed)
        damaged = np.frombuffer(data, np.uint8).copy()
        damaged[random.integers(12, len(data), 40)] = random.integers(0, 256, 40)
        with suppress(NotAPicture):
            assert keyframes(damaged.tobytes())


@needs_av
@pytest.mark.parametrize(
    "data",
    [
        b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nhttp://127.0.0.1:9/x.ts\n#EXT-X-ENDLIST\n",
        b"ffconcat version 1.0\nfile /etc/passwd\n",
        b"v=0\no=- 0 0 IN IP4 127.0.0.1\nm=video 9 RTP/AVP 96\n",
        b"",
        EVERY_KIND["jpeg"],
        EVERY_KIND["avif"],
    ],
)
def test_only_files_of_videos_reach_ffmpeg(data: bytes) -> None:
    """No playlist, no list of files, no session description, no picture."""
    assert video_container(data) is None
    assert refusal(data) == "unsupported-kind"


@needs_av
def test_too_large_ones_are_refused() -> None:
    """By bytes, and by pixels of a frame."""
    data = video(SCENES)
    assert refusal(data, replace(DEFAULT_VIDEO_LIMITS, max_bytes=len(data) - 1)) == "too-large-bytes"
    assert refusal(data, replace(DEFAULT_VIDEO_LIMITS, max_pixels=64 * 64 - 1)) == "too-many-pixels"


def swollen(count: int) -> bytes:
    """A video of some kB that says it has so many frames of one byte each."""
    data = bytearray(video(SCENES, "mov"))
    for table, words in ((b"stsz", (1, count)), (b"stsc", (1, 1, count, 1)), (b"stts", (1, count, 1))):
        place = data.index(table) + 8
        data[place : place + 4 * len(words)] = struct.pack(f">{len(words)}I", *words)
    return bytes(data)


@needs_av
def test_one_that_swells_is_stopped() -> None:
    """By the processor time that it takes, or by its memory: without limits these take minutes and gigabytes."""
    assert refusal(swollen(1_000_000), replace(DEFAULT_VIDEO_LIMITS, cpu_s=1)) == "too-costly"
    assert refusal(swollen(100_000_000), replace(DEFAULT_VIDEO_LIMITS, max_memory_bytes=500_000_000)) == "broken"


@needs_av
def test_a_slow_one_is_stopped() -> None:
    """By the clock; what stops it is the same for any file."""
    assert refusal(video(SCENES), replace(DEFAULT_VIDEO_LIMITS, wall_s=0.001)) == "too-costly"


@needs_av
def test_who_reads_videos_can_open_nothing() -> None:
    """Neither files nor sockets, once the file is read: what FFmpeg could be talked into fails."""
    fields = set(asdict(DEFAULT_VIDEO_LIMITS)) - {"max_bytes", "wall_s"}
    limits = {name: getattr(DEFAULT_VIDEO_LIMITS, name) for name in fields}
    program = (
        "import json, socket, sys\n"
        f"sys.path.insert(0, {str(module._PROGRAM.parent)!r})\n"
        "import video_process as v\n"
        f"v._give_up_rights(v.Task(container='mov', stills=1, **{limits!r}))\n"
        "for act in (lambda: open('/etc/hostname'), socket.socket):\n"
        "    try: act()\n"
        "    except OSError as error: print(error.errno)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["24", "24"]


def test_without_pyav_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """One sentence with the command."""
    monkeypatch.setattr(module, "find_spec", lambda _: None)
    with pytest.raises(ConfigError, match=r"igtool\[video\]"):
        keyframes(b"\0\0\0\x18ftypisom")
