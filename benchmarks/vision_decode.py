"""How fast photographs become pixels: ``python -m benchmarks.vision_decode [--count 5000] [--threads 2]``, JSON lines.

The photographs of ../shared/realdata are made larger or smaller and encoded again, ``--count`` times, in a temporary
folder: of ten files six as a feed has them (1,350 pixels on the longer side), two of those progressive, three of
1,440 pixels, and one of 4,032 pixels as a phone makes them. Then all are read by each way in turn.

``pictures_s``: by the clock, with all threads. ``pictures_processor_s``: by the time that the threads worked, which
other processes on the machine hardly change; ``of``: the same for each kind of file. ``times``: against Pillow's whole
picture, and ``times_smaller`` against Pillow's whole picture made smaller afterwards, which is what is wanted.
A JPEG's codes have to be read for any size: for a feed's that alone takes more than a third of Pillow's whole decoding.
``mb_first`` and ``mb_last``: memory after the first and after the last fifth of the files.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from importlib.metadata import version
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import simplejpeg
from PIL import Image

from benchmarks.likeness import real_photographs
from igtool.vision.pictures import read_picture

KINDS = {"feed": 1350, "feed, progressive": 1350, "portrait": 1440, "phone": 4032}
PATTERN = ("feed", "portrait", "feed, progressive", "feed", "portrait", "feed", "phone", "portrait",
           "feed, progressive", "feed")  # fmt: skip
QUALITIES = (75, 80, 85, 90)
Way = Callable[[bytes], Any]


def make_files(folder: Path, count: int, threads: int) -> list[tuple[str, Path]]:
    """``count`` files with their kind, no two of them equal."""
    photographs = [Image.fromarray(read_picture(path.read_bytes()).pixels) for path in real_photographs()]

    def make(number: int) -> tuple[str, Path]:
        image, kind = photographs[number % len(photographs)], PATTERN[number % len(PATTERN)]
        share = KINDS[kind] / max(image.size)
        size = (max(1, round(image.width * share)), max(1, round(image.height * share)))
        shift = number / count  # of a pixel: every file is another one
        box = (shift, shift, float(image.width), float(image.height))
        path = folder / f"{number}.jpg"
        sized = image.resize(size, Image.Resampling.BICUBIC, box=box)
        quality = QUALITIES[number // len(PATTERN) % len(QUALITIES)]
        sized.save(path, quality=quality, progressive="progressive" in kind)
        return kind, path

    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(make, range(count)))


def pillow(data: bytes) -> Any:
    """The whole picture, as most programs read it."""
    with Image.open(BytesIO(data)) as image:
        return np.asarray(image.convert("RGB"))


def pillow_smaller(data: bytes, at_most: int) -> Any:
    """The whole picture, then made smaller, as Pillow does by default."""
    with Image.open(BytesIO(data)) as image:
        share = min(1.0, at_most / max(image.size))
        size = (max(1, round(image.width * share)), max(1, round(image.height * share)))
        return np.asarray(image.convert("RGB").resize(size))


def pillow_draft(data: bytes, at_most: int) -> Any:
    """At the eighth, quarter or half that is not smaller than wanted."""
    with Image.open(BytesIO(data)) as image:
        share = min(1.0, at_most / max(image.size))
        image.draft("RGB", (max(1, round(image.width * share)), max(1, round(image.height * share))))
        return np.asarray(image.convert("RGB"))


def ways(at_most: int) -> dict[str, Way]:
    """Each way by its name; Pillow's whole picture first, that made smaller second."""
    return {
        "Pillow, whole": pillow,
        "Pillow, whole, made smaller": partial(pillow_smaller, at_most=at_most),
        "Pillow, draft": partial(pillow_draft, at_most=at_most),
        "simplejpeg, whole": simplejpeg.decode_jpeg,
        "igtool, whole": lambda data: read_picture(data).pixels,
        "igtool": lambda data: read_picture(data, at_most=at_most).pixels,
    }


def resident_mb() -> int:
    """Memory that this process holds."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") // 1_000_000


def read_all(files: list[tuple[str, Path]], way: Way, threads: int) -> tuple[float, dict[str, float], list[int]]:
    """Seconds by the clock, seconds that threads worked for each kind, and memory after each fifth."""
    worked, lock, held = dict.fromkeys(KINDS, 0.0), threading.Lock(), []

    def read(kind: str, path: Path) -> None:
        data = path.read_bytes()
        began = time.thread_time()
        way(data)
        spent = time.thread_time() - began
        with lock:
            worked[kind] += spent

    clock = 0.0
    with ThreadPoolExecutor(threads) as pool:
        step = max(1, len(files) // 5)
        for start in range(0, len(files), step):
            began = time.perf_counter()
            for _ in pool.map(lambda file: read(*file), files[start : start + step]):
                pass
            clock += time.perf_counter() - began
            held.append(resident_mb())
    return clock, worked, held


def main() -> None:
    """Print the lines of all ways."""
    parser = argparse.ArgumentParser(description="Photographs a second.")
    parser.add_argument("--count", type=int, default=5000)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--at-most", type=int, default=640, help="pixels of the longer side that are wanted")
    arguments = parser.parse_args()
    versions = {name: version(name) for name in ("pillow", "simplejpeg", "numpy")}
    machine = {"cores": len(os.sched_getaffinity(0)), "machine": platform.machine(), **versions}
    print(json.dumps({"part": "machine", **machine}), flush=True)
    with tempfile.TemporaryDirectory() as name:
        files = make_files(Path(name), arguments.count, arguments.threads)
        size = sum(path.stat().st_size for _, path in files)
        print(json.dumps({"part": "files", "count": len(files), "mb": round(size / 1e6)}), flush=True)
        counts = {kind: sum(1 for known, _ in files if known == kind) for kind in KINDS}
        base: list[dict[str, float]] = []
        for way_name, way in ways(arguments.at_most).items():
            clock, worked, held = read_all(files, way, arguments.threads)
            spent = {"all": sum(worked.values()), **{kind: worked[kind] for kind in KINDS if counts[kind]}}
            base.append(spent)
            line = {
                "part": "decode",
                "way": way_name,
                "threads": arguments.threads,
                "pictures_s": round(len(files) / clock, 1),
                "pictures_processor_s": round(len(files) / spent["all"], 1),
                "of": {kind: round(counts[kind] / spent[kind], 1) for kind in spent if kind != "all"},
                "times": {kind: round(base[0][kind] / spent[kind], 2) for kind in spent},
                "times_smaller": {kind: round(base[min(1, len(base) - 1)][kind] / spent[kind], 2) for kind in spent},
                "mb_first": held[0],
                "mb_last": held[-1],
            }
            print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
