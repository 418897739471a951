"""Conversations that were accepted: in the journal until they are analysed and in the lake.

One is ``waiting`` to be read, ``unsure`` (read, and a language model is to be asked), ``done`` (its insight is beside
it), ``moving`` (whoever writes the lake is taking it there) or a dead letter. Only ``waiting`` and ``unsure`` ones
have an owner: the worker that is at them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from igtool.journal.queue import DEAD, DONE, LEASED, WAITING, is_alive
from igtool.journal.store import Journal

UNSURE, MOVING = "unsure", "moving"
TRIES = 3
"""So many failures make a dead letter."""
CRASHES = 10
"""So many processes that died while they read a conversation make a dead letter; it is chance, or the conversation."""
_ALONE_AFTER = 3
"""From so many on it is read alone: if it is the conversation, others are not to go with it."""
_RETRY_S = 5.0
_NEVER = 1e12

_INSERT = """
    insert into conversations (conversation_id, tenant_id, said_at, row, state, due_at, accepted_at)
    values (?, ?, ?, ?, 'waiting', 0, ?)
"""
_STATUS = "conversation_id, state, owner, said_at, accepted_at, ended_at, reason, row, result"


@dataclass(frozen=True)
class NewConversation:
    """One to be accepted: ``row`` is its row of ``conversations`` as JSON, ``said_at`` in microseconds since 1970.

    ``key``: SHA-256 of tenant and idempotency key, None without one; ``body``: SHA-256 of what was sent under it.
    ``spare_id`` is taken where another one has, or had, its id.
    """

    conversation_id: str
    spare_id: str
    tenant_id: str
    said_at: int
    row: str
    body: bytes
    key: bytes | None = None


@dataclass(frozen=True)
class Taken:
    """What became of it: its id, and whether it is new. ``is_conflict``: its key was used for another body."""

    conversation_id: str
    is_new: bool = True
    is_conflict: bool = False


@dataclass(frozen=True)
class Leased:
    """A conversation that a worker has."""

    conversation_id: str
    text: str
    accepted_at: float


@dataclass(frozen=True)
class Analysed:
    """What a conversation says: ``result`` is what goes to the lake, as JSON."""

    conversation_id: str
    sentiment: str
    confidence: float
    result: str


class ConversationQueue:
    """The conversations of a journal. Each method that changes anything is one transaction."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    def accept(self, given: Sequence[NewConversation], *, now: float) -> list[Taken]:
        """What became of each; on disk when this returns."""
        with self._journal.transaction() as cursor:
            taken = [_accept(cursor, one, now) for one in given]
            _count(cursor, "accepted", sum(one.is_new for one in taken))
        return taken

    # --- the worker ---

    def lease(
        self, state: str, most: int, *, owner: str, now: float, accepted_before: float | None = None
    ) -> list[Leased]:
        """The oldest conversations that are ``waiting`` or ``unsure``; one that brought processes down comes alone."""
        with self._journal.transaction() as cursor:
            rows = cursor.execute(
                "select conversation_id, row ->> 'text', accepted_at, crashes from conversations "
                "where state = ? and owner is null and due_at <= ? and accepted_at <= ? order by number limit ?",
                (state, now, _NEVER if accepted_before is None else accepted_before, most),
            ).fetchall()
            dangerous = next((place for place, row in enumerate(rows) if row[3] >= _ALONE_AFTER), None)
            rows = rows[:1] if dangerous == 0 else rows[:dangerous]
            cursor.executemany(
                "update conversations set owner = ? where conversation_id = ?", ((owner, row[0]) for row in rows)
            )
        return [Leased(*row[:3]) for row in rows]

    def hand_on(self, ids: Iterable[str], *, owner: str) -> None:
        """They need a language model."""
        with self._journal.transaction() as cursor:
            cursor.executemany(
                "update conversations set state = 'unsure', owner = null where conversation_id = ? and owner = ?",
                ((one, owner) for one in ids),
            )

    def finish(self, analysed: Iterable[Analysed], *, owner: str, now: float) -> int:
        """Store what they say, of those that ``owner`` still has; how many those are."""
        done = 0
        with self._journal.transaction() as cursor:
            for one in analysed:
                cursor.execute(
                    "update conversations set state = 'done', owner = null, reason = '', ended_at = ?, sentiment = ?, "
                    "confidence = ?, result = ? where conversation_id = ? and owner = ?",
                    (now, one.sentiment, one.confidence, one.result, one.conversation_id, owner),
                )
                done += cursor.rowcount
                if not cursor.rowcount:
                    _forget_if_gone(cursor, one.conversation_id)
                cursor.execute("delete from llm_under_way where item_id = ?", (one.conversation_id,))
            _count(cursor, "analysed", done)
        return done

    def postpone(self, ids: Iterable[str], *, owner: str, until: float) -> None:
        """They wait as they did, until a time."""
        with self._journal.transaction() as cursor:
            cursor.executemany(
                "update conversations set owner = null, due_at = ? where conversation_id = ? and owner = ?",
                ((until, one, owner) for one in ids),
            )

    def fail(self, reasons: Iterable[tuple[str, str]], *, owner: str, now: float) -> None:
        """(conversation_id, reason) of those that could not be read: they are tried again, or are dead letters."""
        with self._journal.transaction() as cursor:
            for one, reason in reasons:
                cursor.execute(
                    "update conversations set owner = null, reason = ?, tries = tries + 1, due_at = ? + (1 << tries), "
                    "state = iif(tries + 1 >= ?, 'dead', state), ended_at = iif(tries + 1 >= ?, ?, null) "
                    "where conversation_id = ? and owner = ?",
                    (reason, now + _RETRY_S, TRIES, TRIES, now, one, owner),
                )

    def give_back(self, *, now: float, owner: str | None = None) -> int:
        """Take back what workers have whose processes are gone, and what ``owner`` has; how many those were."""
        query = "select distinct owner from conversations where state in ('waiting', 'unsure') and owner not null"
        owners = [one for (one,) in self._journal.read(query)]
        gone = [one for one in owners if one != owner and not is_alive(one.partition("/")[0])]
        mine = [owner] if owner in owners else []
        if not gone and not mine:
            return 0
        count = 0
        with self._journal.transaction() as cursor:
            for one in [*gone, *mine]:
                crashed = one != owner
                cursor.execute(
                    "update conversations set owner = null, crashes = crashes + ?, "
                    "reason = iif(? and crashes + 1 >= ?, ?, reason), ended_at = iif(? and crashes + 1 >= ?, ?, null), "
                    "state = iif(? and crashes + 1 >= ?, 'dead', state) "
                    "where state in ('waiting', 'unsure') and owner = ?",
                    (
                        *(crashed, crashed, CRASHES, f"{CRASHES} processes died while they read it"),
                        *(crashed, CRASHES, now, crashed, CRASHES, one),
                    ),
                )
                count += cursor.rowcount
        return count

    # --- looking ---

    def entry(self, conversation_id: str, tenant_id: str) -> dict[str, Any] | None:
        """Everything about one conversation that is here; None when it is not."""
        rows = self._journal.read(
            f"select {_STATUS} from conversations where conversation_id = ? and tenant_id = ?",
            (conversation_id, tenant_id),
        )
        return dict(zip(_STATUS.split(", "), rows[0], strict=True)) if rows else None

    def counts(self) -> dict[str, Any]:
        """Conversations by state; when the oldest one that waits was accepted; and all there ever were, in ``total``.

        Those that are leased count as ``waiting`` or ``unsure`` too. Without any there is nothing in it.
        """
        with self._journal.snapshot():
            states = dict(self._journal.read("select state, count(*) from conversations group by 1"))
            oldest, leased = self._journal.read(
                "select min(accepted_at), count(owner) from conversations where state in ('waiting', 'unsure')"
            )[0]
            deletions = self._journal.read("select count(*) from conversation_deletions")[0][0]
            total = dict(self._journal.read("select name, count from conversation_counters"))
        if not states and not total:
            return {}
        return {
            **{state: states.get(state, 0) for state in (WAITING, UNSURE, DONE, MOVING, DEAD)},
            LEASED: leased,
            "deletions": deletions,
            "oldest_waiting_at": oldest,
            "total": {name: total.get(name, 0) for name in ("accepted", "analysed", "moved", "deleted")},
        }

    def left(self) -> int:
        """How many are still to be analysed."""
        query = "select count(*) from conversations where state in ('waiting', 'unsure')"
        return int(self._journal.read(query)[0][0])

    def is_worth_moving(self, least: int, before: float) -> bool:
        """Whether so many are done, or one has been since ``before``, or something is to be deleted in the lake."""
        done = "from conversations where state in ('done', 'moving')"
        rows = self._journal.read(
            f"select (select count(*) from (select 1 {done} limit ?1)) >= ?1 "
            f"or coalesce((select ended_at {done} order by number limit 1) <= ?2, 0) "
            "or exists (select 1 from conversation_deletions)",
            (max(least, 1), before),
        )
        return bool(rows[0][0])

    def dead_letters(self, tenant_id: str | None = None, limit: int = 1_000) -> list[dict[str, Any]]:
        """Those that are given up, the newest first, with the reason."""
        rows = self._journal.read(
            "select conversation_id, reason, tries, crashes, accepted_at, ended_at, row ->> 'text' from conversations "
            "where state = 'dead' and (?1 is null or tenant_id = ?1) order by number desc limit ?2",
            (tenant_id, limit),
        )
        names = ("conversation_id", "reason", "tries", "crashes", "accepted_at", "ended_at", "text")
        return [dict(zip(names, row, strict=True)) for row in rows]

    def retry(self) -> int:
        """Have dead letters read again; how many."""
        with self._journal.transaction() as cursor:
            cursor.execute(
                "update conversations set state = 'waiting', due_at = 0, tries = 0, crashes = 0, reason = '', "
                "ended_at = null where state = 'dead'"
            )
            return cursor.rowcount

    # --- deleting ---

    def delete(
        self, conversation_id: str, tenant_id: str, *, now: float, is_in_lake: Callable[[], bool]
    ) -> bool | None:
        """Take a conversation away. True: nothing of it is left; False: the lake has it, which is written down.

        None: the tenant has no such conversation. ``is_in_lake`` is asked where the journal has none.
        """
        known = self.entry(conversation_id, tenant_id) is not None or is_in_lake()
        with self._journal.transaction() as cursor:
            cursor.execute(
                "delete from conversations where conversation_id = ? and tenant_id = ? returning state",
                (conversation_id, tenant_id),
            )
            row = cursor.fetchone()
            if row is None and not known:
                return None
            _forget(cursor, conversation_id)
            may_be_in_lake = row is None or row[0] in (DONE, MOVING)
            if may_be_in_lake:
                cursor.execute("insert or ignore into conversation_deletions values (?, ?)", (conversation_id, now))
            _count(cursor, "deleted", 1)
        return not may_be_in_lake

    def delete_all(self, tenant_id: str, in_lake: Sequence[str], *, now: float) -> None:
        """Take every conversation of a tenant away; those that the lake has or may have are written down."""
        with self._journal.transaction() as cursor:
            rows = cursor.execute(
                "delete from conversations where tenant_id = ? returning conversation_id, state", (tenant_id,)
            ).fetchall()
            for one in {one for one, _ in rows} | set(in_lake):
                _forget(cursor, one)
            moving = {one for one, state in rows if state in (DONE, MOVING)} | set(in_lake)
            cursor.executemany(
                "insert or ignore into conversation_deletions values (?, ?)", ((one, now) for one in sorted(moving))
            )
            _count(cursor, "deleted", len({one for one, _ in rows} | moving))

    def deletions(self) -> list[str]:
        """Conversations that the lake may have and is not to have."""
        return [one for (one,) in self._journal.read("select conversation_id from conversation_deletions order by 1")]

    def drop_deletions(self, ids: Iterable[str]) -> None:
        """Forget what is deleted in the lake; the answers of language models about it go as well."""
        with self._journal.transaction() as cursor:
            for one in ids:
                _forget(cursor, one)
                cursor.execute("delete from conversation_deletions where conversation_id = ?", (one,))

    # --- moving to the lake ---

    def moving(self, most: int) -> list[tuple[str, str, str]]:
        """(conversation_id, row, result) of the oldest that are done, marked as moving, those of a killed move too."""
        with self._journal.transaction() as cursor:
            cursor.execute(
                "update conversations set state = 'moving' where number in (select number from conversations "
                "where state = 'done' order by number limit ?)",
                (most,),
            )
            _count(cursor, "moves", min(cursor.rowcount, 1))
            query = "select conversation_id, row, result from conversations where state = 'moving' order by number"
            return [(one, row, result) for one, row, result in cursor.execute(query)]

    def moved(self, ids: Iterable[str]) -> None:
        """Forget conversations that are in the lake."""
        with self._journal.transaction() as cursor:
            cursor.executemany(
                "delete from conversations where conversation_id = ? and state = 'moving'", ((one,) for one in ids)
            )
            _count(cursor, "moved", cursor.rowcount)

    def prune_keys(self, before: float) -> None:
        """Forget idempotency keys that were used before a time."""
        with self._journal.transaction() as cursor:
            cursor.execute("delete from conversation_keys where used_at < ?", (before,))


def _accept(cursor: Any, one: NewConversation, now: float) -> Taken:
    if one.key is not None:
        query = "select body_sha256, conversation_id from conversation_keys where key_sha256 = ?"
        known = cursor.execute(query, (one.key,)).fetchone()
        if known is not None:
            return Taken(known[1], is_new=False, is_conflict=known[0] != one.body)
    used = cursor.execute(
        "select 1 from conversations where conversation_id = ?1 "
        "union all select 1 from conversation_deletions where conversation_id = ?1",
        (one.conversation_id,),
    ).fetchone()
    chosen = one.conversation_id if used is None else one.spare_id
    cursor.execute(_INSERT, (chosen, one.tenant_id, one.said_at, one.row, now))
    if one.key is not None:
        cursor.execute("insert into conversation_keys values (?, ?, ?, ?)", (one.key, one.body, chosen, now))
    return Taken(chosen)


def _count(cursor: Any, name: str, more: int) -> None:
    if more > 0:
        cursor.execute(
            "insert into conversation_counters values (?, ?) on conflict do update set count = count + excluded.count",
            (name, more),
        )


def _forget_if_gone(cursor: Any, conversation_id: str) -> None:
    """Of a conversation that was deleted while it was read, the answer of a language model goes too."""
    query = "select 1 from conversations where conversation_id = ?"
    if cursor.execute(query, (conversation_id,)).fetchone() is None:
        _forget(cursor, conversation_id)


def _forget(cursor: Any, conversation_id: str) -> None:
    """Remove its key, and what language models were asked and answered about it."""
    cursor.execute("delete from conversation_keys where conversation_id = ?", (conversation_id,))
    cursor.execute("delete from llm_under_way where item_id = ?", (conversation_id,))
    cursor.execute("delete from llm_answers where row ->> 'item_id' = ?", (conversation_id,))


def decoded(row: str) -> dict[str, Any]:
    """A row or result of the journal."""
    found: dict[str, Any] = json.loads(row)
    return found
