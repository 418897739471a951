"""Instagram as its web pages ask for it: requests, pages, and what is refused."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec
import pytest
from conftest import REALDATA, needs_realdata

from igtool.http import Response
from igtool.platforms.base import Refused
from igtool.platforms.instagram_graph import InstagramGraph
from igtool.platforms.instagram_web import InstagramWeb
from igtool.platforms.live import POSTS, PROFILE, Item, Key, Page, Start, Task
from igtool.settings import Settings

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
SECONDS = int(AT.timestamp())


def settings(**more: Any) -> Settings:
    """Settings with what both of Instagram's own sources need."""
    return Settings(
        **{"instagram_graph_token": "EAAinvented123", "instagram_graph_user_id": "17841400000000001", **more}
    )


def web_task(kind: str = PROFILE, cursor: str | None = None) -> Task:
    """A task about the account lola."""
    return Task("lola", kind, None if kind == PROFILE else "7", cursor)


def node(number: int, **more: Any) -> dict[str, Any]:
    """A post as the web has it."""
    return {"node": {"id": str(number), "taken_at_timestamp": SECONDS, "owner": {"id": "7"}, **more}}


def timeline(*edges: Any, more: bool | None = True, cursor: str | None = "next") -> dict[str, Any]:
    """A connection of posts."""
    return {"count": 99, "page_info": {"has_next_page": more, "end_cursor": cursor}, "edges": list(edges)}


def web_profile(**fields: Any) -> bytes:
    """A ``web_profile_info`` answer about lola."""
    user = {"id": "7", "username": "Lola", "edge_owner_to_timeline_media": timeline(node(1)), **fields}
    return json.dumps({"data": {"user": user}, "status": "ok"}).encode()


def web_posts(**fields: Any) -> bytes:
    """A page of posts as the GraphQL query answers."""
    return json.dumps({"data": {"user": {"edge_owner_to_timeline_media": timeline(**fields)}}}).encode()


def ask_web(task: Task, body: bytes) -> Page:
    """What instagram_web finds in a body."""
    return InstagramWeb(settings()).page(task, body)


def query(url: str) -> dict[str, str]:
    """The query of an address, each name once."""
    return {name: value for name, (value,) in parse_qs(urlsplit(url).query, strict_parsing=True).items()}


def test_web_asks_for_the_profile_as_the_pages_of_instagram_do() -> None:
    """The request has the app's id and the handle, and nothing that looks like a browser or a login."""
    call = InstagramWeb(settings(instagram_web_url="http://127.0.0.1:1/web/")).call([web_task()], Key())
    assert call.url == "http://127.0.0.1:1/web/api/v1/users/web_profile_info/?username=lola"
    assert call.headers == {"x-ig-app-id": "936619743392459"}
    assert (call.endpoint, call.units, call.cost_usd) == ("web_profile_info", 1, 0.0)


def test_web_asks_for_posts_by_user_id_and_cursor() -> None:
    """The query of the timeline names the user, the size of a page, and the cursor once there is one."""
    source = InstagramWeb(settings(page_size=30))
    url = source.call([web_task(POSTS, 'Q"{&=')], Key()).url
    assert urlsplit(url).path == "/graphql/query/"
    assert json.loads(query(url)["variables"]) == {"id": "7", "first": 30, "after": 'Q"{&='}
    first = InstagramWeb(settings()).call([web_task(POSTS)], Key()).url
    assert json.loads(query(first)["variables"]) == {"id": "7", "first": 12}
    with pytest.raises(Refused) as refusal:
        source.call([Task("lola", POSTS)], Key())
    assert refusal.value.reason == "missing-target"


def test_web_profile_brings_posts_and_says_where_they_go_on() -> None:
    """A profile's posts are items, pinned ones marked, and further posts start at its cursor by its user id."""
    edges = timeline(node(1, pinned_for_users=[{"id": "7"}]), node(2, pinned_for_users=[]))
    page = ask_web(web_task(), web_profile(edge_owner_to_timeline_media=edges))
    assert page.items == (Item("1", AT, is_pinned=True), Item("2", AT))
    assert (page.cursor, page.more, page.is_private) == (None, False, False)
    assert page.follow == {POSTS: Start("7", "next")}


@pytest.mark.parametrize(
    ("fields", "start", "is_private"),
    [
        ({"edge_owner_to_timeline_media": timeline(more=False, cursor=None)}, Start("7", None, is_end=True), False),
        ({"edge_owner_to_timeline_media": timeline(cursor=None)}, Start("7"), False),
        ({"edge_owner_to_timeline_media": timeline(cursor="")}, Start("7"), False),
        ({"edge_owner_to_timeline_media": None}, Start("7"), False),
        ({"edge_owner_to_timeline_media": timeline(), "is_private": True}, Start("7", "next", is_end=True), True),
    ],
)
def test_web_profile_with_nothing_to_follow(fields: dict[str, Any], start: Start, is_private: bool) -> None:
    """The end of the posts, a missing cursor and a private account are told apart."""
    page = ask_web(web_task(), web_profile(**fields))
    assert (page.follow, page.is_private) == ({POSTS: start}, is_private)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"username": "someone_else"}, "wrong-subject"),
        ({"username": None}, "missing-field"),
        ({"username": ""}, "missing-field"),
        ({"id": None}, "missing-field"),
        ({"id": " "}, "missing-field"),
    ],
)
def test_web_profile_of_another_or_of_nobody_is_refused(fields: dict[str, Any], reason: str) -> None:
    """The user that answers must have an id and the name that was asked for, in whatever case."""
    with pytest.raises(Refused) as refusal:
        ask_web(web_task(), web_profile(**fields))
    assert refusal.value.reason == reason


@pytest.mark.parametrize(
    "fields",
    [
        {"id": ["7"]},
        {"id": 7.5},
        {"username": 7},
        {"edge_owner_to_timeline_media": []},
        {"edge_owner_to_timeline_media": {"edges": {}}},
        {"edge_owner_to_timeline_media": timeline({"node": {"id": []}}, {"node": "x"}, {"node": None})},
    ],
)
def test_web_wrong_types_are_validation_errors(fields: dict[str, Any]) -> None:
    """A field of another type is no page; nor is one on which no post can be read."""
    with pytest.raises(msgspec.ValidationError):
        ask_web(web_task(), web_profile(**fields))


def test_web_keeps_the_posts_that_can_be_read() -> None:
    """One post of another shape does not cost the page; edges that are null are none."""
    edges = timeline({"node": {"id": []}}, node(2), {}, {"node": {"id": None}}, node(3, taken_at_timestamp=None))
    assert ask_web(web_task(), web_profile(edge_owner_to_timeline_media=edges)).items == (Item("2", AT), Item("3"))
    page = ask_web(web_task(), web_profile(edge_owner_to_timeline_media={"edges": None}))
    assert page.items == ()


@pytest.mark.parametrize(
    ("body", "page"),
    [
        ({"data": {"user": {"edge_owner_to_timeline_media": timeline(node(5))}}}, Page((Item("5", AT),), "next", True)),
        ({"graphql": {"user": {"edge_owner_to_timeline_media": timeline(more=False)}}}, Page((), None, False)),
        (
            {
                "data": {
                    "xdt_api__v1__feed__user_timeline_graphql_connection": timeline(
                        {"node": {"pk": "5", "id": "5_7", "taken_at": SECONDS, "timeline_pinned_user_ids": [7]}}
                    )
                }
            },
            Page((Item("5", AT, is_pinned=True),), "next", True),
        ),
        (
            {"items": [{"pk": 2**60, "taken_at": SECONDS}], "more_available": True, "next_max_id": 2**61},
            Page((Item(str(2**60), AT),), str(2**61), True),
        ),
        ({"items": [], "more_available": False, "next_max_id": "x"}, Page((), None, False)),
        (
            {"items": [{"id": "5_7"}], "paging_info": {"more_available": True, "max_id": "m"}},
            Page((Item("5"),), "m", True),
        ),
        ({"items": [], "next_max_id": "x"}, Page((), "x", None)),
    ],
    ids=["graphql", "older", "xdt", "feed", "feed-end", "paging-info", "silent"],
)
def test_web_pages_of_every_shape(body: Any, page: Page) -> None:
    """The web's query, its successor and the app's feed give the same kind of page."""
    assert ask_web(web_task(POSTS, "here"), json.dumps(body).encode()) == page


@pytest.mark.parametrize(
    ("body", "candidates"),
    [
        ({"data": {"user": {"edge_owner_to_timeline_media": timeline(node(5), cursor=None)}}}, ("5", "5_7")),
        (
            {
                "items": [{"pk": 4}, {"id": "5_8", "pk": 5, "user": {"pk": 8}}],
                "more_available": True,
                "next_max_id": "",
                "next_cursor": "c",
            },
            ("c", "5_8", "5"),
        ),
        ({"items": [{"pk": "5"}], "more_available": True, "next_cursor": "here"}, ("5", "5_7")),
        ({"items": [], "more_available": True}, ()),
        ({"items": [{"pk": "5"}], "more_available": False}, ()),
    ],
)
def test_web_guesses_a_missing_cursor(body: Any, candidates: tuple[str, ...]) -> None:
    """Where more is promised without a cursor, what has served as one is named once, but not where we are."""
    page = ask_web(web_task(POSTS, "here"), json.dumps(body).encode())
    assert (page.cursor, page.candidates) == (None, candidates)


@pytest.mark.parametrize("body", [b"{}", b'{"data": {"user": null}}', b'{"data": {"user": {"id": "7"}}}', b'{"x": 1}'])
def test_web_answers_without_posts_are_refused(body: bytes) -> None:
    """An answer without a list of posts is no last page."""
    with pytest.raises(Refused) as refusal:
        ask_web(web_task(POSTS), body)
    assert refusal.value.reason == "missing-field"


def test_web_posts_of_another_user_are_refused() -> None:
    """A feed that names another user is not taken."""
    with pytest.raises(Refused, match="asked for lola"):
        ask_web(web_task(POSTS), b'{"items": [], "user": {"pk": 9, "username": "other"}}')


@pytest.mark.parametrize(
    ("path", "status", "outcome"),
    [
        ("/accounts/login/?next=/lola/", 200, "auth"),
        ("/challenge/1/x/", 200, "blocked"),
        ("/accounts/suspended/", 200, "blocked"),
        ("/accounts/login/", 429, "rate_limited"),
        ("/lola/", 200, "not_found"),
    ],
)
def test_web_redirects_tell(path: str, status: int, outcome: str) -> None:
    """Where a redirect led tells a login or challenge, whatever stands on the page there."""
    answer = Response(status, {}, b"<html></html>", f"https://www.instagram.com{path}", 0.1)
    verdict = InstagramWeb(settings()).judge(answer)
    assert verdict.outcome == outcome
    assert verdict.words


@pytest.mark.parametrize("handle", ["a){id}", "a,b", "lola}", "", "x" * 31, "l\u043ela", "a/b", "a\n", "a b", "../me"])
def test_handles_cannot_change_the_expression(handle: str) -> None:
    """What Instagram does not allow in a handle never reaches an address, of either source."""
    for source in (InstagramGraph(settings()), InstagramWeb(settings())):
        with pytest.raises(Refused) as refusal:
            source.call([Task(handle, PROFILE)], Key())
        assert refusal.value.reason == "bad-handle"


@needs_realdata
def test_real_profile_and_pages() -> None:
    """Real answers of three shapes give the user's id, 12 posts a page, exact cursors and the end."""
    instagram = REALDATA / "instagram"
    profile = ask_web(Task("RobertDowneyJr", PROFILE), (instagram / "web_profile_info__rdj.json").read_bytes())
    assert profile.follow[POSTS].target == "1518284433"
    assert (profile.follow[POSTS].cursor or "").startswith("QVFCdm9FT3NEbDA5")
    pages = [
        ask_web(Task("google", POSTS, "1067259270"), (instagram / name).read_bytes())
        for name in (
            "graphql_timeline_edges_p1.json",
            "xdt_graphql_connection_p1__google.DERIVED.json",
            "xdt_graphql_connection_p2__google.DERIVED.json",
        )
    ]
    assert [len(page.items) for page in pages] == [12, 12, 12]
    assert [page.more for page in pages] == [True, True, False]
    assert [page.cursor for page in pages[1:]] == ["3912975994614056243_1067259270", None]
    assert pages[1].items[0].native_id == "3917257803106639585"
    assert len({item.native_id for page in pages for item in page.items}) == 36
    assert all(item.published_at is not None for page in pages for item in page.items)
