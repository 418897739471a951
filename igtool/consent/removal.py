"""What no longer rests on a consent is removed: from every table, from files, older snapshots and the search index.

`sweep` holds everything that is stored to the rules, whatever put it there: after a merge brought in an account that
nobody spoke for, after the safety check saw a picture. `revoke` takes a consent back and leaves nothing of it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from igtool.asking.answers import Answers
from igtool.consent.records import ADULT, accounts_of
from igtool.consent.rules import ADULTS, STANDING, unfounded
from igtool.errors import UsageError
from igtool.journal import Journal
from igtool.journal.models import ModelLedger
from igtool.lake import Lake
from igtool.lake_sql import quote
from igtool.search.folder import discard
from igtool.stages.body import Body
from igtool.vocabulary.categories import TagVocabulary

INFERRED = (
    "body_facts", "image_tags", "image_verdicts", "creator_tags", "creator_tag_history", "llm_answers", "search_log",
)  # fmt: skip
"""Tables that hold what was inferred, or name it."""

_IDS = """
    create or replace temp table concerned as
    with now as (select distinct creator_id from creator_links where account_id in (select unnest(?::varchar[])))
    from now
    union select creator_id from creator_forwards where survivor_id in (from now)
    union select creator_id from consents where account_id in (select unnest(?::varchar[]))
    union select creator_id from declarations where account_id in (select unnest(?::varchar[]))
"""
SWEPT_AFTER = frozenset({"creator_links", "image_facts", "body_facts", "image_tags", "image_verdicts", "creator_tags"})
"""Who writes any of these has it swept afterwards."""

_READS = SWEPT_AFTER | {"consents", "declarations", "reviews"}
_REFUSED = """
    insert into {table} by name
    select left(sha256(concat_ws('|', l.account_id, w.{what}, n.at)), 16) as {id}, l.creator_id, l.account_id,
           [l.account_id] as account_ids, w.{what}, n.at as {at}
    from (select ?::timestamptz as at) n
    cross join (select account_id, creator_id from creator_links where account_id in (select unnest(?::varchar[]))) l
    cross join (select unnest(?::varchar[]) as {what}) w
    anti join {table} t on t.account_id = l.account_id and t.{what} = w.{what} and t.{at} = n.at
"""
_REVIEWS = """
    t.category in (select unnest(?::varchar[]))
    and (t.creator_id in (from temp.concerned)
         or t.sha256 in (select sha256 from media where account_id in (select unnest(?::varchar[]))))
    and not exists (select 1 from temp.standing s where s.creator_id = t.creator_id and s.category = t.category)
"""


@dataclass(frozen=True)
class Stores:
    """Where things are: both stores, and the folder of the search index."""

    lake: Lake
    journal: Journal
    index: Path


@dataclass(frozen=True)
class TakenBack:
    """What a creator takes back: categories, and fields of `declarations`; nothing named is everything."""

    categories: tuple[str, ...] = ()
    fields: tuple[str, ...] = ()


@dataclass(frozen=True)
class Removed:
    """What was removed. ``words``: consents and declarations that were taken back; ``rows``: those of each table.

    ``is_clean``: nothing of it is left in the files of this workspace.
    """

    accounts: tuple[str, ...] = ()
    words: int = 0
    rows: Mapping[str, int] = field(default_factory=dict)
    is_clean: bool = True


def sweep(lake: Lake, vocabulary: TagVocabulary) -> dict[str, int]:
    """Remove, in one commit, every inferred value that the rules do not allow now; how many rows, by table.

    What people typed stays, reviews too.
    """
    if not any(lake.value(f"select exists (from {quote(name)})") for name in INFERRED):
        return {}
    with lake.transaction():
        return _swept(lake, vocabulary)


def keep_swept(lake: Lake, journal: Journal, vocabulary: TagVocabulary) -> dict[str, int]:
    """As `sweep`, unless nothing that bears on it has changed since the last time."""
    state = journal.stage_state(lake.lake_id, "consent")
    is_known = state is not None and state[0] == vocabulary.fingerprint and state[1] <= lake.snapshot
    if state is not None and is_known and not lake.changed_since(state[1]) & _READS:
        return {}
    removed = sweep(lake, vocabulary)
    journal.record_stage(lake.lake_id, "consent", vocabulary.fingerprint, lake.snapshot)
    return removed


def revoke(stores: Stores, vocabulary: TagVocabulary, account: str, taken: TakenBack, now: datetime) -> Removed:
    """Take back what the creator of ``account`` said, and remove what was derived of it, at once and everywhere.

    It is written down even if nothing was said before: what is imported later and older than it does not count. A
    killed call is finished by the next one. Raises UsageError for an unknown account, category or field.
    """
    lake = stores.lake
    accounts = accounts_of(lake, account)
    chosen = _chosen(lake, vocabulary, accounts, taken)
    Answers(ModelLedger(stores.journal), lake).drain()
    with lake.transaction():
        words = _unsay(lake, accounts, chosen, now)
        rows = _swept(lake, vocabulary)
        lake.execute(_IDS, [list(accounts)] * 3)
        if reviews := _delete(lake, "reviews", _REVIEWS, (list(chosen.categories), list(accounts))):
            rows["reviews"] = reviews
    discard(stores.index)
    is_clean = lake.purge((*INFERRED, "reviews", "declarations"))
    return Removed(tuple(accounts), words, rows, is_clean=stores.journal.compact() and is_clean)


def _chosen(lake: Lake, vocabulary: TagVocabulary, accounts: Sequence[str], taken: TakenBack) -> TakenBack:
    """What is named, checked; or everything that there is. Who is no adult has agreed to nothing."""
    said = "select distinct {0} as name from {1} where account_id in (select unnest(?::varchar[])) order by 1"
    known = [row["name"] for row in lake.rows(said.format("category", "consents"), (list(accounts),))]
    fields = [row["name"] for row in lake.rows(said.format("field", "declarations"), (list(accounts),))]
    everything = tuple(sorted({*vocabulary.consent_categories, *known}))
    if not taken.categories and not taken.fields:
        return TakenBack(everything, tuple(sorted({ADULT, *fields})))
    chosen = [one if one in known else vocabulary.consent_category(one).slug for one in taken.categories]
    for one in taken.fields:
        if one not in (ADULT, *fields):
            raise UsageError(f"nothing is declared as {one!r}; declared are: {', '.join(fields) or 'none'}")
    return TakenBack(everything if ADULT in taken.fields else tuple(chosen), taken.fields)


def _unsay(lake: Lake, accounts: Sequence[str], chosen: TakenBack, now: datetime) -> int:
    """Mark what was said as taken back, and note a refusal where nothing was; how many words that were."""
    who = list(accounts)
    words = lake.value(
        "update consents set revoked_at = ?::timestamptz where revoked_at is null "
        "and account_id in (select unnest(?::varchar[])) and category in (select unnest(?::varchar[]))",
        (now, who, list(chosen.categories)),
    )
    words += lake.value(
        "update declarations set withdrawn_at = ?::timestamptz, text = null, evidence = null "
        "where withdrawn_at is null and account_id in (select unnest(?::varchar[])) "
        "and field in (select unnest(?::varchar[]))",
        (now, who, list(chosen.fields)),
    )
    adult = [one for one in chosen.fields if one == ADULT]
    lake.execute(
        _REFUSED.format(table="consents", id="consent_id", what="category", at="revoked_at"),
        (now, who, list(chosen.categories)),
    )
    lake.execute(
        _REFUSED.format(table="declarations", id="declaration_id", what="field", at="withdrawn_at"), (now, who, adult)
    )
    lake.execute("update consents set recorded_at = revoked_at where recorded_at is null")
    return int(words)


def _swept(lake: Lake, vocabulary: TagVocabulary) -> dict[str, int]:
    lake.execute(STANDING)
    lake.execute(ADULTS)
    removed = {}
    for table, condition in unfounded(vocabulary):
        if table == "body_facts":
            _forget_measuring(lake, condition)
        if count := _delete(lake, table, condition):
            removed[table] = count
    if count := _forget_searches(lake, vocabulary):
        removed["search_log"] = count
    return removed


def _forget_measuring(lake: Lake, condition: str) -> None:
    """What goes is measured again if it may be later: that it was done is forgotten too."""
    gone = f"select t.creator_id from body_facts t where {condition}"
    lake.execute(f"delete from stage_rows where stage = ? and item_id in ({gone})", (Body.name,))


def _delete(lake: Lake, table: str, condition: str, parameters: Sequence[object] = ()) -> int:
    """Delete the rows t for which ``condition`` holds; how many."""
    chosen = f"select t.rowid from {quote(table)} t where {condition}"
    return int(lake.value(f"delete from {quote(table)} where rowid in ({chosen})", parameters))


def _forget_searches(lake: Lake, vocabulary: TagVocabulary) -> int:
    """Take creators out of notes of searches for a tag that they no longer may have; how many searches those were."""
    rows = lake.rows("from search_log where coalesce(json_array_length(filters, '$.tags'), 0) > 0")
    may = _may_have(lake, vocabulary) if rows else {}
    changed = []
    for row in rows:
        named = {str(tag).split(":")[0] for tag in json.loads(row["filters"])["tags"]}
        found = json.loads(row["candidates"])
        left = [one for one in found if all(one["creator_id"] in may.get(name, ()) for name in named if name in may)]
        if len(left) < len(found):
            changed.append({**row, "candidates": json.dumps(left)})
    if changed:
        lake.merge("search_log", changed)
    return len(changed)


def _may_have(lake: Lake, vocabulary: TagVocabulary) -> dict[str, set[str]]:
    """Who may have tags of each category about a person, and of each that the vocabulary does not have: nobody."""
    used = lake.rows("select distinct unnest(filters->>'$.tags[*]') as tag from search_log")
    may: dict[str, set[str]] = {str(row["tag"]).split(":")[0]: set() for row in used}
    for row in lake.rows("from temp.standing union select creator_id, category from creator_tags"):
        if row["category"] in may:
            may[row["category"]].add(row["creator_id"])
    adults = {row["creator_id"] for row in lake.rows("from temp.adults")}
    for slug, category in vocabulary.categories.items():
        if slug in may and category.about == "picture":
            del may[slug]
        elif slug in may and not category.needs_consent:
            may[slug] |= adults
    return may
