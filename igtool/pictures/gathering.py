"""The pictures of one account: taken best first, each shown thing once."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from igtool.pictures.fetching import LATER, Missed
from igtool.pictures.store import PictureStore
from igtool.vision.kinds import NotAPicture
from igtool.vision.likeness import fingerprint, near
from igtool.vision.pictures import read_picture
from igtool.vision.stored import stored_form

Row = dict[str, Any]
"""A row of the table ``media``."""

_SIDE = 640
"""Pixels of the longer side at which pictures are compared."""
_PASSING = frozenset({"truncated"})
"""Reasons why a file is no picture that another download may mend."""


@dataclass(frozen=True)
class PictureDesk:
    """What gathering pictures needs: where they are kept, and who fetches them."""

    store: PictureStore
    fetch: Callable[[str], bytes | Missed]


@dataclass(frozen=True)
class Wanted:
    """A picture to be had. ``address``: its ``url`` without the query, which is signed anew every day."""

    account_id: str
    content_id: str
    position: int
    rank: int
    url: str
    address: str


class Gathered:
    """The pictures of an account so far, ``known`` ones among them without being asked for again."""

    def __init__(self, desk: PictureDesk, now: datetime, known: Iterable[Row]) -> None:
        self._desk, self._now = desk, now
        self._known = {row["media_id"]: row for row in known}
        self.rows = [row for row in self._known.values() if row["source"] == "folder"]
        self.is_complete = True
        """Whether none of them may come later."""

    @property
    def stored_count(self) -> int:
        """How many downloaded pictures there are, copies not counted."""
        return sum(row["outcome"] == "stored" and row["source"] == "download" for row in self.rows)

    def take(self, wanted: Wanted) -> None:
        """Add a picture, or why it is not there. Raises StorageError."""
        row: Row = {
            "media_id": f"{wanted.content_id}/{wanted.position}",
            "account_id": wanted.account_id,
            "content_id": wanted.content_id,
            "position": wanted.position,
            "source_url": wanted.address,
            "source": "download",
            "engagement_rank": wanted.rank,
            "fetched_at": self._now,
        }
        before = self._known.get(row["media_id"])
        if before is not None and self._stands(before, wanted.address):
            self.rows.append(before | {"engagement_rank": wanted.rank})
            return
        found = self._desk.fetch(wanted.url)
        if isinstance(found, bytes):
            self.rows.append(row | self.kept(found))
        elif found.outcome in LATER:
            self.is_complete = False
        else:
            self.rows.append(row | {"outcome": found.outcome, "reason": found.reason})

    def give(self, data: bytes, account_id: str) -> Row | None:
        """Add a picture file that the user has; its row, None if it was given before. Raises StorageError."""
        media_id = f"folder:{account_id}/{hashlib.sha256(data).hexdigest()}"
        if media_id in self._known:
            return None
        told = {"media_id": media_id, "account_id": account_id, "source": "folder", "fetched_at": self._now}
        row = self._known[media_id] = told | self.kept(data)
        self.rows.append(row)
        return row

    def _stands(self, before: Row, address: str) -> bool:
        """Whether what is known of a picture needs no further look."""
        if before["source_url"] != address or before["outcome"] == "blocked" or before["reason"] in _PASSING:
            return False
        if before["outcome"] == "stored":
            return self._desk.store.has(before["sha256"])
        return before["outcome"] != "duplicate" or any(row["media_id"] == before["duplicate_of"] for row in self.rows)

    def kept(self, data: bytes) -> Row:
        """What becomes of the file ``data``: stored, a duplicate of what is there, or refused. Raises StorageError."""
        try:
            stored = stored_form(data)
            picture = read_picture(stored.content, at_most=_SIDE)
        except NotAPicture as error:
            return {"outcome": "refused", "reason": error.reason}
        likeness = fingerprint(picture.pixels)
        told: Row = {"likeness": likeness, "width": picture.width, "height": picture.height, "kind": stored.kind}
        originals = [row for row in self.rows if row["outcome"] == "stored"]
        first = near([*(row["likeness"] for row in originals), likeness])[-1]
        if first < len(originals):
            same = originals[first]["media_id"]
            return told | {"outcome": "duplicate", "reason": "shown-already", "duplicate_of": same}
        self._desk.store.put(stored.sha256, stored.content)
        size = len(stored.content)
        return told | {"outcome": "stored", "sha256": stored.sha256, "size_bytes": size}
