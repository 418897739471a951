"""Proportions of creators who agreed to it, in pictures that show nobody else: off unless the user turns it on."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

import pyarrow as pa

from igtool.errors import IntegrityError
from igtool.lake_sql import literal
from igtool.stages.base import BatchStage, Context, Output, Row
from igtool.vision.body import BodyFacts, Ratio
from igtool.vision.guard import Standing, allowed
from igtool.vision.kinds import NotAPicture
from igtool.vision.looking import Eyes
from igtool.vocabulary.categories import Category

_TOGETHER = 32
"""Pictures decoded at a time."""
_FILE_MISSING = "file_missing"


@dataclass(frozen=True)
class BodyOptions:
    """Options of the stage: other ``models`` look at everything again."""

    models: str


class Body(BatchStage):
    """A row of ``body_facts`` for every picture in which a creator may be measured.

    Those are pictures of one creator alone, who declared to be an adult and agreed to a category of ``categories``
    that these facts are for, with a verdict that nobody in them is under age (`igtool.vision.guard`). No other file is
    opened. What cannot be measured is a row with its reason, never a reject: with the consent every trace goes.
    """

    name: ClassVar[str] = "body"
    version: ClassVar[int] = 1
    reads: ClassVar[tuple[str, ...]] = ("media", "image_facts", "creator_links", "consents", "declarations")
    writes: ClassVar[tuple[str, ...]] = ("body_facts",)
    key: ClassVar[str] = "creator_id"
    batch_size = 5
    Options: ClassVar[type] = BodyOptions
    options: BodyOptions

    def __init__(self, options: BodyOptions, categories: Collection[Category]) -> None:
        super().__init__(options)
        self._categories = [one for one in categories if one.facts == "body_facts"]
        agreed = ", ".join(literal(one.slug) for one in self._categories)
        may = f"""
            with shown as (
                select m.sha256, any_value(l.creator_id) as creator_id
                from media m left join creator_links l using (account_id)
                where m.sha256 is not null group by m.sha256
                having count(distinct l.creator_id) = 1 and count(*) = count(l.creator_id)
            )
            select s.creator_id, s.sha256, c.categories, f.may_be_minor
            from shown s join consent_standing c using (creator_id) join image_facts f using (sha256)
            where list_has_any(c.categories, [{agreed}]::varchar[]) and f.may_be_minor is false and f.persons_count > 0
        """
        self.keys = f"""
            select creator_id as item_id, md5(string_agg(sha256, ' ' order by sha256)) as fingerprint
            from ({may}) group by creator_id
        """
        self.rows = f"""
            select item_id, list(struct_pack(sha256, categories, may_be_minor) order by sha256) as pictures
            from batch join ({may}) on creator_id = item_id group by item_id order by item_id
        """

    def process(self, batch: pa.Table, context: Context) -> Output:
        """A row for every picture of each creator that may be measured."""
        if context.pictures is None or context.eyes is None:
            return Output(postponed=batch.column("item_id").to_pylist())
        output, rows = Output(), []
        told = {"analysis_version": self.version, "analyzed_at": context.clock()}
        for creator in batch.to_pylist():
            chosen = [one["sha256"] for one in creator["pictures"] if self._may_measure(one)]
            for sha256, facts in _measured(chosen, context.pictures.store.read, context.eyes):
                rows.append({"creator_id": creator["item_id"], "sha256": sha256} | facts | told)
            output.done.append(creator["item_id"])
        output.tables["body_facts"] = rows
        return output

    def _may_measure(self, picture: Row) -> bool:
        standing = Standing.of(picture["categories"])
        return bool(allowed(self._categories, standing, picture["may_be_minor"]))


def _measured(
    chosen: Sequence[str], read: Callable[[str], bytes], open_eyes: Callable[[], Eyes]
) -> Iterator[tuple[str, Row]]:
    """What was measured in pictures that may be: SHA-256 and columns of ``body_facts``."""
    for start in range(0, len(chosen), _TOGETHER):
        files: dict[str, bytes] = {}
        for sha256 in chosen[start : start + _TOGETHER]:
            try:
                files[sha256] = read(sha256)
            except IntegrityError:
                yield sha256, {"reason": _FILE_MISSING}
        eyes = open_eyes()
        pictures = {}
        for sha256, pixels in zip(files, eyes.read(list(files.values())), strict=True):
            if isinstance(pixels, NotAPicture):
                yield sha256, {"reason": pixels.reason}
            else:
                pictures[sha256] = pixels
        found = eyes.bodies(list(pictures.values()), allowed=True)
        for sha256, facts in zip(pictures, found, strict=True):
            yield sha256, _columns(facts) | {"models": eyes.models}


def _columns(facts: BodyFacts) -> Row:
    row: Row = {"silhouette": facts.silhouette, "reason": facts.unmeasured}
    ratios: dict[str, Ratio | None] = {
        "shoulder_to_hip": facts.shoulder_to_hip,
        "waist_to_hip": facts.waist_to_hip,
        "leg_to_torso": facts.leg_to_torso,
    }
    for name, ratio in ratios.items():
        row[name] = None if ratio is None else ratio.value
        row[f"{name}_error"] = None if ratio is None else ratio.error
    return row
