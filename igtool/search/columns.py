"""What the index knows of each creator besides texts and vectors, as arrays, and the filters over them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
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

_NUMBERS = ("followers_count", "engagement_rate", "silent_days", "posts_per_week", "growth")
_SHOWN = ("creator_id", "handle", "name", "platforms", "language", "country", "primary_niche", "secondary_niches",
          "content_style", "summary", "is_verified", "tags", "approved_tags")  # fmt: skip
_CODED = ("language", "country", "primary_niche", "content_style")


@dataclass(frozen=True)
class Scope:
    """Numbers of every creator, over all accounts or those on one platform; NaN where unknown.

    ``silent_days``: days from the last post to the observation; ``growth``: share of followers won in 30 days.
    ``there``: who has an account in the scope.
    """

    there: Mask
    verified: Mask
    followers: Numbers
    engagement_rate: Numbers
    silent_days: Numbers
    posts_per_week: Numbers
    growth: Numbers


def write_columns(folder: Path, creators: pa.Table, fingerprints: pa.Array, scopes: pa.Table) -> None:
    """Store ``creators`` (in the order of their rows) and ``scopes`` (with ``row``)."""
    shown = creators.select(_SHOWN)
    for name in _CODED:
        coded = shown[name].combine_chunks().dictionary_encode()
        shown = shown.set_column(shown.column_names.index(name), name, coded)
    _save(shown.append_column("fingerprint", fingerprints), folder / "creators.arrow")
    _save(scopes, folder / "scopes.arrow")


def _save(table: pa.Table, path: Path) -> None:
    whole = table.unify_dictionaries().combine_chunks()
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, whole.schema) as writer:
        writer.write_table(whole)


def facts_asked(filters: Filters) -> list[list[str]]:
    """Groups of facts, as `texts_of` writes them: who meets ``filters`` has one of each."""
    asked = {"niche": filters.niche, "style": filters.style, "language": filters.language, "country": filters.country}
    return [[f"{name}={value}" for value in values] for name, values in asked.items() if values]


class Columns:
    """Metadata of an index folder, one position a row. ``alive``: rows in use; the others were written again."""

    def __init__(self, folder: Path) -> None:
        try:
            self.creators = _load(folder / "creators.arrow")
            self.scopes = _load(folder / "scopes.arrow")
            self.alive: Mask = np.load(folder / "alive.npy")
        except (OSError, ValueError, pa.ArrowInvalid) as error:
            raise IntegrityError(
                f"the search index in {folder} is damaged ({error}): run `igtool run index`"
            ) from error
        self.count: int = self.creators.num_rows
        self._kept: dict[str | None, Scope] = {}

    def shown(self, rows: Rows) -> list[dict[str, Any]]:
        """The metadata columns of each of ``rows``, with ``followers_count`` and ``observed_at``."""
        creators: list[dict[str, Any]] = self.creators.take(pa.array(rows)).to_pylist()
        followers = self.scope(None).followers[rows].tolist()
        moments = pa.array(self._observed_at[rows], pa.timestamp("us", "UTC"), mask=self._observed_at[rows] < 0)
        for creator, count, moment in zip(creators, followers, moments.to_pylist(), strict=True):
            creator |= {"followers_count": None if math.isnan(count) else int(count), "observed_at": moment}
        return creators

    def ids(self, rows: Rows) -> list[str]:
        """The creator_id of each of ``rows``."""
        found: list[str] = self.creators["creator_id"].take(pa.array(rows)).to_pylist()
        return found

    @cached_property
    def _observed_at(self) -> NDArray[np.int64]:
        """Microseconds since 1970; -1 where unknown."""
        whole = self.scopes.filter(pc.is_null(self.scopes["platform"]))
        moments = np.full(self.count, -1, dtype=np.int64)
        micros = pc.cast(pc.cast(whole["observed_at"], pa.timestamp("us", "UTC")), pa.int64())
        moments[whole["row"].to_numpy()] = pc.fill_null(micros, -1).to_numpy()
        return moments

    def rows_of(self, creator_ids: Iterable[str]) -> Rows:
        """Rows in use of those creators that the index has."""
        wanted = pa.array(list(creator_ids), pa.string())
        rows = np.flatnonzero(pc.is_in(self.creators["creator_id"], value_set=wanted).to_numpy(zero_copy_only=False))
        found: Rows = rows[self.alive[rows]]
        return found

    def by_creator(self, values: Mapping[str, float]) -> Numbers:
        """``values`` by creator_id as a number for every row, 0 where there is none."""
        ids = pa.array(list(values), pa.string())
        places = pc.index_in(self.creators["creator_id"], value_set=ids).to_numpy(zero_copy_only=False)
        given = np.fromiter(values.values(), dtype=np.float64, count=len(values))
        found = np.zeros(len(places))
        known = ~np.isnan(places.astype(np.float64))
        found[known] = given[places[known].astype(np.int64)]
        return found

    def scope(self, platform: str | None) -> Scope:
        """Numbers over the accounts on ``platform``, or over all."""
        if platform not in self._kept:
            column = self.scopes["platform"]
            mine = self.scopes.filter(pc.is_null(column) if platform is None else pc.equal(column, platform))
            rows = mine["row"].to_numpy()
            there, verified = np.zeros(self.count, dtype=bool), np.zeros(self.count, dtype=bool)
            there[rows] = True
            verified[rows] = mine["is_verified"].to_numpy()
            numbers = []
            for name in _NUMBERS:
                values = np.full(self.count, np.nan)
                values[rows] = pc.cast(mine[name], pa.float64()).to_numpy()
                numbers.append(values)
            self._kept[platform] = Scope(there, verified, *numbers)
        return self._kept[platform]

    @cached_property
    def known(self) -> Mapping[str, set[str]]:
        """Values that exist, by filter name."""
        niches = self._values("primary_niche") | set(_distinct(pc.list_flatten(self.creators["secondary_niches"])))
        return {
            "platform": set(_distinct(self.scopes["platform"])),
            "niche": niches,
            "style": self._values("content_style"),
            "language": self._values("language"),
            "country": self._values("country"),
            "tags": set(_distinct(pc.list_flatten(self.creators["tags"]))),
        }

    def _values(self, name: str) -> set[str]:
        return {value for value in self.creators[name].combine_chunks().dictionary.to_pylist() if value is not None}

    def mask(self, filters: Filters) -> Mask:
        """Who meets all of ``filters`` (resolved against ``known``). An unknown number meets no condition."""
        scope = self.scope(filters.platform)
        mask = self.alive & scope.there if filters.platform else self.alive.copy()
        for values, low, high in (
            (scope.followers, filters.min_followers, filters.max_followers),
            (scope.engagement_rate, filters.min_engagement, filters.max_engagement),
            (scope.growth, filters.min_growth, filters.max_growth),
        ):
            if low is not None:
                mask &= values >= low
            if high is not None:
                mask &= values <= high
        if filters.activity is not None:
            mask &= _activity(scope.silent_days, filters.activity)
        if filters.verified:
            mask &= scope.verified
        for name, wanted in (
            ("content_style", filters.style),
            ("language", filters.language),
            ("country", filters.country),
        ):
            if wanted:
                mask &= self._among(name, wanted)
        if filters.niche:
            mask &= self._among("primary_niche", filters.niche) | self._holding("secondary_niches", filters.niche)
        if filters.tags or filters.approved:
            mask &= self._tagged(filters)
        return mask

    def _tagged(self, filters: Filters) -> Mask:
        """Who has any or all of the tags; with ``approved`` only tags count that a person approved."""
        column = "approved_tags" if filters.approved else "tags"
        if not filters.tags:
            return np.asarray(pc.list_value_length(self.creators[column]).to_numpy() > 0, dtype=bool)
        each = [self._holding(column, (tag,)) for tag in filters.tags]
        return np.asarray(np.all(each, axis=0) if filters.match == "all" else np.any(each, axis=0), dtype=bool)

    @cached_property
    def _codes(self) -> dict[str, tuple[NDArray[np.int32], dict[str, int]]]:
        """Column to the number of each row's value (-1: none), and value to number."""
        codes = {}
        for name in _CODED:
            column = self.creators[name].combine_chunks()
            numbers = pc.fill_null(column.indices, -1).to_numpy(zero_copy_only=False).astype(np.int32)
            codes[name] = (numbers, {value: place for place, value in enumerate(column.dictionary.to_pylist())})
        return codes

    def _among(self, name: str, wanted: Iterable[str]) -> Mask:
        numbers, places = self._codes[name]
        table = np.zeros(len(places) + 1, dtype=bool)  # the last cell is for -1
        table[[places[value] for value in wanted if value in places]] = True
        mask: Mask = table.take(numbers, mode="wrap")
        return mask

    @cached_property
    def _holders(self) -> dict[tuple[str, str], Rows]:
        return {}

    def _holding(self, name: str, wanted: Iterable[str]) -> Mask:
        """Who has any of the values in a column of lists; the rows of a value are looked for once."""
        mask = np.zeros(self.count, dtype=bool)
        for value in wanted:
            if (name, value) not in self._holders:
                column = self.creators[name]
                owners = pc.list_parent_indices(column).to_numpy()
                found = pc.fill_null(pc.equal(pc.list_flatten(column), value), False)
                self._holders[name, value] = owners[np.asarray(found.to_numpy(), dtype=bool)]
            mask[self._holders[name, value]] = True
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
