"""The rules of `igtool.vision.guard` as SQL over what is stored: which rows may not be."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from igtool.lake_sql import literal
from igtool.vision.guard import ANSWER_KIND
from igtool.vocabulary.categories import TagVocabulary

STANDING = """
    create or replace temp table standing as select creator_id, unnest(categories) as category from consent_standing
"""
ADULTS = "create or replace temp table adults as select creator_id from consent_standing"

_TAGGED = """
    exists (select 1 from image_tags i where i.creator_id = t.creator_id and i.category = t.category {same_tag})
"""
_OWN_WORD = """
    exists (select 1 from reviews r left join creator_forwards f using (creator_id)
            where coalesce(f.survivor_id, r.creator_id) = t.creator_id and r.category = t.category
            and r.is_own_correction {same_tag})
"""


def unfounded(vocabulary: TagVocabulary) -> Iterator[tuple[str, str]]:
    """Table and condition on its rows t that must go, in the order in which they are to go.

    Read are the temporary tables of `STANDING` and `ADULTS`. A category that the vocabulary does not have needs a
    consent that nobody can give.
    """
    categories = vocabulary.categories.values()
    free = [one.slug for one in categories if not one.needs_consent]
    personal = [one.slug for one in categories if one.about == "person"]
    measured = [one.slug for one in categories if one.facts == "body_facts"]
    agreed = _is_standing("t.creator_id", _among("s.category", measured))
    yield "body_facts", f"not {agreed} or {_verdict('t.sha256')} is distinct from false"
    for table in ("image_tags", "image_verdicts"):
        yield table, _unfounded_tag("t.category", "t.creator_id", "t.sha256", free, personal)
    kind, item = f"substr(t.kind, {len(ANSWER_KIND) + 1})", "string_split(t.item_id, '|')"
    asked = _unfounded_tag(kind, f"{item}[1]", f"{item}[2]", free, personal)
    yield "llm_answers", f"starts_with(t.kind, {literal(ANSWER_KIND)}) and {asked}"
    is_free, is_personal = _among("t.category", free), _among("t.category", personal)
    agreed = _is_standing("t.creator_id", "s.category = t.category")
    adult = _is_adult("t.creator_id")
    own = _OWN_WORD.format(same_tag="and coalesce(r.corrected_tag, r.tag) = t.tag")
    unseen = f"{is_personal} and not {_TAGGED.format(same_tag='and i.tag = t.tag')} and not {own}"
    said = f"{is_free} and {adult} and t.model_used is null"
    yield "creator_tags", f"not {is_free} and not {agreed} or {unseen} and not ({said})"
    own = _OWN_WORD.format(same_tag="")
    unseen = f"{is_personal} and not {_TAGGED.format(same_tag='')} and not {own} and not {adult}"
    yield "creator_tag_history", f"not {is_free} and not {agreed} or {unseen}"


def _unfounded_tag(category: str, creator: str, sha256: str, free: Iterable[str], personal: Iterable[str]) -> str:
    """Condition: a picture of the creator may not have a tag of the category."""
    agreed = _is_standing(creator, f"s.category = {category}")
    verdict = _verdict(sha256)
    return (
        f"case when not {_among(category, free)} then not {agreed} or {verdict} is distinct from false "
        f"when {_among(category, personal)} then coalesce({verdict}, not {_is_adult(creator)}) else false end"
    )


def _verdict(sha256: str) -> str:
    return f"(select bool_or(f.may_be_minor) from image_facts f where f.sha256 = {sha256})"


def _is_standing(creator: str, category: str) -> str:
    return f"exists (select 1 from temp.standing s where s.creator_id = {creator} and {category})"


def _is_adult(creator: str) -> str:
    return f"exists (select 1 from temp.adults a where a.creator_id = {creator})"


def _among(column: str, slugs: Iterable[str]) -> str:
    return f"list_contains([{', '.join(map(literal, slugs))}]::varchar[], {column})"
