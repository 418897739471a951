"""Pictures from files to measured facts, with real models: ``python -m benchmarks.vision [--count 5000]``. JSON lines.

Files are made of the photographs of ../shared/realdata/images: cropped by up to a tenth, 1,080 pixels on the longer
side as platforms give them, JPEG of quality 80 to 95, each once for an account. ``taken``: checked, compared, kept
(`igtool import images` without its command); ``measured``: the stage picture_facts with its commits. Beside them, for
each piece alone and one thread, milliseconds a picture; and decoding against Pillow's own way to RGB, in turns.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps

from benchmarks.results import emit
from igtool.journal import Journal
from igtool.lake import Lake
from igtool.pictures.fetching import Missed
from igtool.pictures.gathering import Gathered, PictureDesk, Row
from igtool.pictures.store import PictureStore
from igtool.progress import Progress
from igtool.runner import Runner
from igtool.stages.base import Context
from igtool.stages.picture_facts import PictureFacts, PictureFactsOptions
from igtool.vision.hair import head_box
from igtool.vision.likeness import fingerprint
from igtool.vision.looking import SIDE, Eyes
from igtool.vision.pictures import read_picture
from igtool.vision.stored import stored_form

ROOT = Path(__file__).parents[1]
REAL = ROOT.parent / "shared" / "realdata" / "images"
NOW = datetime(2026, 10, 1, tzinfo=UTC)
_SIDE = 1080
_SAMPLE = 60


def report(**line: object) -> None:
    """A line of the result."""
    print(json.dumps(line), flush=True)


def photographs() -> list[Image.Image]:
    """The real ones, upright."""
    paths = [path for name in ("people", "negatives") for path in sorted((REAL / name).iterdir())]
    return [
        ImageOps.exif_transpose(Image.open(path)).convert("RGB") for path in paths if path.suffix in (".jpg", ".png")
    ]


def files(count: int) -> Iterator[tuple[int, bytes]]:
    """Account and file, ``count`` times; an account has each photograph once."""
    random = np.random.default_rng(5)
    originals = photographs()
    for number in range(count):
        account, place = divmod(number, len(originals))
        image = originals[place]
        left, top, right, bottom = random.uniform(0, 0.1, 4)
        image = image.crop(
            (
                int(left * image.width),
                int(top * image.height),
                int((1 - right) * image.width),
                int((1 - bottom) * image.height),
            )
        )
        scale = _SIDE / max(image.size)
        file = BytesIO()
        image.resize((round(image.width * scale), round(image.height * scale))).save(
            file, "JPEG", quality=int(random.integers(80, 96))
        )
        yield account, file.getvalue()


def resident_mb() -> int:
    """Memory now."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("VmRSS"))) // 1024


def taken(made: Sequence[tuple[int, bytes]], store: PictureStore) -> list[Row]:
    """Every file kept for its account."""
    desk = PictureDesk(store, lambda _: Missed("refused", "none", "nothing is fetched"))
    rows: list[Row] = []
    gathered: dict[int, Gathered] = {}
    for account, data in made:
        shelf = gathered.setdefault(account, Gathered(desk, NOW, ()))
        row = shelf.give(data, f"instagram:{account}")
        if row is not None:
            rows.append(row)
    return rows


def measured(folder: Path, rows: Sequence[Row], store: PictureStore, eyes: Eyes) -> tuple[float, list[int]]:
    """Seconds of the stage, and memory after each of its batches."""
    memory: list[int] = []
    with Journal(folder / "cache", writable=True) as journal, Lake(folder / "data", writable=True) as lake:
        with lake.transaction():
            lake.merge("media", list(rows))
        desk = PictureDesk(store, lambda _: Missed("refused", "none", "nothing is fetched"))
        context = Context(encoder=_no_encoder, clock=lambda: NOW, pictures=desk, eyes=lambda: eyes)
        progress = Progress(folder / "progress.json", "r")
        runner = Runner(lake, journal, context, progress, on_batch=lambda _: memory.append(resident_mb()))
        began = time.perf_counter()
        runner.run([PictureFacts(PictureFactsOptions(" ".join(eyes.models)))])
        return time.perf_counter() - began, memory


def _no_encoder() -> Any:
    raise AssertionError("no text is embedded here")


def pieces(made: Sequence[bytes], eyes: Eyes) -> None:
    """Milliseconds of each piece, one after the other in this thread; median over pictures."""
    spent: dict[str, list[float]] = {}

    def timed(name: str, work: Callable[[], Any]) -> Any:
        began = time.perf_counter()
        result = work()
        spent.setdefault(name, []).append((time.perf_counter() - began) * 1000)
        return result

    for data in made:
        timed("Pillow's decoding", lambda d=data: np.asarray(Image.open(BytesIO(d)).convert("RGB")))
        timed(
            "Pillow's decoding, and 640 pixels",
            lambda d=data: np.asarray(Image.open(BytesIO(d)).convert("RGB").resize((640, 640))),
        )
        timed("checked and kept form", lambda d=data: stored_form(d))
        small = timed("decoded for 640 pixels", lambda d=data: read_picture(d, at_most=640)).pixels
        timed("likeness", lambda p=small: fingerprint(p))
        pixels = timed(f"decoded for {SIDE} pixels", lambda d=data: read_picture(d, at_most=SIDE)).pixels
        people = timed("people", lambda p=pixels: eyes._detector.detect([p]))[0]
        faces = timed("faces", lambda p=pixels, b=people: eyes._faces.detect(p, b))
        if people or faces:
            timed("pose, of those with people", lambda p=pixels, b=people: eyes._poses.estimate(p, b[0] if b else None))
        if faces:
            timed("outline, of those with faces", lambda p=pixels, f=faces: eyes._outlines.outline(p, head_box(f[0])))
        timed("people, faces, pose and facts together", lambda p=pixels, b=people: eyes._look(p, b, is_adult=False))
    for name, values in spent.items():
        report(piece=name, ms=round(statistics.median(values), 2), n=len(values))


def main() -> None:
    """Print all lines."""
    parser = argparse.ArgumentParser(description="Pictures a second.")
    parser.add_argument("--count", type=int, default=5000)
    parser.add_argument("--models", type=Path, default=ROOT / "models")
    options = parser.parse_args()
    names = ("onnxruntime", "ai-edge-litert", "pillow", "simplejpeg")
    cores = len(os.sched_getaffinity(0))
    report(machine=platform.machine(), cores=cores, **{name: version(name) for name in names})
    eyes = Eyes(options.models, device="cpu", threads=cores)
    made = list(files(options.count))
    report(pictures=len(made), mean_kb=round(sum(len(data) for _, data in made) / len(made) / 1000))
    pieces([data for _, data in made[:_SAMPLE]], eyes)
    with tempfile.TemporaryDirectory() as place:
        store = PictureStore(Path(place) / "images")
        began = time.perf_counter()
        rows = taken(made, store)
        took = time.perf_counter() - began
        report(part="taken", pictures_s=round(len(made) / took, 1), stored=sum(r["outcome"] == "stored" for r in rows))
        seconds, memory = measured(Path(place), rows, store, eyes)
    data = f"{len(made):,} cropped real photographs of {_SIDE} pixels"
    for name, spent in (("taken", took), ("measured", seconds), ("end to end", took + seconds)):
        rate = len(made) / spent
        emit(f"pictures {name}", rate, "pictures/s", n=len(made), better="higher", data=data, packages=names)
    tenth = max(len(memory) // 10, 1)
    report(part="measured", pictures_s=round(len(made) / seconds, 1))
    report(part="end to end", pictures_s=round(len(made) / (took + seconds), 1))
    report(part="memory", first_tenth_mb=max(memory[:tenth]), last_tenth_mb=max(memory[-tenth:]))


if __name__ == "__main__":
    main()
