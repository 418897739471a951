"""Draws onto a picture what was found in it, to be looked at by a person."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from igtool.vision.boxes import Box, Pixels
from igtool.vision.facts import Seen
from igtool.vision.hair import HairParts, hair_parts
from igtool.vision.landmarks import Face, Pose
from igtool.vision.regions import Outline

BONES = ((11, 12), (11, 13), (13, 15), (12, 14), (14, 16), (11, 23), (12, 24), (23, 24), (23, 25), (25, 27), (24, 26))
BONES += ((26, 28), (27, 31), (28, 32), (0, 2), (0, 5), (2, 7), (5, 8))
HEAD = 384


def draw(folder: Path, name: str, pixels: Pixels, boxes: Sequence[Box], faces: Sequence[Face], seen: Seen) -> None:
    """Write a PNG: boxes, faces and pose over the person's outline, and beside it the hair in green and skin in red."""
    folder.mkdir(parents=True, exist_ok=True)
    shown = pixels.astype(np.float32)
    if seen.pose is not None:
        shown = tinted(shown, seen.pose.outline.mask(*pixels.shape[:2]), (0, 90, 255))
    if seen.outline is not None:
        shown = tinted(shown, seen.outline.mask(*pixels.shape[:2]), (0, 255, 90))
    image = Image.fromarray(shown.astype(np.uint8))
    pen = ImageDraw.Draw(image)
    for box in boxes:
        pen.rectangle((box.left, box.top, box.right, box.bottom), outline="white", width=2)
    for face in faces:
        pen.rectangle((face.box.left, face.box.top, face.box.right, face.box.bottom), outline="red", width=2)
        for x, y in face.points.tolist():
            pen.ellipse((x - 2, y - 2, x + 2, y + 2), fill="red")
    if seen.pose is not None:
        bones(pen, seen.pose)
    sheet = Image.new("RGB", (image.width + HEAD, max(image.height, HEAD)))
    sheet.paste(image, (0, 0))
    if seen.face is not None and seen.outline is not None:
        sheet.paste(head(pixels, seen.face, seen.outline), (image.width, 0))
    sheet.save(folder / f"{name.replace('/', '_')}.png")


def tinted(shown: np.ndarray, mask: np.ndarray, colour: tuple[int, int, int]) -> np.ndarray:
    """The picture with a part of it coloured."""
    strength = mask[..., None] * 0.35
    return np.asarray(shown * (1 - strength) + np.array(colour) * strength)


def bones(pen: ImageDraw.ImageDraw, pose: Pose) -> None:
    """Lines between the landmarks, yellow where they are seen, red where they are guessed."""
    for first, last in BONES:
        green = round(255 * float(min(pose.visibility[first], pose.visibility[last])))
        line = (*pose.points[first, :2].tolist(), *pose.points[last, :2].tolist())
        pen.line(line, fill=(255, green, 0), width=3)


def head(pixels: Pixels, face: Face, outline: Outline) -> Image.Image:
    """The head, with what is taken for hair and what is left out as skin."""
    parts = hair_parts(pixels, face, outline)
    if not isinstance(parts, HairParts):
        image = Image.new("RGB", (HEAD, HEAD))
        ImageDraw.Draw(image).text((10, 10), parts)
        return image
    lightness = np.repeat(parts.values[..., :1] * 2.55, 3, axis=2)
    lightness = tinted(lightness, (parts.crown | parts.sides) & ~parts.hair, (255, 0, 0))
    lightness = tinted(lightness, parts.hair, (0, 255, 0))
    return Image.fromarray(lightness.clip(0, 255).astype(np.uint8)).resize((HEAD, HEAD))
