"""Groups of accounts from pairs: what people decided, then the surest pairs first, one account a platform.

The result is a function of pairs and decisions, whatever their order, and of each connected part alone: parts that did
not change need not be looked at again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

RIVAL_BITS = 4.0
"""Two accounts of a platform fit equally well when their weights are no further apart: then neither is linked."""


class Pair(NamedTuple):
    """Two accounts that a rule or the model finds worth a look (a row of ``link_pairs``)."""

    a: str
    b: str
    rule: str
    evidence: str
    weight: float
    confidence: float
    is_strong: bool
    verdict: str


class Decision(NamedTuple):
    """What a person said about two accounts, the newest word on them."""

    a: str
    b: str
    is_together: bool
    reason: str | None
    decided_by: str


class Joined(NamedTuple):
    """Why an account is in its group."""

    rule: str
    evidence: str | None
    confidence: float
    decided_by: str


ALONE = Joined("only_account", None, 1.0, "rule")


def group(
    platforms: Mapping[str, str], pairs: Sequence[Pair], decisions: Sequence[Decision]
) -> tuple[list[list[str]], dict[str, Joined]]:
    """Groups of the accounts in ``platforms`` (account to platform), sorted, and why each account is in its own.

    Two accounts of one platform come together only where they link each other, or a person said so. ``decisions``
    come newest first: a newer word goes before an older one.
    """
    union = _Union(platforms, ((d.a, d.b) for d in decisions if not d.is_together))
    why: dict[str, Joined] = {}
    for decision in decisions:
        if decision.is_together and union.join(decision.a, decision.b, is_strong=True):
            _note(why, decision.a, decision.b, Joined("pinned", decision.reason, 1.0, decision.decided_by))
    decided = {(d.a, d.b) for d in decisions}
    for pair in sorted(_undisputed(platforms, pairs, decided), key=_order):
        if union.join(pair.a, pair.b, is_strong=pair.is_strong):
            _note(why, pair.a, pair.b, Joined(pair.rule, pair.evidence, pair.confidence, "rule"))
    return union.groups(), why


def _order(pair: Pair) -> tuple[bool, bool, float, str, str]:
    return not pair.is_strong, pair.rule == "model", -pair.weight, pair.a, pair.b


def _note(why: dict[str, Joined], a: str, b: str, joined: Joined) -> None:
    why.setdefault(a, joined)
    why.setdefault(b, joined)


def _undisputed(platforms: Mapping[str, str], pairs: Iterable[Pair], decided: set[tuple[str, str]]) -> Iterator[Pair]:
    """The pairs to link, without those that only the model finds and for which another account fits as well."""
    fits: dict[tuple[str, str], list[tuple[float, str]]] = {}
    open_pairs = [pair for pair in pairs if (pair.a, pair.b) not in decided] if decided else list(pairs)
    for pair in open_pairs:
        _keep_two(fits, (pair.a, platforms[pair.b]), (pair.weight, pair.b))
        _keep_two(fits, (pair.b, platforms[pair.a]), (pair.weight, pair.a))
    for pair in open_pairs:
        if pair.verdict == "link" and (pair.rule != "model" or not _has_rival(fits, platforms, pair)):
            yield pair


def _keep_two(
    fits: dict[tuple[str, str], list[tuple[float, str]]], place: tuple[str, str], fit: tuple[float, str]
) -> None:
    """Remember the two best fits: more are never asked for."""
    known = fits.get(place)
    if known is None:
        fits[place] = [fit]
    else:
        known.append(fit)
        if len(known) > 2:
            known.remove(min(known))


def _has_rival(
    fits: Mapping[tuple[str, str], list[tuple[float, str]]], platforms: Mapping[str, str], pair: Pair
) -> bool:
    least = pair.weight - RIVAL_BITS
    return any(
        weight >= least and rival != other
        for one, other in ((pair.a, pair.b), (pair.b, pair.a))
        for weight, rival in fits[one, platforms[other]]
    )


class _Union:
    """Disjoint sets that refuse to hold two accounts that are apart, or two of a platform without strong evidence."""

    def __init__(self, platforms: Mapping[str, str], apart: Iterable[tuple[str, str]]) -> None:
        self.parent = {account: account for account in platforms}
        self.members = {account: [account] for account in platforms}
        self.platforms = {account: {platform} for account, platform in platforms.items()}
        self.foes: dict[str, set[str]] = defaultdict(set)
        for a, b in apart:
            self.foes[a].add(b)
            self.foes[b].add(a)

    def root(self, account: str) -> str:
        parent = self.parent
        while parent[account] != account:
            parent[account] = parent[parent[account]]
            account = parent[account]
        return account

    def join(self, a: str, b: str, *, is_strong: bool) -> bool:
        """Whether both are together now, or were before."""
        first, second = sorted((self.root(a), self.root(b)), key=lambda root: (-len(self.members[root]), root))
        if first == second:
            return True
        if not is_strong and not self.platforms[first].isdisjoint(self.platforms[second]):
            return False
        if self.foes and any(self.root(foe) == first for one in self.members[second] for foe in self.foes.get(one, ())):
            return False
        self.parent[second] = first
        self.members[first] += self.members.pop(second)
        self.platforms[first] |= self.platforms.pop(second)
        return True

    def groups(self) -> list[list[str]]:
        return sorted(sorted(members) for members in self.members.values())
