"""Tags that wait for a person, and random ones to measure by."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from igtool.lake import Lake
from igtool.tagging.deciding import SURE
from igtool.vision.guard import UNSAID, Standing, allowed
from igtool.vocabulary.categories import TagVocabulary

Row = dict[str, Any]

_ID = "left(sha256(concat_ws('|', creator_id, sha256, category, coalesce(tag, ''))), 12)"
_WAITING = f"""
    image_tags t where t.method <> 'person'
    and (t.state = 'waiting' or (t.state = 'assigned' and t.confidence_score < {SURE}))
    and not exists (
        select 1 from reviews r left join creator_forwards f on f.creator_id = r.creator_id
        where r.sha256 = t.sha256 and r.category = t.category and r.tag is not distinct from t.tag
        and coalesce(f.survivor_id, r.creator_id) = t.creator_id and r.reviewed_at > t.analyzed_at
    )
"""
_SHOWN = "id, creator_id, canonical_handle as handle, sha256, category, tag, confidence_score, reasoning, model_used"


def waiting(lake: Lake, categories: Sequence[str] = (), limit: int = 50) -> list[Row]:
    """Tags of pictures that wait for a person, the most informative first, at most ``limit``.

    Most informative: nearest to one half. The tags take turns, so that no one of them has all the questions.
    """
    return lake.rows(
        f"""
        with told as (
            select {_ID} as id, t.*, abs(confidence_score - 0.5) as sureness,
                   row_number() over (partition by category, tag order by abs(confidence_score - 0.5), sha256) as turn
            from {_WAITING} and (len(?::varchar[]) = 0 or list_contains(?::varchar[], category))
        )
        select {_SHOWN} from told left join creators using (creator_id)
        order by turn, sureness, id limit ?
        """,
        (list(categories), list(categories), limit),
    )


def one_waiting(lake: Lake, review_item: str) -> Row | None:
    """The tag of a picture with this id of `waiting` or `sampled`, whether it waits or not; None for none."""
    rows = lake.rows(
        f"with told as (select {_ID} as id, * from image_tags) select {_SHOWN} from told "
        "left join creators using (creator_id) where id = ?",
        (review_item,),
    )
    return rows[0] if rows else None


def standing(lake: Lake) -> Row:
    """How many pictures were tagged and tags assigned, how many of both were not sure, and how many tags wait."""
    (row,) = lake.rows(
        f"""
        select count(*) filter (state = 'assigned') as assigned, count(*) filter (is_unsure) as unsure,
               (select count(*) from {_WAITING}) as waiting,
               count(distinct (creator_id, sha256)) filter (is_unsure) as unsure_pictures,
               (select count(*) from (
                   select distinct l.creator_id, m.sha256 from media m join creator_links l using (account_id)
                   join image_facts using (sha256)
               )) as pictures,
               count(*) filter (method = 'model') as asked_of_a_model, count(*) filter (method = 'person') as by_person
        from image_tags
        """
    )
    return row


def in_words(counts: Row) -> str:
    """What `standing` found, as a sentence."""
    share = f" ({counts['unsure_pictures'] / counts['pictures']:.0%})" if counts["pictures"] else ""
    return (
        f"{counts['pictures']} pictures; in {counts['unsure_pictures']}{share} a tag was not sure; "
        f"{counts['waiting']} tags wait for a person, {counts['by_person']} were told by one"
    )


def sampled(lake: Lake, vocabulary: TagVocabulary, count: int, seed: int = 1) -> list[Row]:
    """``count`` random pairs of picture and category whose tags may be computed, with the surest tag that was given.

    ``tag`` is None where none of the category was. The same ``seed`` draws the same pairs while pictures stay the same;
    pairs that somebody has looked at are not drawn again. They measure how good the tags are, since nobody chose them.
    """
    chosen = []
    for row in lake.rows(_PICTURES):
        said = UNSAID if row["categories"] is None else Standing.of(row["categories"])
        may = allowed(vocabulary.categories.values(), said, row["may_be_minor"])
        chosen += [
            (row["creator_id"], row["sha256"], one.slug)
            for one in vocabulary.categories.values()
            if one.slug in may and (one.about == "picture" or row["persons_count"] == 1)
        ]
    if not chosen:
        return []
    columns = [list(column) for column in zip(*chosen, strict=True)]
    return lake.rows(_SAMPLED, (*columns, str(seed), count))


_PICTURES = """
    select distinct l.creator_id, m.sha256, f.persons_count, f.may_be_minor, s.categories
    from media m join creator_links l using (account_id) join image_facts f using (sha256)
    left join consent_standing s on s.creator_id = l.creator_id order by all
"""
_SAMPLED = f"""
    with pairs as (
        select unnest(?::varchar[]) as creator_id, unnest(?::varchar[]) as sha256, unnest(?::varchar[]) as category
    ),
    given as (
        select creator_id, sha256, category, arg_max(t, confidence_score) as best
        from image_tags t where state = 'assigned' group by all
    ),
    drawn as (
        select p.*, best.tag as tag, best.confidence_score as confidence_score, best.reasoning as reasoning,
               best.model_used as model_used
        from pairs p left join given using (creator_id, sha256, category)
        where not exists (
            select 1 from reviews r
            where r.sha256 = p.sha256 and r.category = p.category and r.creator_id = p.creator_id
        )
    )
    select {_ID} as id, drawn.*, canonical_handle as handle from drawn left join creators using (creator_id)
    order by md5(concat_ws('|', ?, creator_id, sha256, category)) limit ?
"""
