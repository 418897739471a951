"""Which copies of a photograph are found, and which photographs are taken for copies of others.

    python -m benchmarks.likeness [--photos DIR] [--most 500] [--seed 0]

Copies are made here of each photograph: resized, compressed, cropped at a random place, turned, framed, written upon,
mirrored. For each way to hash it prints JSON lines: per kind of copy how many are found at each distance, and among
different photographs how many pairs are taken for copies. ``found_of_transformed``: over all pairs within groups
of a photograph and the five copies that imagededup's benchmark makes (a crop of 560 of 640 pixels, mirrored, upside
down, turned by 25 degrees, squeezed to a square), where its pHash finds .079 at distance 10.

``set`` tells which photographs: ``real`` are those of ../shared/realdata; of ``--photos`` every second file is
``chosen`` (windows and distance were chosen on such a half of 1,000 photographs) and the others are ``held back``.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Callable
from io import BytesIO
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter

from benchmarks.niche_sets import REALDATA
from igtool.vision.likeness import BITS, DIGITS, distance, fingerprint
from igtool.vision.pictures import read_picture

Random = np.random.Generator
Change = Callable[[Image.Image, Random], Image.Image]
Hash = Callable[[Image.Image], Any]
DISTANCES = (4, 6, 8, 10, 12)
LONGEST = 640
SAME = ("obama_partial.jpg",)
"""Photographs that show a part of another one."""


def cropped(image: Image.Image, share: float, random: Random) -> Image.Image:
    """``share`` of the width and of the height is cut away, anywhere."""
    width, height = (round(side * (1 - share)) for side in image.size)
    left, top = int(random.integers(0, image.width - width + 1)), int(random.integers(0, image.height - height + 1))
    return image.crop((left, top, left + width, top + height))


def one_side_cut(image: Image.Image, share: float, random: Random) -> Image.Image:
    """``share`` is cut from one of the four sides."""
    box = [0.0, 0.0, float(image.width), float(image.height)]
    side = int(random.integers(0, 4))
    box[side] += image.size[side % 2] * (share if side < 2 else -share)
    return image.crop((round(box[0]), round(box[1]), round(box[2]), round(box[3])))


def squared(image: Image.Image) -> Image.Image:
    """The square in the middle."""
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    return image.crop((left, top, left + side, top + side))


def turned(image: Image.Image, degrees: float, cut: bool = False) -> Image.Image:
    """Turned with black corners, or what has none of them."""
    found = image.rotate(degrees, Image.Resampling.BICUBIC)
    if not cut:
        return found
    (width, height), angle = image.size, math.radians(degrees)
    across, along = math.cos(angle), math.sin(angle)
    share = min(width / (width * across + height * along), height / (width * along + height * across))
    left, top = width * (1 - share) / 2, height * (1 - share) / 2
    return found.crop((math.ceil(left), math.ceil(top), int(width - left), int(height - top)))


def framed(image: Image.Image, random: Random, colour: str, bars: bool = False) -> Image.Image:
    """In a frame of 5 to 15% on all sides, or with bars above and below."""
    share = random.uniform(0.05, 0.15)
    across, down = 0 if bars else round(image.width * share), round(image.height * share)
    frame = Image.new("RGB", (image.width + 2 * across, image.height + 2 * down), colour)
    frame.paste(image, (across, down))
    return frame


def captioned(image: Image.Image) -> Image.Image:
    """With a black bar over the lowest 15%, and something written on it."""
    image = image.copy()
    draw, (width, height) = ImageDraw.Draw(image), image.size
    draw.rectangle((0, int(height * 0.85), width, height), fill="black")
    for word in range(6):
        left = int(width * (0.1 + 0.13 * word))
        draw.rectangle((left, int(height * 0.9), left + int(width * 0.09), int(height * 0.95)), fill="white")
    return image


def compressed(image: Image.Image, quality: int) -> Image.Image:
    """As it comes out of a JPEG."""
    file = BytesIO()
    image.save(file, "JPEG", quality=quality)
    return Image.open(file).convert("RGB")


def shrunk(image: Image.Image) -> Image.Image:
    """Half as wide and high."""
    return image.resize((max(1, image.width // 2), max(1, image.height // 2)), Image.Resampling.LANCZOS)


def filtered(image: Image.Image) -> Image.Image:
    """Less colour, more contrast."""
    return ImageEnhance.Color(ImageEnhance.Contrast(image).enhance(1.4)).enhance(0.3)


def mirrored(image: Image.Image) -> Image.Image:
    """Left for right."""
    return image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)


CHANGES: dict[str, Change] = {
    "half the size": lambda image, _: shrunk(image),
    "jpeg of quality 30": lambda image, _: compressed(image, 30),
    "brighter by 30%": lambda image, _: ImageEnhance.Brightness(image).enhance(1.3),
    "darker by 30%": lambda image, _: ImageEnhance.Brightness(image).enhance(0.7),
    "pale, with contrast": lambda image, _: filtered(image),
    "blurred": lambda image, _: image.filter(ImageFilter.GaussianBlur(2)),
    "cropped by 5%": lambda image, random: cropped(image, 0.05, random),
    "cropped by 10%": lambda image, random: cropped(image, 0.10, random),
    "cropped by 20%": lambda image, random: cropped(image, 0.20, random),
    "one side cut by 10%": lambda image, random: one_side_cut(image, 0.10, random),
    "one side cut by 20%": lambda image, random: one_side_cut(image, 0.20, random),
    "the middle square": lambda image, _: squared(image),
    "turned by 5 degrees": lambda image, _: turned(image, 5),
    "turned by 5 degrees, corners cut": lambda image, _: turned(image, 5, cut=True),
    "turned by 10 degrees": lambda image, _: turned(image, 10),
    "white frame": lambda image, random: framed(image, random, "white"),
    "black bars": lambda image, random: framed(image, random, "black", bars=True),
    "caption": lambda image, _: captioned(image),
    "mirrored": lambda image, _: mirrored(image),
    "mirrored, cropped by 10%, quality 30": lambda image, random: compressed(cropped(mirrored(image), 0.1, random), 30),
}
TRANSFORMED: dict[str, Change] = {
    "crop": lambda image, random: cropped(image, 0.125, random),
    "mirrored": lambda image, _: mirrored(image),
    "upside down": lambda image, _: image.transpose(Image.Transpose.FLIP_TOP_BOTTOM),
    "turned by 25 degrees": lambda image, _: turned(image, 25),
    "square": lambda image, _: image.resize((300, 300), Image.Resampling.LANCZOS),
}


# Ways to hash ----------------------------------------------------------------------------------------------------


def _bits(values: Any) -> int:
    return int("".join("1" if value else "0" for value in np.asarray(values).ravel()), 2)


def phash(image: Image.Image) -> int:
    """What ImageHash and imagededup call pHash: 8 x 8 frequencies of 32 x 32 pixels against their median."""
    grey = np.asarray(image.convert("L").resize((32, 32), Image.Resampling.LANCZOS), dtype=float)
    waves = np.cos(np.pi * np.arange(8)[:, None] * (np.arange(32) + 0.5) / 32)
    found = waves @ grey @ waves.T
    return _bits(found > np.median(found))


def dhash(image: Image.Image) -> int:
    """Which of 9 x 8 pixels are darker than their neighbour."""
    grey = np.asarray(image.convert("L").resize((9, 8), Image.Resampling.LANCZOS), dtype=int)
    return _bits(grey[:, 1:] > grey[:, :-1])


def _between(one: int, other: int) -> int:
    return (one ^ other).bit_count()


def _between_prints(one: str | None, other: str | None) -> int:
    return distance(one, other) if one and other else BITS


def whole(image: Image.Image) -> str | None:
    """The hash of the whole picture alone."""
    found = parts(image)
    return found[:DIGITS] if found else None


def parts(image: Image.Image) -> str | None:
    """The fingerprint, as it is."""
    return fingerprint(np.asarray(image))


WAYS: dict[str, tuple[Hash, Callable[[Any, Any], int]]] = {
    "pHash": (phash, _between),
    "dHash": (dhash, _between),
    "igtool, whole picture": (whole, _between_prints),
    "igtool, 31 parts": (parts, _between_prints),
}


# Measuring -------------------------------------------------------------------------------------------------------


def measure(images: list[Image.Image], name: str, seed: int) -> None:
    """Print what each way finds."""
    random = np.random.default_rng(seed)
    copies = {change: [work(image, random) for image in images] for change, work in CHANGES.items()}
    groups = [[image, *(work(image, random) for work in TRANSFORMED.values())] for image in images]
    for way, (hashed, between) in WAYS.items():
        began = time.process_time()
        originals = [hashed(image) for image in images]
        spent = (time.process_time() - began) / len(images)
        line = {"set": name, "photographs": len(images), "way": way}
        for change, changed in copies.items():
            found = [between(one, hashed(other)) for one, other in zip(originals, changed, strict=True)]
            print(json.dumps({**line, "copy": change, "found": counted(found), "of": len(found)}), flush=True)
        prints = [[hashed(image) for image in group] for group in groups]
        found = [between(one, other) for group in prints for one, other in combinations(group, 2)]
        print(json.dumps({**line, "found_of_transformed": counted(found), "of": len(found)}), flush=True)
        found = [between(one, other) for one, other in combinations(originals, 2)]
        told = {**line, "taken_for_copies": counted(found), "of": len(found), "ms_to_hash": round(1000 * spent, 2)}
        print(json.dumps(told), flush=True)


def counted(found: list[int]) -> dict[int, int]:
    """How many are found at each distance."""
    return {most: sum(bits <= most for bits in found) for most in DISTANCES}


def real_photographs() -> list[Path]:
    """Those of ../shared/realdata, each scene once."""
    folder = REALDATA / "images"
    found = [*folder.glob("people/*.[jp][pn]g"), *folder.glob("negatives/*.[jp][pn]g"), *folder.glob("*/*_1.jpg")]
    found += [folder / "near_duplicates/ukbench00120.jpg", folder / "edge_cases/sugarshack.mpo"]
    return sorted(path for path in found if path.name not in SAME)


def read(paths: list[Path]) -> list[Image.Image]:
    """As igtool reads them."""
    return [Image.fromarray(read_picture(path.read_bytes(), at_most=LONGEST).pixels) for path in paths]


def main() -> None:
    """Print the lines of all sets."""
    parser = argparse.ArgumentParser(description="Copies of photographs that are found.")
    parser.add_argument("--photos", type=Path, help="folder with more photographs, each scene once")
    parser.add_argument("--most", type=int, default=500, help="photographs a set")
    parser.add_argument("--seed", type=int, default=0, help="of the places where pictures are cropped")
    arguments = parser.parse_args()
    sets = {"real": real_photographs()}
    if arguments.photos:
        files = sorted(path for path in arguments.photos.iterdir() if path.suffix.lower() in (".jpg", ".jpeg", ".png"))
        sets |= {"chosen": files[0::2], "held back": files[1::2]}
    for name, paths in sets.items():
        measure(read(paths[: arguments.most]), name, arguments.seed)


if __name__ == "__main__":
    main()
