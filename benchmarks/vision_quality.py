"""Faces, poses, framing and hair of real photographs beside what people say of them, and the speed of each model.

``python -m benchmarks.vision_quality [faces] [pose] [framing] [hair] [speed]`` prints one JSON line per photograph and
one per part. The photographs lie in ../shared/realdata/images and are not part of igtool; there are few, so the lines
tell counts and never percentages of fewer than 30. ``--overlays FOLDER`` draws what was found. ``--models FOLDER`` is
where ``igtool models add`` put MediaPipe's files.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import resource
import statistics
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from benchmarks.vision_overlays import draw
from igtool.vision.boxes import Box, Pixels, area
from igtool.vision.facts import Facts, Seen, face_of, facts_of
from igtool.vision.hair import Hair, hair_of, head_box
from igtool.vision.hair_tags import hair_tags
from igtool.vision.landmarks import Face, FaceDetector, Pose, PoseEstimator, Silhouette

IMAGES = Path(__file__).parents[2] / "shared" / "realdata" / "images"
PARTS = ("faces", "pose", "framing", "hair", "speed")
LARGEST = 1024
"""Pixels of the longer side, as pictures are decoded for looking at them."""
FACES = {
    "people/obama.jpg": 1,
    "people/biden.jpg": 1,
    "people/obama_partial.jpg": 1,
    "people/astronaut.png": 1,
    "people/pd_blonde_woman.jpg": 1,
    "people/pd_brunette_woman.jpg": 1,
    "people/bus.jpg": 2,
    "people/coco_000000000785.jpg": 1,
    "people/coco_000000040083.jpg": 2,
    "people/coco_000000197388.jpg": 5,
    "people/mp_coco_000000000315.jpg": 2,
    "people/mp_coco_000000000431.jpg": 1,
}
"""Faces that a person sees at first look, most of them partly covered in the last five; 1 in each picture of Grace
Hopper but the broken one, none in all others."""
HAIR = {
    "black": "black",
    "grey/white": "grey",
    "blonde": "blonde",
    "brown": "brunette",
    "light brown": "brunette",
}
"""Labels of the photographs as tags."""
COCO = (0, 2, 5, 7, 8, 11, 12, 13, 14, 15, 16, 23, 24, 25, 26, 27, 28)
"""The landmarks that are COCO's 17 keypoints, in COCO's order."""
COCO_SIGMAS = np.array([26, 25, 25, 35, 35, 79, 79, 72, 72, 62, 62, 107, 107, 87, 87, 89, 89]) / 1000
"""Of the object keypoint similarity: https://cocodataset.org/#keypoints-eval."""
NEAR = 0.2
"""Of the torso's length: a keypoint that is this near counts as right."""
REPEATS, MEMORY_REPEATS = 20, 500
BODY = slice(5, None)
"""Of COCO's keypoints: shoulders and what is below."""


@dataclass(frozen=True)
class Models:
    """MediaPipe's models."""

    faces: FaceDetector
    poses: PoseEstimator
    silhouette: Silhouette


@dataclass(frozen=True)
class Photograph:
    """A labelled picture; ``boxes`` of people where COCO tells them."""

    name: str
    pixels: Pixels
    boxes: list[Box]
    people: int
    hair: str

    @property
    def faces(self) -> int:
        """Faces that a person sees."""
        is_hopper = self.name.startswith("edge_cases/hopper") and "bad_exif" not in self.name
        return FACES.get(self.name, 1 if is_hopper else 0)


def main() -> None:
    """Print the lines."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("parts", nargs="*", default=list(PARTS), metavar="part", help=", ".join(PARTS))
    parser.add_argument("--images", type=Path, default=IMAGES)
    parser.add_argument("--models", type=Path, default=Path("models"))
    parser.add_argument("--overlays", type=Path)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    photographs = list(labelled(arguments.images))
    models = opened(arguments.models)
    if "faces" in arguments.parts:
        faces(photographs, models)
    if "pose" in arguments.parts:
        poses(arguments.images, models)
    if {"framing", "hair"} & set(arguments.parts):
        measured(photographs, models, arguments)
    if "speed" in arguments.parts:
        speed(photographs, arguments.models)


def opened(folder: Path, threads: int = 1) -> Models:
    """The models in ``folder``."""
    return Models(
        FaceDetector(
            folder / "face_detection_full_range_sparse.tflite", folder / "face_detection_short_range.tflite", threads
        ),
        PoseEstimator(folder / "pose_detection.tflite", folder / "pose_landmark_full.tflite", threads),
        Silhouette(folder / "selfie_segmentation.tflite", threads),
    )


def labelled(folder: Path) -> Iterator[Photograph]:
    """Every labelled picture that decodes, upright and at most `LARGEST` a side."""
    for line in (folder / "labels.jsonl").read_text().splitlines():
        label = json.loads(line)
        try:
            with Image.open(folder / label["file"]) as image:
                upright = ImageOps.exif_transpose(image).convert("RGB")
        except (OSError, UnidentifiedImageError) as error:
            report("unreadable", picture=label["file"], why=str(error))
            continue
        scale = min(1.0, LARGEST / max(upright.size))
        upright.thumbnail((LARGEST, LARGEST))
        boxes = [Box(x * scale, y * scale, (x + w) * scale, (y + h) * scale) for x, y, w, h in label["boxes"]]
        yield Photograph(label["file"], np.asarray(upright), boxes, label["persons"], label["hair_color"])


def report(part: str, **figures: Any) -> None:
    """One line."""
    print(json.dumps({"part": part, **figures}), flush=True)


def faces(photographs: list[Photograph], models: Models) -> None:
    """Faces found beside those that a person sees; found where there are none, they are false."""
    counts: Counter[str] = Counter()
    for photograph in photographs:
        found = models.faces.detect(photograph.pixels, photograph.boxes)
        kind = "with faces" if photograph.faces else "without faces"
        counts[f"pictures {kind}"] += 1
        counts["faces there"] += photograph.faces
        counts["faces found"] += min(len(found), photograph.faces)
        counts["false faces"] += max(0, len(found) - photograph.faces)
        if photograph.faces or found:
            scores = [round(face.score, 2) for face in found]
            report("face", picture=photograph.name, there=photograph.faces, scores=scores)
    report("faces", **counts)


def poses(folder: Path, models: Models) -> None:
    """Keypoints beside those of COCO: how many are near, and the object keypoint similarity."""
    told = json.loads((folder / "people" / "coco_annotations.json").read_text())
    errors, near, body = [], 0, []
    for one in told["annotations"]:
        if not one["num_keypoints"]:
            continue
        with Image.open(folder / "people" / f"coco_{one['image_id']:012d}.jpg") as image:
            pixels = np.asarray(image.convert("RGB"))
        x, y, width, height = one["bbox"]
        pose = models.poses.estimate(pixels, Box(x, y, x + width, y + height))
        truth = np.array(one["keypoints"], dtype=np.float64).reshape(17, 3)
        marked = truth[:, 2] > 0
        torso = float(np.hypot(*(truth[5:7, :2].mean(axis=0) - truth[11:13, :2].mean(axis=0))))
        if pose is None:
            report("person", person=one["id"], marked=int(marked.sum()), found=False)
            continue
        off = np.hypot(*(pose.points[list(COCO), :2] - truth[:, :2]).T)
        similarity = np.exp(-(off**2) / (2 * one["area"] * (2 * COCO_SIGMAS) ** 2))[marked].mean()
        errors += (off[marked] / torso).tolist()
        body += (off[BODY][marked[BODY]] / torso).tolist()
        near += int((off[marked] < NEAR * torso).sum())
        report(
            "person",
            person=one["id"],
            marked=int(marked.sum()),
            near=int((off[marked] < NEAR * torso).sum()),
            similarity=round(float(similarity), 3),
        )
    report(
        "pose",
        keypoints=len(errors),
        near=near,
        near_share=round(near / len(errors), 3) if len(errors) >= 30 else None,
        median_error_of_torso=round(statistics.median(errors), 3),
        median_error_of_torso_from_shoulders_down=round(statistics.median(body), 3),
    )


def seen_in(photograph: Photograph, models: Models) -> tuple[list[Face], Pose | None, Face | None, Seen]:
    """What the models see of the largest person."""
    found = models.faces.detect(photograph.pixels, photograph.boxes)
    largest = max(photograph.boxes, key=area, default=None)
    face = face_of(largest, found) if largest else max(found, key=lambda each: area(each.box), default=None)
    pose = models.poses.estimate(photograph.pixels, largest)
    outline = models.silhouette.outline(photograph.pixels, head_box(face)) if face else None
    return found, pose, face, Seen(face, pose, outline)


def measured(photographs: list[Photograph], models: Models, arguments: argparse.Namespace) -> None:
    """Framing of every picture with people, and the colour of hair beside labels, as a table of counts."""
    table: Counter[str] = Counter()
    for photograph in photographs:
        if not photograph.people:
            continue
        found, _, face, seen = seen_in(photograph, models)
        facts: Facts = facts_of(photograph.pixels, photograph.boxes, found, seen, may_describe=True)
        hair = Hair(None)
        if face is not None and seen.outline is not None:
            hair = hair_of(photograph.pixels, face, seen.outline)
        if "framing" in arguments.parts:
            figures = {name: getattr(facts, name) for name in ("framing", "sharpness", "brightness")}
            garments = {part: getattr(facts, f"{part}_garment") for part in ("upper", "lower")}
            report("framing", picture=photograph.name, **figures, **{p: c and asdict(c) for p, c in garments.items()})
        if "hair" in arguments.parts and photograph.hair in HAIR:
            scores = hair_tags(hair)
            best = max(scores, key=lambda tag: scores[tag], default=None)
            table[f"{HAIR[photograph.hair]} told, {best or 'unsure'} found"] += 1
            told = {"picture": photograph.name, "told": photograph.hair, "unsure": hair.unsure, "scores": scores}
            report("hair of one", **told, colour=hair.colour and asdict(hair.colour))
        if arguments.overlays:
            draw(arguments.overlays, photograph.name, photograph.pixels, photograph.boxes, found, seen)
    if "hair" in arguments.parts:
        report("hair", **dict(sorted(table.items())))


def speed(photographs: list[Photograph], folder: Path) -> None:
    """Pictures a second of each piece at one thread and two, and what 500 repetitions do to memory."""
    photograph = next(each for each in photographs if each.name == "people/obama.jpg")
    pixels = photograph.pixels
    for threads in (1, 2):
        models = opened(folder, threads)
        _, pose, face, seen = seen_in(photograph, models)
        if pose is None or face is None or seen.outline is None:
            raise SystemExit("no face in people/obama.jpg: are these the right files?")
        box = Box(0, 0, pixels.shape[1], pixels.shape[0])
        pieces: dict[str, Callable[[], object]] = {
            "faces": lambda: models.faces.detect(pixels, [box]),  # noqa: B023
            "pose": lambda: models.poses.estimate(pixels, box),  # noqa: B023
            "silhouette": lambda: models.silhouette.outline(pixels, head_box(face)),  # noqa: B023
            "facts": lambda: facts_of(pixels, [box], [face], seen, may_describe=True),  # noqa: B023
        }
        pieces["all"] = lambda: [piece() for name, piece in pieces.items() if name != "all"]  # noqa: B023
        for name, piece in pieces.items():
            wall, processor = (
                statistics.median(each) for each in zip(*(timed(piece) for _ in range(REPEATS)), strict=True)
            )
            figures = {"ms": round(wall, 1), "processor_ms": round(processor, 1), "per_s": round(1000 / wall, 1)}
            report("speed", piece=name, threads=threads, **figures)
        if threads == 1:
            memory(pieces["all"])


def timed(piece: Callable[[], object]) -> tuple[float, float]:
    """Milliseconds of one call, by the wall and of the processor, which tells more where others work too."""
    began, spent = time.perf_counter(), time.process_time()
    piece()
    return (time.perf_counter() - began) * 1000, (time.process_time() - spent) * 1000


def memory(piece: Callable[[], object]) -> None:
    """Resident megabytes before and after `MEMORY_REPEATS` calls."""
    for _ in range(REPEATS):
        piece()
    gc.collect()
    before = resident()
    for _ in range(MEMORY_REPEATS):
        piece()
    gc.collect()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    report("memory", repetitions=MEMORY_REPEATS, mb_before=before, mb_after=resident(), mb_peak=round(peak))


def resident() -> int:
    """Megabytes that this process holds now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return round(pages * os.sysconf("SC_PAGE_SIZE") / 1e6)


if __name__ == "__main__":
    main()
