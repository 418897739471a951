"""The contract of a live platform: which request comes next, and what its answer says.

A source is one file of ``igtool.platforms`` with a subclass of ``Source``, found by its entry point in the group
``igtool.sources``. It writes only what is particular to it: addresses, paging, quota units. Pace, retries, limits,
storage and resuming are the fetcher's; nothing here waits, stores or opens a connection.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar

from igtool.http import Response
from igtool.pacing import Limit, Policy, Quota
from igtool.platforms.base import Outcome
from igtool.platforms.outcomes import Verdict, judge
from igtool.settings import Settings

PROFILE = "profile"
POSTS = "posts"
REELS = "reels"
SEARCH = "search"
"""A task of this kind has the words to search for as its handle."""


@dataclass(frozen=True)
class Key:
    """What a source shows to be let in. ``name`` (in the ledger) tells nothing about ``secret``."""

    name: str = "-"
    secret: str = field(default="", repr=False)


@dataclass(frozen=True)
class Task:
    """One thing to ask: a ``kind`` of data of one account.

    ``target``: what the platform calls the account where its handle does not do (a user id, a playlist id), as an
    earlier page told. ``cursor``: which page; None for the first.
    """

    handle: str
    kind: str
    target: str | None = None
    cursor: str | None = None


@dataclass(frozen=True)
class Call:
    """One request. ``endpoint`` is its name in the ledger and in ``raw_responses``; ``url`` holds no secret."""

    endpoint: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    units: int = 1
    cost_usd: float = 0.0


@dataclass(frozen=True)
class Item:
    """One content item on a page: enough to see whether it is new and whether it is older than ``--since``."""

    native_id: str
    published_at: datetime | None = None
    is_pinned: bool = False


@dataclass(frozen=True)
class Start:
    """Where a further kind of the same account begins: by ``target``, at ``cursor``. ``is_end``: nothing is left."""

    target: str | None = None
    cursor: str | None = None
    is_end: bool = False


@dataclass(frozen=True)
class Page:
    """What an answer with the outcome ``ok`` holds, as far as asking on is concerned.

    ``cursor``: the next page, None when the answer names none. ``more``: what the answer says about further pages,
    None when it is silent. ``candidates``: other values that have served as cursor for this shape, tried once each
    when ``more`` is true and ``cursor`` is missing. ``counted``: whether it counts as a page (the second request
    for the same items does not). ``is_half``: the items are only named, and the request at ``cursor`` brings them, also
    when a limit is reached. ``follow``: kinds that can be asked now. ``found``: with several tasks in one
    request, the handles that the answer has, and ``starts`` takes the place of ``follow`` for each of them.
    ``discovered``: accounts that a search found.
    """

    items: tuple[Item, ...] = ()
    cursor: str | None = None
    more: bool | None = None
    candidates: tuple[str, ...] = ()
    counted: bool = True
    is_half: bool = False
    is_private: bool = False
    follow: Mapping[str, Start] = field(default_factory=dict)
    found: frozenset[str] | None = None
    starts: Mapping[str, Mapping[str, Start]] = field(default_factory=dict)
    discovered: tuple[str, ...] = ()


class Source(ABC):
    """One live platform as one way of asking it.

    ``name`` is what the user types; ``platform`` is ``instagram`` or ``youtube``; ``kinds`` starts with ``profile``.
    ``is_partial``: it knows only some accounts, so that another source may find what this one does not.
    ``workers``: requests that may be under way at once; the pace is the same for all of them together.
    """

    name: ClassVar[str]
    platform: ClassVar[str]
    kinds: ClassVar[tuple[str, ...]]
    is_partial: ClassVar[bool] = False
    policy: ClassVar[Policy] = Policy()
    workers: ClassVar[int] = 1

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    @abstractmethod
    def keys(self) -> tuple[Key, ...]:
        """The keys to use, in order. Raises ConfigError that names the missing setting."""

    @abstractmethod
    def call(self, tasks: Sequence[Task], key: Key) -> Call:
        """The request for ``tasks`` (one, unless ``together`` says more)."""

    @abstractmethod
    def page(self, task: Task, body: bytes) -> Page:
        """What an answer holds; ``task`` is the (first) one that was asked.

        Raises platforms.base.Refused or msgspec.ValidationError when the body is not what this call answers with.
        """

    def together(self, task: Task) -> int:  # noqa: ARG002 - a source that batches looks at the task
        """How many tasks like ``task`` fit into one request."""
        return 1

    def requests_for(self, kind: str, pages: int) -> int:
        """How many requests ``pages`` pages of a kind take at most, besides the profile's.

        In most sources that one holds the first page of posts.
        """
        return max(0, pages - 1) if kind == POSTS else pages

    def judge(self, response: Response) -> Verdict:
        """What ``response`` means; a source overrides it for what its platform says in its own way."""
        return judge(response.status, response.body)

    def usage_score(self, headers: Mapping[str, str]) -> float | None:  # noqa: ARG002
        """How much of the platform's own limit is used, 0-1, where its headers tell (names are lower case)."""
        return None

    def probe(self) -> Task:
        """A cheap request that shows whether the platform answers."""
        return Task({"instagram": "instagram", "youtube": "youtube"}[self.platform], PROFILE)


__all__ = [
    "POSTS",
    "PROFILE",
    "REELS",
    "SEARCH",
    "Call",
    "Item",
    "Key",
    "Limit",
    "Outcome",
    "Page",
    "Policy",
    "Quota",
    "Source",
    "Start",
    "Task",
]
