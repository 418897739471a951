"""What curators decide for everybody: tags of pictures, and which accounts are one creator's. For routes and pages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from igtool.errors import UsageError
from igtool.journal.audit import Entry
from igtool.journal.said import Change
from igtool.journal.tenants import CURATE
from igtool.linking import REVIEWED, Verdict, pair_decision
from igtool.linking import waiting as waiting_pairs
from igtool.reviews.queue import in_words, one_waiting, standing
from igtool.reviews.queue import waiting as waiting_tags
from igtool.reviews.words import Answer, Word, saying
from igtool.serve.api.base import Services
from igtool.serve.callers import Caller, check
from igtool.serve.errors import NotThere
from igtool.vocabulary import tags

Row = dict[str, Any]

NONE = "none"
"""Instead of a tag: none of the category is right."""


@dataclass(frozen=True)
class Judge:
    """The queues of one caller, and what they say. Tags and creators follow when ``tag`` and ``resolve`` run next."""

    services: Services
    caller: Caller

    def tags(self, categories: Sequence[str] = (), limit: int = 50) -> list[Row]:
        """Tags of pictures that wait, the most informative first. Raises UsageError for an unknown category."""
        vocabulary = tags.load(self.services.settings.workspace)
        wanted = [vocabulary.category(one).slug for one in categories]
        said = self._said("reviews", ("creator_id", "sha256", "category", "tag"))
        rows = self.services.readers.read(lambda lake: waiting_tags(lake, wanted, limit + len(said)))
        return [row for row in rows if _of(row, ("creator_id", "sha256", "category", "tag")) not in said][:limit]

    def standing(self) -> Row:
        """How many pictures, sure tags and tags that wait there are; ``sentence`` says it."""
        counts = self.services.readers.read(standing)
        return counts | {"sentence": in_words(counts)}

    def say(self, item: str, answer: Answer, corrected: str | None = None) -> Row:
        """Write down what is right of a tag by its id; the tag. ``corrected``: of an edit; `NONE` for none.

        Raises Forbidden, NotThere, UsageError.
        """
        check(self.caller, CURATE)
        if (answer == "edit") != (corrected is not None):
            raise UsageError("an edit, and only that, names the right tag (or none)")
        row = self.services.readers.read(lambda lake: one_waiting(lake, item))
        if row is None:
            raise NotThere(f"there is no tag with the id {item[:40]!r}")
        word = Word(
            *(row["creator_id"], row["category"], row["tag"], answer),
            sha256=row["sha256"],
            corrected=None if corrected == NONE else corrected,
            reviewer=self.caller.tenant_id,
            confidence=row["confidence_score"],
            model=row["model_used"],
        )
        vocabulary, now = tags.load(self.services.settings.workspace), datetime.now(UTC)
        change = self.services.readers.read(lambda lake: saying(lake, vocabulary, [word], now))
        detail = {"tag": f"{row['category']}:{row['tag']}", "answer": answer, "creators": [row["creator_id"]]}
        self._say([change], "review", detail)
        return row

    def pairs(self, limit: int = 50) -> list[Row]:
        """Pairs of accounts that may be one creator's, the likeliest first."""
        said = self._said("link_decisions", ("account_a", "account_b"))
        rows = self.services.readers.read(lambda lake: waiting_pairs(lake, limit + len(said)))
        return [row for row in rows if _of(row, ("account_a", "account_b")) not in said][:limit]

    def decide(self, pair_id: str, verdict: Verdict) -> str:
        """Write down that a pair is one creator's or not; the id of the entry in the log of links.

        Raises Forbidden, UsageError.
        """
        check(self.caller, CURATE)
        by, now = self.caller.tenant_id, datetime.now(UTC)
        entry, changes = self.services.readers.read(
            lambda lake: pair_decision(lake, pair_id, verdict, by=by, reason=REVIEWED, now=now)
        )
        self._say(changes, "link", {"verdict": verdict, "accounts": list(changes[1].rows[0]["account_ids"])})
        return entry

    def _said(self, table: str, key: Sequence[str]) -> set[tuple[Any, ...]]:
        """Keys of what somebody spoke about that is not in the lake yet."""
        waiting = [one.change for one in self.services.saying.waiting if one.change.table == table]
        return {_of(row, key) for change in waiting for row in change.rows}

    def _say(self, changes: Sequence[Change], action: str, detail: Row) -> None:
        self.services.saying.say(changes, Entry(self.caller.tenant_id, self.caller.actor, action, detail))


def _of(row: Any, names: Sequence[str]) -> tuple[Any, ...]:
    return tuple(row[name] for name in names)
