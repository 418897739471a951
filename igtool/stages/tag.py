"""Tags of pictures and of their creators, from what was measured and seen, and from what people said."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import pyarrow as pa

from igtool.pictures.reading import Unreadable, read_kept
from igtool.stages.base import BatchStage, Context, Need, Output, Row
from igtool.tagging.creators import changes, tags_of
from igtool.tagging.deciding import Decision, Opinion, Spoken, decide
from igtool.tagging.rules import by_rule
from igtool.tagging.scores import Floats, Reading, ZeroShot, readings
from igtool.tagging.vectors import SIDE, vector_of
from igtool.vision.guard import Standing, allowed
from igtool.vocabulary.categories import TagVocabulary

_RULES = "rules"
"""Names what made a tag where no image encoder did."""
_PAGE = 256
"""Pictures without a stored vector that are looked at together."""


@dataclass(frozen=True)
class TagOptions:
    """What makes all tags pending when it changes: image encoder and prompts, None without them, and the vocabulary."""

    model: str | None
    prompts_sha256: str | None
    vocabulary_sha256: str


class Tag(BatchStage):
    """The tags of every creator with pictures, or of whom a person said something.

    What may be computed says `igtool.vision.guard.allowed`, picture by picture. A tag about a person is told only where
    there is one person in the picture: who of several a creator is, is never inferred.
    """

    name: ClassVar[str] = "tag"
    version: ClassVar[int] = 1
    reads: ClassVar[tuple[str, ...]] = (
        "media", "image_facts", "image_vectors", "image_verdicts", "creator_links", "creator_forwards", "consents",
        "declarations", "reviews",
    )  # fmt: skip
    writes: ClassVar[tuple[str, ...]] = ("image_tags", "creator_tags", "creator_tag_history")
    appends: ClassVar[tuple[str, ...]] = ("creator_tag_history",)
    key: ClassVar[str] = "creator_id"
    batch_size = 200
    most_at_once = 4_000
    elsewhere: ClassVar[frozenset[Need] | None] = frozenset({"pictures"})
    Options: ClassVar[type] = TagOptions
    options: TagOptions

    _heard = """
        select coalesce(survivor_id, r.creator_id) as creator_id, r.* exclude (creator_id)
        from reviews r left join creator_forwards f using (creator_id)
    """
    keys = f"""
        with pictures as (
            select creator_id, string_agg(told, ' ' order by told) as told from (
                select distinct l.creator_id, concat_ws(' ', m.sha256, f.analyzed_at, v.model) as told
                from media m join creator_links l using (account_id)
                left join image_facts f on f.sha256 = m.sha256 left join image_vectors v on v.sha256 = m.sha256
                where m.sha256 is not null
            ) group by creator_id
        ),
        said as (
            select creator_id, string_agg(review_id, ' ' order by review_id) as told
            from ({_heard}) group by creator_id
        ),
        answered as (
            select creator_id, string_agg(answer_id, ' ' order by item_id) as told
            from image_verdicts group by creator_id
        )
        select creator_id as item_id, md5(concat_ws('|', p.told, coalesce(r.told, '-'), coalesce(a.told, '-'),
            coalesce(array_to_string(s.categories, ' '), '-'))) as fingerprint
        from (from pictures) p full join (from said) r using (creator_id) left join answered a using (creator_id)
        left join consent_standing s using (creator_id)
        where creator_id in (select creator_id from creator_links)
    """
    rows = f"""
        with pictures as (
            select distinct l.creator_id, m.sha256 from media m join creator_links l using (account_id)
            where m.sha256 is not null and l.creator_id in (select item_id from batch)
        ),
        seen as (
            select p.creator_id, list(struct_pack(
                p.sha256, persons_count := f.persons_count, framing := f.framing, chroma := f.chroma,
                hair_scores := f.hair_scores::varchar, may_be_minor := f.may_be_minor,
                has_facts := f.sha256 is not null, model := v.model, vector := v.vector
            ) order by p.sha256) as pictures
            from pictures p left join image_facts f using (sha256) left join image_vectors v using (sha256)
            group by p.creator_id
        ),
        said as (
            select creator_id, list(struct_pack(
                sha256, category, tag, decision, corrected_tag, reviewer, is_own_correction, reviewed_at
            ) order by reviewed_at, review_id) as reviews
            from ({_heard}) where creator_id in (select item_id from batch) group by creator_id
        ),
        answered as (
            select creator_id, list(struct_pack(
                sha256, category, confidences := confidences::varchar, reasoning, model_used
            ) order by item_id) as verdicts
            from image_verdicts where creator_id in (select item_id from batch) group by creator_id
        ),
        known as (
            select creator_id, list(t order by category, tag) as known from creator_tags t
            where creator_id in (select item_id from batch) group by creator_id
        )
        select item_id, pictures, reviews, verdicts, known, categories from batch
        left join seen on seen.creator_id = item_id left join said on said.creator_id = item_id
        left join answered on answered.creator_id = item_id left join known on known.creator_id = item_id
        left join consent_standing s on s.creator_id = item_id order by item_id
    """

    def __init__(self, options: TagOptions, vocabulary: TagVocabulary) -> None:
        super().__init__(options)
        self._vocabulary = vocabulary
        self._zero_shot: ZeroShot | None = None

    def process(self, batch: pa.Table, context: Context) -> Output:
        """Rows of all tags of every creator, and of what changed."""
        output, now = Output(), context.clock()
        pictures: list[Row] = []
        tags: list[Row] = []
        history: list[Row] = []
        creators = batch.to_pylist()
        vectors = self._vectors(creators, context)
        for creator in creators:
            decided = dict(self._pictures(creator, vectors))
            told = {"creator_id": creator["item_id"], "analysis_version": self.version, "analyzed_at": now}
            pictures += [
                {**told, "sha256": sha256, **_image_row(one)} for sha256, found in decided.items() for one in found
            ]
            spoken = Spoken.of(one for one in creator["reviews"] or () if one["sha256"] is None)
            new = [
                {
                    **told,
                    "category": tag.key[0],
                    "tag": tag.key[1],
                    "confidence_score": tag.confidence,
                    "approved_by": tag.approved_by,
                    "model_used": tag.model,
                    "images_analyzed": tag.pictures,
                    "reasoning": tag.reasoning,
                }
                for tag in tags_of(self._vocabulary, decided, spoken).values()
            ]
            tags += new
            history += changes(creator["known"] or (), new, now, spoken)
        output.tables = {"image_tags": pictures, "creator_tags": tags, "creator_tag_history": history}
        output.done = [creator["item_id"] for creator in creators]
        return output

    def _pictures(self, creator: Row, vectors: Mapping[str, Floats]) -> Iterator[tuple[str, list[Decision]]]:
        """Every picture of a creator with what became of its tags."""
        standing = Standing.of(creator["categories"])
        said = creator["reviews"] or ()
        asked = creator["verdicts"] or ()
        for picture in creator["pictures"] or ():
            sha256 = picture["sha256"]
            may = self._may_tell(picture, standing)
            spoken = Spoken.of(one for one in said if one["sha256"] == sha256 and one["category"] in may)
            opinions = {one["category"]: _opinion(one) for one in asked if one["sha256"] == sha256}
            found = list(self._readings(picture, may, vectors.get(sha256)))
            model = self.options.model if sha256 in vectors else None
            yield sha256, decide(self._vocabulary, found, model or _RULES, opinions, spoken)

    def _may_tell(self, picture: Row, standing: Standing) -> set[str]:
        """The categories of which the picture may get tags."""
        categories = self._vocabulary.categories
        may = allowed(categories.values(), standing, picture["may_be_minor"])
        return {slug for slug in may if categories[slug].about == "picture" or picture["persons_count"] == 1}

    def _readings(self, picture: Row, may: Collection[str], vector: Floats | None) -> Iterator[Reading]:
        """What is said of every tag that may be computed."""
        ruled = by_rule(picture if picture["has_facts"] else None)
        for category in self._vocabulary.categories.values():
            if category.slug in may:
                seen = {}
                if vector is not None and self._zero_shot is not None:
                    seen = self._zero_shot.scores(category, vector)
                yield from readings(category, seen, ruled)

    def _vectors(self, creators: Sequence[Row], context: Context) -> dict[str, Floats]:
        """Vectors of the pictures: those that are stored, and of others made now and not kept."""
        if self.options.model is None or context.tower is None or context.pictures is None:
            return {}
        if self._zero_shot is None:
            self._zero_shot = ZeroShot(self._vocabulary, context.tower().prompts)
        vectors: dict[str, Any] = {}
        missing = []
        for picture in (one for creator in creators for one in creator["pictures"] or ()):
            if picture["model"] == self.options.model:
                vectors[picture["sha256"]] = vector_of(picture["vector"])
            elif picture["has_facts"]:
                missing.append(picture["sha256"])
        missing = sorted(set(missing) - vectors.keys())
        for start in range(0, len(missing), _PAGE):
            found = read_kept(context.pictures.store, missing[start : start + _PAGE], at_most=SIDE)
            pictures = {sha256: one for sha256, one in found.items() if not isinstance(one, Unreadable)}
            vectors |= dict(zip(pictures, context.tower().encode(list(pictures.values())), strict=True))
        return vectors


def _opinion(verdict: Row) -> Opinion:
    return Opinion(json.loads(verdict["confidences"]), verdict["reasoning"] or "", verdict["model_used"])


def _image_row(one: Decision) -> Row:
    return {
        "category": one.key[0],
        "tag": one.key[1],
        "score": one.score,
        "first_confidence": one.first,
        "is_unsure": one.is_unsure,
        "confidence_score": one.confidence,
        "method": one.method,
        "model_used": one.model,
        "reasoning": one.reasoning,
        "state": one.state,
        "approved_by": one.approved_by,
    }
