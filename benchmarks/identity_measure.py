"""How right groups of accounts are: pairwise and by cluster, with bootstrap intervals over persons."""

from __future__ import annotations

import tempfile
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.identity_data import Labelled
from benchmarks.identity_world import SEEN_AT
from igtool.journal import Journal
from igtool.lake import Lake
from igtool.progress import Progress
from igtool.runner import Runner
from igtool.stages.base import Context
from igtool.stages.resolve import Resolve


@dataclass
class Resolved:
    """What the stage made of accounts: creator and rule of each, and the pairs."""

    creators: dict[str, str]
    rules: dict[str, str]
    pairs: list[dict[str, Any]]


@dataclass
class Measured:
    """Shares of 0-1. A cluster is right when it is exactly a person's accounts; ``lookalikes`` are linked ones."""

    precision: float
    recall: float
    cluster_precision: float
    cluster_recall: float
    lookalikes: int
    pairs: int


def runner(lake: Lake, journal: Journal, folder: Path) -> Runner:
    """A runner without encoder."""
    context = Context(encoder=lambda: (_ for _ in ()).throw(RuntimeError("no encoder")), clock=lambda: SEEN_AT)
    return Runner(lake, journal, context, Progress(folder / "progress.json", "identity", bars=False))


def resolved(accounts: list[dict[str, Any]]) -> Resolved:
    """The stage run over ``accounts`` in a new lake."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with Journal(folder / "cache", writable=True) as journal, Lake(folder / "data", writable=True) as lake:
            with lake.transaction():
                lake.merge("accounts", accounts)
            runner(lake, journal, folder).run([Resolve()])
            links = lake.rows("select account_id, creator_id, rule from creator_links")
            pairs = lake.rows("from link_pairs")
    return Resolved(
        {row["account_id"]: row["creator_id"] for row in links},
        {row["account_id"]: row["rule"] for row in links},
        pairs,
    )


def measure(found: Labelled, made: Resolved) -> Measured:
    """Precision and recall of ``made`` against the owners of ``found``."""
    counts = _counts(found, made.creators)
    return _measured(counts, list(counts), _linked_lookalikes(found, made.creators))


def intervals(found: Labelled, made: Resolved, seed: int = 1, rounds: int = 1000) -> dict[str, tuple[float, float]]:
    """95% bootstrap intervals: persons, with all their accounts, are drawn again."""
    counts = _counts(found, made.creators)
    persons = list(counts)
    rng = np.random.default_rng(seed)
    drawn = [
        _measured(counts, [persons[p] for p in rng.integers(len(persons), size=len(persons))], 0) for _ in range(rounds)
    ]
    return {
        name: tuple(np.percentile([getattr(one, name) for one in drawn], (2.5, 97.5)).round(4).tolist())
        for name in ("precision", "recall", "cluster_precision", "cluster_recall")
    }


def _counts(found: Labelled, creators: Mapping[str, str]) -> dict[str, np.ndarray]:
    """Of each person: true pairs found, pairs made (a half for each end), true pairs, exact cluster, clusters, 1."""
    by_creator: dict[str, list[str]] = defaultdict(list)
    by_owner: dict[str, list[str]] = defaultdict(list)
    for account, owner in found.owners.items():
        by_owner[owner].append(account)
        by_creator[creators[account]].append(owner)
    counts = {owner: np.zeros(6) for owner in by_owner}
    for owner, accounts in by_owner.items():
        same = sum(creators[a] == creators[b] for a, b in combinations(accounts, 2))
        n = len(accounts)
        counts[owner][0], counts[owner][2] = same, n * (n - 1) / 2
        if n > 1:
            own = {creators[a] for a in accounts}
            counts[owner][3] = len(own) == 1 and len(by_creator[next(iter(own))]) == n
            counts[owner][5] = 1
    for owners in by_creator.values():
        if len(owners) > 1:
            for owner in owners:
                counts[owner][1] += (len(owners) - 1) / 2
                counts[owner][4] += 1 / len(owners)
    return counts


def _measured(counts: Mapping[str, np.ndarray], persons: Iterable[str], lookalikes: int) -> Measured:
    found, made, true, exact, clusters, several = sum(counts[person] for person in persons)
    return Measured(
        found / made if made else 1.0,
        found / true if true else 1.0,
        exact / clusters if clusters else 1.0,
        exact / several if several else 1.0,
        lookalikes,
        int(made),
    )


def _linked_lookalikes(found: Labelled, creators: Mapping[str, str]) -> int:
    """Look-alikes in a group with an account of somebody else."""
    owners: dict[str, set[str]] = defaultdict(set)
    for account, creator in creators.items():
        owners[creator].add(found.owners[account])
    return sum(len(owners[creators[account]]) > 1 for account in found.lookalikes)
