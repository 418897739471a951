"""Payloads made into rows: every shape, every refusal, real payloads where they are at hand."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from conftest import NOW, REALDATA, needs_realdata
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from payload_rows import golden, read

from igtool import language
from igtool.platforms import values
from igtool.platforms.base import outcome_of, parse
from igtool.platforms.files import Document, Unreadable, read_documents
from igtool.platforms.rows import tables

PAYLOADS = Path(__file__).parent / "payloads"
WHEN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
FILES = sorted(path for path in PAYLOADS.rglob("*.json") if not path.name.endswith(".rows.json"))


def user(**fields: Any) -> bytes:
    """A web_profile_info answer with those fields."""
    known = {"id": "1", "username": "someone", "edge_followed_by": {"count": 1}}
    return json.dumps({"data": {"user": {**known, **fields}}}).encode()


def captioned(caption: str) -> bytes:
    """A profile with the text as bio and as the caption of its only post."""
    node = {"id": "5", "edge_media_to_caption": {"edges": [{"node": {"text": caption}}]}}
    return user(biography=caption, edge_owner_to_timeline_media={"count": 1, "edges": [{"node": node}]})


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(PAYLOADS).as_posix())
def test_payload_gives_its_golden_rows(path: Path) -> None:
    """Every payload in tests/payloads gives exactly the rows, or the reason, that was reviewed."""
    found = golden(read(path.read_bytes()))
    reviewed = path.with_suffix(".rows.json")
    if os.environ.get("IGTOOL_REFRESH_GOLDEN"):
        reviewed.write_text(found, encoding="utf-8")
    assert found == reviewed.read_text(encoding="utf-8")


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(PAYLOADS).as_posix())
def test_rows_fit_the_schema(path: Path) -> None:
    """Every row has only columns of its table and its key; an outcome agrees with that of the raw row."""
    parsed = read(path.read_bytes())
    if parsed.outcome != "invalid":
        assert outcome_of(path.read_bytes()) == parsed.outcome


def test_same_body_same_rows() -> None:
    """Parsing is a pure function: twice the same bytes, as bytes or as text, give equal rows."""
    body = (PAYLOADS / "instagram/web_profile_info/with_posts.json").read_bytes()
    assert read(body) == read(body) == read(body.decode())


def test_profile_columns() -> None:
    """The columns of a profile come from the documented fields in the documented order."""
    account = read((PAYLOADS / "instagram/web_profile_info/with_posts.json").read_bytes()).accounts[0]
    assert account["account_id"] == "instagram:70000000001"
    assert account["handle"] == "lola.invented"
    assert account["category"] == "Food & Beverage"
    assert account["profile_image_url"] == "https://pictures.example/large.jpg"
    assert account["links"] == ["https://book.example/"]
    assert (account["country"], account["country_source"]) == ("ES", "business_address")
    assert (account["is_business"], account["language"]) == (True, "es")


def test_post_columns() -> None:
    """Types, owners, tags, views and plays of posts are told apart, and no post is there twice."""
    items = read((PAYLOADS / "instagram/web_profile_info/with_posts.json").read_bytes()).content_items
    assert [item["type"] for item in items] == ["post", "reel", "carousel", "video", "post", "video"]
    assert items[0]["hashtags"] == ["cocina", "sana"]
    assert items[0]["mentions"] == ["chef_mar", "otra.cuenta"]
    assert (items[1]["view_count"], items[1]["play_count"]) == (5000, 9000)
    assert [item["is_sponsored"] for item in items] == [False, True, True, False, None, None]
    assert items[2]["media_urls"] == ["https://pictures.example/3.jpg", "https://pictures.example/3b.jpg"]
    assert (items[4]["account_id"], items[4]["like_count"]) == ("instagram:70000000002", None)
    assert items[4]["flags"] == ["negative-count"]


def test_unreadable_posts_are_named_and_the_others_kept() -> None:
    """A post without id or of another type is in `lost`; the profile and the other posts stay."""
    parsed = read((PAYLOADS / "instagram/web_profile_info/odd_values.json").read_bytes())
    assert len(parsed.accounts) == 1
    assert len(parsed.content_items) == 2
    assert len(parsed.lost) == 2
    assert parsed.accounts[0]["flags"] == ["bad-count", "negative-count"]
    assert "\0" in parsed.accounts[0]["bio"]
    assert parsed.content_items[1]["comment_count"] == 1234


@pytest.mark.parametrize(
    ("body", "reason", "detail"),
    [
        (b'{"data":{"user":{"username":"x","edge_followed_by":{}}}}', "missing-field", "data.user.id"),
        (b'{"graphql":{"user":{"id":"1","edge_followed_by":{}}}}', "missing-field", "graphql.user.username"),
        (b'{"data":{"user":{"id":"1","username":"x","biography":3}}}', "wrong-type", "user.biography"),
        (b'{"data":{"user":true}}', "unknown-shape", "data {user}"),
        (b'{"data":[1]}', "unknown-shape", "data"),
        (b'{"kind":"youtube#channelListResponse","items":{"a":1}}', "wrong-type", "array"),
        (b'{"kind":"youtube#channelListResponse","items":[{}]}', "missing-field", "items[0].id"),
        (b'{"kind":"youtube#inventedListResponse","items":[]}', "unknown-shape", "inventedListResponse"),
        (b"[]", "unknown-shape", "array"),
        (b"{}", "unknown-shape", "none at all"),
        (b"", "empty-file", ""),
        (b"<html>", "not-json", "<html>"),
        (b'{"data":', "broken-json", ""),
        (b'{"data":{"user":{"id":"1","username":"\xff","edge_followed_by":{}}}}', "not-utf8", ""),
        ("\ud800", "not-utf8", ""),
        (b'{"data":' + b"[" * 100_000, "too-deep", ""),
    ],
)
def test_refusals_name_the_trouble(body: bytes | str, reason: str, detail: str) -> None:
    """What gives no rows has a slug and a detail that names the field or the keys."""
    parsed = read(body)
    assert (parsed.reason, parsed.accounts, parsed.content_items) == (reason, [], [])
    assert detail in parsed.detail
    assert len(parsed.detail) <= 300


def test_subject_stands_in_for_a_missing_username() -> None:
    """A dump that does not name its user takes the handle of the file name, and says so."""
    body = (PAYLOADS / "instagram/web_profile_info/no_username.json").read_bytes()
    account = read(body, subject="named.by_file").accounts[0]
    assert (account["handle"], account["flags"]) == ("named.by_file", ["handle-from-subject"])


def test_lone_surrogate_is_replaced_and_flagged() -> None:
    r"""A lone \ud83d becomes U+FFFD, a pair stays an emoji, an escaped backslash before it is left alone."""
    raw = rb'{"data":{"user":{"id":"1","username":"x","biography":"\ud83d \ud83d\ude00 \\ud83d","edge_follow":{}}}}'
    account = read(raw).accounts[0]
    assert account["bio"] == "\ufffd \U0001f600 \\ud83d"
    assert account["flags"] == ["repaired-surrogates"]


@pytest.mark.parametrize(
    ("value", "count", "flags"),
    [
        (5, 5, []),
        (0, 0, []),
        (None, None, []),
        ("1234", 1234, []),
        ("3.0", 3, []),
        (7.0, 7, []),
        (2**63 - 1, 2**63 - 1, []),
        (2**63, None, ["bad-count"]),
        ("9" * 30, None, ["bad-count"]),
        (1.5, None, ["bad-count"]),
        (True, None, ["bad-count"]),
        ("many", None, ["bad-count"]),
        ("12.5", None, ["bad-count"]),
        ("1.2M", 1_200_000, []),
        (-1, None, ["negative-count"]),
        ("-1", None, ["negative-count"]),
        (float("inf"), None, ["bad-count"]),
        (values.MongoNumber(long="5000000000"), 5_000_000_000, []),
    ],
)
def test_counts(value: Any, count: int | None, flags: list[str]) -> None:
    """A count is exact or NULL with a flag; unknown is never 0."""
    found: list[str] = []
    assert (values.count(value, found), found) == (count, flags)


def test_times_and_durations() -> None:
    """Times are UTC or NULL with a flag, durations are seconds."""
    flags: list[str] = []
    assert values.moment(1_591_123_310, flags) == datetime(2020, 6, 2, 18, 41, 50, tzinfo=UTC)
    assert values.iso_moment("2019-03-21T20:37:49.000Z", flags) == datetime(2019, 3, 21, 20, 37, 49, tzinfo=UTC)
    assert values.duration_s("PT1H2M3S", flags) == 3723
    assert values.duration_s("P1DT0.5S", flags) == 86400.5
    assert flags == []
    assert values.moment(10**13, flags) is None
    assert values.iso_moment("soon", flags) is None
    assert values.duration_s("P", flags) is None
    assert flags == ["bad-time", "bad-time", "bad-duration"]


@pytest.mark.parametrize(
    ("text", "tags", "names"),
    [
        ("#One #two,#ONE", ["one", "two"], []),
        ("#हिन्दी। #ไทยแลนด์ #東京 #café", ["हिन्दी", "ไทยแลนด์", "東京", "café"], []),
        ("me@mail.example https://x.example/#part &#39;", [], []),
        ("(@a.b.) @c_d: @Ünï", [], ["a.b", "c_d", "ünï"]),
        ("@ # ## @@x", [], []),
        ("#love❤️ #2024", ["love", "2024"], []),
    ],
)
def test_hashtags_and_mentions(text: str, tags: list[str], names: list[str]) -> None:
    """Tags and names are found in any script, not in addresses, each once and in lower case."""
    assert (values.hashtags(text), values.mentions(text)) == (tags, names)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("Comparto recetas fáciles y sanas para toda la familia", "es"),
        ("I share honest reviews of books that nobody else reads", "en"),
        ("Je partage mes voyages et mes recettes préférées avec vous", "fr"),
        ("毎日のお弁当と簡単なレシピを紹介しています。よろしくお願いします", "ja"),
        ("Madrid", None),
        ("🌍✈️ 1234567890 1234567890", None),
        ("@someone @someone.else https://a.example/long/path", None),
        ("", None),
        (None, None),
    ],
)
def test_language(text: str | None, code: str | None) -> None:
    """Texts with enough letters get their language, others none."""
    assert language.identify(text) == code


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(caption=st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=300))
def test_any_text_is_kept_as_it_is(caption: str) -> None:
    """Whatever a user writes comes back unchanged as bio and caption."""
    parsed = read(captioned(caption))
    assert parsed.reason is None
    assert parsed.accounts[0]["bio"] == parsed.content_items[0]["title_or_caption"] == caption


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["data", "user", "graphql", "id", "username", "edge_followed_by", "count", "edges", "node"])
            | st.sampled_from(["kind", "items", "error", "errors", "message", "status", "detail", "code", "snippet"]),
            inner,
            max_size=5,
        )
    ),
    max_leaves=25,
)


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(payload=JSON, envelope=st.sampled_from(["data", "graphql", None]))
def test_any_json_gives_rows_or_a_reason(payload: Any, envelope: str | None) -> None:
    """No payload escapes as an exception: it gives rows, not_found, or a reason."""
    body = json.dumps({envelope: {"user": payload}} if envelope else payload)
    parsed = read(body)
    empty_page = (parsed.shape or "").endswith("_list") and not payload["items"]
    assert parsed.reason or parsed.outcome == "not_found" or parsed.accounts or parsed.content_items or empty_page
    assert outcome_of(body)


@needs_realdata
def test_naughty_strings_are_kept() -> None:
    """All strings of the big list of naughty strings come back unchanged as bio and caption."""
    strings = json.loads((REALDATA / "hard_inputs/blns.json").read_text(encoding="utf-8"))
    assert len(strings) > 300
    for text in strings:
        parsed = read(captioned(text))
        assert parsed.accounts[0]["bio"] == parsed.content_items[0]["title_or_caption"] == text


@needs_realdata
def test_real_web_profile_info() -> None:
    """The real web_profile_info payload gives the values that stand in it."""
    parsed = read((REALDATA / "instagram/web_profile_info__rdj.json").read_bytes())
    account = parsed.accounts[0]
    assert account["account_id"] == "instagram:1518284433"
    assert (account["handle"], account["display_name"]) == ("robertdowneyjr", "Robert Downey Jr. Official")
    assert (account["followers_count"], account["following_count"], account["posts_count"]) == (52979346, 5, 419)
    assert (account["category"], account["is_verified"], account["is_business"]) == ("Artist", True, True)
    assert "s320x320" in account["profile_image_url"]
    assert (account["external_url"], account["links"], account["country"]) == (None, [], None)
    assert {row["metric"]: row["value"] for row in parsed.metric_snapshots} == {
        "followers": 52979346,
        "following": 5,
        "posts": 419,
    }


@needs_realdata
def test_real_legacy_profile_with_posts() -> None:
    """The real ?__a=1 payload gives 12 posts and the 9 videos that are not among them."""
    parsed = read((REALDATA / "instagram/legacy_graphql_user__rdj.json").read_bytes())
    assert parsed.lost == []
    assert len(parsed.content_items) == 21
    first, last = parsed.content_items[0], parsed.content_items[11]
    assert first["content_id"] == "instagram:2322833147145102330"
    assert first["published_at"] == datetime(2020, 6, 2, 18, 41, 50, tzinfo=UTC)
    assert (first["like_count"], first["comment_count"], first["type"]) == (2351411, 14034, "post")
    assert (parsed.content_items[1]["view_count"], parsed.content_items[1]["type"]) == (1768779, "video")
    assert (last["type"], last["url"]) == ("carousel", "https://www.instagram.com/p/B9C-gPhBKfH/")
    assert last["hashtags"][:3] == ["repulsors", "retirement", "good"]
    assert "portmacquariekoalahospital" in last["mentions"]
    assert parsed.accounts[0]["external_url"] == "http://coreresponse.org/covid19"


@needs_realdata
def test_real_channel_and_video() -> None:
    """The real YouTube answers give the values that stand in them; what is not in them is NULL."""
    channel = read((REALDATA / "youtube/data_api_v3/channel_info_single.json").read_bytes()).accounts[0]
    assert channel["account_id"] == "youtube:UC_x5XG1OV2P6uZZ5FSM9Ttw"
    assert (channel["handle"], channel["country"]) == ("googledevelopers", "US")
    assert channel["country_source"] == "channel_country"
    assert (channel["followers_count"], channel["posts_count"], channel["view_count"]) == (
        1927873,
        5026,
        160361638,
    )
    assert channel["created_at"] == datetime(2007, 8, 23, 0, 34, 43, tzinfo=UTC)
    assert channel["language"] == "en"
    video = read((REALDATA / "youtube/data_api_v3/videos/videos_info_single.json").read_bytes()).content_items[0]
    assert (video["content_id"], video["type"]) == ("youtube:D-lhorsDlUQ", "video")
    assert video["account_id"] == channel["account_id"]
    assert video["title_or_caption"] == "What are Actions on Google (Assistant on Air)"
    assert video["media_urls"] == ["https://i.ytimg.com/vi/D-lhorsDlUQ/maxresdefault.jpg"]
    assert (video["view_count"], video["duration_s"]) == (None, None)


ABOUT_NOBODY = {
    f"youtube/{kind}" for kind in ("channelSection", "guideCategory", "i18nLanguage", "i18nRegion", "videoCategory")
}
"""Shapes of answers that tell of no account and no video."""


@needs_realdata
@pytest.mark.parametrize("platform", ["instagram", "youtube"])
def test_no_real_file_is_lost(platform: str) -> None:
    """Every file of the real dumps gives rows, a not_found, or a reason; known errors are classified."""
    found: dict[str, set[str]] = {}
    all_parsed = []
    for document in read_documents(REALDATA / platform):
        if isinstance(document, Unreadable):
            found.setdefault(document.path, set()).add(document.reason)
            continue
        assert isinstance(document, Document)
        parsed = parse(document.body, subject=document.subject, observed_at=NOW)
        all_parsed.append(parsed)
        rows = parsed.accounts or parsed.content_items
        assert parsed.reason or rows or parsed.outcome == "not_found" or parsed.shape in ABOUT_NOBODY
        found.setdefault(document.path, set()).add(parsed.reason or parsed.outcome)
    items, accounts = (sum(len(getattr(p, name)) for p in all_parsed) for name in ("content_items", "accounts"))
    when = pa.array([NOW] * len(all_parsed), type=pa.timestamp("us", "UTC"))
    made = tables(all_parsed, pa.array([str(number) for number in range(len(all_parsed))]), when)
    assert (made["content_items"].num_rows, made["accounts"].num_rows) == (items, accounts)
    files = {path.relative_to(REALDATA / platform).as_posix() for path in (REALDATA / platform).rglob("*.*")}
    assert set(found) == files
    if platform == "instagram":
        assert found["errors/ig_401_please_wait.json"] == {"error-rate_limited"}
        assert found["errors/checkpoint_challenge-done.json"] == {"error-blocked"}
        assert found["graphql_user_null.json"] == {"not_found"}
        assert found["html/home.html"] == {"html-auth"}
        assert found["private_v1_user_info__rdj.json"] == {"ok"}
    else:
        assert found["errors/yt_403_quotaExceeded.json"] == {"error-rate_limited"}
        assert found["data_api_v3/videos/videos_chart_paged_1.json"] == {"ok"}
