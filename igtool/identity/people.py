"""Ids for groups of accounts: kept where there is history; the oldest after a merge, the former after a split."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from igtool.identity.clusters import ALONE, Joined

Row = dict[str, Any]


class Known(NamedTuple):
    """What is known of an account: its creator now, and the id under which it came to that one."""

    creator_id: str | None
    home_id: str | None


@dataclass
class People:
    """Groups with ids. ``forwards`` are all those of the homes of these accounts, as they are to be."""

    creator_of: dict[str, str] = field(default_factory=dict)
    forwards: list[Row] = field(default_factory=list)
    log: list[Row] = field(default_factory=list)


def new_id(account_id: str) -> str:
    """The id that a creator gets who is known by this account first."""
    return "c_" + hashlib.sha256(account_id.encode()).hexdigest()[:16]


def name_groups(
    groups: Sequence[Sequence[str]],
    known: Mapping[str, Known],
    first_seen: Mapping[str, datetime],
    split_off: Container[str],
    is_taken: Callable[[str], bool],
) -> People:
    """Give each group its id.

    An id belongs to the group with most of the accounts that came under it. A group keeps the oldest of its ids by
    ``first_seen`` (of equally old ones not one that was ``split_off``), and the others are forwarded to it; without
    any it gets a new one that is not ``is_taken``.
    """
    people = People()
    owned = _owned(groups, known)
    used: set[str] = set()
    for place, members in enumerate(groups):
        ids = sorted(owned.get(place, ()), key=lambda one: (first_seen[one], one in split_off, one))
        creator_id = ids[0] if ids else _unused(members[0], lambda one: one in used or is_taken(one))
        used.add(creator_id)
        for member in members:
            people.creator_of[member] = creator_id
        for other in ids[1:]:
            came = [member for member in members if known[member].home_id == other]
            people.forwards.append(
                {
                    "creator_id": other,
                    "survivor_id": creator_id,
                    "account_ids": came,
                    "first_seen_at": first_seen[other],
                }
            )
    return people


def _owned(groups: Sequence[Sequence[str]], known: Mapping[str, Known]) -> dict[int, list[str]]:
    """Place of a group to the ids that are its own."""
    counts: dict[str, Counter[int]] = defaultdict(Counter)
    for place, members in enumerate(groups):
        for member in members:
            home = known[member].home_id
            if home is not None:
                counts[home][place] += 1
    owned: dict[int, list[str]] = defaultdict(list)
    for home, places in counts.items():
        owned[min(places, key=lambda place: (-places[place], place))].append(home)
    return owned


def _unused(account_id: str, is_taken: Callable[[str], bool]) -> str:
    found = new_id(account_id)
    while is_taken(found):
        found = new_id(found)
    return found


def moves(people: People, known: Mapping[str, Known], why: Mapping[str, Joined], now: datetime) -> Iterator[Row]:
    """A log row for each two creators between which accounts went: ``merge``, ``split``, or ``move`` if both stay."""
    gone: dict[tuple[str, str], list[str]] = defaultdict(list)
    living = set(people.creator_of.values())
    before = {one.creator_id for one in known.values()}
    for account, creator_id in sorted(people.creator_of.items()):
        old = known[account].creator_id
        if old is not None and old != creator_id:
            gone[creator_id, old].append(account)
    for (new, old), accounts in sorted(gone.items()):
        action = "merge" if old not in living else "move" if new in before else "split"
        stays, other = (old, new) if action == "split" else (new, old)
        joined = why.get(accounts[0], ALONE)
        told = "|".join([action, stays, other, *accounts, now.isoformat()])
        yield {
            "log_id": hashlib.sha256(told.encode()).hexdigest()[:16],
            "action": action,
            "creator_id": stays,
            "other_id": other,
            "account_ids": accounts,
            "rule": joined.rule if action != "split" else "no longer linked",
            "evidence": joined.evidence if action != "split" else None,
            "decided_by": joined.decided_by,
            "logged_at": now,
        }
