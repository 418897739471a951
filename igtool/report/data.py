"""What the report shows, as plain data: what the caller knows about its run, and what the tables say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from igtool.progress import StageCounts


@dataclass(frozen=True)
class Oddity:
    """Something odd in the list: slug, how often, and the first lines, from 1."""

    slug: str
    count: int
    lines: tuple[int, ...] = ()


@dataclass(frozen=True)
class ListSummary:
    """The list as it was read. ``status`` is the number of rows by status (``igtool.fill.Filling.counts``)."""

    path: str
    encoding: str
    delimiter: str
    rows: int
    status: Mapping[str, int] = field(default_factory=dict)
    odd: tuple[Oddity, ...] = ()


@dataclass(frozen=True)
class ColumnCoverage:
    """Cells of a column that hold something ``before`` and ``after``, of ``total`` rows; ``field`` filled it."""

    column: str
    field: str
    before: int
    after: int
    total: int


@dataclass(frozen=True)
class ValueOrigin:
    """How many cells of ``column`` were filled from ``field`` by one ``method``."""

    column: str
    field: str
    method: str
    cells: int


@dataclass(frozen=True)
class RunInfo:
    """What the caller knows about its run.

    ``versions``: name to version, for the footer. ``generic_categories``: platform categories that say nothing
    about content (``igtool/vocabulary/generic_categories.toml``). ``output``: the filled list.
    """

    run_id: str
    started_at: datetime
    seconds: float
    stages: Sequence[StageCounts] = ()
    coverage: Sequence[ColumnCoverage] = ()
    origins: Sequence[ValueOrigin] = ()
    generic_categories: Sequence[str] = ()
    versions: Mapping[str, str] = field(default_factory=dict)
    notes: Sequence[str] = ()
    output: str | None = None


@dataclass(frozen=True)
class Totals:
    """Rows of the lake: creators, accounts (and how many of them are private), content items, rejects."""

    creators: int
    accounts: int
    private: int
    content_items: int
    rejected: int


@dataclass(frozen=True)
class Counted:
    """A name and how many there are."""

    name: str
    count: int


@dataclass(frozen=True)
class Spread:
    """Quartiles of the engagement rate of ``accounts`` accounts of one platform in one follower band."""

    platform: str
    band: str
    accounts: int
    low: float
    median: float
    high: float


@dataclass(frozen=True)
class AccountLink:
    """An account as the report names it; ``url`` is its public page, ``rule`` and ``evidence`` why it belongs."""

    platform: str
    handle: str
    url: str
    followers: int | None
    rule: str
    evidence: str


@dataclass(frozen=True)
class CreatorRow:
    """A creator of the tables. ``engagement_rate`` is that of its largest account with items, as a share of 1."""

    name: str
    handle: str
    followers: int | None
    niche: str
    style: str
    engagement_rate: float | None
    summary: str
    website: str | None
    accounts: tuple[AccountLink, ...]


@dataclass(frozen=True)
class RejectGroup:
    """Rejects of one stage and reason, with the first of them as (path, line, detail)."""

    stage: str
    reason: str
    count: int
    examples: tuple[tuple[str, int | None, str], ...]


@dataclass(frozen=True)
class ReportData:
    """Everything the report shows; nothing in it is trusted, all texts are escaped when it is rendered."""

    run: RunInfo
    creator_list: ListSummary | None
    """None when no list was given."""
    totals: Totals
    niches: tuple[Counted, ...]
    """Primary niche slugs of creators, most frequent first."""
    bands: tuple[Counted, ...]
    """Creators by follower band, smallest band first, empty bands included; ``unknown`` only where it occurs."""
    engagement: tuple[Spread, ...]
    """By platform, then band."""
    hours: Mapping[tuple[int, int], int]
    """Content items by (weekday from 0 = Monday, hour), UTC."""
    published: tuple[datetime, datetime] | None
    """First and last time of publishing."""
    languages: tuple[Counted, ...]
    """ISO 639-1 codes of creators."""
    countries: tuple[Counted, ...]
    """ISO 3166-1 alpha-2 codes of creators."""
    platforms: tuple[Counted, ...]
    """Accounts by platform."""
    confidence: tuple[int, ...]
    """Creators by confidence of the primary niche, in ten steps from 0 to 1."""
    methods: tuple[tuple[str, str, int], ...]
    """(field, method, creators) of niches: which method decided what."""
    generic: tuple[Counted, ...]
    """Categories of accounts that say nothing about content."""
    top: tuple[CreatorRow, ...]
    """The creators with most followers."""
    linked: tuple[CreatorRow, ...]
    """Creators with more than one account, most followers first."""
    linked_total: int
    rejects: tuple[RejectGroup, ...]
    commands: tuple[tuple[str, str], ...]
    """Commands to try next: (command line, what it does)."""
