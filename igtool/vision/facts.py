"""What is measured in a picture: each fact feeds a tag or a filter, and what cannot be told is None."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from igtool.vision.boxes import Pixels, Rectangle, area
from igtool.vision.cielab import Colour
from igtool.vision.framing import Framing, brightness, chroma, framing_of, sharpness
from igtool.vision.garments import Garments, garments_of
from igtool.vision.hair import Hair, hair_of
from igtool.vision.hair_tags import HairTag, hair_tags
from igtool.vision.landmarks import Face, Pose
from igtool.vision.regions import Outline

Person = TypeVar("Person", bound=Rectangle)

_STANDS_OUT = 3.0
"""Times the size of every other person, from which somebody is what the picture is about."""


@dataclass(frozen=True)
class Facts:
    """The measured facts of one picture; all are of the class ``open``.

    ``sharpness`` and ``brightness`` are 0 to 1, ``chroma`` from 0 (scales: `igtool.vision.framing`). Colours are in
    CIELAB, of the subject only, and None where there is no one subject or the colour is not sure; ``hair_scores`` is
    what the hair's colour says for each tag.
    """

    people_count: int
    faces_count: int
    framing: Framing
    sharpness: float
    brightness: float
    chroma: float
    hair: Colour | None
    hair_scores: dict[HairTag, float]
    upper_garment: Colour | None
    lower_garment: Colour | None


@dataclass(frozen=True, eq=False)
class Seen:
    """What the models saw of the subject; ``outline`` is that of their head (`igtool.vision.hair.head_box`)."""

    face: Face | None = None
    pose: Pose | None = None
    outline: Outline | None = None


def subject_of(people: Sequence[Person]) -> Person | None:
    """The one person whom a picture is about: alone, or three times as large as every other; else None.

    Colours are told of this person only: who of several people a creator is, is never inferred.
    """
    by_size = sorted(people, key=area, reverse=True)
    if not by_size or (len(by_size) > 1 and area(by_size[0]) < _STANDS_OUT * area(by_size[1])):
        return None
    return by_size[0]


def face_of(person: Rectangle, faces: Sequence[Face]) -> Face | None:
    """The largest face whose middle is in the box of ``person``; None for none."""
    inside = [
        face
        for face in faces
        if person.left <= (face.box.left + face.box.right) / 2 <= person.right
        and person.top <= (face.box.top + face.box.bottom) / 2 <= person.bottom
    ]
    return max(inside, key=lambda face: area(face.box), default=None)


def facts_of(
    pixels: Pixels, people: Sequence[Rectangle], faces: Sequence[Face], seen: Seen, *, may_describe: bool
) -> Facts:
    """The facts of a picture with these ``people`` and ``faces``; ``seen`` is of the subject, or of the largest person.

    Without ``may_describe`` nothing of hair and garments is computed: for a picture with somebody who may be under age.
    A person whose face is found and whose body is not counts as a person too: a close-up has no body to detect.
    """
    subject = subject_of(people)
    largest = subject or max(people, key=area, default=None)
    hair, garments = Hair(None), Garments(None, None)
    if may_describe is True and (subject is not None or (not people and len(faces) == 1)):
        if seen.face is not None and seen.outline is not None:
            hair = hair_of(pixels, seen.face, seen.outline)
        if seen.pose is not None:
            garments = garments_of(pixels, seen.pose)
    height, width = pixels.shape[:2]
    framing: Framing = "none"
    if people or faces:
        framing = framing_of(height, width, seen.face, seen.pose, largest)
    return Facts(
        people_count=max(len(people), len(faces)),
        faces_count=len(faces),
        framing=framing,
        sharpness=sharpness(pixels, largest),
        brightness=brightness(pixels),
        chroma=chroma(pixels),
        hair=hair.colour,
        hair_scores=hair_tags(hair),
        upper_garment=garments.upper,
        lower_garment=garments.lower,
    )
