"""Where the rows of each table come from, and so whether they can be made again."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

from igtool.schema import TABLES

Origin = Literal["source", "typed", "derived", "record"]
"""``source``: came from elsewhere, may have cost money. ``typed``: by people. ``derived``: made from others by stages.
``record``: what happened when; it is written once, and nothing tells it again."""

_SOURCES = ("raw_responses", "llm_answers", "conversations", "media")
_TYPED = (
    "watchlist", "schedule_overrides", "tenant_lists", "tenant_notes", "tenant_hidden", "tenant_searches", "reviews",
    "consents", "declarations", "link_decisions", "tombstones",
)  # fmt: skip
_RECORDS = ("link_log", "creator_forwards", "creator_tag_history", "search_log", "audit_log", "runs")
_BY_STAGES: Mapping[str, tuple[str, ...]] = {
    "accounts": ("normalize",),
    "account_states": ("normalize",),
    "content_items": ("normalize",),
    "metric_snapshots": ("normalize",),
    "drift": ("drift",),
    "column_fill": ("drift",),
    "embeddings": ("embed", "embed_style"),
    "text_vectors": ("embed", "embed_style"),
    "embedding_models": ("embed",),
    "creators": ("resolve",),
    "creator_links": ("resolve",),
    "link_pairs": ("resolve",),
    "account_traits": ("resolve",),
    "profiles": ("analyze",),
    "niches": ("analyze",),
    "descriptions": ("describe",),
    "insights": ("insights",),
    "image_facts": ("picture_facts",),
    "body_facts": ("body",),
    "image_vectors": ("image_vectors",),
    "image_verdicts": ("image_verdicts",),
    "image_tags": ("tag",),
    "creator_tags": ("tag",),
    "stage_rows": (),
    "rejects": (),
}

MAKERS: Mapping[str, tuple[str, ...]] = MappingProxyType(dict(_BY_STAGES))
"""Derived table to the stages that make its rows; of ``stage_rows`` and ``rejects`` those are all stages."""


def origin_of(table: str) -> Origin:
    """Where the rows of ``table`` come from. Raises KeyError for a table that nobody gave an origin."""
    if table in _SOURCES:
        return "source"
    if table in _TYPED:
        return "typed"
    if table in _RECORDS:
        return "record"
    MAKERS[table]
    return "derived"


def unknown_tables() -> set[str]:
    """Tables of the schema without an origin; of a complete list none."""
    return set(TABLES) - set(_SOURCES) - set(_TYPED) - set(_RECORDS) - set(MAKERS)
