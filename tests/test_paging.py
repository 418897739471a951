"""Paging ends whatever the platform shows, takes every item once, and keeps the limits."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from igtool.fetching.paging import Bounds, Trail, advance, begin, guess_again, trail_of
from igtool.platforms.live import Item, Page, Start

NOW = datetime(2026, 10, 1, tzinfo=UTC)
REASONS = {
    *("end", "page_limit", "item_limit", "since", "no_new_item", "repeated_cursor", "cursor_cycle", "no_cursor"),
}


def items(*ids: str) -> tuple[Item, ...]:
    """Items without a date."""
    return tuple(Item(one) for one in ids)


def walk(trail: Trail, pages: Mapping[str | None, Page], bounds: Bounds) -> tuple[str, list[str | None]]:
    """Why a job ends on these pages (by their cursors), and the cursors it asked for; each answer from the journal."""
    asked: list[str | None] = []
    for _ in range(200):
        asked.append(trail.cursor)
        trail = trail_of(trail.text())
        reason = advance(trail, pages.get(trail.cursor, Page()), bounds)
        if reason:
            return reason, asked
    raise AssertionError("it does not end")


@pytest.mark.parametrize(
    ("page", "reason"),
    [
        (Page(items("a"), None, more=False), "end"),
        (Page(items("a"), "next", more=False), "end"),
        (Page(items("a")), "end"),
        (Page(), "end"),
        (Page((), "next", more=True), "no_new_item"),
        (Page(items("old"), "next", more=True), "no_new_item"),
        (Page(items("a"), "here", more=True), "repeated_cursor"),
        (Page(items("a"), "before", more=True), "cursor_cycle"),
        (Page(items("a"), None, more=True), "no_cursor"),
        (Page(items("a"), None, more=True, candidates=("", "here", "before")), "no_cursor"),
        (Page((Item("a", NOW - timedelta(days=9)),), "next", more=True), "since"),
        (Page((Item("a", NOW - timedelta(days=9), is_pinned=True), Item("b", NOW)), "next", more=True), None),
        (Page(items("a", "b", "c"), "next", more=True), "item_limit"),
        (Page(items("a", "a", "a"), "next", more=True), None),
    ],
)
def test_each_reason_to_stop(page: Page, reason: str | None) -> None:
    """What the answer says and what it holds decide, each with its own word."""
    trail = begin(Page(items("old")), Start(cursor="before"))
    assert advance(trail, Page(items("x"), "here", more=True), Bounds(9)) is None
    assert advance(trail, page, Bounds(9, items=5, since=NOW - timedelta(days=7))) == reason


def test_the_page_limit_counts_the_profile_and_an_end_is_called_an_end() -> None:
    """Two pages are the profile's and one more; the last page of all is no limit."""
    trail = begin(Page(items("a")), Start(cursor="one"))
    assert advance(trail, Page(items("b"), "two", more=True), Bounds(2)) == "page_limit"
    trail = begin(Page(items("a")), Start(cursor="one"))
    assert advance(trail, Page(items("b"), None, more=False), Bounds(2)) == "end"


def test_a_kind_of_its_own_begins_without_a_trail() -> None:
    """Nothing of the profile's page counts where the kind has its own first page."""
    assert begin(Page(items("a")), Start(target="9")) == Trail()
    assert trail_of("") == Trail()


def test_candidates_are_tried_once_each_until_one_brings_something_new() -> None:
    """Empty, known and repeated ones are left out; a page of nothing new is no end while another is left."""
    first = Page(items("a"), None, more=True, candidates=("x", "", "x", "y", "z"))
    pages = {None: first, "x": Page(), "y": Page(items("a")), "z": Page(items("b"), None, more=False)}
    assert walk(Trail(), pages, Bounds(9)) == ("end", [None, "x", "y", "z"])
    assert walk(Trail(), {**pages, "z": Page()}, Bounds(9)) == ("no_cursor", [None, "x", "y", "z"])
    trail = Trail()
    assert advance(trail, first, Bounds(9)) is None
    assert [guess_again(trail), trail.cursor, guess_again(trail), trail.cursor] == [None, "y", None, "z"]
    assert guess_again(trail) == "no_cursor"


@pytest.mark.parametrize("bounds", [Bounds(1), Bounds(9, items=1), Bounds(9, since=NOW)])
def test_a_half_page_gets_its_other_half_before_a_limit_stops_it(bounds: Bounds) -> None:
    """Items that are only named are asked for; then the limit holds."""
    half = Page((Item("a", NOW - timedelta(days=1)), Item("b", NOW)), "ids=a,b", more=True, is_half=True)
    rest = Page(half.items, "page=2", more=True, counted=False)
    reason, asked = walk(Trail(), {None: half, "ids=a,b": rest}, bounds)
    assert asked == [None, "ids=a,b"]
    assert reason in ("page_limit", "item_limit", "since")


def test_an_answer_makes_the_next_odd_page_a_first_one_again() -> None:
    """The second look at an HTML page is not used up by one at an earlier page."""
    trail = Trail(cursor="a", looks=1)
    assert advance(trail, Page(items("a"), "b", more=True), Bounds(9)) is None
    assert trail.looks == 0


cursors = st.sampled_from(["a", "b", "c", "d", ""])
some_items = st.lists(st.sampled_from("pqrstuvw"), max_size=4).map(lambda ids: items(*ids))
some_pages = st.builds(
    Page,
    some_items,
    st.none() | cursors,
    st.sampled_from([None, True, False]),
    st.lists(cursors, max_size=3).map(tuple),
)


@settings(deadline=None)
@given(
    st.dictionaries(st.none() | cursors, some_pages, max_size=6),
    st.integers(1, 6),
    st.none() | st.integers(1, 9),
    st.sampled_from([None, "a"]),
)
def test_paging_ends_and_asks_no_cursor_twice(
    pages: dict[str | None, Page], most: int, limit: int | None, start: str | None
) -> None:
    """On any pages, from the beginning or from a profile; and with a known reason."""
    reason, asked = walk(begin(Page(items("p")), Start(cursor=start)), pages, Bounds(most, limit))
    assert reason in REASONS
    assert len(asked) == len(set(asked))


@settings(deadline=None)
@given(st.lists(some_pages, min_size=1, max_size=12), st.integers(1, 5), st.none() | st.integers(1, 9))
def test_every_item_counts_once_and_no_page_follows_a_limit(pages: list[Page], most: int, limit: int | None) -> None:
    """Any sequence of pages: what is counted is what was seen, and an endless one stops at its limits."""
    trail, seen = Trail(), set()
    for page in pages:
        assert trail.pages < most or trail.guessed
        assert limit is None or trail.items < limit or trail.guessed
        seen |= {item.native_id for item in page.items}
        if advance(trail, page, Bounds(most, limit)):
            break
    assert trail.items == len(seen)
    assert set(trail.seen) == seen


@given(st.integers(1, 30), st.integers(1, 40))
def test_an_endless_platform_is_asked_for_as_many_pages_as_wanted(most: int, size: int) -> None:
    """Halves come in pairs: each page has its second request, and the last one too."""
    trail, asked, reason = Trail(), 0, None
    while reason is None:
        number, is_half = divmod(asked, 2)
        ids = items(*(f"{number}-{one}" for one in range(size)))
        page = Page(ids, f"c{asked}", more=True, counted=not is_half, is_half=not is_half)
        reason = advance(trail, page, Bounds(most))
        asked += 1
    assert (reason, asked, trail.items) == ("page_limit", 2 * most, most * size)
