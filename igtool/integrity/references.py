"""Which rows must have which others, as data, and what holds within a row."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from igtool.lake import Lake
from igtool.lake_sql import quote
from igtool.schema import TABLES

_SHOWN = 3


@dataclass(frozen=True)
class Reference:
    """Values of ``column`` are in ``to`` (SQL that gives one column), of the rows for which ``only`` holds.

    ``allowed``: why one without may be there; it is then told, and is no damage.
    """

    table: str
    column: str
    to: str
    only: str = "true"
    allowed: str | None = None

    @property
    def name(self) -> str:
        """What the check is called."""
        return f"{self.table}.{self.column}"


_ACCOUNTS = "select account_id from accounts"
_CREATORS = "select creator_id from creators"
_KNOWN = "select creator_id from creators union all select creator_id from creator_forwards"
_ITEMS = "select content_id from content_items"
_ANSWERS = "select answer_id from raw_responses"
_PICTURES = "select sha256 from media where sha256 is not null"
_RETAINED = "answers may be older than the settings keep them"
_LATER = "the next run removes what nothing stands behind any more"
_TYPED = "what people said stays when its creator goes"

REFERENCES = (
    Reference("accounts", "account_id", "select account_id from account_states"),
    Reference("account_states", "account_id", _ACCOUNTS),
    Reference("account_states", "answer_id", _ANSWERS, allowed=_RETAINED),
    Reference("content_items", "account_id", _ACCOUNTS),
    Reference("content_items", "answer_id", _ANSWERS, allowed=_RETAINED),
    Reference("metric_snapshots", "subject_id", _ACCOUNTS, "subject_type = 'account'"),
    Reference("metric_snapshots", "subject_id", _ITEMS, "subject_type = 'content'"),
    Reference("creator_links", "account_id", _ACCOUNTS, allowed="links of accounts that are awaited, or are gone"),
    Reference("creator_links", "creator_id", _CREATORS),
    Reference("creators", "creator_id", "select creator_id from creator_links"),
    Reference("creator_forwards", "survivor_id", _KNOWN, allowed=_LATER),
    Reference("account_traits", "account_id", _ACCOUNTS, allowed=_LATER),
    Reference("link_pairs", "account_a", _ACCOUNTS, allowed=_LATER),
    Reference("link_pairs", "account_b", _ACCOUNTS, allowed=_LATER),
    Reference("link_decisions", "account_a", _ACCOUNTS, allowed="decisions about accounts that are awaited"),
    Reference("link_decisions", "account_b", _ACCOUNTS, allowed="decisions about accounts that are awaited"),
    Reference("embeddings", "owner_id", f"{_ACCOUNTS} union all {_CREATORS}", allowed=_LATER),
    Reference("embedding_models", "model", "select model from embeddings", allowed=_LATER),
    Reference("profiles", "creator_id", _CREATORS, allowed=_LATER),
    Reference("niches", "creator_id", _CREATORS, allowed=_LATER),
    Reference("descriptions", "creator_id", _CREATORS, allowed=_LATER),
    Reference("descriptions", "llm_answer_id", "select answer_id from llm_answers", allowed=_RETAINED),
    Reference("insights", "conversation_id", "select conversation_id from conversations"),
    Reference("media", "account_id", _ACCOUNTS, allowed=_LATER),
    Reference("media", "content_id", _ITEMS, allowed=_LATER),
    Reference("image_facts", "sha256", _PICTURES, allowed=_LATER),
    Reference("body_facts", "sha256", _PICTURES, allowed=_LATER),
    Reference("body_facts", "creator_id", _CREATORS, allowed=_LATER),
    Reference("image_vectors", "sha256", _PICTURES, allowed=_LATER),
    Reference("image_tags", "creator_id", _CREATORS, allowed=_LATER),
    Reference("image_tags", "sha256", _PICTURES, allowed=_LATER),
    Reference("image_verdicts", "creator_id", _CREATORS, allowed=_LATER),
    Reference("creator_tags", "creator_id", _CREATORS, allowed=_LATER),
    Reference("tenant_lists", "creator_id", _KNOWN, allowed=_TYPED),
    Reference("tenant_notes", "creator_id", _KNOWN, allowed=_TYPED),
    Reference("tenant_hidden", "creator_id", _KNOWN, allowed=_TYPED),
    Reference("reviews", "creator_id", _KNOWN, allowed=_TYPED),
)
"""Every reference between tables that is checked."""


@dataclass(frozen=True)
class Broken:
    """Rows of ``table`` for which something does not hold; ``is_damage``: it must."""

    table: str
    what: str
    rows: int
    is_damage: bool


def broken(lake: Lake, *, quick: bool = False) -> Iterator[Broken]:
    """What does not hold between and within the tables; ``quick`` leaves out what reads the bodies of answers."""
    counts = " union all ".join(f"select '{name}' as name, count(*) as rows from {quote(name)}" for name in TABLES)
    filled = {row["name"] for row in lake.rows(counts) if row["rows"]}
    yield from _keys(lake, filled)
    checked = [reference for reference in REFERENCES if reference.table in filled]
    counted = " union all ".join(
        f"select {number} as number, count(*) as rows from ({_lost(reference)})"
        for number, reference in enumerate(checked)
    )
    for row in lake.rows(f"from ({counted}) where rows > 0 order by number") if checked else ():
        reference = checked[row["number"]]
        some = [str(one["value"]) for one in lake.rows(f"{_lost(reference)} order by 1 limit {_SHOWN}")]
        why = f" ({reference.allowed})" if reference.allowed else ""
        what = f"{reference.column} leads nowhere: {', '.join(some)}{', …' if row['rows'] > _SHOWN else ''}{why}"
        yield Broken(reference.table, what, int(row["rows"]), reference.allowed is None)
    if not quick:
        wrong = int(lake.value("select count(*) from raw_responses where body is not null and sha256(body) <> sha256"))
        if wrong:
            yield Broken("raw_responses", "the body is not what came: its SHA-256 differs", wrong, is_damage=True)


def _lost(reference: Reference) -> str:
    """SQL: the values of a reference that are nowhere."""
    column = quote(reference.column)
    return (
        f"select {column} as value from {quote(reference.table)} "
        f"anti join ({reference.to}) s(found) on {column} = s.found where {column} is not null and {reference.only}"
    )


def _keys(lake: Lake, filled: set[str]) -> Iterator[Broken]:
    """Keys that are there twice, or are not there."""
    queries = []
    for table in (TABLES[name] for name in sorted(filled)):
        keys = ", ".join(quote(key) for key in table.key)
        missing = " or ".join(f"{quote(key)} is null" for key in table.key)
        queries.append(
            f"select '{table.name}' as name, count(*) - count(distinct row({keys})) as doubled, "
            f"count(*) filter ({missing}) as missing from {quote(table.name)}"
        )
    for row in lake.rows(" union all ".join(queries)) if queries else ():
        for what, count in (("keys are there twice", row["doubled"]), ("keys are missing", row["missing"])):
            if count:
                yield Broken(row["name"], what, int(count), is_damage=True)
