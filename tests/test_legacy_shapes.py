"""Instagram of 2016 and 2017, and the single views of its web client, made into rows."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from conftest import REALDATA, needs_realdata
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from igtool.platforms.base import Parsed, parse

PAYLOADS = Path(__file__).parent / "payloads" / "instagram" / "legacy"
WHEN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def read(payload: Any, subject: str | None = None) -> Parsed:
    """What a payload gives."""
    return parse(json.dumps(payload), subject=subject, observed_at=WHEN)


def saved(name: str) -> Any:
    """A payload of the folder."""
    return json.loads((PAYLOADS / f"{name}.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("name", "shape", "accounts", "items", "lost"),
    [
        ("user_2017", "instagram/user_2017", 1, 12, 0),
        ("media_2017", "instagram/media_2017", 1, 1, 0),
        ("tag_2017", "instagram/tag_2017", 0, 1, 1),
        ("items_2016", "instagram/items_2016", 0, 1, 0),
        ("items_2016_named", "instagram/items_2016", 1, 2, 2),
        ("hashtag", "instagram/data_view", 0, 3, 0),
        ("media_view", "instagram/graphql_view", 1, 1, 0),
        ("user_by_id", "instagram/data_view", 1, 0, 0),
        ("shared_data", "instagram/shared_data", 1, 0, 0),
    ],
)
def test_each_payload_is_read_by_its_shape(name: str, shape: str, accounts: int, items: int, lost: int) -> None:
    """Every saved payload is recognised by its structure and gives all that is in it."""
    parsed = read(saved(name))
    assert (parsed.shape, parsed.reason) == (shape, None)
    assert (len(parsed.accounts), len(parsed.content_items), len(parsed.lost)) == (accounts, items, lost)


def test_a_profile_of_2017() -> None:
    """Counts stand in objects without the later prefix, and the larger picture is taken."""
    account = read(saved("user_2017")).accounts[0]
    assert (account.account_id, account.handle, account.is_profile) == (
        "instagram:1357246688",
        "cwiskerkeonions",
        True,
    )
    assert (account.followers_count, account.following_count, account.posts_count) == (986, 805, 313)
    assert account.profile_image_url is not None
    assert "/s320x320/" in account.profile_image_url


def test_a_post_of_2017() -> None:
    """The caption is plain text, the time is `date`, the picture is `display_src`."""
    item = read(saved("user_2017")).content_items[0]
    assert (item.content_id, item.account_id) == ("instagram:1648859105325229159", "instagram:1357246688")
    assert item.title_or_caption is not None
    assert item.title_or_caption.startswith("New products; Innovation")
    assert item.published_at == datetime(2017, 11, 15, 20, 55, 44, tzinfo=UTC)
    assert (item.like_count, item.comment_count, item.type) == (85, 3, "post")
    assert item.url == "https://www.instagram.com/p/Bbh7J7JlCRn/"


def test_posts_of_2016() -> None:
    """Times are text, the owner is named once, hidden likes are unknown, the pictures of a carousel are all there."""
    parsed = read(saved("items_2016_named"))
    video, carousel = parsed.content_items
    assert (video.type, video.view_count, video.play_count) == ("video", 812, None)
    assert video.published_at == datetime(2016, 10, 26, 20, 1, 28, tzinfo=UTC)
    assert (carousel.type, carousel.like_count, carousel.flags) == ("carousel", None, ["negative-count"])
    assert carousel.media_urls == ["https://pictures.example/1.jpg", "https://pictures.example/2.jpg"]
    assert carousel.url == "https://www.instagram.com/p/BMCe5ncDxxx/"
    assert [(account.account_id, account.handle, account.is_profile) for account in parsed.accounts] == [
        ("instagram:50955534", "lola.invented", False)
    ]


def test_posts_of_2016_that_cannot_be_read_are_lost() -> None:
    """A post without an owner and one of a wrong type are named with their place."""
    lost = read(saved("items_2016_named")).lost
    assert lost[0] == "missing-field items[2].user.id"
    assert lost[1].startswith("wrong-type items[3]: ")


def test_the_closed_public_api_has_the_same_posts() -> None:
    """A list below `data` is read as the list below `items` is."""
    payload = saved("items_2016_named")
    same = read({"data": payload["items"], "pagination": {}, "meta": {"code": 200}})
    assert same.shape == "instagram/public_api_2016"
    assert same.content_items == read(payload).content_items


def test_a_post_of_a_hashtag_page_belongs_to_its_owner() -> None:
    """Newest and top posts are taken, each once, with the owner that each names."""
    items = read(saved("hashtag")).content_items
    assert [(item.content_id, item.account_id) for item in items] == [
        ("instagram:1", "instagram:11"),
        ("instagram:2", "instagram:11"),
        ("instagram:3", "instagram:22"),
    ]
    tagged = read(saved("tag_2017"))
    assert [item.view_count for item in tagged.content_items] == [77]
    assert tagged.lost == ["missing-field tag.media.nodes[1].owner.id"]


def test_a_hashtag_post_without_owner_is_lost() -> None:
    """It is named with the list that it stands in; a page of only such is a reject."""
    payload = saved("hashtag")
    hashtag = payload["data"]["hashtag"]
    del hashtag["edge_hashtag_to_top_posts"]["edges"][0]["node"]["owner"]
    parsed = read(payload)
    assert len(parsed.content_items) == 2
    assert [lost for lost in parsed.lost if "hashtag.edge_hashtag_to_top_posts.edges[0].node.owner.id" in lost]
    for edge in hashtag["edge_hashtag_to_media"]["edges"]:
        del edge["node"]["owner"]
    assert (read(payload).reason, read(payload).content_items) == ("missing-field", [])


@pytest.mark.parametrize("envelope", ["graphql", "data"])
def test_a_media_view_names_its_owner(envelope: str) -> None:
    """One post and the account that it names, which is no profile, below either envelope."""
    parsed = read({envelope: saved("media_view")["graphql"]})
    account, item = parsed.accounts[0], parsed.content_items[0]
    assert (account.account_id, account.display_name, account.is_profile) == ("instagram:1", "full_name", False)
    assert (item.account_id, item.type, item.view_count) == ("instagram:1", "video", 0)


def test_a_user_looked_up_by_id_is_no_profile() -> None:
    """A name and a picture without counts never replace a profile."""
    account = read(saved("user_by_id")).accounts[0]
    assert (account.account_id, account.handle, account.is_profile) == ("instagram:3", "kevin", False)
    assert account.followers_count is None
    beside = read({"data": {"shortcode_media": {}, "user": {"reel": {"owner": {"id": "3", "username": "lola"}}}}})
    assert (len(beside.accounts), beside.lost) == (1, ["shortcode_media: no id or no shortcode"])
    refused = read({"data": {"viewer": {}, "user": {"reel": {"owner": {"id": "3"}}}}})
    assert refused.reason == "missing-field"


@pytest.mark.parametrize(
    ("name", "wrap"),
    [
        ("user_2017", lambda payload: {"ProfilePage": [{"user": payload["user"]}]}),
        ("media_view", lambda payload: {"PostPage": [payload]}),
        ("tag_2017", lambda payload: {"TagPage": [payload]}),
    ],
)
def test_a_page_holds_any_answer_of_its_time(name: str, wrap: Callable[[Any], Any]) -> None:
    """The data in an HTML page gives what the same answer gives alone."""
    inside, alone = read({"entry_data": wrap(saved(name)), "config": {}}), read(saved(name))
    assert inside.shape == "instagram/shared_data"
    assert (inside.accounts, inside.content_items, inside.lost) == (alone.accounts, alone.content_items, alone.lost)


def test_a_page_of_a_login_holds_nothing() -> None:
    """A page without an answer is no shape at all."""
    assert read({"entry_data": {"LoginAndSignupPage": [{}]}}).reason == "unknown-shape"


def test_the_handle_that_was_asked_for_stands_in() -> None:
    """A profile of 2017 without a name takes the subject, and says so; without an id it is refused."""
    user = {"id": "305", "followed_by": {"count": 1}, "media": {"count": 0, "nodes": []}}
    account = read({"user": user}, subject="Lola.Invented").accounts[0]
    assert (account.handle, account.flags) == ("lola.invented", ["handle-from-subject"])
    assert read({"user": user}).reason == "missing-field"
    assert read({"user": {**user, "id": None, "username": "x"}}).detail == "user.id"


_LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
_JSON = st.recursive(_LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3))
_NAMES = sorted(path.stem for path in PAYLOADS.glob("*.json") if not path.name.endswith(".rows.json"))


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, child in children for place in _places(child, (*path, key)))]


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_any_value_anywhere_gives_rows_or_a_reason(data: st.DataObject) -> None:
    """Whatever stands in a field, no exception escapes, and there are rows with their ids or a reason, never both."""
    payload = saved(data.draw(st.sampled_from([name for name in _NAMES if name != "user_2017"])))
    place = data.draw(st.sampled_from(_places(payload)[1:]))
    target = payload
    for key in place[:-1]:
        target = target[key]
    target[place[-1]] = data.draw(_JSON)
    parsed = read(payload)
    assert parsed.reason is None or not (parsed.accounts or parsed.content_items or parsed.lost)
    ids = [(item.account_id, item.content_id) for item in parsed.content_items]
    assert all(value.startswith("instagram:") and len(value) > 10 for pair in ids for value in pair)
    assert len(set(ids)) == len(ids)


@needs_realdata
@pytest.mark.parametrize(
    ("name", "accounts", "items"),
    [
        ("legacy_2017_a1_user_media_nodes.json", 1, 12),
        ("graphql_timeline_edges_p1.json", None, 12),
        ("graphql_reel_user_id.json", 1, 0),
    ],
)
def test_real_payloads(name: str, accounts: int | None, items: int) -> None:
    """Real answers give all their posts."""
    parsed = parse((REALDATA / "instagram" / name).read_bytes(), observed_at=WHEN)
    assert (parsed.reason, parsed.lost, len(parsed.content_items)) == (None, [], items)
    assert accounts is None or len(parsed.accounts) == accounts
