"""How well and how fast people are found: ``python -m benchmarks.vision_detector`` prints JSON lines.

The photographs and labels are those of ../shared/realdata/images: how many people each shows, where COCO marks them,
and pictures without people. Crowds (``persons`` -1) are not counted. Every line has its counts; shares are left to
sets of 30 and more. The threshold is that of the family, which was not chosen on these photographs; ``--score`` is
another one.

Speed is of pictures in memory, in a size that platforms serve and in half of it: milliseconds by the clock, and of the
processor, which other processes on the machine hardly change. ``fitting``: making smaller and scaling, alone.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps

from benchmarks.niche_sets import REALDATA
from igtool.model_entries import RECOMMENDED
from igtool.vision.boxes import Box, Pixels, overlaps
from igtool.vision.detector import DetectorOptions, PersonDetector

PICTURES = REALDATA / "images"
SERVED = ((1080, 1350), (540, 675))
SAME_PLACE = 0.5


def labels() -> list[dict[str, Any]]:
    """Every labelled picture."""
    return [json.loads(line) for line in (PICTURES / "labels.jsonl").read_text().splitlines()]


def photograph(name: str) -> Pixels:
    """An upright picture."""
    with warnings.catch_warnings(), Image.open(PICTURES / name) as opened:
        warnings.simplefilter("ignore")  # some are broken on purpose
        return np.asarray(ImageOps.exif_transpose(opened).convert("RGB"))


def group(label: dict[str, Any]) -> str:
    """What kind of picture it is."""
    folder, name = label["file"].split("/")
    return name.split("_")[0].lower() if folder == "exif_orientation" else folder


def quality(detector: PersonDetector) -> None:
    """A line a group, one for boxes, and one a picture whose count is wrong."""
    counted: dict[str, list[tuple[dict[str, Any], list[Box]]]] = {}
    for label in labels():
        if label["persons"] >= 0:
            counted.setdefault(group(label), []).append((label, detector.detect([photograph(label["file"])])[0]))
    for name, pairs in counted.items():
        say(
            "counts",
            set=name,
            pictures=len(pairs),
            people=sum(label["persons"] for label, _ in pairs),
            found=sum(len(boxes) for _, boxes in pairs),
            right_counts=sum(len(boxes) == label["persons"] for label, boxes in pairs),
            too_many=sum(max(0, len(boxes) - label["persons"]) for label, boxes in pairs),
            lowest_score=round(min((box.score for _, boxes in pairs for box in boxes), default=0), 3),
        )
    for label, boxes in (pair for pairs in counted.values() for pair in pairs):
        if len(boxes) != label["persons"]:
            scores = [round(box.score, 2) for box in boxes]
            say("wrong_count", picture=label["file"], people=label["persons"], scores=scores)
    marked = [pair for pairs in counted.values() for pair in pairs if pair[0]["boxes"]]
    say("boxes", pictures=len(marked), **matched(marked))


def matched(pairs: list[tuple[dict[str, Any], list[Box]]]) -> dict[str, int]:
    """Marked people, boxes that were found, and of these those at the place of a marked person, each of one."""
    people = found = right = 0
    for label, boxes in pairs:
        left = [np.array([x, y, x + width, y + height], np.float32) for x, y, width, height in label["boxes"]]
        people, found = people + len(left), found + len(boxes)
        for box in boxes:
            place = np.array([[box.left, box.top, box.right, box.bottom]], np.float32)
            shared = [float(overlaps(one, place)[0]) for one in left]
            if shared and max(shared) >= SAME_PLACE:
                right += 1
                left.pop(int(np.argmax(shared)))
    return {"people": people, "found": found, "right": right}


def speed(folder: Path, wanted: str, rounds: int) -> None:
    """A line a size of picture, number of threads and size of batch: the fastest of ``rounds`` and their median."""
    source = Image.fromarray(photograph("people/obama.jpg"))
    for threads in sorted({1, len(os.sched_getaffinity(0))}):
        for batch_size in (1, 8):
            options = DetectorOptions(device="cpu", threads=threads, batch_size=batch_size)
            detector = PersonDetector.open(folder, wanted, options)
            for size in SERVED:
                pictures = [np.asarray(source.resize(size))] * 16
                detector.detect(pictures[:batch_size])
                took = [timed(detector, pictures) for _ in range(rounds)]
                clock, processor = (sorted(each) for each in zip(*took, strict=True))
                say(
                    "speed",
                    size=f"{size[0]}x{size[1]}",
                    threads=threads,
                    batch_size=batch_size,
                    ms=round(clock[0], 1),
                    median_ms=round(statistics.median(clock), 1),
                    processor_ms=round(processor[0], 1),
                    fitting_ms=round(fitting(detector, pictures), 1),
                )


def timed(detector: PersonDetector, pictures: list[Pixels]) -> tuple[float, float]:
    """Milliseconds a picture, by the clock and of the processor."""
    clock, processor = time.perf_counter(), time.process_time()
    detector.detect(pictures)
    count = len(pictures) / 1000
    return (time.perf_counter() - clock) / count, (time.process_time() - processor) / count


def fitting(detector: PersonDetector, pictures: list[Pixels]) -> float:
    """Milliseconds a picture that making it fit takes."""
    given = np.zeros((3, *detector.size[::-1]), np.float32)
    began = time.perf_counter()
    for pixels in pictures:
        detector.fitted(pixels, given)
    return (time.perf_counter() - began) * 1000 / len(pictures)


def say(what: str, **told: Any) -> None:
    """Print a line."""
    print(json.dumps({"what": what, **told}))


def main() -> None:
    """Print all lines."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", type=Path, default=Path("models"), help="the folder of models")
    parser.add_argument("--model", default=RECOMMENDED, help="a detector in it")
    parser.add_argument("--score", type=float, help="another threshold")
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    options = DetectorOptions(device="cpu", score=given.score)
    detector = PersonDetector.open(given.models, given.model, options)
    say("detector", model=detector.model, input="x".join(map(str, detector.size)), score=detector.score)
    quality(detector)
    speed(given.models, given.model, given.rounds)


if __name__ == "__main__":
    main()
