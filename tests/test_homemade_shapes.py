"""Home-made scrapers, spreadsheets and flattened posts, made into rows."""

from __future__ import annotations

import csv
import json
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from conftest import REALDATA, needs_realdata
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from igtool.platforms.base import Parsed, knows, parse
from igtool.platforms.shapes.homemade_fields import moment
from igtool.platforms.shapes.homemade_names import POST, PROFILE, WHO, fold

PAYLOADS = Path(__file__).parent / "payloads" / "instagram"
WHEN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def read(payload: Any) -> Parsed:
    """What a payload gives."""
    return parse(json.dumps(payload), observed_at=WHEN)


def saved(name: str) -> Parsed:
    """What a saved payload gives."""
    return parse((PAYLOADS / f"{name}.json").read_bytes(), observed_at=WHEN)


def test_an_envelope_with_a_profile_and_its_posts() -> None:
    """Counts, text and posts are taken; a time without zone is UTC and says so; hidden likes are unknown."""
    parsed = saved("homemade/envelope")
    account = parsed.accounts[0]
    assert (account.account_id, account.display_name, account.is_profile) == (
        "instagram:@lola.invented",
        "Lola Invented",
        True,
    )
    assert (account.followers_count, account.following_count, account.posts_count) == (1200, 80, 34)
    first, second = parsed.content_items
    assert (first.content_id, first.flags) == ("instagram:@lola.invented/1742638800", ["no-post-id", "no-time-zone"])
    assert (first.published_at, first.media_urls) == (
        datetime(2025, 3, 22, 10, 20, tzinfo=UTC),
        ["https://pictures.example/1.jpg"],
    )
    assert (second.content_id, second.like_count) == ("instagram:2488190703711902729", None)
    assert second.flags == ["no-time-zone", "negative-count"]
    assert parsed.lost == ["missing-field posts[2].url, .shortcode or .date"]


def test_spanish_names_and_numbers() -> None:
    """A profile and its posts in Spanish: names with accents and spaces, numbers, yes and no, days before months."""
    parsed = saved("homemade/spanish")
    account = parsed.accounts[0]
    assert (account.handle, account.followers_count, account.following_count) == ("lola.inventada", 12300, 1234)
    assert (account.posts_count, account.category, account.country) == (56, "Restaurante", "ES")
    assert (account.is_verified, account.is_private) == (True, False)
    assert (account.emails, account.external_url) == (["lola@invented.example"], "https://lola.example")
    reel, carousel = parsed.content_items
    assert (reel.type, reel.view_count, reel.play_count, reel.duration_s) == ("reel", 4321, 12345, 31.0)
    assert reel.url == "https://www.instagram.com/reel/CKH1EMULVwJ/"
    assert reel.published_at == datetime(2025, 4, 3, 10, 20, tzinfo=UTC)
    assert (carousel.type, carousel.like_count, carousel.title_or_caption) == ("carousel", 7, "carrusel")
    assert (carousel.published_at, carousel.flags) == (datetime(2025, 4, 2, 6, tzinfo=UTC), [])
    assert len(carousel.media_urls or ()) == 2


def test_the_platform_of_an_address() -> None:
    """The address of a channel makes it YouTube's: videos and shorts with their own ids."""
    parsed = saved("homemade/youtube_profile")
    assert (parsed.accounts[0].account_id, parsed.accounts[0].followers_count) == ("youtube:@lolainvented", 1_200_000)
    assert [(item.content_id, item.type, item.view_count) for item in parsed.content_items] == [
        ("youtube:abcdefghijk", "video", 451_000),
        ("youtube:abcdefghij2", "short", 1234),
    ]
    assert parsed.content_items[0].duration_s == 63.0


def test_a_record_with_a_post_and_its_owner() -> None:
    """A row of a table with the address of a post is that post; its owner is no profile."""
    parsed = saved("homemade/post_record")
    account, item = parsed.accounts[0], parsed.content_items[0]
    assert (account.handle, account.is_profile, account.followers_count) == ("lola.invented", False, 12300)
    assert (item.content_id, item.type, item.is_declared) == ("instagram:2488190703711902729", "reel", True)
    assert (item.like_count, item.comment_count, item.play_count, item.view_count) == (1234, None, 45_000, 0)


@pytest.mark.parametrize(
    ("words", "outcome"),
    [
        ("Profile lola.invented does not exist.", "not_found"),
        ("El perfil no existe", "not_found"),
        ("401 Unauthorized: Please wait a few minutes before you try again.", "rate_limited"),
        ("Perfil privado", "private"),
        ("Login required", "auth"),
        ("Connection timed out", "transient"),
        ("boom", "invalid"),
        (None, "invalid"),
    ],
)
def test_an_entry_that_failed_is_an_outcome(words: str | None, outcome: str) -> None:
    """What a scraper could not collect gives no rows; its words say why."""
    parsed = read({"status": "error", "data": None, "error": words})
    assert (parsed.outcome, parsed.accounts) == (outcome, [])
    assert parsed.reason == (None if outcome == "not_found" else f"error-{outcome}")


@pytest.mark.parametrize(
    "payload",
    [
        {"username": "lola.invented", "full_name": "Lola"},
        {"followers": 5, "bio": "who?"},
        {"name": "Lola", "followers": 5},
        {"username": "not a handle", "followers": 5},
        {"username": "lola", "followers": 5, "platform": "TikTok"},
        {"username": "lola", "followers": 5, "profile_url": "https://www.tiktok.com/@lola"},
        {"username": "lola", "id": "1234567890123456789", "text": "a text with likes", "likes": 4},
        {"user": [1, 2], "followers": 3},
        {},
    ],
)
def test_not_just_anything_is_a_profile(payload: dict[str, Any]) -> None:
    """Without a handle of a known platform, and a count or a text, there are no rows."""
    parsed = read(payload)
    assert (parsed.reason, parsed.accounts, parsed.content_items) == ("unknown-shape", [], [])


@pytest.mark.parametrize(
    ("fields", "account_id"),
    [
        ({"id": 7}, "instagram:@lola"),
        ({"id": "1357246688"}, "instagram:1357246688"),
        ({"id": "17841400000000001"}, "instagram:@lola"),
        ({"user_id": 50955534}, "instagram:50955534"),
        ({"channel_id": "UC" + "a" * 22, "platform": "youtube"}, "youtube:UC" + "a" * 22),
        ({"website": "https://www.youtube.com/@lola"}, "instagram:@lola"),
        ({"url": "https://www.youtube.com/@lola"}, "youtube:@lola"),
        ({"url": "https://www.youtube.com/@another"}, "instagram:@lola"),
    ],
)
def test_ids_are_taken_only_where_they_are_sure(fields: dict[str, Any], account_id: str) -> None:
    """The number of a row and the Graph API's ids are no ids of accounts; a website says nothing of the platform."""
    assert read({"username": "lola", "followers": 3, **fields}).accounts[0].account_id == account_id


def test_a_profile_beside_its_posts() -> None:
    """The profile below one key and the list of posts beside it belong together."""
    beside = [{"shortcode": "CKH1EMULVwJ", "likes": 2}]
    parsed = read({"user": {"username": "lola", "followers": 3, "posts": 34}, "posts": beside})
    assert parsed.accounts[0].posts_count == 34
    assert [(item.account_id, item.like_count) for item in parsed.content_items] == [("instagram:@lola", 2)]


def test_all_lists_of_posts_are_taken() -> None:
    """Posts and reels in lists of their own are all there, each once."""
    posts, reels = [{"shortcode": "CKH1EMULVwJ"}], [{"shortcode": "CKH1EMULVwJ"}, {"shortcode": "CAnqPB-Jzcj"}, {}]
    parsed = read({"username": "lola", "followers": 3, "posts": posts, "reels": reels})
    assert len(parsed.content_items) == 2
    assert parsed.lost == ["missing-field reels[2].url, .shortcode or .date"]


def test_posts_without_a_profile() -> None:
    """A handle with posts alone gives the posts; their account is no profile."""
    parsed = read({"username": "lola", "posts": [{"shortcode": "CKH1EMULVwJ", "likes": 2}]})
    assert ([account.is_profile for account in parsed.accounts], len(parsed.content_items)) == ([False], 1)


@pytest.mark.parametrize(
    ("text", "day_first", "expected"),
    [
        ("22/03/2025", None, datetime(2025, 3, 22, tzinfo=UTC)),
        ("03/22/2025 9:05", None, datetime(2025, 3, 22, 9, 5, tzinfo=UTC)),
        ("03/04/2025", True, datetime(2025, 4, 3, tzinfo=UTC)),
        ("03/04/2025", False, datetime(2025, 3, 4, tzinfo=UTC)),
        ("03/04/2025", None, None),
        ("31/02/2025", None, None),
    ],
)
def test_days_and_months(text: str, day_first: bool | None, expected: datetime | None) -> None:
    """The order is told by a number over 12 or by the language of the name; else the time is unknown."""
    flags: list[str] = []
    assert moment(text, flags, day_first=day_first) == expected
    assert flags == (["bad-time"] if expected is None else ["no-time-zone"])


def test_names_are_folded() -> None:
    """Case, accents, spaces, underscores and signs make no difference, and no name is listed that is not folded."""
    spellings = ("followersCount", "Followers Count", "followers_count", "#Followers-Count")
    assert {fold(name) for name in spellings} == {"followerscount"}
    assert fold("Biografía") == "biografia"
    listed = [name for table in (WHO, PROFILE, POST) for names in table.values() for name in names]
    assert [name for name in listed if fold(name) != name] == []


def test_a_name_is_of_one_column() -> None:
    """Within a profile and within a post no name could be two things but those that may be."""
    for table, shared in ((PROFILE, {"posts", "publicaciones"}), (POST, {"url"})):
        counted = Counter(name for names in table.values() for name in names)
        assert {name for name, count in counted.items() if count > 1} == shared


def test_flattened_posts() -> None:
    """Text cells become numbers, times and types; the owner is known by name; blank cells are unknown."""
    photo, video = saved("flat/photo"), saved("flat/video")
    assert (photo.shape, video.shape) == ("instagram/posts_table", "instagram/posts_table")
    assert (photo.accounts[0].account_id, photo.accounts[0].is_profile) == ("instagram:@joebiden", False)
    item = photo.content_items[0]
    assert (item.content_id, item.like_count, item.comment_count) == ("instagram:2488190703711902729", 671424, 14471)
    assert (item.type, item.published_at) == ("post", datetime(2021, 1, 16, 22, 17, 47, tzinfo=UTC))
    assert (video.content_items[0].type, video.content_items[0].view_count) == ("video", 1243514)


def test_blank_and_odd_cells_of_a_flattened_post() -> None:
    """The id comes from the shortcode, -1 likes and words are unknown, and a record without an owner is refused."""
    item = saved("flat/blank_cells").content_items[0]
    assert item.content_id == "instagram:2317006284167526179"
    assert (item.like_count, item.comment_count, item.published_at, item.view_count) == (None, None, None, None)
    assert sorted(item.flags) == ["bad-count", "negative-count"]
    cells = json.loads((PAYLOADS / "flat" / "blank_cells.json").read_text(encoding="utf-8"))
    assert read({**cells, "username": ""}).detail == "username"
    assert read({**cells, "shortcode": ""}).detail == "id"


@pytest.mark.parametrize(
    ("columns", "known"),
    [
        (["Usuario", "Seguidores", "Biografía"], True),
        (["username", "post_url", "likes"], True),
        (["cuenta", "enlace", "me gusta"], True),
        (["username", "url"], False),
        (["shortcode", "owner_username"], True),
        (["profile_url", "followers"], True),
        (["username", "full_name"], False),
        (["tweet_id", "name", "text"], False),
    ],
)
def test_tables_are_known_by_their_columns(columns: list[str], known: bool) -> None:
    """A table is read when it names accounts or posts by some of the names."""
    assert knows(columns) is known


_KEYS = st.sampled_from([name for table in (WHO, PROFILE, POST) for names in table.values() for name in names])
_LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(10**30, 10**31)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
    | st.sampled_from(["lola", "12,3 mil", "https://www.instagram.com/p/CKH1EMULVwJ/", "03/04/2025", "n/a", "1e400"])
)
_OBJECTS = st.recursive(
    st.dictionaries(_KEYS, _LEAVES, max_size=8),
    lambda inner: st.dictionaries(_KEYS, _LEAVES | inner | st.lists(inner, max_size=3), max_size=8),
    max_leaves=6,
)


@settings(max_examples=250, deadline=None, suppress_health_check=list(HealthCheck))
@given(payload=_OBJECTS, posts=st.lists(st.tuples(_OBJECTS, st.booleans()), max_size=4))
def test_any_values_under_known_names(payload: dict[str, Any], posts: list[tuple[dict[str, Any], bool]]) -> None:
    """No exception escapes, types and counts are sound, and every post of a list is a row or is lost."""
    payload = {key: value for key, value in payload.items() if key not in {*WHO["platform"], *PROFILE["posts"]}}
    listed = [
        {**post, "posturl": f"https://www.instagram.com/p/CKH1EMUL{place}wJ/"} if has_id else {"likes": 3}
        for place, (post, has_id) in enumerate(posts)
    ]
    parsed = read({**payload, "username": "lola", "followers": 3, "posts": listed})
    assert parsed.reason is None or not parsed.content_items
    assert {item.type for item in parsed.content_items} <= {"post", "carousel", "reel", "video", "short"}
    counts = [item.like_count for item in parsed.content_items] + [account.posts_count for account in parsed.accounts]
    assert all(count is None or 0 <= count < 2**63 for count in counts)
    if parsed.shape == "homemade/profile" and parsed.accounts[0].platform == "instagram":
        found = len(parsed.content_items)
        assert (found, len(parsed.lost)) == (sum(has_id for _, has_id in posts), len(posts) - found)


@needs_realdata
def test_real_home_made_profiles() -> None:
    """Twelve profiles with ten posts each, all with their counts and times, none lost."""
    entries = json.loads((REALDATA / "instagram" / "custom_scraper__bcn_restaurants.json").read_text(encoding="utf-8"))
    parsed = [read(entry) for entry in entries]
    assert [(len(p.accounts), len(p.content_items), p.lost) for p in parsed] == [(1, 10, [])] * 12
    items = [item for p in parsed for item in p.content_items]
    assert len({item.content_id for item in items}) == 120
    assert all(item.published_at and item.comment_count is not None for item in items)
    hidden = sum(post["likes"] == -1 for entry in entries for post in entry["data"]["posts"])
    assert sum(item.like_count is None for item in items) == hidden > 0


@needs_realdata
def test_real_flattened_posts() -> None:
    """Every record of a real table is one post of its owner; only what has a film has views."""
    path = REALDATA / "instagram" / "graphql_posts_flat__joebiden.csv"
    with path.open(encoding="utf-8-sig", newline="") as file:
        records = list(csv.DictReader(file))
    assert knows(list(records[0]))
    items = [item for record in records for item in read(record).content_items]
    assert len({item.content_id for item in items}) == len(records) == 400
    assert not [flag for item in items for flag in item.flags]
    assert Counter(item.type for item in items if item.view_count is not None) == {"video": 146, "carousel": 2}
    assert {item.type for item in items if item.view_count is None} == {"post"}
