"""Pages that change things: their forms work with a token and a right, are seen at once, and refused without."""

from __future__ import annotations

import csv
import io
import re
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

import pytest
from deeds_world import BROWSER, DAYS, HOSTILE, Visitor, add_tenant, make_deeds
from serving import Serving, serving

from igtool.journal.tenants import CURATE, FORGET
from igtool.lake import Lake
from igtool.serve.app import PAGES
from igtool.serve.login import page_guard
from igtool.serve.pages import login, static
from igtool.serve.pages.conversations import clusters_of, stacks_of
from igtool.serve.pages.forms import DONE

pytestmark = pytest.mark.slow

CREATOR = "/creator/c_in_bea"
POSTS = sorted(
    {route.path for router in PAGES for route in router.routes if "POST" in getattr(route, "methods", ())}  # type: ignore[attr-defined]
)


@pytest.fixture(scope="module")
def untouched(tmp_path_factory: pytest.TempPathFactory, empty_lake: Path) -> Path:
    """The workspace with its index, which no test changes."""
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


@pytest.fixture(scope="module")
def shared(untouched: Path) -> Iterator[Serving]:
    """Served, and no test changes it."""
    with serving(untouched, serve_requests_per_second=10_000) as opened:
        yield opened


def test_every_page_asks_who_looks_and_for_the_token() -> None:
    """All routers of pages depend on the guard, but for files that are everybody's and the log-in itself."""
    for router in PAGES:
        if router not in (static.router, login.router):
            assert any(one.dependency is page_guard for one in router.dependencies), router.routes
    assert len(POSTS) >= 15


def test_nothing_is_changed_without_the_token_of_the_session(shared: Serving) -> None:
    """No token, a wrong one and that of another visitor: a page with 403 for every form, and nothing was said."""
    visitor, other = Visitor(shared), Visitor(shared)
    fields = {"note": "x", "list": "l", "new": "l", "creator": "c_in_bea", "name": "n", "conversation_id": "conv_0"}
    for path in POSTS:
        address = path.replace("{creator_id}", "c_in_bea")
        for more in ({}, {"csrf_token": "0" * 64}, {"csrf_token": other.token}):
            answer = visitor.client.post(address, data={**fields, **more})
            assert (answer.status_code, answer.headers["content-type"]) == (403, "text/html; charset=utf-8"), address
            assert "out of date" in answer.text
        assert visitor.client.get(address).status_code in (200, 303, 404, 405), address
    assert shared.server.services.saying.waiting == ()


def test_everything_is_seen_at_once_while_a_run_writes(served: Serving, place: Path) -> None:
    """Notes, lists, hidden creators, saved searches and reviews, each done and undone by forms, the lake being held."""
    who = Visitor(served)
    with Lake(place / "data", writable=True):
        assert who.done(f"{CREATOR}/note", note=HOSTILE, next=CREATOR) == f"{CREATOR}?done=noted"
        page = who.see(f"{CREATOR}?done=noted")
        assert HOSTILE in page.text
        assert DONE["noted"].text in page.text
        who.done(f"{CREATOR}/list", new="spring", next=CREATOR)
        assert "/lists/spring" in [one["href"] for one in who.see(CREATOR).all("a")]
        who.done("/lists/add", list="spring", creator=["c_in_cleo", "c_in_dora"], next="/?query=huts")
        assert [one["value"] for one in who.see("/lists/spring?sort=handle").all("button", name="creator")] == [
            "c_in_bea", "c_in_cleo", "c_in_dora",
        ]  # fmt: skip
        assert who.done("/lists/remove", list="spring", creator="c_in_dora", next="/lists/spring").endswith("unlisted")
        assert "2 creators" in who.see("/lists").text
        who.done(f"{CREATOR}/hide", reason="busy", next=CREATOR)
        assert "“busy”" in who.see("/lists").text
        assert "/creator/c_in_bea" not in [one.get("href") for one in who.see("/?query=trains").all("a")]
        who.done(f"{CREATOR}/unhide", next="/lists")
        assert "/creator/c_in_bea" in [one.get("href") for one in who.see("/?query=trains").all("a")]
        (note,) = who.see(CREATOR).all("input", name="note_id")
        who.done(f"{CREATOR}/unnote", note_id=note["value"], next=CREATOR)
        assert HOSTILE not in who.see(CREATOR).text
        who.done("/searches/save", name="huts", next="/?query=huts&niche=travel&niche=food&verified=&done=listed")
        links = [one["href"] for one in who.see("/lists").all("a") if (one["href"] or "").startswith("/?")]
        assert links == ["/?query=huts&niche=travel&niche=food"]
        assert served.get("/api/v1/searches/huts/results").json()["filters"] == {"niche": ["travel", "food"]}
        who.done("/searches/delete", name="huts")
        assert "huts" not in who.see("/lists").text
        who.done("/lists/delete", list="spring")
        assert who.client.get("/lists/spring").status_code == 404
        assert served.server.services.saying.waiting


def test_tags_and_pairs_are_judged_by_forms(served: Serving, place: Path) -> None:
    """Each goes on to the next one; what was put off comes later; words that are none are refused."""
    who = Visitor(served)
    with Lake(place / "data", writable=True):
        page = who.see("/review")
        assert HOSTILE in page.text
        assert "`igtool run tag`" in DONE["told"].text
        (image,) = page.all("img")
        assert who.client.get(image["src"] or "").headers["content-type"] == "image/png"
        seen = []
        for fields in ({"answer": "approve"}, {"answer": "flag"}, {"answer": "edit", "to": "none"}):
            item = who.see("/review?at=1").all("input", name="item")[0]["value"]
            seen.append(item)
            assert who.done("/review", item=item, at="1", **fields) == "/review?at=1&done=told"
        assert len(set(seen)) == 3
        assert not {one["id"] for one in served.get("/api/v1/reviews").json()["waiting"]} & set(seen)
        left = who.see("/review?at=99").all("input", name="item")[0]["value"]
        for fields in ({"answer": "maybe"}, {"answer": "edit"}, {"answer": "edit", "to": "moonbase"}, {}):
            assert who.send("/review", item=left, **fields).status_code == 400
        assert who.send("/review", item="nothing", answer="approve").status_code == 404
        pairs = who.see("/review/links")
        assert {"tess", "tess_films"} <= set(re.findall(r"@(\w+)", pairs.text))
        pair = pairs.all("input", name="pair")[0]["value"]
        assert who.send("/review/links", pair=pair, verdict="maybe").status_code == 400
        assert who.done("/review/links", pair=pair, verdict="apart") == "/review/links?done=decided"
        assert "No pair of accounts waits" in who.see("/review/links").text


def test_tenants_see_only_their_own(served: Serving, place: Path) -> None:
    """Lists, notes, hidden creators, searches and conversations of another are not there; pages lead to the log-in."""
    acme, blue = (Visitor(served, add_tenant(place, name)) for name in ("acme", "blue"))
    acme.done("/lists/add", new="ours", creator="c_in_bea")
    acme.done(f"{CREATOR}/note", note="ACMEWORD")
    acme.done(f"{CREATOR}/hide", reason="ACMEWORD")
    acme.done("/searches/save", name="ACMEWORD", next="/?query=x")
    assert blue.client.get("/lists/ours").status_code == 404
    assert blue.client.get("/lists/ours/export.csv").status_code == 404
    assert blue.send("/lists/delete", list="ours").status_code == 404
    assert blue.send("/lists/remove", list="ours", creator="c_in_bea").status_code == 404
    assert blue.send("/searches/delete", name="ACMEWORD").status_code == 404
    assert blue.send("/conversations/delete", conversation_id="conv_3").status_code == 404
    assert "ACME" not in " ".join(blue.see(path).text for path in ("/lists", CREATOR, DAYS, "/?query=trains"))
    assert "ACME is on hold" in acme.see(DAYS).text
    assert "logged in as acme" in acme.see("/lists").text
    assert acme.done("/logout") == "/login"
    answer = acme.client.get("/lists/ours")
    assert (answer.status_code, answer.headers["location"]) == (303, "/login?next=%2Flists%2Fours")
    assert "/lists" not in [one.get("href") for one in acme.see("/login").all("a")]


def test_only_curators_judge(served: Serving, place: Path) -> None:
    """Others see what waits and that it is for curators, without buttons; what they send anyway is refused."""
    curator = Visitor(served, add_tenant(place, "acme", CURATE))
    other = Visitor(served, add_tenant(place, "blue"))
    for path in ("/review", "/review/links"):
        assert curator.see(path).all("button", **{"data-key": "y"})
        page = other.see(path)
        assert "for curators" in page.text
        assert not page.all("button", **{"data-key": "y"})
    item = curator.see("/review").all("input", name="item")[0]["value"]
    pair = curator.see("/review/links").all("input", name="pair")[0]["value"]
    assert other.send("/review", item=item, answer="approve").status_code == 403
    assert other.send("/review/links", pair=pair, verdict="together").status_code == 403
    assert served.server.services.saying.waiting == ()
    curator.done("/review", item=item, answer="approve")


def test_forgetting_is_told_exactly_and_asked_for_twice(served: Serving, place: Path) -> None:
    """The page counts what would go, the handle has to be typed, and the right is needed where there are tenants."""
    who = Visitor(served)
    assert f"{CREATOR}/forget" in [one["href"] for one in who.see(CREATOR).all("a")]
    page = who.see(f"{CREATOR}/forget")
    assert "accounts, with names, biographies, addresses and links 1" in page.text
    assert "Type bea to go on" in page.text
    refused = who.send(f"{CREATOR}/forget", handle="anna")
    assert (refused.status_code, "nothing was removed" in refused.text) == (400, True)
    assert who.client.get("/creator/nobody/forget").status_code == 404
    may = Visitor(served, add_tenant(place, "acme", FORGET))
    may_not = Visitor(served, add_tenant(place, "blue", CURATE))
    assert may.see(f"{CREATOR}/forget")
    assert may_not.client.get(f"{CREATOR}/forget").status_code == 403
    assert may_not.send(f"{CREATOR}/forget", handle="bea").status_code == 403
    assert f"{CREATOR}/forget" not in [one["href"] for one in may_not.see(CREATOR).all("a")]


def test_a_creator_is_forgotten_and_found_no_more(served: Serving, place: Path) -> None:
    """Not while a run writes, which is told; then at once: no page, no search, no list, no table has them."""
    who = Visitor(served)
    who.done("/lists/add", new="short", creator="c_in_bea")
    assert "bea" in who.see("/?query=hats").text
    with Lake(place / "data", writable=True):
        refused = who.send(f"{CREATOR}/forget", handle="@Bea")
        assert (refused.status_code, "nothing was removed" in refused.text) == (503, True), refused.text
    assert who.done(f"{CREATOR}/forget", handle="@Bea").startswith("/?")
    who.see(CREATOR, 404)
    assert "@bea" not in who.see("/?query=hats").text
    assert "@bea" not in who.see("/lists/short", 404).text
    with Lake(place / "data", writable=False) as lake:
        assert lake.value("select count(*) from accounts where handle = 'bea'") == 0
        assert lake.value("select count(*) from tombstones") > 0
        assert lake.value("select count(*) from audit_log where contains(detail::varchar, 'bea')") == 0


def test_any_name_has_a_page(served: Serving) -> None:
    """A list and a saved search of that name are shown escaped, lead where they should, are exported and deleted."""
    who = Visitor(served)
    names = (HOSTILE, "a/b", "/", "a//b/", "100%", "?x=1#y", "naïve ☀ 日本", "remove", " trimmed ")
    for name in names:
        who.done("/lists/add", new=name, creator="c_in_bea")
    who.done("/searches/save", name=HOSTILE, next="/?query=hats")
    page = who.see("/lists")
    assert (page.text.count(HOSTILE), len(page.all("script")), len(page.all("img"))) == (2, 2, 0)
    for name in names:
        said = name.strip()
        href = f"/lists/{quote(said, safe='')}"
        assert page.all("a", href=href)
        assert said in who.see(href).text
        assert "bea" in who.client.get(f"{href}/export.csv").text
        assert who.done("/lists/delete", list=said) == "/lists?done=dropped"
    who.done("/searches/delete", name=HOSTILE)
    assert not [one for one in who.see("/lists").all("a") if (one["href"] or "").startswith(("/lists/", "/?"))]


BAD = (
    ("/lists/add", {"new": "..", "creator": "c_in_bea"}, "cannot be called"),
    ("/lists/add", {"new": "a/../b", "creator": "c_in_bea"}, "cannot be called"),
    ("/lists/add", {"new": "x" * 201, "creator": "c_in_bea"}, "1 to 200 characters"),
    ("/lists/add", {"new": "a\0b", "creator": "c_in_bea"}, "without NUL"),
    ("/lists/add", {"creator": "c_in_bea"}, "no list is named"),
    ("/lists/add", {"new": "l"}, "tick one to 100"),
    (f"{CREATOR}/note", {"note": " "}, "is empty"),
    ("/searches/save", {"name": "n", "next": "/?followers=many.."}, "many"),
    ("/searches/save", {"name": "n", "next": "/?nonsense=1"}, "nonsense"),
    ("/searches/save", {"name": "n", "next": "/?limit=0"}, "limit"),
)


def test_bad_fields_are_said_and_change_nothing(shared: Serving) -> None:
    """A page with 400 that says what is wrong."""
    who = Visitor(shared)
    for path, fields, said in BAD:
        answer = who.send(path, **fields)
        assert (answer.status_code, said in answer.text) == (400, True), (path, fields, answer.text)
    assert shared.server.services.saying.waiting == ()


def test_forms_lead_to_this_server_alone(served: Serving) -> None:
    """Whatever a form says to go back to, and whatever page led to it."""
    who = Visitor(served)
    for address in ("https://x.example/", "//x.example", "/\\x.example", "javascript:alert(1)", ""):
        assert who.done(f"{CREATOR}/hide", next=address) == "/?done=hidden"
        page = who.client.get("/add?creator=c_in_bea", headers={"referer": f"https://x.example{address}"})
        assert 'name="next" value="/"' in page.text


def test_no_text_comes_out_of_an_address(shared: Serving) -> None:
    """What was done is one of a fixed set of words."""
    who = Visitor(shared)
    for word in (HOSTILE, "unknown", ""):
        assert not who.see(f"/lists?done={quote(word)}").all("p", role="status")
    assert who.see("/?done=listed&query=hats").all("p", role="status")


def test_a_list_is_exported_with_the_columns_that_were_chosen(served: Serving) -> None:
    """The largest first; a column that there is not is told; taking off the last one leads to all lists."""
    who = Visitor(served)
    who.done("/lists/add", new="l", creator=["c_in_anna", "c_in_bea"])
    answer = who.client.get("/lists/l/export.csv?fields=handle&fields=followers_count")
    rows = list(csv.reader(io.StringIO(answer.text)))
    assert rows == [["handle", "followers_count"], ["bea", "70000"], ["anna", "5000"]]
    assert answer.headers["content-disposition"].startswith("attachment")
    assert who.client.get("/lists/l/export.csv?fields=salary").status_code == 400
    assert who.client.get("/lists/l?sort=salary").status_code == 400
    assert who.client.get("/lists/l?cursor=x").status_code == 400
    assert who.done("/lists/remove", list="l", creator=["c_in_anna", "c_in_bea"], next="/lists/l") == (
        "/lists?done=unlisted"
    )


def test_a_given_list_keeps_its_creators(served: Serving, place: Path) -> None:
    """What `igtool enrich` was given stays, and the page says so instead of pretending."""
    with Lake(place / "data", writable=True) as lake, lake.transaction():
        lake.execute("insert into watchlist by name select 'bea' as handle, 'instagram' as platform, 'g' as list_name")
    who = Visitor(served)
    assert who.done("/lists/remove", list="g", creator="c_in_bea", next="/lists/g") == "/lists/g?done=stays"
    assert who.send("/lists/delete", list="g").status_code == 400


def test_conversations_are_told_and_deleted(served: Serving) -> None:
    """Counts, clusters and texts of the days, narrowed by sentiment and confidence; one is deleted for good."""
    who = Visitor(served)
    page = who.see(DAYS)
    assert "Conversations 3 positive 1 33" in page.text
    assert "On hold 2 -0.45" in page.text
    assert (HOSTILE in page.text, len(page.all("script"))) == (True, 2)
    assert "2026-09-29 0 0 1" in page.text
    narrowed = who.see(f"{DAYS}&sentiment=negative&sure=0.9").text
    assert ("Worst service" in narrowed, "Thank you" in narrowed) == (True, False)
    assert who.done("/conversations/delete", conversation_id="conv_0", next=DAYS).endswith("&done=unsaid")
    assert "Worst service" not in who.see(DAYS).text
    assert who.send("/conversations/delete", conversation_id="conv_0").status_code == 404


def test_conversations_of_no_time(shared: Serving, tmp_path: Path, empty_lake: Path) -> None:
    """An empty time leads to the newest ones; with none at all it says how to bring some in; bad days are told."""
    who = Visitor(shared)
    for span in ("day", "week", "month", "nonsense"):
        assert "The newest is of 2026-09-30" in who.see(f"/conversations?span={span}").text
    for days, said in (
        ("from=2026-13-01", "is no day"),
        ("from=2026-09-02&to=2026-09-01", "from an earlier to a later one"),
        ("from=2020-01-01&to=2026-09-01", "31 of them at most"),
        ("to=0001-01-02", "range"),
        ("span=week&sentiment=angry", "sentiment"),
        ("span=week&sure=2", "min_confidence"),
    ):
        page = who.see(f"/conversations?{days}", 400)
        assert said in page.text, page.text
        assert page.all("p", role="alert")
    shutil.copytree(empty_lake, tmp_path / "data")
    with serving(tmp_path) as opened:
        assert "igtool insights ingest FILE.csv" in Visitor(opened).see("/conversations").text


def test_times_are_drawn_without_gaps() -> None:
    """Hours up to two days, then days, with those without any; means of clusters are weighted."""
    row = {"hour": "2026-09-01T05:00:00Z", "sentiments": {"positive": 1, "negative": 2, "neutral": 0}}
    start, end = datetime(2026, 9, 1, 4, 30, tzinfo=UTC), datetime(2026, 9, 1, 6, 30, tzinfo=UTC)
    assert [sum(one.parts.values()) for one in stacks_of([row], start, end)] == [0, 3, 0]
    days = stacks_of([row], start, datetime(2026, 9, 12, tzinfo=UTC))
    assert [one.label for one in days][:2] == ["2026-09-01", "2026-09-02"]
    assert (len(days), sum(bool(one.tick) for one in days)) == (12, 6)
    told = [{"clusters": [{"cluster": "a", "count": 1, "sentiment_score": 1.0}]}]
    told.append({"clusters": [{"cluster": "a", "count": 3, "sentiment_score": -1.0}]})
    assert clusters_of(told) == [{"cluster": "a", "count": 4, "sentiment_score": -0.5}]


def test_refusals_have_the_frame(shared: Serving) -> None:
    """Also one that no route has seen; only who is logged in is offered a way out."""
    who = Visitor(shared)
    page = who.see("/lists/none", 404)
    assert "no list" in page.text
    assert page.all("a", href="/review")
    assert not page.all("form", action="/logout")
    answer = shared.client.get("/lists", headers={**BROWSER, "host": "x.example"})
    assert (answer.status_code, "Host header" in answer.text) == (400, True)
