"""Which field goes into which column of a list, and where each value came from."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from igtool.errors import UsageError
from igtool.files import replaced
from igtool.genres import split_genres
from igtool.known_handles import accounts_meant
from igtool.lake import Lake
from igtool.lists.columns import genre_text
from igtool.lists.creator_list import FORGOTTEN, CreatorList, ListRow, write_filled
from igtool.text import one_line, spreadsheet_safe

DEFAULT_FILL = (("GENRE", "category"), ("Details", "bio"))
"""Column and field pairs that every run fills."""
LIST_GENRES = "list_genres"
"""The field that holds the list's own genres, told apart; it does not come from the lake."""

_ACCOUNT = (
    "account_id platform_user_id display_name bio category profile_image_url external_url followers_count "
    "following_count posts_count view_count is_verified is_private is_business language country"
)
_NICHE = "primary_niche secondary_niches content_style llm_summary"
_PROFILE = "content_topics audience_type engagement_style brand_fit"


@dataclass(frozen=True)
class Field:
    """A value that can fill a column: SQL for the value, for its method and for its source."""

    value: str
    method: str
    source: str
    table: str


def _fields() -> dict[str, Field]:
    platform = "coalesce(r.source || ':' || r.endpoint, 'raw answer gone')"
    found = {name: Field(f"a.{name}", "'platform'", platform, "accounts") for name in _ACCOUNT.split()}
    for name in ("creator_id", "canonical_handle", "total_followers_count"):
        found[name] = Field(f"c.{name}", "l.rule", platform, "creators")
    for name in _NICHE.split():
        found[name] = Field(f"n.{name}", f"n.methods ->> '{name}'", "n.model", "niches")
    for name in _PROFILE.split():
        found[name] = Field(f"p.{name}", f"p.methods ->> '{name}'", "p.model", "profiles")
    for name, path in (
        ("persona", "user_style.persona"),
        ("interests", "user_style.interests"),
        ("engagement_rate", "engagement.engagement_rate"),
        ("posting_frequency", "posting_pattern.frequency"),
    ):
        method = f"coalesce(p.methods ->> '{path}', p.methods ->> '{path.split('.')[0]}')"
        column, key = path.split(".")
        found[name] = Field(f"p.{column} ->> '{key}'", method, "p.model", "profiles")
    found[LIST_GENRES] = Field("null", "'list'", "null", "watchlist")
    return found


FIELDS = _fields()
_PROVENANCE = ("row", "line", "platform", "handle", "status", "column", "field", "source", "method", "at")
_SYNONYMS = {"biography": "bio", "followers": "followers_count", "niche": "primary_niche"}


def parse_fill(pairs: Iterable[str]) -> tuple[tuple[str, str], ...]:
    """``COLUMN=field`` texts as pairs, after the defaults; a later pair for a column replaces an earlier one.

    Raises UsageError for a text without ``=`` and for an unknown field, with the fields that come close.
    """
    chosen = dict(DEFAULT_FILL)
    for pair in pairs:
        column, separator, name = pair.partition("=")
        name = _SYNONYMS.get(name.strip(), name.strip())
        if not separator or not column.strip():
            raise UsageError(f"--fill {pair!r} is not COLUMN=field, for example --fill GENRE=primary_niche")
        if name not in FIELDS:
            close = get_close_matches(name, FIELDS, n=3) or sorted(FIELDS)
            raise UsageError(f"--fill {pair!r}: there is no field {name!r}; did you mean {', '.join(close)}?")
        chosen[column] = name
    return tuple(chosen.items())


@dataclass(frozen=True)
class Cell:
    """A value for one cell and where it came from; ``at`` is when it was observed."""

    column: str
    field: str
    value: str
    source: str
    method: str
    at: str


@dataclass
class Filling:
    """What a list's rows become: status by row number, cells by row number."""

    status: dict[int, str] = field(default_factory=dict)
    cells: dict[int, list[Cell]] = field(default_factory=dict)

    @property
    def counts(self) -> Counter[str]:
        """Rows by status."""
        return Counter(self.status.values())


def fill_list(
    lake: Lake,
    creators: CreatorList,
    pairs: Sequence[tuple[str, str]],
    *,
    limit: int | None,
    started_at: datetime,
) -> Filling:
    """Look every row of the list up in the lake; ``list_genres`` are read from the list itself, at ``started_at``.

    Status: ``enriched`` (a cell has a value), ``complete`` (known, nothing was empty), ``private``, ``not_found``,
    ``error`` (the platform's answer was an error), ``waiting`` (the platform did not let us ask yet), ``no_answer``,
    ``rejected`` (the row cannot be used), ``forgotten``, ``not_asked`` (beyond the limit).
    """
    filling = Filling()
    usable = [row for row in creators.rows if row.reason is None]
    chosen = usable if limit is None else usable[:limit]
    wanted = sorted({(str(row.platform), str(row.handle)) for row in chosen})
    known = _look_up(lake, wanted, pairs)
    failed = _failures(lake)
    filling.status = {row.number: _unused(row.reason) for row in creators.rows}
    for row in chosen:
        found = known.get((str(row.platform), str(row.handle)))
        cells = [*(_cells(found, pairs) if found else ()), *_listed(creators, row, pairs, started_at)]
        cells = [cell for cell in cells if not creators.cell(row, cell.column).strip()]
        filling.cells[row.number] = cells
        if found is None:
            filling.status[row.number] = failed.get(str(row.handle).lower(), "no_answer")
        else:
            filling.status[row.number] = "private" if found["is_private"] else "enriched" if cells else "complete"
    return filling


def _listed(
    creators: CreatorList, row: ListRow, pairs: Sequence[tuple[str, str]], read_at: datetime | None
) -> Iterable[Cell]:
    """The row's own genres for every column that is to hold them."""
    columns = [column for column, name in pairs if name == LIST_GENRES]
    value = _text(list(split_genres(genre_text(creators.columns, row.cells)).names)) if columns else ""
    for column in columns if value else ():
        yield Cell(column, LIST_GENRES, value, creators.name, "list", read_at.isoformat() if read_at else "")


_WANTED = "select unnest(?::varchar[]) as platform, unnest(?::varchar[]) as handle"


def _look_up(
    lake: Lake, wanted: Sequence[tuple[str, str]], pairs: Sequence[tuple[str, str]]
) -> dict[tuple[str, str], dict[str, Any]]:
    columns = ", ".join(
        f"{one.value} as value_{n}, {one.method} as method_{n}, {one.source} as source_{n}"
        for n, one in enumerate(FIELDS[name] for _, name in pairs)
    )
    query = f"""
        select m.platform as wanted_platform, m.handle as wanted_handle, a.is_private, a.observed_at, {columns}
        from ({accounts_meant(_WANTED)}) m join accounts a using (account_id)
        left join raw_responses r using (answer_id)
        left join creator_links l using (account_id)
        left join creators c on c.creator_id = l.creator_id
        left join niches n on n.creator_id = l.creator_id
        left join profiles p on p.creator_id = l.creator_id
    """
    rows = lake.rows(query, ([platform for platform, _ in wanted], [handle for _, handle in wanted]))
    return {(row["wanted_platform"], row["wanted_handle"]): row for row in rows}


def _unused(reason: str | None) -> str:
    """The status of a row that is not looked up."""
    return "not_asked" if reason is None else FORGOTTEN if reason == FORGOTTEN else "rejected"


_WAITING = ("rate_limited", "auth", "blocked")
"""Outcomes that say nothing about the account: it is asked again."""


def _failures(lake: Lake) -> dict[str, str]:
    """Handle to ``not_found``, ``waiting`` or ``error``, where the newest answer for it was one."""
    rows = lake.rows(
        "select lower(subject) as handle, arg_max(outcome, fetched_at) as outcome from raw_responses "
        "where subject is not null and outcome <> 'ok' group by all"
    )
    return {row["handle"]: _status(row["outcome"]) for row in rows}


def _status(outcome: str) -> str:
    return "not_found" if outcome == "not_found" else "waiting" if outcome in _WAITING else "error"


def _cells(found: Mapping[str, Any], pairs: Sequence[tuple[str, str]]) -> Iterable[Cell]:
    for n, (column, name) in enumerate(pairs):
        value = _text(found[f"value_{n}"])
        if value:
            yield Cell(
                column,
                name,
                value,
                str(found[f"source_{n}"]),
                str(found[f"method_{n}"]),
                found["observed_at"].isoformat(),
            )


def _text(value: Any) -> str:
    """A value as cell text: one line, at most 500 characters; empty when there is none."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return one_line(", ".join(map(str, value)))
    return one_line(str(value))


def write_filling(creators: CreatorList, filling: Filling, pairs: Sequence[tuple[str, str]], path: Path) -> None:
    """Replace the filled list at ``path`` and its provenance beside it, each as a whole."""
    fills = {number: {cell.column: cell.value for cell in cells} for number, cells in filling.cells.items()}
    write_filled(creators, fills, [column for column, _ in pairs], path)
    with replaced(path.with_suffix(".provenance.csv")) as file:
        text = io.TextIOWrapper(file, encoding="utf-8", newline="")
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["row", "line", "platform", "handle", "status", "column", "field", "source", "method", "at"])
        for row in creators.rows:
            start = [row.number, row.line, row.platform, row.handle, filling.status[row.number]]
            for rest in [
                [cell.column, cell.field, cell.source, cell.method, cell.at]
                for cell in filling.cells.get(row.number, ())
            ] or [[""] * 5]:
                writer.writerow([spreadsheet_safe(v) if isinstance(v, str) else v for v in (*start, *rest)])
        text.flush()
        text.detach()
