"""A tenant that is removed takes everything along that it kept, and nothing of others."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from tenant_world import WORDS, make_world

from igtool.auditing import verify
from igtool.cli import main
from igtool.console import plain
from igtool.conversations.reception import Reception
from igtool.errors import UsageError
from igtool.journal import Journal
from igtool.journal.audit import AuditLog, Entry
from igtool.journal.conversations import ConversationQueue
from igtool.journal.said import Change, SaidLog
from igtool.journal.tenants import LOCAL, TenantBook
from igtool.lake import Lake
from igtool.outbox import hand_over
from igtool.schema import TABLES
from igtool.settings import load
from igtool.tenants import KEPT, remove_tenant

AT = "2026-10-01T12:00:00+00:00"


def gone(journal: Journal) -> dict[str, list[dict[str, Any]]]:
    """Keys of the rows that are to leave the lake, by table."""
    found: dict[str, list[dict[str, Any]]] = {}
    for said in SaidLog(journal).waiting():
        if said.change.is_gone:
            found.setdefault(said.change.table, []).extend(dict(row) for row in said.change.rows)
    return found


@pytest.fixture
def busy(tmp_path: Path, empty_lake: Path) -> Path:
    """Two tenants; of one there are also a search, a list and a conversation that the lake does not have yet."""
    make_world(tmp_path, empty_lake)
    with Reception(load(tmp_path)) as reception:
        for tenant in ("acme", "blue"):
            reception.accept({"text": f"{WORDS[tenant]} again"}, key="k", tenant_id=tenant)
    row = {"tenant_id": "acme", "list_name": "new", "creator_id": "c_in_eva", "added_at": AT}
    with Journal(tmp_path / "cache", writable=False, shared=True) as journal:
        SaidLog(journal).say([Change("tenant_lists", [row])], Entry("acme", "k", "list.add"), now=time.time())
        journal.note_searches(json.dumps({"search_id": one, "tenant_id": one}) for one in ("acme", "blue"))
    return tmp_path


def test_what_it_kept_goes(busy: Path) -> None:
    """Its keys and conversations at once, its rows with the next commit of the lake, while a run holds both stores."""
    with (
        Journal(busy / "cache", writable=True) as writing,
        Lake(busy / "data", writable=True) as lake,
    ):
        assert remove_tenant(load(busy), "acme", now=time.time()) is False
        with Journal(busy / "cache", writable=False) as journal:
            assert set(TenantBook(journal).tenants()) == {"blue", "curator"}
            assert {key.tenant_id for key in TenantBook(journal).all_keys()} == {"blue", "curator"}
            found = gone(journal)
            assert set(found) == set(KEPT)
            for table, rows in found.items():
                there = lake.rows(f"select {', '.join(TABLES[table].key)} from {table} where tenant_id = 'acme'")
                assert len(rows) == len(there) + (table == "tenant_lists")
                assert all(plain(row) in rows for row in there)
            assert {"tenant_id": "acme", "list_name": "new", "creator_id": "c_in_eva"} in found["tenant_lists"]
            assert [json.loads(row)["tenant_id"] for _, row in journal.searches()] == ["blue"]
            assert ConversationQueue(journal).deletions() == [f"conv_{'acme':0>24}"]
            assert ConversationQueue(journal).left() == 1
            assert journal.read("select count(*) from conversation_keys")[0][0] == 1
            actions = [one.action for one in AuditLog(journal).entries() if '"acme"' in str(one.detail)]
            assert actions[-2:] == ["tenant.remove", "tenant.erase"]
        hand_over(lake, writing)
        for table in (*KEPT, "conversations"):
            assert {row["tenant_id"] for row in lake.rows(f"select tenant_id from {table}")} == {"blue", LOCAL}
        assert lake.value("select count(*) from insights") == 2
        assert verify(lake, writing).is_whole
    with pytest.raises(UsageError, match="there are: blue, curator"):
        remove_tenant(load(busy), "acme", now=time.time())


def test_a_tenant_without_a_lake_is_removed(tmp_path: Path) -> None:
    """By the command, before there is any creator database."""
    for arguments, code in ((("add", "acme"), 0), (("remove", "acme", "--yes"), 0), (("remove", "acme", "--yes"), 2)):
        shown = CliRunner().invoke(main, ["--workspace", str(tmp_path), "tenant", *arguments])
        assert shown.exit_code == code, shown.stderr
    assert not (tmp_path / "data").exists()
