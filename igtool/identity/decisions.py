"""What people say about accounts: written down, taken back, and never lost. The stage resolve makes it so."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime
from itertools import product
from typing import Any

from igtool.errors import UsageError
from igtool.journal.said import Change
from igtool.lake import Lake

Row = dict[str, Any]

_ACTIVE = """
    select decision_id, account_a, account_b, verdict from link_decisions where undone_at is null
    qualify row_number() over (partition by account_a, account_b order by decided_at desc, decision_id desc) = 1
"""
_OPPOSITE = {"together": "apart", "apart": "together"}


def decide(lake: Lake, pairs: Sequence[tuple[str, str]], verdict: str, *, by: str, reason: str, now: datetime) -> str:
    """Write down that each pair of accounts is ``together`` or ``apart``; the id of the entry in ``link_log``.

    Raises UsageError when all of this is decided so already.
    """
    log_id, changes = decision(lake, pairs, verdict, by=by, reason=reason, now=now)
    with lake.transaction():
        for change in changes:
            lake.merge(change.table, list(change.rows))
    return log_id


def decision(
    lake: Lake, pairs: Sequence[tuple[str, str]], verdict: str, *, by: str, reason: str, now: datetime
) -> tuple[str, list[Change]]:
    """As `decide`, but nothing is written: the id of the entry, and what it changes."""
    ordered = sorted({(min(pair), max(pair)) for pair in pairs})
    decided = {(row["account_a"], row["account_b"]): row for row in lake.rows(_ACTIVE)}
    known = [decided.get(pair) for pair in ordered]
    if all(row is not None and row["verdict"] == verdict for row in known):
        entry = known[0]["decision_id"].split("-")[0] if known[0] else ""
        raise UsageError(
            f"{' and '.join(ordered[0])} are decided to be {verdict} already: `igtool link undo {entry}` takes it back"
        )
    accounts = sorted({account for pair in ordered for account in pair})
    log_id = _log_id(verdict, *accounts, now.isoformat())
    rows = [
        {
            "decision_id": f"{log_id}-{number}",
            "account_a": a,
            "account_b": b,
            "verdict": verdict,
            "reason": reason or None,
            "decided_by": by,
            "decided_at": now,
        }
        for number, (a, b) in enumerate(ordered)
    ]
    entry_row = {"log_id": log_id, "action": verdict, "account_ids": accounts, "rule": "decision"}
    logged = [{**entry_row, "evidence": reason or None, "decided_by": by, "logged_at": now}]
    return log_id, [Change("link_decisions", rows), Change("link_log", logged)]


def undo(lake: Lake, name: str, *, by: str, now: datetime) -> str:
    """Take back an entry of ``link_log``, named by its id or the beginning of it; the id of the entry that says so.

    A decision no longer holds; what held before it holds again. A merge or split that a rule made is decided to be
    otherwise. Raises UsageError for an unknown entry, one that is undone, and one that cannot be.
    """
    entry = _entry(lake, name)
    log_id: str = entry["log_id"]
    if lake.value("select count(*) from link_log where undoes = ?", (log_id,)):
        raise UsageError(f"{log_id} is undone already")
    if entry["action"] == "undo":
        raise UsageError(f"{log_id} is an undo itself: decide anew with `igtool link pin` or `igtool link split`")
    if entry["action"] not in _OPPOSITE:
        _decide_otherwise(lake, entry, by=by, now=now)
    done = {
        "log_id": _log_id("undo", log_id, now.isoformat()),
        "action": "undo",
        "account_ids": entry["account_ids"],
        "rule": "decision",
        "decided_by": by,
        "undoes": log_id,
        "logged_at": now,
    }
    with lake.transaction():
        lake.execute(
            "update link_decisions set undone_at = ?::timestamptz where starts_with(decision_id, ?)",
            (now, f"{log_id}-"),
        )
        lake.merge("link_log", [done])
    return str(done["log_id"])


def _entry(lake: Lake, name: str) -> Row:
    found = lake.rows("from link_log where starts_with(log_id, ?) order by log_id limit 2", (name,)) if name else []
    if not found:
        raise UsageError(f"there is no entry {name!r}: `igtool link log` lists them")
    if len(found) > 1:
        raise UsageError(f"several entries begin with {name!r}: name it in full, as `igtool link log` shows it")
    return found[0]


def _decide_otherwise(lake: Lake, entry: Row, *, by: str, now: datetime) -> None:
    """Keep apart what a rule merged, or together what it split."""
    moved = list(entry["account_ids"])
    merged = entry["action"] != "split"
    verdict = "apart" if merged else "together"
    cause = lake.rows(
        f"select * from ({_ACTIVE}) where verdict = ? and (account_a in (select unnest(?::varchar[])) "
        "or account_b in (select unnest(?::varchar[]))) order by decision_id limit 1",
        (_OPPOSITE[verdict], moved, moved),
    )
    if cause:
        log_id = cause[0]["decision_id"].split("-")[0]
        raise UsageError(f"{entry['log_id']} follows from a decision: `igtool link undo {log_id}` takes that back")
    others = [
        row["account_id"]
        for row in lake.rows(
            "select account_id from creator_links where creator_id = ? order by account_id", (entry["creator_id"],)
        )
        if row["account_id"] not in moved
    ]
    if not others:
        raise UsageError(f"{entry['log_id']} cannot be undone: {entry['creator_id']} has no other account now")
    pairs = list(product(moved, others)) if merged else [(moved[0], others[0])]
    decide(lake, pairs, verdict, by=by, reason=f"undo of {entry['log_id']}", now=now)


def _log_id(*parts: str) -> str:
    return hashlib.sha256("|".join(parts).encode()).hexdigest()[:16]
