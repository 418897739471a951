"""What the analysed conversations of a journal say: those that are not in the lake yet, found by time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from igtool.journal.store import Journal

_CHOSEN = """
    from conversations where tenant_id = :tenant and said_at between :start and :end and state in ('done', 'moving')
    and (:sentiment is null or sentiment = :sentiment) and (:confidence is null or confidence >= :confidence)
"""
_HOURS = """
    select said_at / 3600000000 - (said_at % 3600000000 < 0) as hour, {cluster} as cluster, sentiment, count(*),
           sum(result ->> '$.insight.sentiment_score')
    {chosen} group by 1, 2, 3
"""


@dataclass(frozen=True)
class Chosen:
    """Which ones: times in microseconds since 1970, both included; None is any."""

    tenant_id: str
    start: int
    end: int
    sentiment: str | None = None
    min_confidence: float | None = None

    def values(self) -> dict[str, Any]:
        """For the query."""
        return {
            "tenant": self.tenant_id,
            "start": self.start,
            "end": self.end,
            "sentiment": self.sentiment,
            "confidence": self.min_confidence,
        }


@dataclass(frozen=True)
class Hour:
    """Conversations of an hour (since 1970) about a cluster (None: about anything) with one sentiment."""

    hour: int
    cluster: str | None
    sentiment: str
    count: int
    score_sum: float


class AnalysedConversations:
    """For readers of both stores. Ask within ``at_once``; what the lake must be asked without is in ``hidden``."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    @contextmanager
    def at_once(self) -> Iterator[None]:
        """Everything that is asked in the block is of one moment."""
        with self._journal.snapshot():
            yield

    def moves(self) -> int:
        """A number that grows before conversations go to the lake: what was read before and after belongs together."""
        rows = self._journal.read("select count from conversation_counters where name = 'moves'")
        return int(rows[0][0]) if rows else 0

    def hidden(self) -> list[str]:
        """Conversations that the lake may have and that do not count there: deleted, or counted here."""
        rows = self._journal.read(
            "select conversation_id from conversation_deletions "
            "union select conversation_id from conversations where state = 'moving' order by 1"
        )
        return [one for (one,) in rows]

    def count(self, chosen: Chosen) -> int:
        """How many there are."""
        return int(self._journal.read(f"select count(*) {_CHOSEN}", chosen.values())[0][0])

    def newest(self, chosen: Chosen, limit: int) -> list[tuple[int, str, str]]:
        """(said_at, row, result) of the newest ones, the newest first."""
        query = f"select said_at, row, result {_CHOSEN} order by said_at desc, conversation_id limit :limit"
        return [(at, row, result) for at, row, result in self._journal.read(query, chosen.values() | {"limit": limit})]

    def hours(self, chosen: Chosen) -> list[Hour]:
        """How many there are an hour, by sentiment, of all and of each cluster."""
        every = _HOURS.format(cluster="null", chosen=_CHOSEN)
        within = _CHOSEN.replace("from conversations", "from conversations, json_each(result, '$.insight.clusters') c")
        each = _HOURS.format(cluster="c.value", chosen=within)
        return [Hour(*row) for query in (every, each) for row in self._journal.read(query, chosen.values())]
