"""Pages of creators: filtered, in one of a few orders, each page beginning where the one before ended.

A cursor holds the order, what was filtered by, and the place of the last creator. Creators that come or change while
somebody reads on are met at their own place, and the others neither twice nor not at all: equals are in the order of
their ids.
"""

from __future__ import annotations

import base64
import binascii
import csv
import hashlib
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from igtool.console import plain
from igtool.errors import UsageError
from igtool.lake import Lake
from igtool.search.filters import PLATFORM_WORDS
from igtool.serve.errors import no_such

COLUMNS: Mapping[str, str] = {
    "creator_id": "c.creator_id",
    "handle": "c.canonical_handle",
    "name": "c.name",
    "platforms": "c.platforms",
    "account_count": "c.account_count",
    "followers_count": "c.total_followers_count",
    "country": "c.country",
    "language": "c.language",
    "profile_image_url": "c.profile_image_url",
    "first_seen_at": "c.first_seen_at",
    "primary_niche": "n.primary_niche",
    "secondary_niches": "n.secondary_niches",
    "content_style": "n.content_style",
    "summary": "n.llm_summary",
    "topics": "p.content_topics",
    "persona": "p.user_style->>'persona'",
    "tone": "p.user_style->>'tone'",
    "interests": "json_extract_string(p.user_style, '$.interests[*]')",
}
"""Field of a creator to SQL over creators c, niches n and profiles p."""
SORTS: Mapping[str, tuple[str, bool]] = {
    "followers": ("coalesce(c.total_followers_count, -1)", True),
    "handle": ("coalesce(c.canonical_handle, '')", False),
    "name": ("coalesce(c.name, '')", False),
    "first_seen": ("coalesce(epoch_us(c.first_seen_at), 0)", False),
}
"""Order to what it goes by, and whether the largest comes first; no value counts as the least."""
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""How a cell begins that a spreadsheet would work out."""
_BESIDES = {"n": "niches", "p": "profiles"}
_INTERESTS = (
    "list_transform(list_concat(coalesce(json_extract_string(p.user_style, '$.interests[*]'), []), "
    "coalesce(p.content_topics, [])), one -> lower(one))"
)


@dataclass(frozen=True)
class Wanted:
    """What a list is narrowed to; of several values of one filter, one is enough (``match`` all: every interest).

    ``among``: ids of creators, None for all. A cursor goes on also when others are among them meanwhile.
    """

    platform: str | None = None
    niche: tuple[str, ...] = ()
    style: tuple[str, ...] = ()
    interest: tuple[str, ...] = ()
    match: str = "any"
    among: tuple[str, ...] | None = None

    def conditions(self) -> tuple[list[str], list[object]]:
        """SQL conditions and their values. Raises UsageError for a platform that there is not."""
        found: list[tuple[str, object]] = []
        if self.platform is not None:
            found.append(("list_contains(c.platforms, ?)", platform_of(self.platform)))
        if self.among is not None:
            found.append(("c.creator_id in (select unnest(?::varchar[]))", list(self.among)))
        if self.niche:
            niches = "list_has_any(list_append(coalesce(n.secondary_niches, []), n.primary_niche), ?::varchar[])"
            found.append((niches, [one.lower() for one in self.niche]))
        if self.style:
            found.append(("list_contains(?::varchar[], n.content_style)", [one.lower() for one in self.style]))
        if self.interest:
            has = "list_has_all" if self.match == "all" else "list_has_any"
            found.append((f"{has}({_INTERESTS}, ?::varchar[])", [one.lower() for one in self.interest]))
        return [condition for condition, _ in found], [value for _, value in found]


@dataclass(frozen=True)
class Page:
    """Creators, and the cursor of the next page; None after the last one."""

    creators: list[dict[str, Any]]
    next_cursor: str | None


def platform_of(name: str) -> str:
    """The platform that ``name`` means. Raises UsageError."""
    found = PLATFORM_WORDS.get(name.strip().lower())
    if found is None:
        raise UsageError(no_such("platform", name, sorted(set(PLATFORM_WORDS.values()))))
    return found


def fields_of(names: Sequence[str], default: Sequence[str]) -> list[str]:
    """The fields to show. Raises UsageError for one that there is not."""
    for name in names:
        if name not in COLUMNS:
            raise UsageError(no_such("field", name, list(COLUMNS)))
    return list(dict.fromkeys(names)) or list(default)


def page(lake: Lake, wanted: Wanted, fields: Sequence[str], *, sort: str, limit: int, cursor: str | None) -> Page:
    """The creators after ``cursor``. Raises UsageError (unknown value, or a cursor of another list)."""
    if sort not in SORTS:
        raise UsageError(no_such("order", sort, list(SORTS)))
    ids, following = _ids(lake, wanted, sort, limit, cursor)
    if not ids:
        if cursor is None:
            _check_words(lake, wanted)
        return Page([], None)
    # Two queries, because the first one reads of all creators only what they are sorted and narrowed by.
    shown = ", ".join(f"{COLUMNS[name]} as {name}" for name in fields)
    given = _from(COLUMNS[name] for name in fields)
    rows = lake.rows(
        f"select c.creator_id as _id, {shown} {given} where c.creator_id in (select unnest(?::varchar[]))", (ids,)
    )
    by_id = {row.pop("_id"): row for row in rows}
    return Page([by_id[one] for one in ids if one in by_id], following)


def csv_of(fields: Iterable[str], rows: Iterable[dict[str, Any]]) -> bytes:
    """``rows`` as CSV in UTF-8."""
    text, names = io.StringIO(), list(fields)
    writer = csv.writer(text)
    writer.writerow(names)
    for row in rows:
        writer.writerow([_cell(plain(row[name])) for name in names])
    return text.getvalue().encode("utf-8", "replace")


def _cell(value: Any) -> Any:
    said = ", ".join(str(one) for one in value) if isinstance(value, list) else value
    return f"'{said}" if isinstance(said, str) and said.startswith(_FORMULA) else said


def _from(expressions: Iterable[str]) -> str:
    """Creators, with the tables that ``expressions`` speak of."""
    said = " ".join(expressions)
    joined = [f" left join {table} {name} using (creator_id)" for name, table in _BESIDES.items() if f"{name}." in said]
    return f"from creators c{''.join(joined)}"


def _ids(lake: Lake, wanted: Wanted, sort: str, limit: int, cursor: str | None) -> tuple[list[str], str | None]:
    """Ids of the creators after ``cursor``, and the cursor of those after them."""
    key, is_falling = SORTS[sort]
    conditions, values = wanted.conditions()
    if cursor is not None:
        last, creator_id = _place(cursor, wanted, sort)
        conditions.append(f"({key} {'<' if is_falling else '>'} ? or ({key} = ? and c.creator_id > ?))")
        values += [last, last, creator_id]
    where = f"where {' and '.join(conditions)}" if conditions else ""
    order = f"order by {key} {'desc' if is_falling else 'asc'}, c.creator_id limit {int(limit) + 1}"
    rows = lake.rows(f"select {key} as key, c.creator_id {_from(conditions)} {where} {order}", values)
    last_row = rows[limit - 1] if len(rows) > limit else None
    following = _cursor(last_row["key"], last_row["creator_id"], wanted, sort) if last_row else None
    return [row["creator_id"] for row in rows[:limit]], following


def _check_words(lake: Lake, wanted: Wanted) -> None:
    """Say of a word that no creator has, when nothing was found, which words there are."""
    niches = "select unnest(list_append(coalesce(secondary_niches, []), primary_niche)) as word from niches"
    styles = "select content_style as word from niches"
    for what, given, query in (("niche", wanted.niche, niches), ("style", wanted.style, styles)):
        if given:
            found = lake.rows(f"select distinct word from ({query}) where word is not null order by 1")
            there = [row["word"] for row in found]
            for word in given:
                if there and word.lower() not in there:
                    raise UsageError(no_such(what, word, there))


def _cursor(key: object, creator_id: str, wanted: Wanted, sort: str) -> str:
    text = json.dumps([_list_of(wanted, sort), key, creator_id], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _place(cursor: str, wanted: Wanted, sort: str) -> tuple[object, str]:
    """What ``cursor`` says of the last creator of the page before."""
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        of, key, creator_id = json.loads(base64.b64decode(padded, "-_", validate=True))
        is_one = isinstance(key, str if sort in ("handle", "name") else int) and isinstance(creator_id, str)
        fits = is_one and (isinstance(key, str) or abs(key) < 2**63)
    except (binascii.Error, ValueError, TypeError, RecursionError) as error:
        raise UsageError("the cursor is none: give the next_cursor of the page before as it is") from error
    if not fits or of != _list_of(wanted, sort):
        raise UsageError("the cursor is of another list: it goes with the same filters and the same sort")
    return key, creator_id


def _list_of(wanted: Wanted, sort: str) -> str:
    told = {name: value for name, value in asdict(wanted).items() if name != "among"}
    return hashlib.sha256(json.dumps([told, sort]).encode()).hexdigest()[:12]
