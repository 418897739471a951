"""A workspace with all that the pages of deeds are about, and somebody who fills in their forms without a browser."""

from __future__ import annotations

import re
import time
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import httpx2
from served_people import make_workspace
from serving import Serving
from tag_world import BLUE, GREEN, RED, TagWorld

from igtool.journal import Journal
from igtool.journal.tenants import TenantBook
from igtool.lake import Lake

HOSTILE = "\"><script>alert(1)</script><img src=x onerror=alert(2)>' & {{ 7 * 7 }} ñ☀"
"""A name or text that would do something on a page which does not escape it."""
SAID = (
    ("conv_0", "local", "Worst service, on hold again", "negative", -0.9, ["on_hold"], 0.95, "2026-09-30T10:10:00Z"),
    ("conv_1", "local", "Thank you so much", "positive", 0.8, ["refund"], 0.9, "2026-09-30T10:40:00Z"),
    ("conv_2", "local", HOSTILE, "neutral", 0.0, ["on_hold"], 0.5, "2026-09-29T08:00:00Z"),
    ("conv_3", "acme", "ACME is on hold", "negative", -0.5, ["on_hold"], 0.9, "2026-09-30T10:00:00Z"),
)
DAYS = "/conversations?from=2026-09-28&to=2026-09-30"
BROWSER = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8", "connection": "close"}
_TAGS = {"category": "setting", "method": "zero_shot", "state": "waiting"}


def make_deeds(folder: Path, empty_lake: Path) -> Path:
    """People, pictures with tags that wait, a pair of accounts that waits, and conversations of two tenants."""
    make_workspace(folder, empty_lake)
    with Journal(folder / "cache", writable=True) as journal, Lake(folder / "data", writable=True) as lake:
        world = TagWorld(folder / "cache", lake, journal, "tess", "tess_films")
        pictures = world.shows("tess", RED, GREEN, BLUE)
        waiting = [
            {
                "creator_id": "c_tess",
                "sha256": one,
                "tag": tag,
                "confidence_score": score,
                "reasoning": HOSTILE,
                **_TAGS,
            }
            for one in pictures
            for tag, score in (("beach", 0.55), ("mountains", 0.4))
        ]
        pair = {"account_a": "instagram:tess", "account_b": "instagram:tess_films", "confidence_score": 0.6}
        pair |= {"platform_a": "instagram", "platform_b": "instagram", "rule": "model", "verdict": "review"}
        with lake.transaction():
            lake.merge("image_tags", [{**one, "analyzed_at": world.clock} for one in waiting])
            lake.merge("link_pairs", [{**pair, "evidence": f"names are alike {HOSTILE}"}])
            _talk(lake)
    return folder


def _talk(lake: Lake) -> None:
    for one, tenant, text, sentiment, score, clusters, sure, at in SAID:
        lake.execute(
            "insert into conversations by name select ? as conversation_id, ? as tenant_id, ? as text, "
            "?::timestamptz as said_at",
            (one, tenant, text, at),
        )
        lake.execute(
            "insert into insights by name select ? as conversation_id, ? as sentiment, ? as sentiment_score, "
            "?::varchar[] as clusters, ? as confidence_score, ? as reasoning, 'm' as model",
            (one, sentiment, score, clusters, sure, f"because of {text}"),
        )


def add_tenant(folder: Path, name: str, *rights: str) -> str:
    """The key of a new tenant, when the server knows it: it looks four times a second."""
    with Journal(folder / "cache", writable=False, shared=True) as journal:
        key = TenantBook(journal).add(name, rights, now=time.time())
    time.sleep(0.3)
    return key


class Read(HTMLParser):
    """Tags and text of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)
        self.text = " ".join(self.text.split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep the tag."""
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        """Keep the text."""
        self.text += f" {data}"

    def all(self, tag: str, **wanted: str) -> list[dict[str, str | None]]:
        """Attributes of every ``tag`` that has the ``wanted`` ones."""
        return [found for name, found in self.tags if name == tag and wanted.items() <= found.items()]


class Visitor:
    """Somebody with a cookie of their own, who sees pages and sends forms."""

    def __init__(self, served: Serving, key: str | None = None) -> None:
        self.client = httpx2.Client(base_url=served.address, timeout=30, headers=BROWSER)
        self.token = self._token("/login" if key else "/lists")
        if key:
            answer = self.client.post("/login", data={"csrf_token": self.token, "key": key})
            assert answer.status_code == 303, answer.text
            self.token = self._token("/lists")

    def _token(self, path: str) -> str:
        found = re.search(r'name="csrf_token" value="(\w{64})"|"X-CSRF-Token": "(\w{64})"', self.client.get(path).text)
        assert found is not None
        return found[1] or found[2]

    def see(self, path: str, status: int = 200) -> Read:
        """A page."""
        answer = self.client.get(path)
        assert (answer.status_code, answer.headers["content-type"]) == (status, "text/html; charset=utf-8"), answer.text
        return Read(answer.text)

    def send(self, path: str, **fields: Any) -> httpx2.Response:
        """The answer to a form with its token."""
        return self.client.post(path, data={"csrf_token": self.token, **fields})

    def done(self, path: str, **fields: Any) -> str:
        """Where a form that was taken leads to."""
        answer = self.send(path, **fields)
        assert answer.status_code == 303, answer.text
        return answer.headers["location"]
