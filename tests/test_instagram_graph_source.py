"""Instagram's Graph API as a source: requests, pages, usage, and what is refused."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec
import pytest

from igtool.errors import ConfigError
from igtool.http import Response
from igtool.platforms.base import Refused
from igtool.platforms.instagram_graph import InstagramGraph
from igtool.platforms.live import POSTS, PROFILE, Item, Key, Page, Start, Task
from igtool.settings import Settings

TOKEN = "EAAinvented123"
AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def settings(**more: Any) -> Settings:
    """Settings with everything the source needs."""
    return Settings(**{"instagram_graph_token": TOKEN, "instagram_graph_user_id": "17841400000000001", **more})


def fields_of(url: str) -> str:
    """The expression that an address asks for."""
    return parse_qs(urlsplit(url).query, strict_parsing=True)["fields"][0]


def graph_media(number: int, **more: Any) -> dict[str, Any]:
    """A post as the Graph API has it; the permalink's shortcode is that of the id 70 (BG) and so on."""
    return {"id": f"1789{number}", "timestamp": "2026-01-02T03:04:05+0000", **more}


def graph_answer(media: Any = None, **fields: Any) -> bytes:
    """A Business Discovery answer about lola."""
    account = {"id": "17841400000000777", "username": "Lola", "followers_count": 5, **fields}
    if media is not None:
        account["media"] = media
    return json.dumps({"business_discovery": account, "id": "17841400000000001"}).encode()


def ask_graph(body: bytes, kind: str = PROFILE) -> Page:
    """What instagram_graph finds in a body about lola."""
    return InstagramGraph(settings()).page(Task("lola", kind, "lola"), body)


def test_graph_asks_by_field_expansion_with_the_token_in_a_header() -> None:
    """The profile and the posts come by one expression; the token is in no address and no representation."""
    source = InstagramGraph(settings(instagram_graph_url="http://127.0.0.1:1/graph", page_size=9))
    (key,) = source.keys()
    call = source.call([Task("Lola.x", POSTS, "Lola.x", "QVF_x=")], key)
    assert urlsplit(call.url).path == "/graph/17841400000000001"
    fields = fields_of(call.url)
    assert fields.startswith("business_discovery.username(Lola.x){id,username,")
    assert "media.after(QVF_x=).limit(9){id,caption," in fields
    assert call.headers == {"authorization": f"Bearer {TOKEN}"}
    assert TOKEN not in call.url + repr(call) + repr(key) + key.name
    first = InstagramGraph(settings()).call([Task("lola", PROFILE)], key)
    assert ",media.limit(25){id," in fields_of(first.url)


@pytest.mark.parametrize("cursor", ["a){id}", "a,b", "a\n", "x" * 2001, "(", "\u00e9"])
def test_graph_cursors_cannot_change_the_expression(cursor: str) -> None:
    """A cursor that an answer made up does not become part of the expression."""
    with pytest.raises(Refused) as refusal:
        InstagramGraph(settings()).call([Task("lola", POSTS, "lola", cursor)], Key())
    assert refusal.value.reason == "bad-cursor"


@pytest.mark.parametrize(
    ("fields", "names"),
    [
        ({"instagram_graph_token": None}, ["IGTOOL_INSTAGRAM_GRAPH_TOKEN"]),
        ({"instagram_graph_user_id": None}, ["INSTAGRAM_GRAPH_USER_ID"]),
        ({"instagram_graph_token": " "}, ["INSTAGRAM_GRAPH_TOKEN"]),
        ({"instagram_graph_token": f"{TOKEN}\nx"}, ["INSTAGRAM_GRAPH_TOKEN"]),
        ({"instagram_graph_user_id": "me/../1"}, ["INSTAGRAM_GRAPH_USER_ID"]),
        (
            {"instagram_graph_token": None, "instagram_graph_user_id": None},
            ["IGTOOL_INSTAGRAM_GRAPH_TOKEN", "IGTOOL_INSTAGRAM_GRAPH_USER_ID"],
        ),
    ],
)
def test_graph_names_what_is_missing(fields: dict[str, Any], names: list[str]) -> None:
    """Without token or user id, or with one that cannot be, the message names the setting and no secret."""
    with pytest.raises(ConfigError) as error:
        InstagramGraph(settings(**fields)).keys()
    assert all(name in str(error.value) for name in names)
    assert TOKEN not in str(error.value)


def test_graph_profile_brings_posts_and_says_where_they_go_on() -> None:
    """Posts have the id that other sources give them, and further ones start after the cursor."""
    data = [graph_media(1, permalink="https://www.instagram.com/p/BG/"), graph_media(2, permalink="https://x.example/")]
    page = ask_graph(graph_answer({"data": data, "paging": {"cursors": {"after": "Q1"}}}))
    assert page.items == (Item("70", AT), Item("17892", AT))
    assert (page.cursor, page.more) == (None, False)
    assert page.follow == {POSTS: Start("lola", "Q1")}


@pytest.mark.parametrize(
    ("media", "page"),
    [
        ({"data": [], "paging": {"cursors": {"after": "Q2"}}}, Page((), "Q2", True)),
        ({"data": [], "paging": {"cursors": {"before": "Q0"}}}, Page((), None, False)),
        ({"data": []}, Page((), None, False)),
        (None, Page((), None, False)),
        (
            {"data": [], "paging": {"next": "https://graph.example/x?access_token=secret&after=Q3&limit=25"}},
            Page((), None, True, ("Q3",)),
        ),
    ],
    ids=["more", "last", "no-paging", "no-media", "next-only"],
)
def test_graph_pages(media: Any, page: Page) -> None:
    """A page ends the posts when it names no cursor; the address of a next page is only read for its cursor."""
    assert ask_graph(graph_answer(media), POSTS) == page
    start = ask_graph(graph_answer(media)).follow[POSTS]
    assert start == Start("lola", page.cursor or next(iter(page.candidates), None), is_end=not page.more)


def test_graph_keeps_the_posts_that_can_be_read() -> None:
    """One post of another type does not cost the page; when none can be read, it is no page."""
    media = {"data": [{"id": []}, graph_media(2), {"timestamp": "x"}, {"id": "3", "timestamp": "never"}]}
    assert ask_graph(graph_answer(media), POSTS).items == (Item("17892", AT), Item("3"))
    with pytest.raises(msgspec.ValidationError):
        ask_graph(graph_answer({"data": [{"id": []}]}), POSTS)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"{}", "missing-field"),
        (b'{"business_discovery": null}', "missing-field"),
        (graph_answer(id=None), "missing-field"),
        (graph_answer(username=None), "missing-field"),
        (graph_answer(username="other"), "wrong-subject"),
    ],
)
def test_graph_answers_about_another_or_nobody_are_refused(body: bytes, reason: str) -> None:
    """Profile and posts alike must say that they are those of the account asked for."""
    for kind in (PROFILE, POSTS):
        with pytest.raises(Refused) as refusal:
            ask_graph(body, kind)
        assert refusal.value.reason == reason


@pytest.mark.parametrize(
    ("headers", "score"),
    [
        ({}, None),
        ({"x-app-usage": '{"call_count": 28, "total_time": 95, "total_cputime": 3}'}, 0.95),
        ({"x-app-usage": '{"call_count": 250}'}, 1.0),
        ({"x-app-usage": '{"call_count": -5}'}, 0.0),
        ({"x-app-usage": '{"call_count": "many"'}, None),
        ({"x-app-usage": ""}, None),
        ({"x-business-use-case-usage": '{"178": [{"type": "instagram", "call_count": 40, "total_time": 10}]}'}, 0.4),
        ({"x-business-use-case-usage": '{"178": [{"call_count": 4, "estimated_time_to_regain_access": 19}]}'}, 1.0),
        ({"x-app-usage": '{"call_count": 10}', "x-business-use-case-usage": '{"1": [{"call_count": 30}]}'}, 0.3),
        ({"x-app-usage": '{"call_count": 10}', "x-business-use-case-usage": "[1, 2"}, 0.1),
        ({"x-business-use-case-usage": "{}"}, None),
    ],
)
def test_graph_usage(headers: dict[str, str], score: float | None) -> None:
    """The greatest share in either header counts; a header that cannot be read counts for nothing."""
    assert InstagramGraph(settings()).usage_score(headers) == score


def test_graph_judges_as_an_api() -> None:
    """An HTML page says nothing about an account, an unknown user does, and no token is repeated."""
    source = InstagramGraph(settings())
    body = json.dumps({"error": {"message": f"Malformed access token {TOKEN}", "type": "OAuthException", "code": 190}})
    verdict = source.judge(Response(400, {}, body.encode(), "https://graph.example/1", 0.1))
    assert (verdict.outcome, verdict.words) == ("auth", "Malformed access token ***")
    page = source.judge(Response(200, {}, b"<html><title>Portal</title>", "https://graph.example/1", 0.1))
    assert page.outcome == "transient"
    assert source.is_partial
