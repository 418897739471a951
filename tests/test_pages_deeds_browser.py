"""The pages that change things in a real Chromium: by mouse, by keyboard alone, on a phone; no text runs as script."""

from __future__ import annotations

import csv
import io
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from browsing import Seen, browsing, seen
from deeds_world import DAYS, HOSTILE, Visitor, add_tenant, make_deeds
from playwright.sync_api import Browser
from serving import Serving, serving

from igtool.journal.tenants import CURATE

pytestmark = pytest.mark.slow

WIDE = {"width": 1280, "height": 900}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One for all tests of this file."""
    with browsing() as opened:
        yield opened


@pytest.fixture(scope="module")
def untouched(tmp_path_factory: pytest.TempPathFactory, empty_lake: Path) -> Path:
    """The workspace with its index."""
    folder = make_deeds(tmp_path_factory.mktemp("deeds"), empty_lake)
    with serving(folder):
        return folder


@pytest.fixture
def place(untouched: Path, tmp_path: Path) -> Path:
    """A copy that a test may change."""
    shutil.copytree(untouched, tmp_path, dirs_exist_ok=True)
    return tmp_path


@pytest.fixture
def served(place: Path) -> Iterator[Serving]:
    """It is served."""
    with serving(place, serve_requests_per_second=10_000) as opened:
        yield opened


@pytest.fixture
def at(browser: Browser, served: Serving) -> Iterator[Seen]:
    """A page of a visitor; whatever script or the policy has to say fails the test."""
    with seen(browser, base_url=served.address, viewport=WIDE) as opened:
        yield opened
        assert opened.all_troubles() == []


def test_from_a_search_to_a_list_and_its_csv(at: Seen) -> None:
    """Two are ticked, come on a new list, are shown there and are the rows of the file that is downloaded."""
    page = at.page
    page.goto("/?query=trains")
    for name in ("Anna", "Bea"):
        page.locator("li.result", has_text=name).first.get_by_role("checkbox").check()
    page.get_by_role("button", name="Add them to a list").click()
    page.get_by_label("new").fill("Spring / ☀ “quoted”")
    page.get_by_role("button", name="Add", exact=True).click()
    assert page.get_by_role("status").inner_text().startswith("On the list now.")
    assert page.url.endswith("/?query=trains")
    page.get_by_role("link", name="Your lists").click()
    page.get_by_role("link", name="Spring / ☀ “quoted”").click()
    assert page.get_by_role("button", name="off the list").count() == 2
    page.get_by_text("Export as CSV").click()
    page.get_by_label("Country").uncheck()
    with page.expect_download() as download:
        page.get_by_role("button", name="Download").click()
    rows = list(csv.DictReader(io.StringIO(Path(download.value.path()).read_text())))
    assert [one["handle"] for one in rows] == ["bea", "anna"]
    assert "country" not in rows[0]
    page.get_by_role("button", name="Take Bea off the list").click()
    page.get_by_role("status").wait_for()
    assert page.get_by_role("button", name="off the list").count() == 1


def test_tags_are_reviewed_by_keyboard_alone(at: Seen, served: Serving) -> None:
    """Right, wrong, put off, back, and corrected by the keys that the buttons show; then a pair of accounts."""
    page = at.page
    before = {one["id"]: one["tag"] for one in served.get("/api/v1/reviews").json()["waiting"]}
    page.goto("/review")
    seen = []

    def press(*keys: str) -> None:
        page.locator("#suggested:focus").wait_for()
        seen.append(page.locator("input[name=item]").first.input_value())
        with page.expect_event("load"):
            for key in keys:
                page.keyboard.press(key)

    press("y")
    press("n")
    press("s")
    press("ArrowLeft")
    press("ArrowRight")
    assert seen[2] == seen[4]
    press("e", "End", "Enter")
    assert page.get_by_role("status").inner_text().startswith("Written down.")
    left = {one["id"] for one in served.get("/api/v1/reviews").json()["waiting"]}
    assert set(before) - left == {seen[0], seen[1], seen[5]}
    page.goto("/review/links")
    page.locator("#suggested:focus").wait_for()
    with page.expect_event("load"):
        page.keyboard.press("y")
    assert "No pair of accounts waits" in page.inner_text("main")


def test_forms_work_without_script(browser: Browser, served: Serving) -> None:
    """With JavaScript off a note is kept, and a tag is judged."""
    with seen(browser, base_url=served.address, java_script_enabled=False) as plain:
        page = plain.page
        page.goto("/creator/c_in_bea")
        page.get_by_label("New note").fill("answers at night")
        page.get_by_role("button", name="Keep the note").click()
        assert page.get_by_text("answers at night").count() == 1
        page.goto("/review")
        item = page.locator("input[name=item]").first.input_value()
        page.get_by_role("button", name="Right").click()
        assert page.locator("input[name=item]").first.input_value() != item


def test_a_search_is_saved_and_run(at: Seen) -> None:
    """Under a hostile name, with the filter that was chosen."""
    page = at.page
    page.goto("/?query=trains&niche=travel")
    page.get_by_text("Save this search").click()
    page.get_by_label("Name; one").fill(HOSTILE)
    page.get_by_role("button", name="Save", exact=True).click()
    page.get_by_role("link", name="Saved searches").click()
    page.get_by_role("link", name=HOSTILE).click()
    assert "query=trains" in page.url
    assert page.locator("li.result h3").all_inner_texts() == ["Anna", "Cleo"]


def test_logging_in_and_out(at: Seen, place: Path) -> None:
    """A wrong key is told, a right one leads to where one was going, and after logging out nothing is shown."""
    page = at.page
    key = add_tenant(place, "acme", CURATE)
    page.goto("/lists")
    assert page.evaluate("document.activeElement.id") == "key"
    assert at.findings() == []
    page.keyboard.type("wrong")
    with page.expect_response(lambda one: one.status == 401):
        page.keyboard.press("Enter")
    assert "none" in page.get_by_role("alert").inner_text()
    page.get_by_label("API key").fill(key)
    page.get_by_role("button", name="Log in").click()
    assert page.url.endswith("/lists")
    assert "acme" in page.inner_text("header")
    page.get_by_role("button", name="Log out").click()
    page.goto("/lists")
    assert page.url.endswith("/login?next=%2Flists")


def test_pages_are_for_everybody(at: Seen, served: Serving) -> None:
    """Axe finds nothing serious in light and dark, nothing scrolls sideways on a phone, hostile texts run no script."""
    page = at.page
    who = Visitor(served)
    who.done("/lists/add", new="green", creator=["c_in_anna", "c_in_bea"])
    who.done("/lists/add", new=HOSTILE, creator="c_in_bea")
    who.done("/creator/c_in_bea/note", note=HOSTILE)
    who.done("/creator/c_in_bea/hide", reason=HOSTILE)
    who.done("/searches/save", name=HOSTILE, next="/?query=x")
    bea = "/creator/c_in_bea"
    paths = [f"{bea}{end}" for end in ("", "/forget")] + ["/add?creator=c_in_bea", DAYS, "/conversations?span=day"]
    paths += ["/?query=trains&done=listed", "/lists", "/lists/green", "/review", "/review/links", "/lists/none"]
    for path in paths:
        page.emulate_media(color_scheme="light")
        page.set_viewport_size(WIDE)
        answer = page.goto(path)
        assert answer is not None
        assert answer.status in (200, 404), path
        page.evaluate("document.querySelectorAll('details').forEach((one) => one.open = true)")
        assert at.findings() == [], path
        page.emulate_media(color_scheme="dark")
        assert at.findings(["color-contrast"]) == [], path
        page.set_viewport_size({"width": 360, "height": 740})
        assert at.too_wide() == [], path
        assert at.all_troubles() == [], path
