"""Where every value of a creator is from, and how old it is: one row each, for a table."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from igtool.console import cell
from igtool.counts import format_count
from igtool.lake import Lake
from igtool.report import texts
from igtool.schema.platforms import TOLD_WITH

Row = dict[str, Any]

_OF_ACCOUNT = {
    "handle": "handle",
    "display_name": "name",
    "bio": "bio",
    "category": "category",
    "followers_count": "followers",
    "following_count": "following",
    "posts_count": "posts",
    "view_count": "views",
    "external_url": "website",
    "emails": "e-mail",
    "is_verified": "verified",
    "country": "country",
    "language": "language",
    "created_at": "opened",
}
"""Column of an account to what it is called."""
_COUNTS = frozenset({"followers_count", "following_count", "posts_count", "view_count"})
_OF_NICHES = ("primary_niche", "secondary_niches", "content_style", "llm_summary")
_LONGEST = 140


@dataclass(frozen=True)
class Value:
    """One value: what it is of, who or what said it, how sure that is (0-1), and of when it is."""

    field: str
    of: str
    value: str
    source: str
    sure: float | None
    when: datetime | None


def values_of(creator: Row, answers: Mapping[str, Row]) -> list[Value]:
    """Every value of ``creator`` (as `igtool.workspace.about` gives it) that is known.

    ``answers``: source, endpoint and time of the answers that older values are from, by answer_id.
    """
    newest = max((one["observed_at"] for one in creator["accounts"] if one["observed_at"]), default=None)
    found = [*_judged(creator["niches"] or {}, creator["profiles"] or {}, newest), *_tagged(creator["tags"])]
    for account in creator["accounts"]:
        found += _observed(account, answers)
    for rate in creator["engagement"]:
        if rate["engagement_rate"] is not None:
            of = "views" if rate["platform"] == "youtube" else "followers"
            told = f"{rate['engagement_rate']:.2%} of {of}"
            source = f"computed: median of {rate['rated_items']} items"
            found.append(Value("engagement rate", _account(rate), told, source, None, rate["last_published_at"]))
    return found


def older_answers(lake: Lake, accounts: Sequence[Row]) -> dict[str, Row]:
    """Source, endpoint and time of the answers from which ``accounts`` were completed."""
    ids = sorted({str(one) for account in accounts for one in parsed(account["filled_from"]).values()})
    rows = lake.rows(
        "select answer_id, source, endpoint, fetched_at from raw_responses "
        "where answer_id in (select unnest(?::varchar[]))",
        (ids,),
    )
    return {row["answer_id"]: row for row in rows}


def parsed(text: object) -> Row:
    """A JSON object of a column; empty for anything else."""
    try:
        found = json.loads(text) if isinstance(text, str) else text
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def method_of(methods: Row, model: object, prompt_version: object, name: str) -> str:
    """Which method made the field ``name``; the model itself where a language model did."""
    method = str(methods.get(name) or "")
    return method.replace("model", str(model)) if prompt_version and model else method


def _observed(account: Row, answers: Mapping[str, Row]) -> Iterator[Value]:
    older = parsed(account["filled_from"])
    for column, name in _OF_ACCOUNT.items():
        value = account.get(column)  # what only curators see is not there for others
        if value is None or value in ("", []):
            continue
        answer = answers.get(str(older.get(column) or older.get(TOLD_WITH.get(column, ""))))
        if answer is None:
            source, when = _answer(account["source"], account.get("answer_path")), account["observed_at"]
        else:
            source, when = _answer(answer["source"], answer.get("endpoint")), answer["fetched_at"]
        if column == "country" and account["country_source"]:
            source = f"{account['country_source']} {source}".strip()
        yield Value(name, _account(account), _told(column, value), source, None, when)


def _answer(source: object, endpoint: object) -> str:
    return f"{source}:{endpoint}" if source and endpoint else str(source or "")


def _told(column: str, value: Any) -> str:
    if column in _COUNTS:
        return format_count(value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if column in ("country", "language"):
        return texts.country(value) if column == "country" else texts.language(value)
    return _short(cell(value))


def _judged(niches: Row, profile: Row, when: datetime | None) -> Iterator[Value]:
    methods = parsed(niches.get("methods"))
    sure = {
        "primary_niche": niches.get("confidence_score"),
        "content_style": niches.get("style_confidence_score"),
    }
    for name in _OF_NICHES:
        if value := niches.get(name):
            method = method_of(methods, niches.get("model"), profile.get("prompt_version"), name)
            yield Value(_name(name), "creator", _short(cell(value)), method, sure.get(name), when)
    confidence, methods = parsed(profile.get("confidence")), parsed(profile.get("methods"))
    style = parsed(profile.get("user_style"))
    fields = {f"user_style.{name}": style.get(name) for name in ("persona", "tone", "interests")}
    for name in ("content_topics", "audience_type", "engagement_style", "brand_fit"):
        fields[name] = profile.get(name)
    for name, value in fields.items():
        if value:
            method = method_of(methods, profile.get("model"), profile.get("prompt_version"), name)
            yield Value(_name(name), "creator", _short(cell(value)), method, confidence.get(name), when)
    if parsed(profile.get("posting_pattern")):
        yield Value("posting pattern", "creator", "see above", methods.get("posting_pattern") or "sql", None, when)


def _tagged(tags: Sequence[Row]) -> Iterator[Value]:
    for tag in tags:
        by = f"approved by {tag['approved_by']}" if tag["approved_by"] else str(tag["model_used"] or "a person")
        images = f", {tag['images_analyzed']} pictures" if tag["images_analyzed"] else ""
        sure, when = tag["confidence_score"], tag["analyzed_at"]
        yield Value(f"tag {tag['category']}", "creator", tag["tag"], f"{by}{images}", sure, when)


def _account(row: Row) -> str:
    return f"{texts.words(row['platform'])} @{row['handle']}" if row["handle"] else str(row["account_id"])


def _name(column: str) -> str:
    return texts.words(column.removeprefix("user_style.").removeprefix("llm_")).lower()


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1].rstrip()}…"
