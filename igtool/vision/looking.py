"""All that is measured in a picture, with the models that are installed."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from igtool import models
from igtool.errors import ConfigError
from igtool.model_entries import RECOMMENDED
from igtool.vision.age import AgeCheck, picture_verdict
from igtool.vision.body import BodyFacts, body_facts
from igtool.vision.boxes import Box, Pixels, area
from igtool.vision.detector import DetectorOptions, PersonDetector
from igtool.vision.facts import Facts, Seen, face_of, facts_of, subject_of
from igtool.vision.hair import head_box
from igtool.vision.kinds import NotAPicture
from igtool.vision.landmarks import Face, FaceDetector, PoseEstimator, Silhouette
from igtool.vision.pictures import read_picture
from igtool.vision.sessions import Wish, open_session

NEEDED = {
    "mediapipe-face-far": "face",
    "mediapipe-face": "face",
    "mediapipe-pose-detection": "pose",
    "mediapipe-pose": "pose",
    "mediapipe-silhouette": "silhouette",
}
"""Models besides the detector, by name, with their kind."""
SIDE = 1024
"""Pixels of the longer side at which pictures are looked at."""
_AGE_ERROR_YEARS = 10.0
_SHA_DIGITS = 12


@dataclass(frozen=True)
class Look:
    """What was measured in a picture. ``may_be_minor``: the safety verdict, None where there is none."""

    facts: Facts
    may_be_minor: bool | None


class Eyes:
    """The models of the folder ``models``, opened. ``threads``: pictures that are looked at side by side.

    Raises ConfigError naming the commands that get what is missing, IntegrityError for a damaged file.
    """

    def __init__(self, folder: Path, *, device: Wish = "auto", threads: int = 2) -> None:
        self.models = installed(folder)
        paths = {name: models.usable(name, folder, kind).path(folder) for name, kind in NEEDED.items()}
        self._detector = PersonDetector.open(folder, options=DetectorOptions(device=device, threads=threads))
        self._faces = FaceDetector(paths["mediapipe-face-far"], paths["mediapipe-face"])
        self._poses = PoseEstimator(paths["mediapipe-pose-detection"], paths["mediapipe-pose"])
        self._outlines = Silhouette(paths["mediapipe-silhouette"])
        self._age = _age_check(folder, device, threads)
        self.fallback = self._detector.session.fallback
        """Why not on the device that was wished for, to be said to the user; else None."""
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="eyes")

    def read(self, files: Sequence[bytes]) -> list[Pixels | NotAPicture]:
        """Each of the picture ``files`` decoded, at most ``SIDE`` pixels long, or why it cannot be."""
        return list(self._pool.map(_read, files))

    def look(self, pictures: Sequence[Pixels], are_adults: Sequence[bool]) -> list[Look]:
        """What is in each of ``pictures``.

        Hair and garments are measured where nobody may be under age: the safety check says so, or, where it says
        nothing, whoever shows the picture declared to be adult (``are_adults``).
        """
        people = self._detector.detect(pictures)
        return list(self._pool.map(self._look, pictures, people, are_adults))

    def bodies(self, pictures: Sequence[Pixels], *, allowed: bool) -> list[BodyFacts]:
        """The proportions of the one person whom each of ``pictures`` is about; nothing is looked at if not allowed."""
        if allowed is not True:
            return [BodyFacts(unmeasured="not_allowed") for _ in pictures]
        return list(self._pool.map(self._body, pictures, self._detector.detect(pictures)))

    def _body(self, pixels: Pixels, people: list[Box]) -> BodyFacts:
        subject = subject_of(people)
        if subject is None:
            return BodyFacts(unmeasured="no_subject")
        pose = self._poses.estimate(pixels, subject)
        if pose is None:
            return BodyFacts(unmeasured="no_pose")
        return body_facts(pixels, pose, [one for one in people if one is not subject], allowed=True)

    def _look(self, pixels: Pixels, people: list[Box], is_adult: bool) -> Look:
        faces = self._faces.detect(pixels, people)
        verdict = self._verdict(pixels, faces, max(len(people), len(faces)))
        largest = max(people, key=area, default=None)
        face = face_of(largest, faces) if largest else max(faces, key=lambda one: area(one.box), default=None)
        pose = self._poses.estimate(pixels, largest) if people or faces else None
        may_describe = verdict is False or (verdict is None and is_adult)
        outline = self._outlines.outline(pixels, head_box(face)) if face and may_describe else None
        seen = Seen(face, pose, outline)
        return Look(facts_of(pixels, people, faces, seen, may_describe=may_describe), verdict)

    def _verdict(self, pixels: Pixels, faces: Sequence[Face], people_count: int) -> bool | None:
        if self._age is None or not people_count:
            return None if people_count else False
        return picture_verdict([self._age.may_be_minor(pixels, face) for face in faces], people_count)


def _read(data: bytes) -> Pixels | NotAPicture:
    try:
        return read_picture(data, at_most=SIDE).pixels
    except NotAPicture as error:
        return error


def installed(folder: Path) -> list[str]:
    """Names of the models that `Eyes` uses, with the beginning of their SHA-256: who changes one has others.

    Raises ConfigError naming the commands that get what is missing.
    """
    missing = []
    found = []
    for wanted, kind in ((RECOMMENDED, "detector"), *NEEDED.items()):
        try:
            found.append(models.usable(wanted, folder, kind))
        except ConfigError as error:
            missing.append("nanodet" if wanted == RECOMMENDED else wanted)
            reason = error
    if missing:
        commands = ", ".join(f"`igtool models add {name}`" for name in missing)
        raise ConfigError(
            f"looking at pictures needs models that are not in {folder}: `make vision` gets them, or {commands}"
        ) from reason
    with suppress(ConfigError):
        found.append(models.usable(RECOMMENDED, folder, "age"))
    return sorted(f"{model.name}+{(model.sha256 or 'unknown')[:_SHA_DIGITS]}" for model in found)


def has_age_check(folder: Path) -> bool:
    """Whether an estimator of age is installed: without one no picture with people has a verdict."""
    try:
        models.usable(RECOMMENDED, folder, "age")
    except ConfigError:
        return False
    return True


def _age_check(folder: Path, device: Wish, threads: int) -> AgeCheck | None:
    """The safety check, where a model for it is installed."""
    try:
        path = models.usable(RECOMMENDED, folder, "age").path(folder)
    except ConfigError:
        return None
    return AgeCheck(open_session(path, device=device, threads=threads), error_years=_AGE_ERROR_YEARS)
