"""What every kept picture shows, measured: people, framing, sharpness, and colours where they may be described."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import ClassVar

import pyarrow as pa

from igtool.errors import IntegrityError
from igtool.stages.base import BatchStage, Context, Need, Output, Reject, Row
from igtool.vision.cielab import Colour
from igtool.vision.kinds import NotAPicture
from igtool.vision.looking import Look


@dataclass(frozen=True)
class PictureFactsOptions:
    """Options of the stage: other ``models`` look at everything again."""

    models: str


class PictureFacts(BatchStage):
    """One row of ``image_facts`` a picture file.

    Hair and garments are NULL unless the safety check says that nobody is under age; where it says nothing, unless
    everybody who shows the picture declared to be adult.
    """

    name: ClassVar[str] = "picture_facts"
    version: ClassVar[int] = 2
    reads: ClassVar[tuple[str, ...]] = ("media", "creator_links", "consents", "declarations")
    writes: ClassVar[tuple[str, ...]] = ("image_facts",)
    key: ClassVar[str] = "sha256"
    batch_size = 64
    elsewhere: ClassVar[frozenset[Need] | None] = frozenset({"pictures"})
    Options: ClassVar[type] = PictureFactsOptions
    options: PictureFactsOptions

    _shown = """
        select m.sha256, bool_and(s.creator_id is not null) as is_adult
        from media m left join creator_links l using (account_id)
        left join consent_standing s on s.creator_id = l.creator_id
        where m.sha256 is not null group by m.sha256
    """
    keys = f"select sha256 as item_id, md5(is_adult::varchar) as fingerprint from ({_shown})"
    rows = f"select item_id, is_adult from batch join ({_shown}) on sha256 = item_id order by item_id"

    def process(self, batch: pa.Table, context: Context) -> Output:
        """A row for every picture; a file that is missing or broken is a reject."""
        if context.pictures is None or context.eyes is None:
            return Output(postponed=batch.column("item_id").to_pylist())
        eyes = context.eyes()
        output, files, adults = Output(), {}, {}
        for item in batch.to_pylist():
            try:
                files[item["item_id"]] = context.pictures.store.read(item["item_id"])
                adults[item["item_id"]] = item["is_adult"]
            except IntegrityError as error:
                output.rejects.append(Reject(item["item_id"], "file-missing", str(error)))
        pictures = {}
        for sha256, pixels in zip(files, eyes.read(list(files.values())), strict=True):
            if isinstance(pixels, NotAPicture):
                output.rejects.append(Reject(sha256, pixels.reason, str(pixels)))
            else:
                pictures[sha256] = pixels
        looks = eyes.look(list(pictures.values()), [adults[sha256] for sha256 in pictures])
        told = {"models": eyes.models, "analysis_version": self.version, "analyzed_at": context.clock()}
        rows = [_row(sha256, look) | told for sha256, look in zip(pictures, looks, strict=True)]
        output.tables["image_facts"] = rows
        output.done = list(pictures)
        return output


def _row(sha256: str, look: Look) -> Row:
    facts = look.facts
    scores = {str(tag): round(score, 4) for tag, score in facts.hair_scores.items()}
    return {
        "sha256": sha256,
        "persons_count": facts.people_count,
        "faces_count": facts.faces_count,
        "sharpness": facts.sharpness,
        "brightness": facts.brightness,
        "chroma": facts.chroma,
        "framing": facts.framing,
        "hair": _lab(facts.hair),
        "hair_scores": json.dumps(scores) if scores else None,
        "upper_garment": _lab(facts.upper_garment),
        "lower_garment": _lab(facts.lower_garment),
        "may_be_minor": look.may_be_minor,
    }


def _lab(colour: Colour | None) -> list[float] | None:
    return None if colour is None else [round(one, 2) for one in (colour.lightness, colour.a, colour.b)]
