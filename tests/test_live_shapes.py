"""What the live sources answer with, made into rows: pages of posts, private lists, envelopes, the Graph API."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import payload_rows
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from igtool.platforms.base import outcome_of
from igtool.platforms.shapes.instagram_rows import media_id

WHEN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
BIG = 2317006284167526179
"""A real size of media id: as a floating-point number it would end in 6000."""


def read(payload: Any, subject: str | None = "lola.invented") -> payload_rows.Read:
    """The rows of a payload, which must fit the schema."""
    return payload_rows.read(json.dumps(payload), subject)


def media(number: int = BIG, **fields: Any) -> dict[str, Any]:
    """A post of the private API."""
    known = {"pk": number, "id": f"{number}_305", "code": "CAnqPB-Jzcj", "media_type": 1, "taken_at": 1590428694}
    return {**known, "user": {"pk": 305, "username": "lola.invented"}, **fields}


def page(*nodes: dict[str, Any], timeline: str = "edge_owner_to_timeline_media", **user: Any) -> dict[str, Any]:
    """A page of posts as the web interface gives it."""
    edges = [{"node": node} for node in nodes]
    return {"data": {"user": {timeline: {"count": 9, "edges": edges, "page_info": {}}, **user}}, "status": "ok"}


def discovery(**fields: Any) -> dict[str, Any]:
    """An answer of Business Discovery."""
    known = {"id": "17841400000000001", "username": "Lola.Invented", "followers_count": 1200, "media_count": 34}
    return {"business_discovery": {**known, **fields}, "id": "17841400000000009"}


def tikhub(data: Any) -> dict[str, Any]:
    """The envelope around ``data``."""
    return {"code": 200, "request_id": "r", "router": "/api", "message": "Request successful.", "data": data}


@pytest.mark.parametrize("timeline", ["edge_owner_to_timeline_media", "edge_felix_video_timeline"])
def test_a_page_of_posts_needs_no_profile(timeline: str) -> None:
    """Posts of a page belong to the owner that each of them names; the page makes no account."""
    nodes = [{"id": str(n), "owner": {"id": "305"}, "edge_liked_by": {"count": n}} for n in (1, 2)]
    parsed = read(page(*nodes, timeline=timeline))
    assert parsed.accounts == parsed.lost == []
    assert [(row["content_id"], row["account_id"], row["like_count"]) for row in parsed.content_items] == [
        ("instagram:1", "instagram:305", 1),
        ("instagram:2", "instagram:305", 2),
    ]


def test_a_post_without_owner_is_lost() -> None:
    """A handle is no owner id: such a post is named in `lost`, and a page of only such is a reject."""
    parsed = read(page({"id": "1"}, {"id": "2", "owner": {"id": "305"}}))
    assert [row["content_id"] for row in parsed.content_items] == ["instagram:2"]
    assert parsed.lost == ["edge_owner_to_timeline_media.edges[0].node.owner.id is missing"]
    refused = read(page({"id": "1"}))
    assert (refused.reason, refused.content_items) == ("missing-field", [])
    assert "edges[0].node.owner.id" in refused.detail
    assert read(page({"id": "1"}, id="305")).content_items[0]["account_id"] == "instagram:305"


@pytest.mark.parametrize(
    "payload",
    [
        page(),
        {"items": [], "more_available": False, "status": "ok"},
        {"items": [], "paging_info": {"more_available": False}},
        {"data": {"xdt_api__v1__feed__user_timeline_graphql_connection": {"edges": [], "page_info": {}}}},
        discovery(media={"data": []}, followers_count=None, media_count=None),
        {"kind": "youtube#playlistItemListResponse", "items": []},
        {"kind": "youtube#searchListResponse", "items": []},
        {"kind": "youtube#searchListResponse", "items": [{"kind": "youtube#searchResult", "id": {"videoId": "v"}}]},
    ],
    ids=["page", "feed", "clips", "connection", "discovery", "playlist", "search", "search with a video"],
)
def test_pages_without_rows_are_no_rejects(payload: dict[str, Any]) -> None:
    """A last, empty page and a page that only names videos are read, and give nothing."""
    parsed = read(payload)
    assert (parsed.outcome, parsed.reason, parsed.accounts, parsed.content_items) == ("ok", None, [], [])


def test_private_feed() -> None:
    """Ids beyond 2**53 stay exact, in numbers and in digits; kinds, plays and views are told apart."""
    parsed = read(
        {
            "items": [
                media(caption={"text": "Hola #sol"}, like_count=5, image_versions2={"candidates": [{"url": "a"}]}),
                media(str(BIG + 1), media_type=2, product_type="clips", play_count=9, view_count=4, video_duration=7.5),
                media(BIG + 2, media_type=2, product_type="feed", ig_play_count=3),
                media(BIG + 3, media_type=8, carousel_media=[{"image_versions2": {"candidates": [{"url": "b"}]}}]),
                media(BIG + 4, media_type=2, clips_metadata={}, caption=None),
            ],
            "more_available": True,
            "next_max_id": "x",
        }
    )
    items = parsed.content_items
    assert [row["content_id"] for row in items] == [f"instagram:{BIG + n}" for n in range(5)]
    assert [row["type"] for row in items] == ["post", "reel", "video", "carousel", "reel"]
    assert {row["account_id"] for row in items} == {"instagram:305"}
    assert (items[0]["hashtags"], items[0]["like_count"], items[0]["media_urls"]) == (["sol"], 5, ["a"])
    assert items[0]["published_at"] == datetime(2020, 5, 25, 17, 44, 54, tzinfo=UTC)
    assert (items[1]["view_count"], items[1]["play_count"], items[1]["duration_s"]) == (4, 9, 7.5)
    assert items[1]["url"] == "https://www.instagram.com/reel/CAnqPB-Jzcj/"
    assert (items[2]["view_count"], items[2]["play_count"]) == (None, 3)
    assert items[3]["media_urls"] == ["b"]
    assert parsed.accounts == []


def test_reels_stand_below_media() -> None:
    """An entry of the list of reels is an object around the post; the same post twice is one row."""
    parsed = read({"items": [{"media": media()}, {"media": media()}], "paging_info": {"more_available": False}})
    assert [row["content_id"] for row in parsed.content_items] == [f"instagram:{BIG}"]


@pytest.mark.parametrize(
    ("fields", "content_id", "account_id"),
    [
        ({"id": f"{BIG}_77"}, f"instagram:{BIG}", "instagram:77"),
        ({"id": None}, f"instagram:{BIG}", "instagram:305"),
        ({"pk": None, "user": None}, f"instagram:{BIG}", "instagram:305"),
        ({"pk": float(BIG)}, f"instagram:{BIG}", "instagram:305"),
        ({"id": str(BIG), "user": {"id": "8"}}, f"instagram:{BIG}", "instagram:8"),
        ({"id": None, "user": None}, f"instagram:{BIG}", "instagram:12"),
    ],
    ids=["co-author's page", "no id", "no pk", "pk as float", "id of another style", "owner of the list"],
)
def test_ids_of_a_private_post(fields: dict[str, Any], content_id: str, account_id: str) -> None:
    """The post is its pk, the owner is what its id ends in, else who is named with it."""
    parsed = read({"items": [media(**fields)], "more_available": False, "user": {"pk": 12, "username": "x"}})
    assert [(row["content_id"], row["account_id"]) for row in parsed.content_items] == [(content_id, account_id)]


def test_unreadable_private_posts_are_named() -> None:
    """A post without an id or of another type is in `lost`, the others stay; with none left it is a reject."""
    bad = [media(caption=7), media(pk=None, id=None), media(id=None, user=None)]
    parsed = read({"items": [*bad, media()], "more_available": False})
    assert len(parsed.content_items) == 1
    assert [text.split(":")[0] for text in parsed.lost] == [
        "wrong-type items[0]",
        "missing-field items[1].pk",
        "missing-field items[2].user.pk",
    ]
    assert read({"items": bad[1:], "more_available": False}).reason == "missing-field"


def test_hidden_likes_are_unknown() -> None:
    """Where the owner hides likes the number that stands in their place is not taken for a count."""
    parsed = read({"items": [media(like_count=3, like_and_view_counts_disabled=True)], "more_available": False})
    assert (parsed.content_items[0]["like_count"], parsed.content_items[0]["flags"]) == (None, ["hidden-likes"])
    assert parsed.metric_snapshots == []


PRIVATE_USER = {
    "pk": BIG,
    "username": "Lola.Invented",
    "full_name": "Lola",
    "biography": "Comparto recetas sanas y fáciles para toda la familia",
    "follower_count": 10,
    "following_count": 20,
    "media_count": 30,
    "account_type": 3,
    "category": "Chef",
    "hd_profile_pic_url_info": {"url": "large"},
    "profile_pic_url": "small",
    "bio_links": [{"url": "https://a.example/"}],
}


@pytest.mark.parametrize(
    "payload",
    [
        {"user": PRIVATE_USER, "status": "ok"},
        {"data": {"user": PRIVATE_USER}},
        tikhub(PRIVATE_USER),
        tikhub({"user": PRIVATE_USER}),
        tikhub({"data": PRIVATE_USER, "status": "ok"}),
        tikhub({"data": {"user": PRIVATE_USER}}),
    ],
)
def test_private_profile(payload: dict[str, Any]) -> None:
    """A profile with flat counts gives the same account wherever it stands."""
    (account,) = read(payload).accounts
    assert account["account_id"] == f"instagram:{BIG}"
    assert (account["handle"], account["language"]) == ("lola.invented", "es")
    assert (account["followers_count"], account["following_count"], account["posts_count"]) == (10, 20, 30)
    assert (account["category"], account["is_business"], account["is_private"]) == ("Chef", True, None)
    assert (account["profile_image_url"], account["links"]) == ("large", ["https://a.example/"])


def test_the_short_form_of_a_user_is_no_profile() -> None:
    """A user without counts, as lists have it, makes no account: its row would hide what is known."""
    short = {"pk": 305, "username": "lola.invented", "is_private": False, "profile_pic_url": "small"}
    assert read({"user": short}).reason == "unknown-shape"
    assert read({"items": [media()], "more_available": False, "user": short}).accounts == []


@pytest.mark.parametrize("node", [media(), {"media": media()}], ids=["post", "reel"])
def test_connections(node: dict[str, Any]) -> None:
    """The newer GraphQL answers hold the same posts, in Instagram's envelope and in that of TikHub."""
    connection = {"edges": [{"node": node, "cursor": "c"}], "page_info": {"end_cursor": "c", "has_next_page": True}}
    for payload in (
        {"data": {"xdt_api__v1__feed__user_timeline_graphql_connection": connection}},
        {"data": {"xdt_api__v1__clips__user__connection_v2": connection, "extra": None}},
        tikhub(connection),
        tikhub({"data": {"xdt_api__v1__feed__user_timeline_graphql_connection": connection}}),
    ):
        assert [row["content_id"] for row in read(payload).content_items] == [f"instagram:{BIG}"]


EDGE_USER = {"id": "305", "username": "lola.invented", "edge_followed_by": {"count": 7}, "biography": "b"}


@pytest.mark.parametrize("data", [EDGE_USER, {"user": EDGE_USER}, {"data": {"user": EDGE_USER}}])
def test_tikhub_profiles(data: dict[str, Any]) -> None:
    """The user of the web interface is found at each depth at which TikHub puts it."""
    (account,) = read(tikhub(data)).accounts
    assert (account["account_id"], account["followers_count"]) == ("instagram:305", 7)


def test_tikhub_lists_and_failures() -> None:
    """Lists and pages are read through the envelope; a missing user and an inner failure are outcomes."""
    for data in ({"items": [media()]}, {"data": {"items": [media()], "count": 1}, "pagination_token": "t"}):
        assert [row["content_id"] for row in read(tikhub(data)).content_items] == [f"instagram:{BIG}"]
    assert len(read(tikhub(page({"id": "1", "owner": {"id": "2"}}))).content_items) == 1
    for data in ({"user": None}, {"data": {"user": None}}):
        assert outcome_of(json.dumps(tikhub(data))) == "not_found"
    assert read(tikhub({"code": 400, "message": "execution error", "data": None})).reason == "error-invalid"
    assert read(tikhub("text")).reason == read(tikhub(None)).reason == "unknown-shape"


def test_business_discovery() -> None:
    """The account is known by its handle; posts have the id that other sources give them."""
    posts = [
        {
            "id": "17900000000000001",
            "permalink": "https://www.instagram.com/p/CAnqPB-Jzcj/",
            "media_type": "CAROUSEL_ALBUM",
            "timestamp": "2020-05-25T17:44:54+0000",
            "caption": "Hola #publi",
            "like_count": 5,
            "comments_count": 2,
            "media_url": "cover",
            "children": {"data": [{"media_url": "cover", "media_type": "IMAGE"}, {"media_url": "b"}]},
        },
        {
            "permalink": "https://www.instagram.com/lola.invented/reel/CPv3UqsBFvg/?igsh=1",
            "media_type": "VIDEO",
            "media_product_type": "REELS",
            "media_url": "film.mp4",
            "thumbnail_url": "still",
            "view_count": 8,
        },
        {"id": "17900000000000003", "media_type": "IMAGE"},
        {"permalink": 5},
    ]
    parsed = read(discovery(name="Lola", website="", follows_count=3, media={"data": posts}))
    (account,) = parsed.accounts
    assert (account["account_id"], account["platform_user_id"]) == ("instagram:@lola.invented", None)
    assert (account["handle"], account["followers_count"], account["following_count"]) == ("lola.invented", 1200, 3)
    assert (account["external_url"], account["is_business"], account["flags"]) == (None, True, [])
    first, second = parsed.content_items
    assert (first["content_id"], first["type"]) == (f"instagram:{BIG}", "carousel")
    assert first["published_at"] == datetime(2020, 5, 25, 17, 44, 54, tzinfo=UTC)
    assert (first["is_sponsored"], first["media_urls"]) == (True, ["cover", "b"])
    assert (second["content_id"], second["type"]) == ("instagram:2589531623544609760", "reel")
    assert (second["media_urls"], second["view_count"]) == (["still"], 8)
    assert {row["account_id"] for row in parsed.content_items} == {"instagram:@lola.invented"}
    assert [text.split(":")[0] for text in parsed.lost] == [
        "missing-field business_discovery.media.data[2].permalink",
        "wrong-type business_discovery.media.data[3]",
    ]


def test_a_further_page_of_business_discovery_has_no_profile() -> None:
    """A page that asks only for posts makes no account; the handle may come from the subject."""
    post = {"permalink": "https://www.instagram.com/tv/CAnqPB-Jzcj/", "media_type": "VIDEO"}
    parsed = read({"business_discovery": {"media": {"data": [post]}}})
    assert parsed.accounts == []
    assert [(row["account_id"], row["type"]) for row in parsed.content_items] == [("instagram:@lola.invented", "video")]
    assert read({"business_discovery": {"id": "1"}}).reason == "missing-field"
    assert read(discovery(username=None), subject=None).reason == "missing-field"


@pytest.mark.parametrize(
    ("shortcode", "number"),
    [
        ("CAnqPB-Jzcj", str(BIG)),
        ("CPv3UqsBFvg", "2589531623544609760"),
        ("CAnqPB-Jzcj" + "x" * 28, str(BIG)),
        ("B", "1"),
        ("_", "63"),
        ("", None),
        ("A", None),
        ("ñ", None),
        ("CA qPB", None),
    ],
)
def test_shortcodes_are_ids(shortcode: str, number: str | None) -> None:
    """A shortcode is the id in base 64; the key behind that of a private post is no part of it."""
    assert media_id(shortcode) == number


KEYS = [
    *("data", "user", "items", "media", "edges", "node", "page_info", "owner", "edge_owner_to_timeline_media"),
    *("pk", "id", "code", "media_type", "taken_at", "caption", "text", "like_count", "image_versions2", "candidates"),
    *("more_available", "follower_count", "username", "permalink", "kind"),
]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=6),
    max_leaves=25,
)


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    payload=JSON,
    wrap=st.sampled_from(
        [
            lambda inner: {"data": inner},
            lambda inner: {"items": inner, "more_available": True},
            lambda inner: {"items": [inner], "user": inner},
            lambda inner: {"data": {"xdt_api__v1__x": inner}},
            lambda inner: {"data": {"xdt_api__v1__x": {"edges": [{"node": inner}], "page_info": {}}}},
            lambda inner: {"business_discovery": inner},
            lambda inner: {"business_discovery": {"media": {"data": [inner]}}},
            lambda inner: page(inner),
            tikhub,
        ]
    ),
)
def test_any_json_is_read_or_refused(payload: Any, wrap: Any) -> None:
    """Whatever stands where these sources put their data is read or refused with a reason; nothing escapes."""
    parsed = read(wrap(payload))
    assert parsed.outcome in {"ok", "not_found"} or parsed.reason
    assert not (parsed.reason and (parsed.accounts or parsed.content_items))
