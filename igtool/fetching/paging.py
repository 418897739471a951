"""Where a job stands between two pages, and whether there is a next one. Pure: what is decided can be replayed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

import msgspec

from igtool.platforms.live import Page, Start

_REMEMBERED = 2_000
"""Ids of items and cursors that are kept to notice a loop."""


class Trail(msgspec.Struct, omit_defaults=True):
    """What a job remembers of the pages it has: it travels through the journal as JSON.

    ``looks``: how often an HTML page came instead of an answer. ``alone``: not to be asked together with others, as
    an answer for several was no good. ``candidates``: cursors still to be tried once, after an answer that promised
    more and named none; ``guessed``: the page asked for is one of those. ``reason``: why the job ends once the page
    at hand is whole.
    """

    cursor: str | None = None
    pages: int = 0
    items: int = 0
    seen: list[str] = []
    cursors: list[str] = []
    candidates: list[str] = []
    guessed: bool = False
    looks: int = 0
    alone: bool = False
    reason: str = ""

    def text(self) -> str:
        """This trail as JSON."""
        return msgspec.json.encode(self).decode()


_TRAIL = msgspec.json.Decoder(Trail)


def trail_of(progress: str) -> Trail:
    """The trail in a job's ``progress``; a new one when it is empty."""
    return _TRAIL.decode(progress) if progress else Trail()


@dataclass(frozen=True)
class Bounds:
    """How far a job goes: ``pages`` and ``items`` at most, and nothing older than ``since``."""

    pages: int
    items: int | None = None
    since: datetime | None = None


def begin(page: Page, start: Start) -> Trail:
    """The trail of a kind that starts where a profile with its first items left off."""
    if start.cursor is None:
        return Trail()
    ids = list(dict.fromkeys(item.native_id for item in page.items))
    return Trail(start.cursor, 1, len(ids), ids[-_REMEMBERED:], [_mark(start.cursor)])


def advance(trail: Trail, page: Page, bounds: Bounds) -> str | None:
    """Take ``page`` into ``trail`` and point it at the next one; the reason when there is none.

    Reasons: ``end``, ``page_limit``, ``item_limit``, ``since``, ``no_new_item``, ``repeated_cursor``,
    ``cursor_cycle``, ``no_cursor``.
    """
    trail.looks = 0
    known = set(trail.seen)
    new = dict.fromkeys(item.native_id for item in page.items if item.native_id not in known)
    trail.seen = [*trail.seen, *new][-_REMEMBERED:]
    trail.items += len(new)
    trail.pages += page.counted
    if page.counted and not new:
        return _without_new_item(trail, page)
    trail.guessed, trail.candidates = False, []
    if page.counted:
        trail.reason = _bound(trail, page, bounds)
    is_last = page.more is False or (page.cursor is None and page.more is None)
    if trail.reason and not page.is_half and not is_last:
        return trail.reason
    return _next(trail, page)


def _bound(trail: Trail, page: Page, bounds: Bounds) -> str:
    """The limit that is reached with this page; empty when none is."""
    if bounds.since is not None:
        dated = [item.published_at for item in page.items if item.published_at and not item.is_pinned]
        if dated and min(dated) < bounds.since:
            return "since"
    if bounds.items is not None and trail.items >= bounds.items:
        return "item_limit"
    return "page_limit" if trail.pages >= bounds.pages else ""


def _without_new_item(trail: Trail, page: Page) -> str | None:
    """A page of nothing new ends the job, unless it was a guess and another guess is left."""
    if trail.guessed:
        return guess_again(trail)
    return "no_new_item" if page.items or page.more or page.cursor else "end"


def guess_again(trail: Trail) -> str | None:
    """Point ``trail`` at the next candidate; ``no_cursor`` when none is left."""
    return _point(trail, trail.candidates.pop(0)) if trail.candidates else "no_cursor"


def _next(trail: Trail, page: Page) -> str | None:
    if page.cursor is not None and page.more is not False:
        return _point(trail, page.cursor)
    if page.more is not True:
        return "end"
    trail.candidates = [one for one in dict.fromkeys(page.candidates) if one and _mark(one) not in trail.cursors]
    if not trail.candidates:
        return "no_cursor"
    trail.guessed = True
    return _point(trail, trail.candidates.pop(0))


def _point(trail: Trail, cursor: str) -> str | None:
    mark = _mark(cursor)
    if cursor == trail.cursor:
        return "repeated_cursor"
    if mark in trail.cursors:
        return "cursor_cycle"
    trail.cursor = cursor
    trail.cursors = [*trail.cursors, mark][-_REMEMBERED:]
    return None


def _mark(cursor: str) -> str:
    return sha256(cursor.encode()).hexdigest()[:12]
