"""What the index knows of each creator besides texts and vectors, as arrays, and the filters over them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from igtool.errors import IntegrityError
from igtool.search.filters import ACTIVE_DAYS, SLOWING_DAYS, Filters

Mask = NDArray[np.bool_]
Rows = NDArray[np.int64]
Numbers = NDArray[np.float64]

_NUMBERS = ("followers_count", "engagement_rate", "silent_days", "posts_per_week")


@dataclass(frozen=True)
class Scope:
    """Numbers of every creator, over all accounts or those on one platform; NaN where unknown.

    ``silent_days``: days from the last post to the observation. ``there``: who has an account in the scope.
    """

    there: Mask
    followers: Numbers
    engagement_rate: Numbers
    silent_days: Numbers
    posts_per_week: Numbers


class Columns:
    """Metadata of an index folder: one position a creator, ascending by creator_id."""

    def __init__(self, folder: Path) -> None:
        try:
            self._creators = _load(folder / "creators.arrow")
            self._scopes = _load(folder / "scopes.arrow")
        except (OSError, pa.ArrowInvalid) as error:
            raise IntegrityError(
                f"the search index in {folder} is damaged ({error}): run `igtool run index`"
            ) from error
        self.count: int = self._creators.num_rows
        self._kept: dict[str | None, Scope] = {}

    def creator(self, row: int) -> dict[str, Any]:
        """The metadata columns of one creator, with ``followers_count`` and ``observed_at``."""
        creator: dict[str, Any] = self._creators.slice(row, 1).to_pylist()[0]
        followers = self.scope(None).followers[row]
        creator["followers_count"] = None if np.isnan(followers) else int(followers)
        creator["observed_at"] = self._observed_at[row].as_py() if self._places[row] >= 0 else None
        return creator

    @cached_property
    def _places(self) -> Rows:
        """Position of each creator in the rows of the scopes that speak of all accounts; -1 without accounts."""
        whole = self._scopes.filter(pc.is_null(self._scopes["platform"]))
        places = np.full(self.count, -1, dtype=np.int64)
        places[whole["row"].to_numpy()] = np.arange(whole.num_rows)
        return places

    @cached_property
    def _observed_at(self) -> Any:
        whole = self._scopes.filter(pc.is_null(self._scopes["platform"]))
        moments = whole["observed_at"]
        chosen = pa.array(np.maximum(self._places, 0))
        return moments.take(chosen) if len(moments) else moments

    def scope(self, platform: str | None) -> Scope:
        """Numbers over the accounts on ``platform``, or over all."""
        if platform not in self._kept:
            column = self._scopes["platform"]
            mine = self._scopes.filter(pc.is_null(column) if platform is None else pc.equal(column, platform))
            rows = mine["row"].to_numpy()
            there = np.zeros(self.count, dtype=bool)
            there[rows] = True
            numbers = []
            for name in _NUMBERS:
                values = np.full(self.count, np.nan)
                values[rows] = pc.cast(mine[name], pa.float64()).to_numpy()
                numbers.append(values)
            self._kept[platform] = Scope(there, *numbers)
        return self._kept[platform]

    @cached_property
    def known(self) -> Mapping[str, set[str]]:
        """Values that exist, by filter name."""
        niches = self._values("primary_niche") | set(_distinct(pc.list_flatten(self._creators["secondary_niches"])))
        return {
            "platform": set(_distinct(self._scopes["platform"])),
            "niche": niches,
            "style": self._values("content_style"),
            "language": self._values("language"),
            "country": self._values("country"),
        }

    def _values(self, name: str) -> set[str]:
        return set(_distinct(self._creators[name]))

    def mask(self, filters: Filters) -> Mask:
        """Who meets all of ``filters`` (resolved against ``known``). An unknown number meets no condition."""
        scope = self.scope(filters.platform)
        mask = scope.there.copy() if filters.platform else np.ones(self.count, dtype=bool)
        if filters.min_followers is not None:
            mask &= scope.followers >= filters.min_followers
        if filters.max_followers is not None:
            mask &= scope.followers <= filters.max_followers
        if filters.min_engagement is not None:
            mask &= scope.engagement_rate >= filters.min_engagement
        if filters.activity is not None:
            mask &= _activity(scope.silent_days, filters.activity)
        if filters.niche is not None:
            mask &= self._equal("primary_niche", filters.niche) | self._secondary(filters.niche)
        for name, value in (
            ("content_style", filters.style),
            ("language", filters.language),
            ("country", filters.country),
        ):
            if value is not None:
                mask &= self._equal(name, value)
        return mask

    def _equal(self, name: str, value: str) -> Mask:
        equal = pc.fill_null(pc.equal(self._creators[name], value), False)
        return np.asarray(equal.to_numpy(), dtype=bool)

    def _secondary(self, niche: str) -> Mask:
        column = self._creators["secondary_niches"]
        owners = pc.list_parent_indices(column).to_numpy()
        found = pc.fill_null(pc.equal(pc.list_flatten(column), niche), False)
        mask = np.zeros(self.count, dtype=bool)
        mask[owners[np.asarray(found.to_numpy(), dtype=bool)]] = True
        return mask


def _activity(silent_days: Numbers, tier: str) -> Mask:
    low, high = {
        "active": (-1.0, ACTIVE_DAYS),
        "slowing": (ACTIVE_DAYS, SLOWING_DAYS),
        "dormant": (SLOWING_DAYS, np.inf),
    }[tier]
    return np.asarray((silent_days > low) & (silent_days <= high))


def age_days(observed_at: datetime | None, now: datetime) -> int | None:
    """Whole days since the data was true; None when unknown, 0 when that lies ahead of ``now``."""
    return None if observed_at is None else max((now - observed_at).days, 0)


def _load(path: Path) -> Any:
    with pa.memory_map(str(path)) as source:
        # One chunk a column: positions in lists then count from the first creator.
        return pa.ipc.open_file(source).read_all().combine_chunks()


def _distinct(column: Any) -> list[str]:
    return [str(value) for value in pc.unique(column).to_pylist() if value is not None]
