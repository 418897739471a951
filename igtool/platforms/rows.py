"""What payloads told, made into rows of the tables: column by column, for a whole batch of answers at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import attrgetter
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from igtool.arrow import arrow_schema
from igtool.counts import MOST
from igtool.language import identify_all
from igtool.platforms import values
from igtool.platforms.base import PARSER_VERSION, Account, ContentItem, Parsed
from igtool.schema import TABLES

E_MAIL = "[e-mail]"
"""What stands in a stored profile text instead of an e-mail address."""

_ACCOUNT_METRICS = {
    "followers": "followers_count",
    "following": "following_count",
    "posts": "posts_count",
    "views": "view_count",
}
_CONTENT_METRICS = {
    "likes": "like_count",
    "comments": "comment_count",
    "views": "view_count",
    "plays": "play_count",
}

Texts = Sequence[str | None]


def tables(parsed: Sequence[Parsed], answer_ids: pa.Array, observed_at: pa.Array) -> dict[str, pa.Table]:
    """Rows of account_states (for ``accounts``), content_items and metric_snapshots.

    ``answer_ids`` and ``observed_at`` belong to ``parsed``, one each. An account or item that several answers tell
    of has a row for each of them; the newest is chosen where they are stored.
    """
    accounts = _accounts(parsed, _Origin.of(parsed, [len(p.accounts) for p in parsed], answer_ids, observed_at))
    items = _content_items(parsed, _Origin.of(parsed, [len(p.content_items) for p in parsed], answer_ids, observed_at))
    return {
        "accounts": accounts,
        "content_items": items,
        "metric_snapshots": pa.concat_tables(
            [
                *_snapshots(accounts, "account", "account_id", _ACCOUNT_METRICS),
                *_snapshots(items, "content", "content_id", _CONTENT_METRICS),
            ]
        ),
    }


class _Origin:
    """The columns that say where each row came from, and what is odd about its whole answer."""

    def __init__(self, columns: Mapping[str, pa.Array], flags: list[tuple[str, ...]] | None) -> None:
        self.columns = columns
        self._flags = flags

    @classmethod
    def of(cls, parsed: Sequence[Parsed], sizes: list[int], answer_ids: pa.Array, observed_at: pa.Array) -> _Origin:
        """The origin of ``sizes`` rows of each answer."""
        places = np.repeat(np.arange(len(parsed)), sizes)
        shapes = pa.array([p.shape for p in parsed], type=pa.string())
        versions = pa.array([100 * PARSER_VERSION + p.version for p in parsed], type=pa.int64())
        columns = {
            "answer_id": answer_ids.take(places),
            "shape": shapes.take(places),
            "parser_version": versions.take(places),
            "observed_at": _told(parsed, observed_at).take(places),
        }
        odd = any(p.flags for p in parsed)
        return cls(
            columns, [p.flags for p, size in zip(parsed, sizes, strict=True) for _ in range(size)] if odd else None
        )

    def flags(self, rows: Iterable[Account | ContentItem]) -> list[list[str]]:
        """What is odd about each row, sorted, each once."""
        own: list[list[str]] = [row.flags for row in rows]
        if self._flags is not None:
            own = [[*flags, *more] for flags, more in zip(own, self._flags, strict=True)]
        return [sorted(set(flags)) if flags else flags for flags in own]


def _told(parsed: Sequence[Parsed], observed_at: pa.Array) -> pa.Array:
    """When each answer was true: as the payload says, else as the answer does."""
    told = [p.observed_at for p in parsed]
    return pc.coalesce(pa.array(told, type=observed_at.type), observed_at) if any(told) else observed_at


def _accounts(parsed: Sequence[Parsed], origin: _Origin) -> pa.Table:
    rows = [account for p in parsed for account in p.accounts]
    _leave_out_impossible(rows, _ACCOUNT_METRICS)
    bios: Texts = [row.bio for row in rows]
    found = [values.emails(bio) for bio in bios]
    derived: dict[str, list[Any]] = {
        "bio": [_without(bio, emails) for bio, emails in zip(bios, found, strict=True)],
        "emails": [_emails(row, emails) for row, emails in zip(rows, found, strict=True)],
        "links": [_links(row) for row in rows],
        "hashtags": [None if bio is None else values.hashtags(bio) for bio in bios],
        "mentions": [None if bio is None else values.mentions(bio) for bio in bios],
        "language": identify_all(bios),
        "flags": origin.flags(rows),
    }
    return _table("account_states", rows, derived, origin)


def _without(bio: str | None, emails: Sequence[str]) -> str | None:
    return values.without_emails(bio, E_MAIL) if bio and emails else bio


def _emails(account: Account, found: Sequence[str]) -> list[str] | None:
    """The addresses of a profile, then those in its text; None where neither is known."""
    if account.emails is None and account.bio is None:
        return None
    return values.distinct([*(account.emails or ()), *found])


def _links(account: Account) -> list[str] | None:
    """The links of a profile, then those in its text; None where neither is known."""
    if account.links is None and account.bio is None:
        return None
    return values.distinct([*(account.links or ()), *values.links(account.bio)])


def _content_items(parsed: Sequence[Parsed], origin: _Origin) -> pa.Table:
    rows = [item for p in parsed for item in p.content_items]
    _leave_out_impossible(rows, _CONTENT_METRICS)
    texts: Texts = [_text(row) for row in rows]
    tags = [values.hashtags(text) for text in texts]
    derived: dict[str, list[Any]] = {
        "hashtags": tags,
        "mentions": [values.mentions(text) for text in texts],
        "links": [values.links(text) for text in texts],
        "is_sponsored": values.are_sponsored([row.is_declared for row in rows], tags, texts),
        "language": identify_all(texts),
        "flags": origin.flags(rows),
    }
    return _table("content_items", rows, derived, origin)


def _leave_out_impossible(rows: Sequence[Account] | Sequence[ContentItem], metrics: Mapping[str, str]) -> None:
    """Counts over what there is in the world (``counts.MOST``) are unknown, and flagged."""
    for metric, column in metrics.items():
        counts = pa.array(list(map(attrgetter(column), rows)), type=pa.int64())
        for place in pc.indices_nonzero(pc.greater(counts, MOST[metric])).to_pylist():
            setattr(rows[place], column, None)
            rows[place].flags.append("impossible-count")


def _text(item: ContentItem) -> str | None:
    """Title or caption, and description."""
    if item.description is None:
        return item.title_or_caption
    return f"{item.title_or_caption}\n{item.description}" if item.title_or_caption else item.description


def _table(name: str, rows: Sequence[Any], derived: Mapping[str, list[Any]], origin: _Origin) -> pa.Table:
    schema = arrow_schema(TABLES[name])
    columns = []
    for column in schema:
        if column.name in origin.columns:
            columns.append(origin.columns[column.name].cast(column.type))
            continue
        of: Callable[[Any], Any] = attrgetter(column.name)
        cells = derived[column.name] if column.name in derived else list(map(of, rows))
        columns.append(pa.array(cells, type=column.type))
    return pa.Table.from_arrays(columns, schema=schema)


def _snapshots(rows: pa.Table, subject_type: str, key: str, metrics: Mapping[str, str]) -> list[pa.Table]:
    """A row for each known count."""
    schema = arrow_schema(TABLES["metric_snapshots"])
    made = []
    for metric, column in metrics.items():
        known = rows.select([key, column, "answer_id", "observed_at"]).filter(pc.is_valid(rows.column(column)))
        cells = {
            "subject_id": known.column(key),
            "subject_type": pa.repeat(subject_type, known.num_rows),
            "metric": pa.repeat(metric, known.num_rows),
            "value": known.column(column),
            "answer_id": known.column("answer_id"),
            "observed_at": known.column("observed_at"),
        }
        made.append(pa.table(cells, schema=schema))
    return made
