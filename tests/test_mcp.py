"""Tools for assistants, over a real process and the protocol's own client."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import anyio
import pytest
from click.testing import CliRunner
from served_people import PEOPLE, make_workspace

from igtool.cli import main
from igtool.errors import UsageError
from igtool.journal import Journal
from igtool.journal.audit import AuditLog
from igtool.journal.tenants import TenantBook
from igtool.lake import Lake
from igtool.serve import tools
from igtool.serve.tools import Desk, bounded
from igtool.settings import load

mcp, jsonschema = pytest.importorskip("mcp"), pytest.importorskip("jsonschema")
ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, empty_lake: Path) -> Path:
    """A workspace of invented creators."""
    return make_workspace(tmp_path_factory.mktemp("assistants"), empty_lake)


def talk(place: Path, do: Callable[[Any], Awaitable[None]]) -> None:
    """Let ``do`` have a client that talks to ``igtool mcp`` in ``place``."""
    program = f"import sys; sys.path.insert(0, {str(ROOT)!r}); from igtool.cli import main; main()"
    arguments = ["-P", "-c", program, "--workspace", str(place), "mcp"]

    async def talking() -> None:
        server = mcp.StdioServerParameters(command=sys.executable, args=arguments, cwd=str(place))
        async with mcp.Client(server, read_timeout_seconds=60) as client:
            await do(client)

    anyio.run(talking)


@pytest.mark.slow
def test_an_assistant_uses_every_tool(place: Path) -> None:
    """Listed with schemas that say what each argument is; answers fit the schemas of what is given."""

    async def do(client: Any) -> None:
        listed = {tool.name: tool for tool in (await client.list_tools()).tools}
        assert list(listed) == ["search", "show", "sql", "status"]
        for tool in listed.values():
            assert tool.description
            assert tool.annotations.read_only_hint
            arguments = tool.input_schema.get("properties", {}).items()
            assert [name for name, told in arguments if "description" not in told] == []
        asked = {
            "search": {"niche": ["travel"], "limit": 1, "sort": "followers", "explain": True},
            "show": {"handle": "@anna"},
            "sql": {"query": "select handle from accounts order by 1", "limit": 2},
            "status": {},
        }
        said = {}
        for name, given in asked.items():
            answer = await client.call_tool(name, given)
            assert not answer.is_error, answer
            jsonschema.Draft202012Validator(listed[name].output_schema).validate(answer.structured_content)
            assert json.loads(answer.content[0].text) == answer.structured_content
            said[name] = answer.structured_content
        assert [one["handle"] for one in said["search"]["results"]] == ["cleo"]
        assert {one["creator_id"] for one in said["show"]["creators"]} == {"c_in_anna", "c_yo_anna"}
        assert said["sql"]["rows"] == [["anna"], ["anna"]]
        assert said["status"]["tables"]["creators"] == len(PEOPLE)
        for name, given, words in (
            ("search", {"limit": 51}, "limit"),
            ("search", {"country": ["Spian"]}, "did you mean"),
            ("search", {"qurey": "x"}, "did you mean query"),
            ("show", {"handle": "beatrix"}, "bea"),
            ("show", {}, "Missing required field: handle"),
            ("sql", {"query": "from tenant_notes"}, "there is no table"),
            ("dance", {}, "there is no tool"),
        ):
            answer = await client.call_tool(name, given)
            assert answer.is_error, name
            assert words in answer.content[0].text

    talk(place, do)


def test_an_empty_workspace_is_told(tmp_path: Path) -> None:
    """An error that says what to type, and the desk lives on."""
    desk = Desk(load(tmp_path))
    for name, given in (("search", {}), ("show", {"handle": "x"}), ("sql", {"query": "select 1"}), ("search", {})):
        with pytest.raises(UsageError, match="igtool enrich"):
            desk.call(name, given)


@pytest.mark.slow
def test_nothing_but_the_protocol_is_on_stdout(place: Path) -> None:
    """Every line is JSON-RPC, also when the index is made anew and when what came is none."""
    program = f"import sys; sys.path.insert(0, {str(ROOT)!r}); from igtool.cli import main; main()"
    hello = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "x", "version": "1"}}
    sent = [
        {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": hello},
        {"jsonrpc": "2.0", "method": "notifications/initialized"},
        {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {"name": "search", "arguments": {}}},
    ]
    text = "\n".join([json.dumps(one) for one in sent] + ["no JSON", ""])
    command = [sys.executable, "-P", "-c", program, "--workspace", str(place), "mcp"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=place) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(text)
        process.stdin.flush()
        lines = [process.stdout.readline() for _ in range(2)]
        lines += process.communicate(timeout=60)[0].splitlines()
    assert process.returncode == 0
    found = [json.loads(line) for line in lines]
    assert all(one["jsonrpc"] == "2.0" for one in found)
    assert {1, 2} <= {one.get("id") for one in found}


@pytest.mark.slow
def test_answers_are_bounded(tmp_path: Path, empty_lake: Path) -> None:
    """A creator with endless texts is cut and says so; rows as many as fit; what cannot be cut is refused."""
    make_workspace(tmp_path, empty_lake, [{**PEOPLE[0], "bio": "x" * 300_000}])
    desk = Desk(load(tmp_path))
    shown = desk.call("show", {"handle": "anna"})
    assert shown["is_shortened"]
    assert len(json.dumps(shown)) <= tools.MOST_BYTES
    rows = desk.call("sql", {"query": "select repeat('é', 1000) as x from range(400)", "limit": 400})
    assert rows["is_truncated"]
    assert len(json.dumps(rows, ensure_ascii=False).encode()) <= tools.MOST_BYTES
    assert bounded({"a": [1]}) == {"a": [1]}
    with pytest.raises(UsageError, match="too large"):
        bounded({str(number): 1 for number in range(100_000)})
    desk.close()


def test_the_scope_is_chosen_in_one_place(place: Path) -> None:
    """What the user hides no assistant finds; a tenant's is another scope, with its rights and in the audit log."""
    with Lake(place / "data", writable=True) as lake, lake.transaction():
        lake.merge("tenant_hidden", [{"tenant_id": "local", "creator_id": "c_in_bea"}])
    desk = Desk(load(place))
    assert "bea" not in [one["handle"] for one in desk.call("search", {})["results"]]
    desk.close()
    with pytest.raises(UsageError, match="there is no tenant 'other'"):
        Desk(load(place), "other")
    with Journal(place / "cache", writable=False, shared=True) as journal:
        TenantBook(journal).add("acme", (), now=1.0)
    other = Desk(load(place), "acme")
    assert "bea" in [one["handle"] for one in other.call("search", {"query": "hats"})["results"]]
    assert "emails" not in other.call("show", {"handle": "bea"})["creators"][0]["accounts"][0]
    for name, given in (("sql", {"query": "select 1"}), ("status", {})):
        with pytest.raises(UsageError, match="curator"):
            other.call(name, given)
    other.close()
    with Journal(place / "cache", writable=False) as journal:
        (entry,) = [one for one in AuditLog(journal).entries() if one.action == "search"]
    assert (entry.tenant_id, entry.actor) == ("acme", "mcp")


def test_a_missing_extra_is_named(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit code 3 and what to install."""
    monkeypatch.setitem(sys.modules, "mcp_types", None)
    monkeypatch.delitem(sys.modules, "igtool.serve.stdio", raising=False)
    shown = CliRunner().invoke(main, ["--workspace", str(place), "mcp"])
    assert shown.exit_code == 3
    assert "pip install igtool[mcp]" in shown.stderr
