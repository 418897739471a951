"""The pictures of one account: taken best first, each shown thing once."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from igtool.pictures.fetching import LATER, Missed
from igtool.pictures.store import PictureStore
from igtool.vision.keyframes import DEFAULT_VIDEO_LIMITS, VideoLimits, keyframes
from igtool.vision.kinds import NotAPicture
from igtool.vision.likeness import fingerprint, near
from igtool.vision.pictures import Pixels, read_picture
from igtool.vision.stored import Stored, stored_form, stored_still

Row = dict[str, Any]
"""A row of the table ``media``."""

STILLS = 3
"""Of a video that the user has."""
_SIDE = 640
"""Pixels of the longer side at which pictures are compared."""
_PASSING = frozenset({"truncated"})
"""Reasons why a file is no picture that another download may mend."""


@dataclass(frozen=True)
class PictureDesk:
    """What gathering pictures needs: where they are kept, and who fetches them."""

    store: PictureStore
    fetch: Callable[[str], bytes | Missed]
    fetch_video: Callable[[str], bytes | Missed] = lambda _: Missed("refused", "not-asked", "no video is asked for")
    video_limits: VideoLimits = DEFAULT_VIDEO_LIMITS


@dataclass(frozen=True)
class Wanted:
    """A picture to be had. ``address``: its ``url`` without the query, which is signed anew every day.

    ``video_url``: where it is the thumbnail of a video, its file; ``video_address``: without the query.
    """

    account_id: str
    content_id: str
    position: int
    rank: int
    url: str
    address: str
    video_url: str | None = None
    video_address: str | None = None


class Gathered:
    """The pictures of an account so far, ``known`` ones among them without being asked for again."""

    def __init__(self, desk: PictureDesk, now: datetime, known: Iterable[Row]) -> None:
        self._desk, self._now = desk, now
        self._known = {row["media_id"]: row for row in known}
        self.rows = [row for row in self._known.values() if row["content_id"] is None]
        self.is_complete = True
        """Whether none of them may come later."""

    @property
    def stored_count(self) -> int:
        """How many pictures of the platform there are, stills among them, copies not counted."""
        return sum(row["outcome"] == "stored" and row.get("content_id") is not None for row in self.rows)

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

    def take_video(self, wanted: Wanted, stills: int) -> None:
        """Add stills of a video; where it has none, why, and its thumbnail. Raises StorageError.

        A video is known by its item and never changes: it is not asked for again, also not for more stills, unless its
        address had expired.
        """
        known = [row for row in self._known.values() if row.get("content_id") == wanted.content_id]
        before = [row for row in known if row["source"] == "keyframe"]
        if before and all(self._still_stands(row) for row in before):
            rows = [row | {"engagement_rank": wanted.rank} for row in before]
            self.rows += rows
        else:
            found = self._desk.fetch_video(wanted.video_url or "")
            if isinstance(found, Missed) and found.outcome in LATER:
                self.is_complete = False
                return
            told: Row = {
                "account_id": wanted.account_id,
                "content_id": wanted.content_id,
                "source_url": wanted.video_address,
                "engagement_rank": wanted.rank,
            }
            rows = self._add_stills(f"{wanted.content_id}/video", told, found, stills)
        if any(row["outcome"] not in ("stored", "duplicate") for row in rows):
            self.take(wanted)

    def give(self, data: bytes, account_id: str) -> Row | None:
        """Add a picture file that the user has; its row, None if it was given before. Raises StorageError."""
        media_id = f"folder:{account_id}/{hashlib.sha256(data).hexdigest()}"
        if media_id in self._known:
            return None
        told = {"media_id": media_id, "account_id": account_id, "source": "folder", "fetched_at": self._now}
        row = self._known[media_id] = told | self.kept(data)
        self.rows.append(row)
        return row

    def give_video(self, data: bytes, account_id: str) -> list[Row]:
        """Add stills of a video file that the user has; their rows, or one that says why there are no stills.

        No rows if it was given before. Raises ConfigError where PyAV is missing, StorageError.
        """
        video_id = f"folder:{account_id}/{hashlib.sha256(data).hexdigest()}"
        if f"{video_id}/0" in self._known:
            return []
        return self._add_stills(video_id, {"account_id": account_id}, data, STILLS)

    def _add_stills(self, video_id: str, told: Row, data: bytes | Missed, at_most: int) -> list[Row]:
        """Rows of stills of the video file ``data``, or one that says why there are none."""
        told |= {"source": "keyframe", "fetched_at": self._now}
        found = self._stills(data, at_most)
        rows: list[Row] = []
        if isinstance(found, dict):
            rows.append(told | {"media_id": video_id} | found)
            self.rows.append(rows[0])
        else:
            for position, pixels in enumerate(found):
                row = told | {"media_id": f"{video_id}/{position}", "position": position}
                rows.append(row | self._kept(stored_still(pixels)))
                self.rows.append(rows[-1])
        self._known |= {row["media_id"]: row for row in rows}
        return rows

    def _stills(self, data: bytes | Missed, at_most: int) -> list[Pixels] | Row:
        """The stills, or outcome and reason where there are none."""
        if isinstance(data, Missed):
            return {"outcome": data.outcome, "reason": data.reason}
        try:
            return keyframes(data, self._desk.video_limits, at_most=at_most)
        except NotAPicture as error:
            return {"outcome": "refused", "reason": error.reason}

    def _stands(self, before: Row, address: str) -> bool:
        """Whether what is known of a picture needs no further look."""
        if before["source_url"] != address or before["outcome"] == "blocked" or before["reason"] in _PASSING:
            return False
        if before["outcome"] == "stored":
            return self._desk.store.has(before["sha256"])
        return before["outcome"] != "duplicate" or any(row["media_id"] == before["duplicate_of"] for row in self.rows)

    def _still_stands(self, before: Row) -> bool:
        """Whether what is known of a video, by one of its rows, needs no further look."""
        if before["outcome"] == "blocked" or before["reason"] in _PASSING:
            return False
        return before["outcome"] != "stored" or self._desk.store.has(before["sha256"])

    def kept(self, data: bytes) -> Row:
        """What becomes of the file ``data``: stored, a duplicate of what is there, or refused. Raises StorageError."""
        try:
            return self._kept(stored_form(data))
        except NotAPicture as error:
            return {"outcome": "refused", "reason": error.reason}

    def _kept(self, stored: Stored) -> Row:
        """Raises NotAPicture for a file that cannot be decoded after all."""
        picture = read_picture(stored.content, at_most=_SIDE)
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
