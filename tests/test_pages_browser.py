"""The pages in a real browser: both themes, a narrow screen, the keyboard alone, hostile texts, without scripts too."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from browsing import browsing, seen
from paged_people import HOSTILE, make_paged_workspace
from playwright.sync_api import Browser
from serving import Serving, serving

pytestmark = pytest.mark.slow

PAGES = {
    "results": "/?query=night+trains+in+Spain&niche=travel&limit=5",
    "mistyped": "/?followers=many",
    "creator": "/creator/c_greta",
    "hostile": f"/creator/{HOSTILE}",
    "choices": "/creator/anna",
    "nobody": "/creator/nobody_of_this_name",
    "compare": f"/compare?creator=c_greta&creator=c_in_bea&creator={HOSTILE}&creator=c_in_eva",
    "status": "/status",
}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One for all tests of this file."""
    with browsing() as opened:
        yield opened


@pytest.fixture(scope="module")
def served(browser: Browser, tmp_path_factory: pytest.TempPathFactory, empty_lake: Path) -> Iterator[Serving]:
    """A workspace with hostile people, served."""
    place = make_paged_workspace(tmp_path_factory.mktemp("browsed"), empty_lake)
    with serving(place, serve_requests_per_second=10_000) as opened:
        yield opened


@pytest.mark.parametrize("name", PAGES)
def test_pages_can_be_read_by_everybody(browser: Browser, served: Serving, name: str) -> None:
    """No serious finding of axe in either theme, all details open; no moving sideways at 360 px; no script runs."""
    with seen(browser, color_scheme="light", viewport={"width": 1280, "height": 900}) as at:
        at.page.goto(served.address + PAGES[name])
        at.page.evaluate("document.querySelectorAll('details').forEach((one) => one.open = true)")
        assert at.findings() == []
        at.page.emulate_media(color_scheme="dark")
        assert at.findings(["color-contrast"]) == []
        at.page.set_viewport_size({"width": 360, "height": 740})
        assert at.too_wide() == []
        assert at.all_troubles() == []


def test_search_by_keyboard_alone(browser: Browser, served: Serving) -> None:
    """Type, search, skip to the content, reach a result and open it; the focus can be seen at every stop."""
    with seen(browser) as at:
        keys = at.page.keyboard
        at.page.goto(served.address)
        keys.type("harmonica")
        keys.press("Enter")
        at.page.wait_for_url("**/?query=harmonica**")
        keys.press("Tab")
        assert at.page.evaluate("document.activeElement.textContent") == "Skip to the content"
        keys.press("Enter")
        for _ in range(20):
            keys.press("Tab")
            assert at.page.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none"
            if "Greta" in at.page.evaluate("document.activeElement.textContent"):
                break
        keys.press("Enter")
        at.page.wait_for_url("**/creator/c_greta")
        assert at.page.locator("h1").inner_text() == "Greta Holmqvist-Ardal"
        assert at.all_troubles() == []


def test_compare_by_keyboard_alone(browser: Browser, served: Serving) -> None:
    """Two ticked by the space bar, and the button."""
    with seen(browser) as at:
        at.page.goto(f"{served.address}/?query=trains")
        for place in (0, 1):
            at.page.get_by_role("checkbox", name="select").nth(place).focus()
            at.page.keyboard.press("Space")
        at.page.get_by_role("button", name="Compare the ticked ones").focus()
        at.page.keyboard.press("Enter")
        at.page.wait_for_url("**/compare?creator=*&creator=*")
        assert at.page.get_by_role("columnheader").count() == 3


@pytest.mark.parametrize("has_scripts", [True, False])
def test_more_results(browser: Browser, served: Serving, has_scripts: bool) -> None:
    """With scripts they come into the page, without them as a page; the first new one has the focus either way."""
    with seen(browser, java_script_enabled=has_scripts) as at:
        at.page.goto(f"{served.address}/?limit=3")
        if has_scripts:
            at.page.evaluate("window.stayed = true")
        at.page.get_by_role("link", name="More").click()
        at.page.wait_for_url("**/?limit=13")
        at.page.locator("#results > li").nth(7).wait_for()
        assert at.page.locator("#results > li").count() == 8
        assert at.page.locator("a.open:focus").get_attribute("href") == at.page.locator("a.open").nth(3).get_attribute(
            "href"
        )
        if has_scripts:
            assert at.page.evaluate("window.stayed") is True
            assert at.all_troubles() == []


def test_a_link_that_htmx_cannot_follow_is_followed(browser: Browser, served: Serving) -> None:
    """What the server refuses is seen, and not a link that does nothing."""
    with seen(browser) as at:
        at.page.goto(f"{served.address}/?limit=3")
        at.page.evaluate("document.querySelector('.more a').setAttribute('hx-get', '/?limit=0')")
        at.page.evaluate("htmx.process(document.querySelector('.more a'))")
        at.page.get_by_role("link", name="More").click()
        at.page.wait_for_url("**/?limit=13")
        assert at.page.locator("#results > li").count() == 8


def test_hostile_texts_run_nowhere(browser: Browser, served: Serving) -> None:
    """Searched for, clicked at, hovered over: no dialog, no error, no breach of the policy, and nobody leaves."""
    attack = '"><img src=x onerror=alert(1)><script>alert(2)</script>'
    with seen(browser) as at:
        at.page.goto(served.address)
        at.page.get_by_label("What to search for").fill(attack)
        at.page.keyboard.press("Enter")
        at.page.wait_for_url("**/?query=**")
        assert at.page.get_by_label("What to search for").input_value() == attack
        at.page.goto(f"{served.address}/?lists=night&query={HOSTILE}")
        at.page.goto(f"{served.address}/creator/{HOSTILE}")
        for link in at.page.locator("main a").all()[:20]:
            link.hover()
            assert not (link.get_attribute("href") or "").lower().startswith(("javascript:", "data:"))
        assert at.page.title().startswith("<script>alert(1)</script>")
        assert at.all_troubles() == []


def test_nothing_is_kept_in_the_browser(browser: Browser, served: Serving) -> None:
    """A cookie that ends with it and no storage that lasts: htmx keeps an address as long as the window is open."""
    with seen(browser) as at:
        at.page.goto(f"{served.address}/?limit=3")
        at.page.get_by_role("link", name="More").click()
        at.page.wait_for_url("**/?limit=13")
        at.page.goto(f"{served.address}/creator/c_greta")
        kept = at.page.context.storage_state()
        assert [(one["expires"], one["httpOnly"], one["sameSite"]) for one in kept["cookies"]] == [(-1, True, "Strict")]
        assert kept["origins"] == []
        assert at.page.evaluate("Object.keys(sessionStorage)") == ["htmx-current-path-for-history"]
