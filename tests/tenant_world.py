"""A workspace in which two tenants and the owner keep something of every kind, each under a word of their own."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from served_people import NOW, PEOPLE, make_workspace

from igtool.changes import store
from igtool.journal import Journal
from igtool.journal.tenants import CURATE, FORGET, LOCAL, TenantBook
from igtool.lake import Lake
from igtool.notes import hiding, noting, on_list, saving

WORDS = {"acme": "ACMESECRET", "blue": "BLUESECRET", LOCAL: "LOCALSECRET"}
"""What is in everything that a tenant keeps, and nowhere else."""
MAIL = "anna@mail.example"
LISTED, NOTED = "c_in_bea", "c_in_cleo"
HIDDEN = {"acme": "c_in_dora", "blue": "c_in_anna", LOCAL: "c_yo_anna"}


@dataclass(frozen=True)
class World:
    """The folder of the workspace, and a key of each tenant, of a curator, a revoked and an expired one."""

    folder: Path
    acme: str
    blue: str
    curator: str
    revoked: str
    expired: str


def add_tenant(folder: Path, name: str, *rights: str) -> str:
    """The key of a new tenant."""
    with Journal(folder / "cache", writable=False, shared=True) as journal:
        return TenantBook(journal).add(name, rights, now=time.time())


def headers(key: str) -> dict[str, str]:
    """What a client with ``key`` sends."""
    return {"Authorization": f"Bearer {key}"}


def make_world(folder: Path, empty_lake: Path) -> World:
    """The workspace."""
    make_workspace(folder, empty_lake)
    with Lake(folder / "data", writable=True) as lake:
        for tenant, word in WORDS.items():
            _keep(lake, tenant, word)
        _own(lake)
    with Journal(folder / "cache", writable=False, shared=True) as journal:
        book, now = TenantBook(journal), time.time()
        old = {"expired": book.add("acme", (), now=now)}
        acme = book.rotate("acme", grace_s=0, now=now - 5)
        old["revoked"] = book.add("blue", (), now=now)
        book.revoke("blue", None, now=now)
        blue = book.rotate("blue", grace_s=0, now=now)
        curator = book.add("curator", (CURATE, FORGET), now=now)
    return World(folder, acme, blue, curator, **old)


def _keep(lake: Lake, tenant: str, word: str) -> None:
    changes = [
        on_list(f"list {word}", [LISTED], NOW, tenant),
        noting([NOTED], f"{word} said so", NOW + timedelta(seconds=sorted(WORDS).index(tenant)), tenant),
        hiding([HIDDEN[tenant]], f"because of {word}", NOW, tenant),
        saving(word, {"query": word}, NOW, tenant),
    ]
    store(lake, changes)
    one = f"conv_{tenant:0>24}"
    said = {"conversation_id": one, "tenant_id": tenant, "author": word, "text": f"{word} on hold", "said_at": NOW}
    insight: dict[str, Any] = {"conversation_id": one, "sentiment": "negative", "sentiment_score": -0.5}
    insight |= {"clusters": ["on_hold"], "confidence_score": 0.9, "reasoning": f"of {word}", "model": "m"}
    logged = {"search_id": word, "tenant_id": tenant, "query": word, "searched_at": NOW}
    with lake.transaction():
        lake.append_new("conversations", [said])
        lake.append_new("insights", [insight])
        lake.append_new("search_log", [logged])


def _own(lake: Lake) -> None:
    """What the owner of the lake knows and tenants are not to see."""
    word = WORDS[LOCAL]
    listed = {"watch_id": "w1", "list_name": f"night {word}", "platform": "instagram", "handle": PEOPLE[0]["handle"]}
    with lake.transaction():
        lake.merge("watchlist", [listed])
        lake.execute("update accounts set emails = ?::varchar[], country_source = ?", ([MAIL], f"list:{word}"))
        answer = {"answer_id": "a1", "source": "files", "endpoint": f"{word}.json", "body": "{}", "fetched_at": NOW}
        lake.append_new("raw_responses", [answer])
        lake.execute("""update accounts set answer_id = 'a1', filled_from = '{"bio": "a1"}', country = 'ES'""")
        lake.execute("update creators set country_source = ?", (f"list:{word}",))
        lake.execute("update creator_links set rule = 'pinned', evidence = ?", (f"I know: {word}",))
