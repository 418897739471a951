"""Keys on a running server: lockout, rotation, revocation, who may bind where, sessions of browsers, the audit log."""

from __future__ import annotations

import json
import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from click.testing import CliRunner
from fastapi import APIRouter, Request
from served_people import make_workspace
from serving import Serving, serving
from tenant_world import add_tenant, headers

from igtool.cli import main
from igtool.errors import UsageError
from igtool.journal import Journal
from igtool.journal.audit import AuditLog
from igtool.journal.tenants import CURATE, FORGET, TenantBook
from igtool.serve.addresses import is_loopback
from igtool.serve.app import ROUTERS, create_server
from igtool.serve.callers import check, who_of
from igtool.serve.lockout import FAILURES, Lockout
from igtool.serve.login import PAGE, csrf_token, form_of, local_path
from igtool.serve.running import serve
from igtool.serve.sessions import COOKIE, MOST, Sessions
from igtool.settings import load
from igtool.throttle import KEYS

LIST = "/api/creators/list"
pages = APIRouter(dependencies=PAGE, include_in_schema=False)
extra = APIRouter()


@pages.get("/page")
def page(request: Request) -> dict[str, Any]:
    """A page."""
    return {"tenant": who_of(request).tenant_id, "token": csrf_token(request)}


@pages.post("/page")
async def change(request: Request) -> dict[str, Any]:
    """A change that a page makes."""
    return {"given": dict(await form_of(request))}


@extra.post("/api/judge")
def judge(request: Request) -> dict[str, str]:
    """For curators."""
    check(who_of(request), CURATE)
    return {}


@extra.post("/api/forget")
def forget(request: Request) -> dict[str, str]:
    """For who may forget."""
    check(who_of(request), FORGET)
    return {}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, empty_lake: Path) -> Path:
    """A workspace with creators, whose tenants the tests add."""
    return make_workspace(tmp_path_factory.mktemp("keyed"), empty_lake)


@pytest.fixture
def served(place: Path) -> Iterator[Serving]:
    """It is served with a page and routes that need rights; no tenant is left of the test before."""
    (place / "cache").mkdir(exist_ok=True)
    for path in (place / "cache").glob("journal*"):
        path.unlink()
    with serving(place, [*ROUTERS, pages, extra], serve_requests_per_second=10_000) as opened:
        yield opened


def status(served: Serving, key: str | None, path: str = LIST) -> int:
    """Status of the answer to a request with ``key``."""
    return served.client.get(path, headers=headers(key) if key is not None else {}).status_code


def until(served: Serving, key: str | None, wanted: int) -> None:
    """Ask until the answer has the status ``wanted``, as it has within a second."""
    deadline = time.monotonic() + 10
    while status(served, key) != wanted:
        assert time.monotonic() < deadline
        time.sleep(0.3)


def command(place: Path, *arguments: str, code: int = 0) -> Any:
    """What a command of igtool prints."""
    shown = CliRunner().invoke(main, ["--workspace", str(place), *arguments])
    assert shown.exit_code == code, shown.stderr
    return json.loads(shown.stdout) if "--json" in arguments else shown.stdout.strip()


def log(served: Serving, place: Path) -> list[tuple[str, str, str, dict[str, Any]]]:
    """(tenant, actor, action, detail) of the entries."""
    served.server.trail.flush()
    with Journal(place / "cache", writable=False) as journal:
        return [
            (one.tenant_id, one.actor, one.action, json.loads(one.detail or "null"))
            for one in AuditLog(journal).entries()
        ]


def test_keys_count_from_the_first_tenant_on(served: Serving, place: Path) -> None:
    """Open on loopback without a tenant; with one, keys are asked for within a second, and rotated and revoked so."""
    assert status(served, None) == 200
    key = command(place, "tenant", "add", "acme")
    until(served, None, 401)
    assert status(served, key) == 200
    assert served.client.get(LIST, headers={"X-API-Key": key}).status_code == 200
    both = {"X-API-Key": key, "Authorization": f"Bearer {key[:-1]}x"}
    assert served.client.get(LIST, headers=both).status_code == 401
    second = command(place, "tenant", "rotate", "acme", "--grace", "1h")
    until(served, second, 200)
    assert status(served, key) == 200
    third = command(place, "tenant", "rotate", "acme", "--json")["key"]
    until(served, second, 401)
    assert [status(served, one) for one in (key, second, third)] == [401, 401, 200]
    command(place, "tenant", "revoke", "acme", third.split("_")[1])
    until(served, third, 401)
    command(place, "tenant", "remove", "acme", code=2)
    command(place, "tenant", "remove", "acme", "--yes")
    assert status(served, None) == 401  # not open again: it might be thought closed
    states = [row["state"] for row in command(place, "tenant", "list", "--json")["rows"]]
    assert states == []


def test_a_key_ends_with_its_grace(tmp_path: Path) -> None:
    """The journal has a hash of it and no more; its state is told by the time."""
    with Journal(tmp_path, writable=True) as journal:
        book = TenantBook(journal)
        key = book.add("acme", (CURATE,), now=100.0)
        book.rotate("acme", grace_s=60, now=200.0)
        states = [[one.state(at) for one in book.all_keys()] for at in (210.0, 261.0)]
        assert states == [["live", "ending"], ["live", "expired"]]
        book.rotate("acme", grace_s=600, now=230.0)
        assert [one.expires_at for one in book.all_keys()] == [None, 830.0, 260.0]  # a grace is never made longer
        assert book.tenants()["acme"].rights == {CURATE}
    assert key.split("_", 2)[2].encode() not in (tmp_path / "journal.sqlite").read_bytes()


@pytest.mark.parametrize("name", ["", "local", "-a", "A", "a b", "a" * 41, "é", "a_b"])
def test_names_of_tenants(tmp_path: Path, name: str) -> None:
    """Short words of plain letters; the owner's own is taken."""
    with Journal(tmp_path, writable=True) as journal, pytest.raises(UsageError, match="no name for a tenant"):
        TenantBook(journal).add(name, (), now=0.0)


def test_wrong_keys_lock_out(served: Serving, place: Path) -> None:
    """Ten for one address: 429 for wrong ones; ten with the id of a key: 429 for the right one too. Told once each."""
    key, other = add_tenant(place, "acme"), add_tenant(place, "blue")
    until(served, None, 401)
    wrong = key[:-2] + ("AA" if key[-2:] != "AA" else "BB")
    assert [status(served, wrong) for _ in range(FAILURES + 1)] == [401] * FAILURES + [429]
    refused = served.client.get(LIST, headers=headers(key))
    assert refused.status_code == 429
    assert refused.json()["error"] == "rate_limit_exceeded"
    assert int(refused.headers["retry-after"]) == refused.json()["retry_after"] > 1
    assert status(served, f"igt_{'0' * 12}_{'A' * 43}") == 429
    assert status(served, other) == 200  # behind a proxy all have one address
    assert status(served, None) == 401
    told = [one for one in log(served, place) if one[2] == "key.refused"]
    assert told == [("acme", key.split("_")[1], "key.refused", {"address": "127.0.0.1", "why": "wrong"})]


def test_a_lockout_ends_and_is_bounded() -> None:
    """After a minute; and names beyond ten thousand take the place of the oldest."""
    now = [0.0]
    lockout = Lockout(now=lambda: now[0])
    for _ in range(3 * FAILURES):
        lockout.failed("a")
    assert lockout.locked_s("a") == 60
    assert lockout.locked_s("b") is None
    now[0] = 60.5
    assert lockout.locked_s("a") is None
    for number in range(KEYS + 5):
        lockout.failed(str(number))
    assert len(lockout) == KEYS


def test_requests_are_counted_by_key(place: Path) -> None:
    """One key's many requests take nothing from another's, though the address is the same."""
    keys = [add_tenant(place, name) for name in ("counted-a", "counted-b")]
    with serving(place, serve_requests_per_second=0.01) as opened:
        assert [status(opened, keys[0], "/nothing") for _ in range(2)] == [404, 429]
        assert status(opened, keys[1], "/nothing") == 404
        opened.client.get("/nothing")
        assert opened.get("/nothing").status_code == 429


def test_rights_are_asked_for(served: Serving, place: Path) -> None:
    """The owner on loopback may judge and not forget; a tenant neither; a curator both."""
    assert [served.client.post(f"/api/{what}").status_code for what in ("judge", "forget")] == [200, 403]
    reader, curator = add_tenant(place, "acme"), add_tenant(place, "blue", CURATE, FORGET)
    until(served, None, 401)
    for key, codes in ((reader, [403, 403]), (curator, [200, 200])):
        answers = [served.client.post(f"/api/{what}", headers=headers(key)) for what in ("judge", "forget")]
        assert [answer.status_code for answer in answers] == codes
    assert served.client.post("/api/judge", headers=headers(reader)).json()["error"] == "forbidden"


def test_metrics_are_for_this_machine(served: Serving, place: Path) -> None:
    """Without a key from loopback, not through a proxy that runs here, nor by another name."""
    key = add_tenant(place, "acme")
    until(served, None, 401)
    assert status(served, None, "/metrics") == 200
    assert served.client.get("/metrics", headers={"X-Forwarded-For": "192.0.2.1"}).status_code == 401
    assert served.client.get("/metrics", headers={"X-Forwarded-For": "192.0.2.1", **headers(key)}).status_code == 200
    assert [status(served, None, path) for path in ("/health", "/ready", "/openapi.json", "/")] == [200, 200, 401, 401]


def test_other_machines_need_a_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bound elsewhere, or asked by another name: refused to start without a live key, and closed when it is gone."""
    for flags, host in (({}, "0.0.0.0"), ({"serve_hosts": "creators.example"}, "127.0.0.1")):
        with pytest.raises(UsageError, match="API keys"):
            serve(load(tmp_path, **flags), host, 0, lambda _: None)
    add_tenant(tmp_path, "acme")
    with Journal(tmp_path / "cache", writable=False, shared=True) as journal:
        TenantBook(journal).revoke("acme", None, now=time.time())
    with pytest.raises(UsageError, match="API keys"):
        serve(load(tmp_path), "0.0.0.0", 0, lambda _: None)
    with Journal(tmp_path / "cache", writable=False, shared=True) as journal:
        TenantBook(journal).rotate("acme", grace_s=0, now=time.time())

    def bound(host: str, port: int) -> Any:
        raise StopIteration(host)

    monkeypatch.setattr("igtool.serve.running._bound", bound)
    with pytest.raises(StopIteration, match=r"0\.0\.0\.0"):
        serve(load(tmp_path), "0.0.0.0", 0, lambda _: None)
    assert not is_loopback("0.0.0.0")


def test_a_name_of_its_own_and_never_open(place: Path) -> None:
    """By the name in the settings it may be asked; with one nobody is answered without a key, tenants or none."""
    for path in (place / "cache").glob("journal*"):
        path.unlink()
    with serving(place, serve_hosts="creators.example") as opened:
        assert opened.client.get("/health", headers={"host": "creators.example"}).status_code == 200
        assert opened.client.get("/health", headers={"host": "other.example"}).status_code == 400
        assert status(opened, None) == 401
        key = add_tenant(place, "acme")
        until(opened, key, 200)
    assert create_server(load(place), hosts=["127.0.0.1"]).callers.has_tenants is False
    assert create_server(load(place), hosts=["192.0.2.1"]).callers.has_tenants is True


def test_an_unreadable_store_of_keys_opens_nothing(served: Serving, place: Path) -> None:
    """503 where it is not known who may ask; the server lives on."""
    assert status(served, None) == 200
    cache = place / "cache"
    cache.rename(place / "kept")
    cache.mkdir()
    (cache / "journal.sqlite").write_bytes(b"no database" * 1_000)
    until(served, None, 503)
    assert served.get(LIST).json()["error"] == "keys_unreadable"
    assert served.get("/health").status_code == 200
    shutil.rmtree(cache)
    (place / "kept").rename(cache)
    until(served, None, 200)


# --- browsers ---


def browser(served: Serving) -> httpx2.Client:
    """A client that keeps cookies and takes pages."""
    return httpx2.Client(base_url=served.address, headers={"Accept": "text/html"}, timeout=30)


def test_a_visitor_without_tenants_has_a_session(served: Serving) -> None:
    """Made by the first page; a change needs its token, from the form or the header, and not another's."""
    with browser(served) as client, browser(served) as other:
        first = client.get("/page")
        assert first.json()["tenant"] == "local"
        (text,) = first.headers.get_list("set-cookie")
        assert re.fullmatch(rf"{COOKIE}=[\w-]{{43}}; Path=/; HttpOnly; SameSite=Strict", text)
        token = first.json()["token"]
        again = client.get("/page")
        assert again.json()["token"] == token
        assert "set-cookie" not in again.headers
        assert client.post("/page", data={"csrf_token": token, "a": "b&c=ü"}).json()["given"]["a"] == "b&c=ü"
        assert client.post("/page", headers={"X-CSRF-Token": token}).status_code == 200
        wrong = other.get("/page").json()["token"]
        for given in ({}, {"csrf_token": ""}, {"csrf_token": wrong}, {"csrf_token": "ü"}):
            refused = client.post("/page", data=given)
            assert refused.status_code == 403
            assert "load it again" in refused.text
        assert httpx2.post(f"{served.address}/page", data={"csrf_token": token}).status_code == 403
        assert client.get("/login?next=/page").headers["location"] == "/page"


def test_log_in_and_out(served: Serving, place: Path) -> None:
    """A page leads to the log-in and back; a new cookie for the session, which ends with log-out or with its key."""
    key = add_tenant(place, "acme")
    until(served, None, 401)
    with browser(served) as client:
        sent = client.get("/page?x=1")
        assert (sent.status_code, sent.headers["location"]) == (303, "/login?next=%2Fpage%3Fx%3D1")
        shown = client.get(sent.headers["location"])
        assert shown.status_code == 200
        assert 'value="/page?x=1"' in shown.text
        before = client.cookies[COOKIE]
        token = re.findall(r'name="csrf_token" value="(\w+)"', shown.text)[0]
        assert client.post("/login", data={"key": key}).status_code == 403
        wrong = client.post("/login", data={"key": "<b>x", "csrf_token": token, "next": "//evil.example"})
        assert wrong.status_code == 401
        assert "<b>x" not in wrong.text
        assert 'value="/"' in wrong.text
        done = client.post("/login", data={"key": f" {key} ", "csrf_token": token, "next": "/page?x=1"})
        assert (done.status_code, done.headers["location"]) == (303, "/page?x=1")
        assert client.cookies[COOKIE] != before
        document = client.get("/page").json()
        assert document["tenant"] == "acme"
        assert document["token"] != token
        assert client.get(LIST).status_code == 401  # a session opens pages, not what is for programs
        old = client.cookies[COOKIE]
        assert client.post("/logout").status_code == 403
        assert client.post("/logout", data={"csrf_token": document["token"]}).headers["location"] == "/login"
        assert COOKIE not in client.cookies
        client.cookies[COOKIE] = old
        assert client.get("/page").status_code == 303
    actions = [(who, action) for _, who, action, _ in log(served, place) if action.startswith("log")]
    assert actions == [(key.split("_")[1], "login"), (key.split("_")[1], "logout")]


def test_a_session_ends_with_its_key(served: Serving, place: Path) -> None:
    """Revoked while somebody is logged in: the next page asks for a key."""
    key = add_tenant(place, "acme")
    until(served, None, 401)
    with browser(served) as client:
        token = re.findall(r'name="csrf_token" value="(\w+)"', client.get("/login").text)[0]
        client.post("/login", data={"key": key, "csrf_token": token})
        assert client.get("/page").status_code == 200
        command(place, "tenant", "revoke", "acme")
        until(served, key, 401)
        assert client.get("/page").status_code == 303


def test_over_https_the_cookie_is_of_this_host_alone(served: Serving) -> None:
    """Behind a proxy that says so: its name and flags are those that no other host can set."""
    answer = httpx2.get(f"{served.address}/page", headers={"X-Forwarded-Proto": "https"})
    (text,) = answer.headers.get_list("set-cookie")
    assert re.fullmatch(rf"__Host-{COOKIE}=[\w-]{{43}}; Path=/; HttpOnly; SameSite=Strict; Secure", text)


@pytest.mark.parametrize(
    "text",
    ["https://evil.example", "//evil.example", "/\\evil.example", "\\/x", "/a\nb", "x", "", None, "/\t/e", "/" * 9],
)
def test_the_log_in_leads_nowhere_else(text: str | None) -> None:
    """Only to an address of this server."""
    assert local_path(text) == "/"


def test_sessions_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The one that was opened first ends; each ends after half a day."""
    sessions = Sessions()
    first = sessions.open("acme", "k")
    rest = [sessions.open("acme", "k") for _ in range(MOST)]
    assert len(sessions) == MOST
    assert sessions.of(first) is None
    assert sessions.of(rest[0]) is not None
    later = time.monotonic() + 12 * 3600
    monkeypatch.setattr(time, "monotonic", lambda: later)
    assert sessions.of(rest[0]) is None
    assert len(sessions) == MOST - 1


# --- the audit log ---


def test_searches_are_logged_with_tenants_alone(served: Serving, place: Path) -> None:
    """Who, what, how narrowed, how many found; without a tenant nothing but the settings is."""
    served.get("/api/v1/search", query="trains")
    assert {action for _, _, action, _ in log(served, place)} <= {"settings"}
    key = add_tenant(place, "acme")
    until(served, None, 401)
    asked = {"query": "trains in Spain", "limit": 2}
    served.client.post("/api/v1/search", json=asked, headers=headers(key))
    detail = {"query": "trains in Spain", "filters": {"country": "ES"}, "count": 2}
    assert ("acme", key.split("_")[1], "search", detail) in log(served, place)
    command(place, "audit", "verify")
    (row,) = command(place, "audit", "list", "--action", "search", "--tenant", "acme", "--json")["rows"]
    assert row["detail"] == detail
    assert command(place, "audit", "list", "--since", "2999-01-01", "--json")["rows"] == []


def test_changed_settings_are_logged_without_secrets(place: Path, tmp_path: Path) -> None:
    """Names and new values since the last start; nothing where nothing changed; keys and commands are not told."""

    def started(**flags: Any) -> list[dict[str, Any]]:
        from igtool.serve.trail import note_settings

        note_settings(load(tmp_path, **flags))
        with Journal(tmp_path / "cache", writable=False) as journal:
            return [json.loads(one.detail or "null")["changed"] for one in AuditLog(journal).entries()]

    flags = {"serve_timeout_s": 7.0, "openai_api_key": "sk-very-secret", "alert_command": "tell --token very-secret"}
    first = started(**flags)
    assert first[0]["serve_timeout_s"] == 7.0
    assert "very-secret" not in json.dumps(first)
    assert set(first[0]) >= {"serve_timeout_s", "alert_command"}
    assert started(**flags) == first
    assert started(serve_timeout_s=7.0)[1:] == [{"alert_command": None}]
    assert started()[2:] == [{"serve_timeout_s": 30}]
