"""Kept pictures, decoded side by side."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from igtool.errors import IntegrityError
from igtool.pictures.store import PictureStore
from igtool.vision.boxes import Pixels
from igtool.vision.kinds import NotAPicture
from igtool.vision.pictures import read_picture

_THREADS = 4
"""Decoding releases the interpreter: so many overlap with reading from a disk."""


class Unreadable(NamedTuple):
    """Why a kept picture cannot be looked at: a slug, and a sentence for a person."""

    reason: str
    detail: str


def read_kept(store: PictureStore, pictures: Sequence[str], *, at_most: int) -> dict[str, Pixels | Unreadable]:
    """Each of ``pictures`` (SHA-256) decoded, its longer side at most so many pixels, or why it cannot be."""

    def read(sha256: str) -> Pixels | Unreadable:
        try:
            return read_picture(store.read(sha256), at_most=at_most).pixels
        except IntegrityError as error:
            return Unreadable("file-missing", str(error))
        except NotAPicture as error:
            return Unreadable(error.reason, str(error))

    with ThreadPoolExecutor(_THREADS, thread_name_prefix="pictures") as pool:
        return dict(zip(pictures, pool.map(read, pictures), strict=True))
