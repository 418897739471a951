"""A real browser for tests of pages: Debian's chromium, driven by Playwright; nothing is downloaded."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, sync_playwright

CHROMIUM = Path("/usr/bin/chromium")
_FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]
_LISTEN = """
    window.violations = [];
    document.addEventListener("securitypolicyviolation", (one) => window.violations.push(one.violatedDirective));
"""


@contextmanager
def browsing() -> Iterator[Browser]:
    """A browser, as long as the block runs. Skips the test where there is no chromium.

    Not for a whole session: while Playwright is open its event loop counts as running in this thread, and tests of
    other files could start none.
    """
    if not CHROMIUM.exists():
        pytest.skip(f"there is no {CHROMIUM}: `apt-get install chromium` brings it")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=_FLAGS)
        yield browser
        browser.close()


class Seen:
    """A page with what it complained about: scripts that ran or failed, and breaches of the policy."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.troubles: list[str] = []
        page.on("dialog", lambda one: (self.troubles.append(f"dialog: {one.message}"), one.dismiss()))
        page.on("console", lambda one: self._said(one.text) if one.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: self.troubles.append(f"pageerror: {error}"))
        page.add_init_script(_LISTEN)

    def _said(self, text: str) -> None:
        if "the server responded with a status of" not in text:
            self.troubles.append(f"console: {text}")

    def all_troubles(self) -> list[str]:
        """Everything so far, with the breaches of the policy on the page that is open."""
        return [*self.troubles, *self.page.evaluate("window.violations")]

    def findings(self, rules: list[str] | None = None) -> list[str]:
        """Serious and critical findings of axe, by ``rules`` or all."""
        options: dict[str, Any] = {"resultTypes": ["violations"]}
        if rules is not None:
            options["runOnly"] = rules
        found = Axe().run(self.page, options=options).response["violations"]
        return [
            f"{one['id']}: {node['html'][:160]} {node['failureSummary'][:200]}"
            for one in found
            if one["impact"] in ("serious", "critical")
            for node in one["nodes"]
        ]

    def too_wide(self) -> list[str]:
        """What reaches out of the window on the right, if the page can be moved sideways."""
        return self.page.evaluate(
            "document.documentElement.scrollWidth <= innerWidth ? [] : [...document.querySelectorAll('body *')]"
            ".filter((one) => one.getBoundingClientRect().right > innerWidth + 1)"
            ".map((one) => one.outerHTML.slice(0, 160))"
        )


@contextmanager
def seen(browser: Browser, **options: Any) -> Iterator[Seen]:
    """A page of its own, with ``options`` of a browser context."""
    context = browser.new_context(**options)
    context.set_default_timeout(10_000)
    try:
        yield Seen(context.new_page())
    finally:
        context.close()
