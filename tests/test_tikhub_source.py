"""The source tikhub: its requests, the shapes that its ``data`` may have, and what its failures mean."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec
import pytest
from conftest import REALDATA, needs_realdata

from igtool.errors import ConfigError, UsageError
from igtool.http import Response
from igtool.platforms.base import Refused
from igtool.platforms.live import POSTS, PROFILE, REELS, Call, Start, Task
from igtool.platforms.tikhub import TikHub
from igtool.settings import load

NAMES = ("TIKHUB_API_TOKEN", "TIKHUB_BASE_URL", "TIKHUB_COST_USD", "PAGE_SIZE")
PROFILE_TASK = Task("someone", PROFILE)
POSTS_TASK = Task("someone", POSTS, "77")


@pytest.fixture(autouse=True)
def _no_keys_of_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(f"IGTOOL_{name}", raising=False)


@pytest.fixture
def source(tmp_path: Path) -> TikHub:
    """The source with a token, asking an invented host."""
    return TikHub(
        load(tmp_path, tikhub_api_token="a-secret", tikhub_base_url="http://hub.test/", tikhub_cost_usd=0.002)
    )


def enveloped(data: Any) -> bytes:
    """``data`` as the service hands it on, written with spaces and line ends."""
    return json.dumps(
        {"code": 200, "request_id": "r", "message": "Request successful.", "router": "/x", "params": {}, "data": data},
        indent=1,
    ).encode()


def web_user(**fields: Any) -> dict[str, Any]:
    """A user in the style of the web."""
    return {"id": "77", "username": "someone", "edge_followed_by": {"count": 9}, "is_private": False, **fields}


def app_user(**fields: Any) -> dict[str, Any]:
    """A user in the style of the app."""
    return {"pk": 77, "username": "someone", "follower_count": 9, "media_count": 3, **fields}


def timeline(*ids: str, more: bool = True, count: int = 40) -> dict[str, Any]:
    """The web's first posts."""
    edges = [{"node": {"id": each, "taken_at_timestamp": 1_700_000_000}} for each in ids]
    return {"count": count, "page_info": {"has_next_page": more, "end_cursor": "QVFE"}, "edges": edges}


def asked(call: Call) -> tuple[str, dict[str, str]]:
    """The path and the query of a request."""
    parts = urlsplit(call.url)
    return parts.path, {name: values[0] for name, values in parse_qs(parts.query, strict_parsing=True).items()}


@pytest.mark.parametrize("token", [None, "", "  ", "two words", "tök"])
def test_no_token_or_no_possible_token_is_a_configuration_error(tmp_path: Path, token: str | None) -> None:
    """The message names the setting and does not repeat the token."""
    with pytest.raises(ConfigError, match="TIKHUB_API_TOKEN") as raised:
        TikHub(load(tmp_path, tikhub_api_token=token)).keys()
    assert not (token or "").strip() or (token or "") not in str(raised.value)


def test_the_token_is_in_a_header_only(source: TikHub) -> None:
    """Bearer authorisation; the address, the key's name and what is printed hold nothing of it."""
    (key,) = source.keys()
    call = source.call([PROFILE_TASK], key)
    assert call.headers["authorization"] == "Bearer a-secret"
    assert "secret" not in call.url + repr(call) + repr(key)
    assert key.name == "b4d87524"  # sha256 of "a-secret"


def test_requests(source: TikHub) -> None:
    """The documented paths and parameters; no cursor on a first page; each costs what the settings say."""
    (key,) = source.keys()
    assert asked(source.call([PROFILE_TASK], key)) == (
        "/api/v1/instagram/v1/fetch_user_info_by_username",
        {"username": "someone"},
    )
    posts = source.call([POSTS_TASK], key)
    assert asked(posts) == ("/api/v1/instagram/v1/fetch_user_posts", {"user_id": "77", "count": "12"})
    reels = source.call([Task("someone", REELS, "77", "QV/F=&x=1")], key)
    assert asked(reels) == (
        "/api/v1/instagram/v1/fetch_user_reels",
        {"user_id": "77", "count": "12", "max_id": "QV/F=&x=1"},
    )
    assert (posts.cost_usd, reels.endpoint) == (0.002, "fetch_user_reels")


def test_page_size(tmp_path: Path) -> None:
    """The user's page size is what is asked for."""
    source = TikHub(load(tmp_path, tikhub_api_token="k", page_size=33))
    assert asked(source.call([POSTS_TASK], source.keys()[0]))[1]["count"] == "33"


@pytest.mark.parametrize("handle", ["../../etc", "a" * 31, "", "sοmeone", "a b", "x\0y", "a/b", "x" * 300])
def test_a_malformed_handle_is_a_usage_error(source: TikHub, handle: str) -> None:
    """The message says what a handle looks like; a look-alike in Greek is none."""
    with pytest.raises(UsageError, match="no Instagram handle"):
        source.call([Task(handle, PROFILE)], source.keys()[0])


@pytest.mark.parametrize(
    ("task", "error"),
    [
        (Task("someone", POSTS), ValueError),
        (Task("someone", POSTS, "77&count=1"), ValueError),
        (Task("someone", REELS, "٧٧"), ValueError),
        (Task("someone", POSTS, "77", "a\r\nb"), Refused),
        (Task("someone", POSTS, "77", "x" * 2001), Refused),
    ],
)
def test_a_foreign_id_or_cursor_is_refused(source: TikHub, task: Task, error: type[Exception]) -> None:
    """What is no user id and no cursor never becomes part of an address."""
    with pytest.raises(error):
        source.call([task], source.keys()[0])


@pytest.mark.parametrize(
    "data",
    [
        web_user(),
        app_user(),
        app_user(pk="77"),
        {"user": web_user()},
        {"user": app_user(), "status": "ok"},
        {"data": {"user": web_user()}, "status": "ok"},
        {"data": app_user(), "attempts": "1"},
    ],
)
def test_a_user_is_found_wherever_it_is(source: TikHub, data: Any) -> None:
    """Both styles, at each depth that is known, lead to posts and reels by user id."""
    page = source.page(PROFILE_TASK, enveloped(data))
    assert page.follow == {POSTS: Start("77"), REELS: Start("77")}
    assert (page.items, page.cursor, page.more, page.is_private) == ((), None, False, False)


def test_posts_that_came_with_the_profile_are_not_asked_again(source: TikHub) -> None:
    """The profile's posts are items, and posts go on from the last of them by the app's kind of cursor."""
    page = source.page(PROFILE_TASK, enveloped(web_user(edge_owner_to_timeline_media=timeline("9", "8"))))
    assert [item.native_id for item in page.items] == ["9", "8"]
    assert page.follow[POSTS] == Start("77", "8_77")
    assert page.follow[REELS] == Start("77")
    ended = source.page(PROFILE_TASK, enveloped(web_user(edge_owner_to_timeline_media=timeline("9", more=False))))
    assert ended.follow[POSTS].is_end


@pytest.mark.parametrize("data", [app_user(media_count=0), web_user(edge_owner_to_timeline_media=timeline(count=0))])
def test_a_user_without_posts_costs_nothing_more(source: TikHub, data: Any) -> None:
    """With a count of 0 both kinds are at their end at once."""
    follow = source.page(PROFILE_TASK, enveloped(data)).follow
    assert follow[POSTS].is_end
    assert follow[REELS].is_end


def test_a_private_user_is_followed_by_nothing(source: TikHub) -> None:
    """Nothing is paid for what cannot be seen."""
    page = source.page(PROFILE_TASK, enveloped({"user": app_user(is_private=True)}))
    assert (page.is_private, page.follow) == (True, {})


def test_posts_as_items(source: TikHub) -> None:
    """Ids without their owner, times, pins, and the cursor that the list names."""
    data = {
        "items": [
            {"pk": 9, "id": "9_77", "taken_at": 1_700_000_000, "timeline_pinned_user_ids": [77]},
            {"id": "8_77", "taken_at": "1700000001", "timeline_pinned_user_ids": []},
            {"injected": {"ad": 1}},
        ],
        "more_available": True,
        "next_max_id": "8_77",
    }
    page = source.page(POSTS_TASK, enveloped(data))
    assert [(item.native_id, item.is_pinned) for item in page.items] == [("9", True), ("8", False)]
    assert page.items[0].published_at is not None
    assert page.items[0].published_at.year == 2023
    assert (page.cursor, page.more) == ("8_77", True)


def test_reels_as_items_with_media(source: TikHub) -> None:
    """What a reel is wrapped in is taken off; paging_info leads on."""
    data = {
        "data": {
            "items": [
                {"media": {"pk": "9", "id": "9_77", "taken_at": 1_700_000_000, "clips_tab_pinned_user_ids": [7]}}
            ],
            "paging_info": {"max_id": "QVFE", "more_available": True},
        }
    }
    page = source.page(Task("someone", REELS, "77"), enveloped(data))
    assert [(item.native_id, item.is_pinned) for item in page.items] == [("9", True)]
    assert (page.cursor, page.more, page.candidates) == ("QVFE", True, ("9_77", "9"))


XDT_POSTS = "xdt_api__v1__feed__user_timeline_graphql_connection"
XDT_REELS = "xdt_api__v1__clips__user__connection_v2"


@pytest.mark.parametrize(
    "data",
    [
        {"user": {"edge_owner_to_timeline_media": timeline("9")}},
        {"data": {"user": {"edge_owner_to_timeline_media": timeline("9")}}},
        {"data": {XDT_POSTS: timeline("9")}},
        {XDT_REELS: timeline("9") | {"edges": [{"node": {"media": {"pk": "9", "taken_at": 1_700_000_000}}}]}},
        timeline("9"),
    ],
)
def test_posts_as_a_connection(source: TikHub, data: Any) -> None:
    """Every connection of edges, at each depth that is known, gives items and its end cursor."""
    page = source.page(POSTS_TASK, enveloped(data))
    assert [item.native_id for item in page.items] == ["9"]
    assert page.items[0].published_at is not None
    assert (page.cursor, page.more) == ("QVFE", True)


def test_a_bare_list_of_posts_is_silent_about_more(source: TikHub) -> None:
    """Only the last item may lead on."""
    page = source.page(POSTS_TASK, enveloped([{"pk": 9, "id": "9_77"}]))
    assert ([item.native_id for item in page.items], page.cursor, page.more) == (["9"], None, None)
    assert page.candidates == ("9_77", "9")


def test_a_cursor_may_stand_around_the_list(source: TikHub) -> None:
    """pagination_token beside the inner data is taken when the list itself names no cursor."""
    page = source.page(POSTS_TASK, enveloped({"data": {"items": [{"id": "9"}]}, "pagination_token": "tok"}))
    assert page.cursor == "tok"


def test_candidates_are_those_present_once_each(source: TikHub) -> None:
    """Each further value that has served as a cursor, in the known order, none twice, none that cannot be one."""
    data = {
        "items": [{"pk": 9, "id": "9_77"}],
        "more_available": True,
        "paging_info": {"max_id": "p"},
        "page_info": {"end_cursor": "e"},
        "end_cursor": "e",
        "pagination_token": "with space",
    }
    page = source.page(POSTS_TASK, enveloped(data))
    assert (page.cursor, page.candidates) == ("p", ("e", "9_77", "9"))
    missing = source.page(POSTS_TASK, enveloped({"items": [{"pk": 9, "id": "9_77"}], "more_available": True}))
    assert (missing.cursor, missing.more, missing.candidates) == (None, True, ("9_77", "9"))


def test_an_empty_last_page(source: TikHub) -> None:
    """No items and no more: nothing is left to try."""
    page = source.page(POSTS_TASK, enveloped({"items": [], "more_available": False, "next_max_id": None}))
    assert (page.items, page.cursor, page.more, page.candidates) == ((), None, False, ())


@pytest.mark.parametrize(
    ("task", "body"),
    [
        (PROFILE_TASK, enveloped(None)),
        (PROFILE_TASK, enveloped({})),
        (PROFILE_TASK, enveloped("user")),
        (PROFILE_TASK, enveloped({"items": []})),
        (PROFILE_TASK, enveloped(web_user(id="77/../x"))),
        (PROFILE_TASK, enveloped(web_user(id=7.5))),
        (PROFILE_TASK, enveloped(web_user(is_private="no"))),
        (POSTS_TASK, enveloped(web_user())),
        (POSTS_TASK, enveloped({})),
        (POSTS_TASK, enveloped({"items": {}})),
        (POSTS_TASK, enveloped({"items": [1]})),
        (POSTS_TASK, b'{"data":'),
        (POSTS_TASK, b"[]"),
        (POSTS_TASK, b"<html>"),
        (POSTS_TASK, enveloped(None)[:-30] + b"[" * 3000),
    ],
)
def test_a_body_without_what_was_asked_is_refused(source: TikHub, task: Task, body: bytes) -> None:
    """Nothing is guessed from a body that holds no user or no list."""
    with pytest.raises((Refused, msgspec.ValidationError)):
        source.page(task, body)


def detail(said: Any) -> bytes:
    """A failure as the service's framework writes it."""
    return json.dumps({"detail": said}).encode()


@pytest.mark.parametrize(
    ("status", "body", "outcome"),
    [
        (200, enveloped(web_user()), "ok"),
        (200, enveloped({"items": []}), "ok"),
        (200, enveloped({"user": None}), "not_found"),
        (200, enveloped({"data": {"user": None}, "status": "ok"}), "not_found"),
        (200, enveloped({"code": 400, "message": "execution error", "data": None}), "invalid"),
        (200, enveloped({"code": 400, "message": "User not found", "data": None}), "not_found"),
        (200, enveloped({"code": 404, "message": "x", "data": None}), "not_found"),
        (400, detail({"code": 400, "message": "User not found or does not exist"}), "not_found"),
        (400, detail("The user doesn't exist"), "not_found"),
        (400, detail({"code": 400, "message": "用户不存在"}), "not_found"),
        (400, detail({"code": 400, "message": "This account is private"}), "private"),
        (400, detail({"code": 400, "message": "Request failed. Please retry."}), "transient"),
        (400, detail({"code": 400, "message": "Insufficient balance"}), "auth"),
        (400, detail({"code": 400, "params": {}}), "invalid"),
        (422, detail([{"loc": ["query", "user_id"], "msg": "Field required"}]), "invalid"),
        (401, detail({"code": 401, "message": "Invalid token"}), "auth"),
        (402, detail({"code": 402, "message": "Payment required"}), "auth"),
        (404, detail("Not Found"), "invalid"),
        (404, detail({"code": 404, "message": "no such user"}), "not_found"),
        (429, detail({"code": 429, "message": "slow down"}), "rate_limited"),
        (400, detail({"code": 400, "message": "Too many requests"}), "rate_limited"),
        (500, detail({"code": 500, "message": "user not found"}), "transient"),
        (502, b"<html>Bad gateway</html>", "transient"),
    ],
)
def test_outcomes(source: TikHub, status: int, body: bytes, outcome: str) -> None:
    """What the service says in its own words becomes one of the known outcomes."""
    assert source.judge(Response(status, {}, body, "", 0)).outcome == outcome


def test_verdicts_tell_a_person_what_to_do(source: TikHub) -> None:
    """A used up balance and a wrong base address are named; long words are cut."""
    spent = source.judge(Response(402, {}, detail({"code": 402, "message": "Payment required"}), "", 0))
    assert "balance" in spent.words
    assert "TIKHUB_BASE_URL" in source.judge(Response(404, {}, detail("Not Found"), "", 0)).words
    long = source.judge(Response(400, {}, detail({"code": 400, "message": "not found " * 100}), "", 0))
    assert (long.outcome, len(long.words) <= 300) == ("not_found", True)


def test_policy() -> None:
    """Ten a second, 600 a minute, without rests between batches."""
    limits = {(limit.requests, limit.window_s) for limit in TikHub.policy.limits}
    assert limits == {(600, 60), (10, 1)}
    assert (TikHub.policy.batch_size, TikHub.kinds[0]) == (0, PROFILE)


def real(name: str) -> bytes:
    """A sample of what the service answers."""
    return (REALDATA / "instagram" / "tikhub" / name).read_bytes()


@needs_realdata
def test_samples(source: TikHub) -> None:
    """A profile, a page of posts and a page of reels are judged ok and lead on as they say."""
    profile = source.page(PROFILE_TASK, real("fetch_user_info_by_username.DERIVED.json"))
    assert profile.follow[POSTS].target == "1518284433"
    posts = source.page(POSTS_TASK, real("fetch_user_posts.DERIVED.json"))
    assert (len(posts.items), posts.cursor, posts.more) == (2, "2307774091974900767_305701719", True)
    reels = source.page(Task("someone", REELS, "77"), real("fetch_user_reels.DERIVED.json"))
    assert (len(reels.items), (reels.cursor or "")[:6], reels.more) == (12, "QVFDcV", True)
    for name in ("fetch_user_info_by_username", "fetch_user_posts", "fetch_user_reels"):
        assert source.judge(Response(200, {}, real(f"{name}.DERIVED.json"), "", 0)).outcome == "ok"
    source.call([Task("someone", REELS, "77", reels.cursor)], source.keys()[0])


@needs_realdata
def test_sample_failures(source: TikHub) -> None:
    """Both forms of a failure that says no more than 400 are invalid."""
    for status, name in ((200, "error_200_inner_400.json"), (400, "error_400_detail.json")):
        assert source.judge(Response(status, {}, real(name), "", 0)).outcome == "invalid"
