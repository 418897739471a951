"""What holds for every shape and every payload: who reads it, what becomes of it, and that nothing breaks it."""

from __future__ import annotations

import json
import os
import random
import re
import runpy
import sys
from functools import lru_cache
from pathlib import Path

import msgspec
import pytest
from conftest import REALDATA, needs_realdata
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from payload_rows import WHEN, golden, read, rows_of

from igtool.platforms import json_text
from igtool.platforms.base import Answer, Parsed, Refused, _declared, parse, versions
from igtool.platforms.files import Document, Unreadable, read_documents

ROOT = Path(__file__).parents[1]
sys.path.append(str(ROOT))  # the fuzzer and the measure of filled columns stand beside the package

from benchmarks import fuzz_shapes, shape_entities, shape_fill  # noqa: E402
from benchmarks.shape_mutations import Seed, mutated, words_of  # noqa: E402

PAYLOADS = ROOT / "tests" / "payloads"
TABLES_AND_PAGES = sorted(
    path for ending in ("*.csv", "*.html") for path in PAYLOADS.rglob(ending) if "test_" not in path.name
)
TOP = msgspec.json.Decoder(dict[str, msgspec.Raw])
LAST = {shape.name for shape in _declared()[0] if shape.last}
REAL_COUNTS = [
    ("instagram/apify_posts__pixxie.json", 3, 3, 3),
    ("instagram/apify_reels_synthetic_ptbr.json", 6, 6, 6),
    ("instagram/custom_scraper__bcn_restaurants.json", 12, 12, 120),
    ("instagram/instaloader", 3, 3, 23),
    ("instagram/scrapfly_parsed_user.json", 1, 1, 0),
    ("instagram/xdt_graphql_connection_p1__google.DERIVED.json", 1, 0, 12),
    ("instagram/xdt_graphql_connection_p2__google.DERIVED.json", 1, 0, 12),
    ("instagram/xdt_timeline_nodes_parsed__google.json", 24, 0, 24),
]
"""Files that may not be published: how many documents, accounts and posts are in them."""

WITHOUT_PAYLOAD: dict[str, str] = {}
"""Shapes of which no payload is kept, and why."""


@lru_cache(maxsize=1)
def kept() -> tuple[Document, ...]:
    """The documents of tests/payloads."""
    return tuple(
        document
        for document in read_documents(PAYLOADS)
        if isinstance(document, Document) and ".rows.json" not in document.path
    )


@lru_cache(maxsize=1)
def real() -> tuple[Document, ...]:
    """The documents of the real dumps, of long tables the first 50 records."""
    found = [one for kind in ("instagram", "youtube") for one in read_documents(REALDATA / kind)]
    return tuple(one for one in found if isinstance(one, Document) and (one.index < 50 or not one.path.endswith("csv")))


def takers(document: Document) -> list[str]:
    """The shapes that would take a document if none stood before them; those that are asked last are left out."""
    top = TOP.decode(json_text.repair(document.body))
    found = []
    for shape in _declared()[0]:
        if shape.keys <= top.keys() and not shape.last:
            try:
                parsed = shape.read(top, Answer(document.subject, WHEN))
            except (Refused, msgspec.ValidationError):
                parsed = Parsed()
            found += [shape.name] * (parsed is not None)
    return found


def check(documents: tuple[Document, ...]) -> None:
    """What every document must hold to."""
    assert documents
    for document in documents:
        parsed = parse(document.body, subject=document.subject, observed_at=WHEN)
        assert parsed == parse(document.body, subject=document.subject, observed_at=WHEN), document.path
        if parsed.shape is None:
            continue
        assert len(takers(document)) == (parsed.shape not in LAST), (document.path, takers(document))
        rows = rows_of(parsed)
        assert len(rows["accounts"]) == len(parsed.accounts), document.path
        assert len(rows["content_items"]) == len(parsed.content_items), document.path
        payload = json.loads(document.body)
        assert shape_entities.unaccounted(parsed.shape, payload, parsed) is None, document.path


def test_kept_payloads_hold_the_contract() -> None:
    """One shape wants each payload, reading is pure, rows fit their tables, and every post is a row or is named."""
    check(kept())


@needs_realdata
def test_real_payloads_hold_the_contract() -> None:
    """The same for the real dumps."""
    check(real())


def test_a_count_that_does_not_add_up_is_seen() -> None:
    """The count of posts is independent of the reader: a post that is missing, or one too many, is told."""
    body = (PAYLOADS / "instagram/web_profile_info/with_posts.json").read_bytes()
    parsed = parse(body, observed_at=WHEN)
    assert shape_entities.unaccounted(str(parsed.shape), json.loads(body), parsed) is None
    parsed.content_items.pop()
    assert shape_entities.unaccounted(str(parsed.shape), json.loads(body), parsed)
    parsed.content_items *= 3
    assert shape_entities.unaccounted(str(parsed.shape), json.loads(body), parsed)


def test_every_shape_has_a_payload() -> None:
    """Each shape reads a payload of tests/payloads, or is excused; and it is known where its posts stand."""
    read_by = {parse(one.body, subject=one.subject, observed_at=WHEN).shape for one in kept()}
    assert set(versions()) - read_by == set(WITHOUT_PAYLOAD)
    assert set(versions()) == set(shape_entities.POSTS) | shape_entities.WITHOUT_POSTS


@pytest.mark.parametrize("path", TABLES_AND_PAGES, ids=lambda path: path.relative_to(PAYLOADS).as_posix())
def test_tables_and_pages_give_their_golden_rows(path: Path) -> None:
    """Every record of a kept table, and every kept page, gives exactly what was reviewed."""
    found = "".join(
        f"{one.reason}: {one.detail}\n" if isinstance(one, Unreadable) else golden(read(one.body, one.subject))
        for one in read_documents(path)
    )
    reviewed = path.with_suffix(".rows.txt")
    if os.environ.get("IGTOOL_REFRESH_GOLDEN"):
        reviewed.write_text(found, encoding="utf-8")
    assert found == reviewed.read_text(encoding="utf-8")


def test_every_kept_file_names_its_source() -> None:
    """No file of others is here without the repository and the licence that it comes from, and none is missing."""
    listed = set(re.findall(r"^\| `([^`]+)`", (PAYLOADS / "real" / "SOURCES.md").read_text(encoding="utf-8"), re.M))
    files = {path.relative_to(PAYLOADS / "real").as_posix() for path in (PAYLOADS / "real").rglob("*.*")}
    assert {name for name in files if ".rows." not in name and name != "SOURCES.md"} == listed


@needs_realdata
@pytest.mark.parametrize(("path", "documents", "accounts", "items"), REAL_COUNTS)
def test_real_files_that_stay_outside(path: str, documents: int, accounts: int, items: int) -> None:
    """Dumps that may not be published give as many accounts and posts as they hold, with nothing lost."""
    found = [parse(one.body, subject=one.subject, observed_at=WHEN) for one in read_documents(REALDATA / path)]
    assert (len(found), sum(len(p.accounts) for p in found), sum(len(p.content_items) for p in found)) == (
        documents,
        accounts,
        items,
    )
    assert not any(parsed.lost or parsed.reason for parsed in found)


def test_no_shape_fills_less_than_before() -> None:
    """No column of a shape is filled less often than tests/shape_fields.toml says; `shape_fill --record` writes it."""
    found, before = shape_fill.shares([PAYLOADS]), shape_fill.recorded()
    less = [
        (name, column, share, found.get(name, {}).get(column))
        for name, own in before.items()
        for column, share in own.items()
        if found.get(name, {}).get(column, 0) < share
    ]
    assert less == []
    assert set(found) == set(before)


def test_the_reference_of_shapes_is_what_the_readers_say() -> None:
    """docs/shapes.md is refreshed with `python docs/generate_shapes.py`."""
    page = runpy.run_path(str(ROOT / "docs" / "generate_shapes.py"))["page"]
    assert (ROOT / "docs" / "shapes.md").read_text(encoding="utf-8") == page()


SEEDS = fuzz_shapes.seeds()
WORDS = words_of([seed for own in SEEDS.values() for seed in own])


@pytest.mark.parametrize("name", sorted(SEEDS))
def test_changed_payloads_break_nothing(name: str) -> None:
    """300 changed payloads of each shape: no exception, no row that does not fit, nothing dropped silently."""
    outcomes, findings = fuzz_shapes.run(name, SEEDS[name], WORDS, inputs=300, seed=7)
    assert [finding.line() for finding in findings] == []
    assert outcomes.total() == 300


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    seed=st.sampled_from([seed for own in SEEDS.values() for seed in own]),
    rng=st.randoms(use_true_random=False),
    times=st.integers(1, 6),
)
def test_payloads_changed_over_and_over_break_nothing(seed: Seed, rng: random.Random, times: int) -> None:
    """The same for payloads that were changed several times, found smallest first."""
    body = seed.body
    for _ in range(times):
        try:
            body = mutated(Seed(body, seed.subject), WORDS, rng)
        except (ValueError, TypeError, RecursionError):
            break  # it is no JSON object any more, or too deep for what changes it
    assert [finding.rule for finding in fuzz_shapes.checked([(body, seed.subject)], "any")[1]] == []


def test_the_fuzzer_sees_what_is_wrong() -> None:
    """A reader that raises, drops a post or gives a count below zero is found."""
    seed = SEEDS["instagram/v1_list"][0]
    found = parse(seed.body, observed_at=WHEN)
    found.content_items[0].like_count = -1
    assert fuzz_shapes._trouble([found]) == "content_items.like_count is negative"
    found.content_items[0].like_count = 2**63
    assert "tables: " in str(fuzz_shapes._trouble([found]))
