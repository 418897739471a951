"""What a simulation of the schedule is given: creators and how they post, sources and what they allow."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from igtool.tiers import Tiers


@dataclass(frozen=True)
class SourcePace:
    """How fast one source may be asked, and what one look at an account takes.

    ``requests_per_minute`` and ``units_per_day`` (None: no quota; else until midnight Pacific) are per key.
    ``pause_s``: mean pause after an answer, ``answer_s``: mean time until it is there; both hold for one request at
    a time, however many keys there are. After ``batch_size`` requests (0: never) the source rests ``batch_pause_s``.
    A look takes ``requests_per_look`` requests, ``units_per_look`` units and ``cost_per_request_usd`` for each.
    """

    name: str
    platform: str
    requests_per_minute: float = 10.0
    pause_s: float = 3.0
    answer_s: float = 0.5
    batch_size: int = 100
    batch_pause_s: float = 1800.0
    keys: int = 1
    units_per_day: float | None = None
    requests_per_look: float = 1.0
    units_per_look: float = 0.0
    cost_per_request_usd: float = 0.0

    @property
    def look_s(self) -> float:
        """Seconds from the start of one look to the next while the source neither rests nor lacks units."""
        gap = max(60 / (self.requests_per_minute * self.keys), self.pause_s + self.answer_s)
        return gap * self.requests_per_look


INSTAGRAM_WEB = SourcePace("instagram_web", "instagram")
"""One request brings the profile and its first 12 posts."""
YOUTUBE = SourcePace(
    "youtube",
    "youtube",
    requests_per_minute=300,
    pause_s=0.2,
    batch_size=0,
    units_per_day=10_000,
    requests_per_look=2.02,
    units_per_look=2.02,
)
"""A look: a fiftieth of channels.list (50 ids in one request), one page of the uploads playlist, one videos.list."""
TIKHUB = SourcePace(
    "tikhub",
    "instagram",
    requests_per_minute=600,
    pause_s=0.1,
    batch_size=0,
    requests_per_look=2,
    cost_per_request_usd=0.001,
)
"""A look: user info and one page of posts."""


@dataclass(frozen=True)
class Scenario:
    """Creators, how they post, the sources that may be asked, and for how long, from a midnight Pacific time on.

    Every creator has an Instagram account and ``youtube_share`` of them a YouTube channel too. A ``dormant_share``
    posts nothing any more; the others post as Poisson processes whose rates are log-normal: median
    ``posts_per_week`` items a week, ``posting_sigma`` the deviation of the logarithm. A channel posts
    ``youtube_rate`` times as often as its creator does on Instagram. ``known_share`` of the accounts have been
    looked at before the start, each within its cadence; the others wait as backfills, which get at most
    ``backfill_share`` of a source's time and only what the tiers leave.
    """

    creators: int = 1_000_000
    days: int = 30
    youtube_share: float = 0.3
    dormant_share: float = 0.3
    posts_per_week: float = 1.0
    posting_sigma: float = 1.5
    youtube_rate: float = 0.3
    known_share: float = 0.95
    backfill_share: float = 0.2
    sources: tuple[SourcePace, ...] = (INSTAGRAM_WEB, YOUTUBE)
    tiers: Tiers = field(default_factory=Tiers)
    seed: int = 1
    tick_s: float = 600.0
    sample_h: float = 6.0

    def with_keys(self, source: str, keys: int) -> Scenario:
        """The same with so many keys for ``source``."""
        return replace(self, sources=tuple(replace(s, keys=keys) if s.name == source else s for s in self.sources))


@dataclass(frozen=True)
class TierResult:
    """How a tier fared. An account counts in the tier that it truly has, whether or not the schedule knew.

    ``wanted``: looks at the tiers' cadences; ``attainable``: those that the quotas leave room for, higher tiers
    first; ``attained``: looks that were made. ``fresh_*_share``: accounts looked at within their cadence, on average
    over the last day and over all days. ``overdue_*_h`` of the looks made and ``waiting`` at the end are by the tier
    that the schedule took an account for. None: there was nothing to tell it from.
    """

    tier: str
    creators: float
    accounts: float
    wanted: float
    attainable: float
    attained: int
    fresh_end_share: float | None
    fresh_mean_share: float | None
    overdue_mean_h: float | None
    overdue_p95_h: float | None
    waiting: int

    @property
    def attained_share(self) -> float | None:
        """Attained ÷ attainable; a tier can pass 1 where looks that another one did not use fell to it."""
        return self.attained / self.attainable if self.attainable >= 1 else None


@dataclass(frozen=True)
class SourceResult:
    """What a source was asked for: ``utilisation_share`` is looks made ÷ looks that its pace and quota allow."""

    name: str
    looks: int
    requests: float
    units: float
    cost_usd: float
    utilisation_share: float


@dataclass(frozen=True)
class Simulated:
    """What came of a scenario; the series are sampled at ``at_days``, by tier."""

    scenario: Scenario
    tiers: tuple[TierResult, ...]
    sources: tuple[SourceResult, ...]
    at_days: tuple[float, ...]
    fresh_share: dict[str, tuple[float, ...]]
    waiting: dict[str, tuple[int, ...]]

    @property
    def attained_share(self) -> float | None:
        """Attained ÷ attainable over all tiers and backfills."""
        attainable = sum(tier.attainable for tier in self.tiers)
        return sum(tier.attained for tier in self.tiers) / attainable if attainable else None

    def rows(self) -> list[dict[str, object]]:
        """One row a tier, for a table."""
        return [
            {
                "tier": tier.tier,
                "creators": round(tier.creators),
                "accounts": round(tier.accounts),
                "looks_wanted": round(tier.wanted),
                "looks_attainable": round(tier.attainable),
                "looks_attained": tier.attained,
                "attained_share": _rounded(tier.attained_share),
                "fresh_end_share": _rounded(tier.fresh_end_share),
                "fresh_mean_share": _rounded(tier.fresh_mean_share),
                "overdue_mean_h": _rounded(tier.overdue_mean_h, 2),
                "overdue_p95_h": _rounded(tier.overdue_p95_h, 2),
                "waiting_end": tier.waiting,
            }
            for tier in self.tiers
        ]

    def source_rows(self) -> list[dict[str, object]]:
        """One row a source, for a table."""
        return [
            {
                "source": source.name,
                "looks": source.looks,
                "requests": round(source.requests),
                "units": round(source.units),
                "cost_usd": round(source.cost_usd, 2),
                "utilisation_share": _rounded(source.utilisation_share),
            }
            for source in self.sources
        ]


def _rounded(value: float | None, digits: int = 4) -> float | None:
    return None if value is None else round(value, digits)
