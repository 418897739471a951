"""Looking at and deciding which accounts are one creator: what ``igtool link`` does, for Python too."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, Literal

from igtool.errors import UsageError
from igtool.identity import decisions
from igtool.journal.said import Change
from igtool.lake import Lake
from igtool.notes import account_named, creators_named
from igtool.pipeline import run_stages
from igtool.session import Session

Row = dict[str, Any]
Verdict = Literal["together", "apart"]

_PAIR_ID = "left(md5(p.account_a || '|' || p.account_b), 10)"
_WAITING = f"""
    select {_PAIR_ID} as pair_id, p.account_a, p.account_b, a.platform as platform_a, a.handle as handle_a,
           a.display_name as name_a, b.platform as platform_b, b.handle as handle_b, b.display_name as name_b,
           p.confidence_score, p.rule, p.evidence,
           coalesce(p.doubt, if(p.verdict = 'link', 'another account fits as well', 'too little speaks for it'))
               as doubt
    from link_pairs p join accounts a on a.account_id = p.account_a join accounts b on b.account_id = p.account_b
    join creator_links l on l.account_id = p.account_a join creator_links r on r.account_id = p.account_b
    anti join (select account_a, account_b from link_decisions where undone_at is null) d
        on d.account_a = p.account_a and d.account_b = p.account_b
    where p.verdict <> 'apart' and l.creator_id <> r.creator_id
    order by p.confidence_score desc, p.account_a, p.account_b
"""

REVIEWED = "review"


def waiting(lake: Lake, limit: int | None = None) -> list[Row]:
    """Pairs that a person should look at, the likeliest first: who, what speaks for it, what against it."""
    return lake.rows(_WAITING + ("" if limit is None else f" limit {int(limit)}"))


def pin(session: Session, one: str, other: str, *, by: str, reason: str = "") -> str:
    """Decide that two accounts are one creator's; the id of the entry in the log. Raises UsageError."""
    lake = session.lake
    first, second = account_named(lake, one), account_named(lake, other)
    if first == second:
        raise UsageError(f"{one!r} and {other!r} are the same account: name two")
    _check_foes(lake, first, second)
    return _decided(session, [(first, second)], "together", by, reason)


def split(session: Session, one: str, other: str | None = None, *, by: str, reason: str = "") -> str:
    """Decide that an account is not of its creator, or not together with ``other``. Raises UsageError."""
    lake = session.lake
    first = account_named(lake, one)
    second = account_named(lake, other) if other is not None else None
    members = lake.rows(
        "select account_id from creator_links where account_id <> ? and creator_id = "
        "(select creator_id from creator_links where account_id = ?) order by 1",
        (first, first),
    )
    others = [row["account_id"] for row in members if second in (None, row["account_id"])]
    if first == second:
        raise UsageError(f"{one!r} and {other!r} are the same account: name two")
    if not others:
        what = "is the only account of its creator" if second is None else f"and {second} are not linked"
        raise UsageError(f"{first} {what}: there is nothing to split; `igtool link show {one}` shows what is linked")
    return _decided(session, [(first, account) for account in others], "apart", by, reason)


def accept(session: Session, pair_id: str, *, by: str, reason: str = "") -> str:
    """Decide that a pair of `waiting` is one creator's. Raises UsageError."""
    row = _pair(session.lake, pair_id)
    return pin(session, row["account_a"], row["account_b"], by=by, reason=reason)


def reject(session: Session, pair_id: str, *, by: str, reason: str = "") -> str:
    """Decide that a pair of `waiting` is of two creators. Raises UsageError."""
    row = _pair(session.lake, pair_id)
    return _decided(session, [(row["account_a"], row["account_b"])], "apart", by, reason)


def undo(session: Session, log_id: str, *, by: str) -> str:
    """Take back an entry of the log (`igtool.identity.decisions.undo`) and bring the creators up to date."""
    entry = decisions.undo(session.lake, log_id, by=by, now=datetime.now(UTC))
    run_stages(session, ["resolve"])
    return entry


def shown(lake: Lake, handle: str, told: Callable[[str], None] = lambda _: None) -> list[Row]:
    """The accounts of the creators with this handle or id, and what links each of them.

    ``told`` hears whom a former handle means now. Raises UsageError.
    """
    by_account = "select creator_id from creator_links where lower(account_id) = ?"
    creators = [row["creator_id"] for row in lake.rows(by_account, (handle.strip().lower(),))] if ":" in handle else []
    return lake.rows(
        """
        select l.creator_id, a.account_id, a.platform, a.handle, a.display_name, l.rule, l.confidence_score,
               l.decided_by, l.evidence
        from creator_links l join accounts a using (account_id)
        where l.creator_id in (select unnest(?::varchar[])) order by l.creator_id, a.account_id
        """,
        (creators or creators_named(lake, handle, told),),
    )


def log(lake: Lake, limit: int) -> list[Row]:
    """The newest entries of the log, newest first; ``is_undone`` of those that were taken back."""
    return lake.rows(
        "select g.*, g.log_id in (select undoes from link_log where undoes is not null) as is_undone "
        "from link_log g order by logged_at desc, log_id limit ?",
        (limit,),
    )


def ask_each(session: Session, rows: Sequence[Row], answer: Callable[[Row], str], *, by: str) -> dict[str, int]:
    """Decide each pair as ``answer`` says: ``yes``, ``no``, ``skip`` or ``quit``; how often each was said.

    Creators are brought up to date once, at the end.
    """
    said = {"yes": 0, "no": 0, "skip": 0}
    for row in rows:
        word = answer(row)
        if word == "quit":
            break
        said[word] += 1
        if word != "skip":
            verdict = "together" if word == "yes" else "apart"
            pair = [(row["account_a"], row["account_b"])]
            decisions.decide(session.lake, pair, verdict, by=by, reason=REVIEWED, now=datetime.now(UTC))
    run_stages(session, ["resolve"])
    return said


def pair_decision(
    lake: Lake, pair_id: str, verdict: Verdict, *, by: str, reason: str, now: datetime
) -> tuple[str, list[Change]]:
    """What deciding a pair of `waiting` changes, and the id of its entry in the log; it holds from the next `resolve`.

    Raises UsageError.
    """
    row = _pair(lake, pair_id)
    pair = (row["account_a"], row["account_b"])
    if verdict == "together":
        _check_foes(lake, *pair)
    return decisions.decision(lake, [pair], verdict, by=by, reason=reason, now=now)


def _check_foes(lake: Lake, first: str, second: str) -> None:
    """Raises UsageError where accounts of the creators of both are decided to be apart."""
    foes = lake.rows(
        """
        with near as (
            select account_id, creator_id from creator_links
            where creator_id in (select creator_id from creator_links where account_id in (?, ?))
        )
        select d.decision_id, d.account_a, d.account_b from link_decisions d
        join near l on l.account_id = d.account_a join near r on r.account_id = d.account_b
        where d.undone_at is null and d.verdict = 'apart' and l.creator_id <> r.creator_id
            and not (least(?, ?) = d.account_a and greatest(?, ?) = d.account_b) limit 1
        """,
        (first, second, first, second, first, second),
    )
    if foes:
        entry = foes[0]["decision_id"].split("-")[0]
        raise UsageError(
            f"{foes[0]['account_a']} and {foes[0]['account_b']}, of these creators, are decided to be apart: "
            f"`igtool link undo {entry}` takes that back"
        )


def _pair(lake: Lake, pair_id: str) -> Row:
    found = lake.rows(
        f"select account_a, account_b from link_pairs p where starts_with({_PAIR_ID}, ?) limit 2",
        (pair_id.strip().lower() or "?",),
    )
    if len(found) != 1:
        what = "several pairs begin with" if found else "there is no pair"
        raise UsageError(f"{what} {pair_id!r}: `igtool link review` lists those that wait")
    return found[0]


def _decided(session: Session, pairs: Sequence[tuple[str, str]], verdict: str, by: str, reason: str) -> str:
    log_id = decisions.decide(session.lake, pairs, verdict, by=by, reason=reason, now=datetime.now(UTC))
    run_stages(session, ["resolve"])
    return log_id
