"""Insights of both stores as one: what is in the lake, and what is in the journal on its way there."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, timedelta
from typing import Any, TypeVar

from igtool.conversations.checking import Period, Wanted, shown_time
from igtool.errors import IgtoolError, UsageError
from igtool.journal import Journal
from igtool.journal.analysed import AnalysedConversations, Chosen, Hour
from igtool.journal.conversations import decoded
from igtool.lake import Lake
from igtool.notes import LOCAL
from igtool.outbox import EPOCH, microseconds_of, moment
from igtool.settings import Settings

Row = dict[str, Any]
_Read = TypeVar("_Read")

_TRIES = 3
"""So often both stores are read again because conversations went from one to the other meanwhile."""

_CHOSEN = """
    from conversations c join insights i using (conversation_id)
    where coalesce(c.tenant_id, ?) = ? and c.said_at between ?::timestamptz and ?::timestamptz
    and conversation_id not in (select unnest(string_split(?, ' ')))
"""
_ROWS = f"""
    select conversation_id, c.author, c.text, c.said_at, i.sentiment, i.sentiment_score, i.clusters,
           i.confidence_score, i.reasoning, i.model
    {_CHOSEN}
"""
_HOURS = f"""
    with chosen as (select c.said_at, i.sentiment, i.sentiment_score, i.clusters {_CHOSEN})
    select floor(epoch_us(said_at) / 3600000000.0)::bigint as hour, cluster, sentiment, count(*) as count,
           sum(sentiment_score) as score_sum
    from (select *, null as cluster from chosen union all select *, unnest(clusters) as cluster from chosen)
    group by all
"""
_ONE = f"{_ROWS.partition('where')[0]} where conversation_id = ? and coalesce(c.tenant_id, ?) = ?"


class Shelf:
    """The lake for reading, as long as there is one; for any number of threads. Close it in the end."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lake: Lake | None = None
        self._lock = threading.Lock()

    def rows(self, query: str, parameters: Sequence[object] = ()) -> list[Row]:
        """The result of ``query`` as dicts by column name; nothing where there is no lake yet.

        What fails is tried once more with the lake opened anew: a writer may have taken old files away.
        """
        for lake in (self._open(), None):
            try:
                used = lake or self._open()
                if used is None:
                    return []
                return [row for part in used.batches(query, parameters) for row in part.to_pylist()]
            except IgtoolError:
                if lake is None:
                    raise
                self.close()
        raise AssertionError

    def close(self) -> None:
        """Release the lake."""
        with self._lock:
            if self._lake is not None:
                self._lake.close()
                self._lake = None

    def _open(self) -> Lake | None:
        with self._lock:
            if self._lake is None:
                try:
                    self._lake = Lake(self._settings.lake, writable=False, offline=self._settings.offline)
                except UsageError:
                    return None
            return self._lake


class Reading:
    """Insights as clients ask for them."""

    def __init__(self, settings: Settings, shelf: Shelf) -> None:
        self._cache = settings.cache
        self._shelf = shelf

    def insights(self, wanted: Wanted) -> tuple[int, list[Row]]:
        """How many there are, and the newest of them as rows with ``said_at`` as a time, the newest first."""
        least = wanted.min_confidence
        chosen = _chosen(wanted.period, wanted.sentiment, least)
        order = "order by c.said_at desc, conversation_id limit ?"

        def read(journal: AnalysedConversations) -> tuple[int, list[Row], list[str]]:
            newest = journal.newest(chosen, wanted.limit)
            rows = [_row(decoded(row), decoded(result)["insight"]) for _, row, result in newest]
            return journal.count(chosen), rows, journal.hidden()

        def look(here: tuple[int, list[Row], list[str]]) -> tuple[int, list[Row]]:
            count, rows, hidden = here
            more, values = "", _values(wanted.period, hidden)
            for condition, value in (("i.sentiment =", wanted.sentiment), ("i.confidence_score >=", least)):
                if value is not None:
                    more += f" and {condition} ?"
                    values.append(value)
            there = self._shelf.rows(f"select count(*) as count {_CHOSEN} {more}", values)
            rows = [*rows, *self._shelf.rows(f"{_ROWS} {more} {order}", [*values, wanted.limit])]
            distinct = {row["conversation_id"]: row for row in reversed(rows)}
            newest = sorted(
                distinct.values(), key=lambda row: (-microseconds_of(row["said_at"]), row["conversation_id"])
            )
            return count + (there[0]["count"] if there else 0), newest[: wanted.limit]

        return self._both(read, look)

    def hours(self, period: Period) -> list[Hour]:
        """How many there are an hour, by sentiment, of all and of each cluster; of both stores beside each other."""

        def read(journal: AnalysedConversations) -> tuple[list[Hour], list[str]]:
            return journal.hours(_chosen(period)), journal.hidden()

        def look(here: tuple[list[Hour], list[str]]) -> list[Hour]:
            rows = self._shelf.rows(_HOURS, _values(period, here[1]))
            return [*here[0], *(Hour(**row) for row in rows)]

        return self._both(read, look)

    def one(self, conversation_id: str, tenant_id: str) -> Row | None:
        """The insight of a conversation that is in the lake; None where it is not, or is to be deleted."""
        with Journal(self._cache, writable=False) as journal:
            if conversation_id in AnalysedConversations(journal).hidden():
                return None
        found = self._shelf.rows(_ONE, (conversation_id, LOCAL, tenant_id))
        return found[0] if found else None

    def _both(self, read: Callable[[AnalysedConversations], Any], look: Callable[[Any], _Read]) -> _Read:
        """What ``look`` finds in the lake for what ``read`` found in the journal, with nothing moved in between."""
        with Journal(self._cache, writable=False) as journal:
            analysed = AnalysedConversations(journal)
            for _ in range(_TRIES):
                with analysed.at_once():
                    moves, here = analysed.moves(), read(analysed)
                found = look(here)
                if analysed.moves() == moves:
                    break
            return found


def trends(hours: Iterable[Hour]) -> list[Row]:
    """A row an hour that has conversations: how many, of which sentiment, and about what."""
    every: dict[int, list[Hour]] = defaultdict(list)
    for one in hours:
        every[one.hour].append(one)
    return [_trend(hour, found) for hour, found in sorted(every.items())]


def _trend(hour: int, found: Sequence[Hour]) -> Row:
    counts = dict.fromkeys(("positive", "negative", "neutral"), 0)
    clusters: dict[str, list[Hour]] = defaultdict(list)
    for one in found:
        if one.cluster is None:
            counts[one.sentiment] += one.count
        else:
            clusters[one.cluster].append(one)
    each = [{"cluster": name, **_summed(parts)} for name, parts in clusters.items()]
    return {
        "hour": shown_time(EPOCH + timedelta(hours=hour)),
        **_summed([one for one in found if one.cluster is None]),
        "sentiments": counts,
        "clusters": sorted(each, key=lambda one: (-one["count"], one["cluster"])),
    }


def _summed(found: Sequence[Hour]) -> Row:
    count = sum(one.count for one in found)
    return {"count": count, "sentiment_score": round(sum(one.score_sum for one in found) / count, 4) if count else 0.0}


def analysis(row: Row) -> Row:
    """What a conversation says, as the first version of the interface has it, and which model said it."""
    return {
        "sentiment_score": row["sentiment_score"],
        "clusters": list(row["clusters"] or ()),
        "confidence": row["confidence_score"],
        "reasoning": row["reasoning"],
        "model": row["model"],
    }


def _row(row: Row, insight: Row) -> Row:
    """A conversation of the journal like one of the lake."""
    said = {name: row[name] for name in ("conversation_id", "author", "text")}
    return {**said, "said_at": moment(row["said_at"]), **insight}


def _chosen(period: Period, sentiment: str | None = None, min_confidence: float | None = None) -> Chosen:
    start, end = microseconds_of(period.start), microseconds_of(period.end)
    return Chosen(period.tenant_id, start, end, sentiment, min_confidence)


def _values(period: Period, hidden: Sequence[str]) -> list[Any]:
    return [LOCAL, period.tenant_id, period.start.astimezone(UTC), period.end.astimezone(UTC), " ".join(hidden)]
