"""Dumps of Instaloader, Apify, HikerAPI and Scrapfly: what each of them becomes, and what is refused."""

from __future__ import annotations

import json
import lzma
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import REALDATA, needs_realdata
from payload_rows import WHEN

from igtool.platforms.base import Account, ContentItem, Parsed, outcome_of, parse
from igtool.platforms.shapes.instagram_rows import media_id

PAYLOADS = Path(__file__).parent / "payloads/instagram"
FILES = sorted(
    path
    for folder in ("instaloader", "apify", "hikerapi", "scrapfly")
    for path in (PAYLOADS / folder).glob("*.json")
    if not path.name.endswith(".rows.json")
)
REAL = REALDATA / "instagram"


def read(name: str, subject: str | None = None) -> Parsed:
    """The payload of that name below ``payloads/instagram``, parsed."""
    return parse((PAYLOADS / name).read_bytes(), subject=subject, observed_at=WHEN)


def documents(pattern: str) -> Iterator[bytes]:
    """Every document of the real files that ``pattern`` names, as the reader of files would split them."""
    for path in sorted(REAL.glob(pattern)):
        body = lzma.decompress(path.read_bytes()) if path.suffix == ".xz" else path.read_bytes()
        held = json.loads(body)
        for one in held if isinstance(held, list) else [held]:
            yield json.dumps(one).encode()


def known(row: Account | ContentItem) -> set[str]:
    """The columns of ``row`` that have a value."""
    return {name for name in row.__struct_fields__ if getattr(row, name) not in (None, [])}


@pytest.mark.parametrize(
    ("name", "shape", "accounts", "items", "lost"),
    [
        ("instaloader/post.json", "instaloader", 1, 1, []),
        ("instaloader/post_from_private_api.json", "instaloader", 1, 1, []),
        ("instaloader/profile.json", "instaloader", 1, 1, []),
        ("apify/profile.json", "apify_profile", 1, 3, ["missing-field latestPosts[3].shortCode"]),
        ("apify/post.json", "apify_post", 1, 1, []),
        ("apify/reel.json", "apify_post", 1, 1, []),
        ("hikerapi/profile_public.json", "hikerapi_user", 1, 0, []),
        ("hikerapi/user_short.json", "hikerapi_user", 1, 0, []),
        ("hikerapi/post_carousel.json", "hikerapi_media", 1, 1, []),
        ("hikerapi/reel_from_library.json", "hikerapi_media", 1, 1, []),
        ("hikerapi/response_items.json", "hikerapi_response", 0, 2, ["story items[2] is gone after a day"]),
        ("hikerapi/items.json", "v1_list", 0, 1, []),
        ("scrapfly/user.json", "scrapfly_user", 1, 2, ["missing-field images[1].id"]),
        ("scrapfly/user_of_2026.json", "scrapfly_user", 1, 0, []),
        ("scrapfly/node.json", "scrapfly_node", 0, 1, []),
    ],
)
def test_every_entity_is_a_row_or_named_as_lost(
    name: str, shape: str, accounts: int, items: int, lost: list[str]
) -> None:
    """A payload is recognised by its structure; what is in it comes out as a row or is named in `lost`."""
    parsed = read(name)
    assert (parsed.outcome, parsed.shape) == ("ok", f"instagram/{shape}")
    assert (len(parsed.accounts), len(parsed.content_items), parsed.lost) == (accounts, items, lost)


@pytest.mark.parametrize(
    ("name", "outcome", "reason", "detail"),
    [
        ("instaloader/story.json", "invalid", "story", "gone after a day"),
        ("instaloader/hashtag.json", "invalid", "unknown-shape", "'Hashtag'"),
        ("apify/not_found.json", "not_found", None, ""),
        ("apify/no_items.json", "private", "error-private", "Empty or private"),
        ("hikerapi/not_found.json", "not_found", None, ""),
        ("hikerapi/wait.json", "rate_limited", "error-rate_limited", "wait a few minutes"),
        ("scrapfly/post.json", "invalid", "missing-field", "owner"),
    ],
)
def test_what_gives_no_rows_says_why(name: str, outcome: str, reason: str | None, detail: str) -> None:
    """Stories, other kinds of files and messages of failure are told apart, each with its reason."""
    parsed = read(name)
    assert (parsed.outcome, parsed.reason) == (outcome, reason)
    assert detail in parsed.detail
    assert not parsed.accounts
    assert not parsed.content_items
    if outcome != "invalid":
        assert outcome_of((PAYLOADS / name).read_bytes()) == outcome


def test_instaloader_post_tells_its_owner_and_its_sponsor() -> None:
    """A post of a dump gives the account that it names, though never as a profile, and nobody that is tagged."""
    parsed = read("instaloader/post.json")
    owner, item = parsed.accounts[0], parsed.content_items[0]
    assert (owner.handle, owner.display_name, owner.is_profile) == ("nora.invented", "Nora", False)
    assert (item.type, item.like_count, item.comment_count, item.is_declared) == ("carousel", 120, 7, True)
    assert item.media_urls == ["https://pictures.example/CsFyZ1234ab.jpg", "https://pictures.example/b.jpg"]


def test_instaloader_takes_what_the_private_api_knows() -> None:
    """Times, plays and the kind of a post come from `iphone_struct` where the node around it has none."""
    item = read("instaloader/post_from_private_api.json").content_items[0]
    assert item.published_at is not None
    assert (item.type, item.view_count, item.play_count, item.duration_s) == ("reel", 4000, 9000, 31.5)
    assert (item.title_or_caption, item.like_count, item.flags) == ("Un minuto de pan", None, ["negative-count"])


def test_instaloader_profile_is_filled_from_both_answers() -> None:
    """A profile has the columns of the web answer, and e-mail and links of the private API's."""
    account = read("instaloader/profile.json").accounts[0]
    assert (account.handle, account.is_profile, account.category) == ("nora.invented", True, "Food & Beverage")
    assert (account.followers_count, account.following_count, account.posts_count) == (15200, 310, 88)
    assert (account.emails, account.links) == (["hola@nora.example"], ["https://nora.example/"])


def test_instaloader_owner_may_be_a_whole_profile() -> None:
    """Instaloader writes the profile it came from into each post: then the post tells a profile."""
    post = json.loads((PAYLOADS / "instaloader/post.json").read_bytes())
    profile = json.loads((PAYLOADS / "instaloader/profile.json").read_bytes())["node"]
    post["node"]["owner"] = profile
    parsed = parse(json.dumps(post), subject=None, observed_at=WHEN)
    assert (parsed.accounts[0].is_profile, parsed.accounts[0].followers_count) == (True, 15200)
    assert len(parsed.content_items) == 2


def test_instaloader_owner_that_cannot_be_read_is_lost_alone() -> None:
    """A broken owner is named in `lost`; the post whose owner's id is known stays."""
    post = json.loads((PAYLOADS / "instaloader/post.json").read_bytes())
    post["node"]["owner"]["full_name"] = 5
    parsed = parse(json.dumps(post), subject=None, observed_at=WHEN)
    assert (len(parsed.accounts), len(parsed.content_items)) == (0, 1)
    assert parsed.lost[0].startswith("node.owner: ")


def test_apify_profile_columns() -> None:
    """Counts, links, category without its empty part, and country stand in their columns; relatives give no row."""
    account = read("apify/profile.json").accounts[0]
    assert (account.followers_count, account.following_count, account.posts_count) == (20100, 512, 240)
    assert (account.category, account.country, account.country_source) == ("Athlete", "ES", "business_address")
    assert account.links == ["https://rut.example/", "https://libro.example/"]
    assert account.profile_image_url == "https://pictures.example/hd.jpg"


@pytest.mark.parametrize(
    ("written", "category"),
    [("None", None), ("None,Restaurant", "Restaurant"), ("Food, Drink & Co", "Food, Drink & Co"), ("", None)],
)
def test_apify_category_without_none(written: str, category: str | None) -> None:
    """The actor writes the word None for a missing part of the category."""
    body = {"username": "x", "followersCount": 1, "postsCount": 1, "businessCategoryName": written}
    assert parse(json.dumps(body), subject=None, observed_at=WHEN).accounts[0].category == category


def test_apify_posts_of_a_profile() -> None:
    """Posts belong to whom they name; views and plays stay apart; hidden likes are unknown; each post is there once."""
    items = read("apify/profile.json").content_items
    assert [item.account_id for item in items] == ["instagram:70000000031"] * 2 + ["instagram:@amiga.invented"]
    assert (items[1].type, items[1].view_count, items[1].play_count) == ("reel", 1000, 7000)
    assert (items[1].like_count, items[1].flags) == (None, ["negative-count"])


def test_apify_post_without_ids() -> None:
    """An id that is none of Instagram's gives way to the shortcode's, an unknown owner to the stand-in."""
    parsed = read("apify/reel.json")
    assert parsed.accounts[0].account_id == parsed.content_items[0].account_id == "instagram:@rut.invented"
    assert parsed.content_items[0].content_id == f"instagram:{media_id('CtA00000005')}"
    assert parsed.content_items[0].type == "reel"


def test_apify_pictures_and_mark() -> None:
    """Pictures of a carousel are there once each, printed children that are null are skipped; `isSponsored` counts."""
    item = read("apify/post.json").content_items[0]
    assert item.media_urls == [f"https://pictures.example/{name}.jpg" for name in ("CtA00000004", "2", "3")]
    assert item.is_declared is True


def test_hikerapi_profiles_are_told_apart() -> None:
    """A public, a private and an empty profile differ in columns and flags; a short one is no profile."""
    public, private, empty, short = (
        read(f"hikerapi/{name}.json").accounts[0]
        for name in ("profile_public", "profile_private", "profile_empty", "user_short")
    )
    assert (public.is_private, public.flags, public.emails) == (False, [], ["alice@example.com"])
    assert (private.is_private, private.followers_count, private.flags) == (True, 50, [])
    assert (empty.followers_count, empty.flags) == (0, ["empty-profile"])
    assert (short.is_profile, short.followers_count, short.handle) == (False, None, "follower_one")


def test_hikerapi_post_without_code_is_marked() -> None:
    """A post whose shortcode and user vanished keeps its id and its owner's, without an address and with a flag."""
    parsed = read("hikerapi/post_schema_drift.json")
    item = parsed.content_items[0]
    assert (item.content_id, item.account_id) == ("instagram:3000000000000000099", "instagram:12345678")
    assert (item.url, item.flags, parsed.accounts) == (None, ["no-shortcode"], [])


def test_hikerapi_carousel() -> None:
    """Flattened captions and children are read like those of the private API."""
    item = read("hikerapi/post_carousel.json").content_items[0]
    assert (item.type, item.title_or_caption, len(item.media_urls or ())) == ("carousel", "trip recap", 3)


def test_lists_of_flattened_posts_have_their_captions() -> None:
    """`items` of flattened posts are read with caption, picture and ISO time."""
    item = read("hikerapi/items.json").content_items[0]
    assert (item.title_or_caption, item.media_urls) == ("Hogaza", ["https://pictures.example/h.jpg"])
    assert item.published_at is not None
    assert item.published_at.isoformat() == "2023-11-14T22:15:00+00:00"


def test_hikerapi_sponsors() -> None:
    """A post with a sponsor is marked as advertising, one with an empty list is not, one without it is unknown."""
    reels = read("hikerapi/response_items.json").content_items
    assert [reel.is_declared for reel in reels] == [None, True]
    assert read("hikerapi/reel_from_library.json").content_items[0].is_declared is False


@pytest.mark.parametrize(
    ("name", "outcome"),
    [
        ("MediaNotFound", "not_found"),
        ("PrivateAccount", "private"),
        ("ClientThrottledError", "rate_limited"),
        ("ChallengeRequired", "blocked"),
        ("LoginRequired", "auth"),
        ("InsufficientFunds", "auth"),
        ("ClientConnectionError", "transient"),
        ("SomethingElse", "invalid"),
    ],
)
def test_hikerapi_exceptions_are_outcomes(name: str, outcome: str) -> None:
    """The name of the exception says what an error means."""
    assert outcome_of(json.dumps({"detail": "words", "exc_type": name})) == outcome


def test_scrapfly_user_columns() -> None:
    """The scraper's own names stand in their columns, and the posts of older versions are taken."""
    parsed = read("scrapfly/user.json")
    account = parsed.accounts[0]
    assert (account.followers_count, account.following_count, account.posts_count) == (5100, 90, 61)
    assert (account.category, account.emails) == ("Artist", ["hola@iker.example"])
    assert [(item.type, item.view_count, item.duration_s) for item in parsed.content_items] == [
        ("video", 700, 33.0),
        ("post", None, None),
    ]


def test_scrapfly_post_belongs_to_the_handle_that_was_asked_for() -> None:
    """A post that does not say whose it is takes the handle of the file's name."""
    item = read("scrapfly/post.json", subject="iker.invented").content_items[0]
    assert (item.account_id, item.flags) == ("instagram:@iker.invented", ["handle-from-subject"])
    assert (item.type, item.view_count, item.play_count) == ("reel", 900, 3000)


def test_scrapfly_node_has_the_owner_of_its_id() -> None:
    """A node of the timeline is a reel by its data about a clip, and belongs to whom its id names."""
    item = read("scrapfly/node.json").content_items[0]
    assert (item.content_id, item.account_id) == ("instagram:3300000000000000004", "instagram:70000000041")
    assert (item.type, item.like_count, item.title_or_caption) == ("reel", 44, "Mesa")


def leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The place of everything in a JSON value."""
    if path:
        yield path
    if isinstance(value, dict | list):
        for key, below in value.items() if isinstance(value, dict) else enumerate(value):
            yield from leaves(below, (*path, key))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(PAYLOADS).as_posix())
def test_no_odd_value_breaks_a_shape(path: Path) -> None:
    """Whatever stands in the place of any one value, there are rows with their ids or there is a reason."""
    text = path.read_text(encoding="utf-8")
    for place in leaves(json.loads(text)):
        for odd in (None, -1, 2**70, 0.5, True, "", "x", [], [None], {}, {"id": {}}):
            body = json.loads(text)
            *way, last = place
            inner = body
            for key in way:
                inner = inner[key]
            inner[last] = odd
            parsed = parse(json.dumps(body), subject=None, observed_at=WHEN)
            rows = [*parsed.accounts, *parsed.content_items]
            is_told = rows or parsed.reason or parsed.lost or parsed.outcome == "not_found"
            assert is_told or odd == [], (place, odd)  # a list of posts may be empty
            assert all(row.account_id.startswith("instagram:") and ":None" not in row.account_id for row in rows)


@needs_realdata
@pytest.mark.parametrize(
    ("pattern", "shape", "documents_count", "accounts", "items"),
    [
        ("instaloader/*", "instaloader", 3, 3, 23),
        ("apify*", "apify_post", 9, 9, 9),
        ("hikerapi/profile*", "hikerapi_user", 3, 3, 0),
        ("hikerapi/post*", "hikerapi_media", 3, 2, 3),
        ("scrapfly_parsed_user.json", "scrapfly_user", 1, 1, 0),
        ("xdt_timeline_nodes_parsed__google.json", "scrapfly_node", 24, 0, 24),
    ],
)
def test_real_files_are_read_whole(pattern: str, shape: str, documents_count: int, accounts: int, items: int) -> None:
    """Every document of the real dumps is recognised, and all that is in it comes out."""
    found = [parse(body, subject=None, observed_at=WHEN) for body in documents(pattern)]
    assert [parsed.shape for parsed in found] == [f"instagram/{shape}"] * documents_count
    assert sum(len(parsed.accounts) for parsed in found) == accounts
    assert sum(len(parsed.content_items) for parsed in found) == items
    assert not any(parsed.lost for parsed in found)


@needs_realdata
@pytest.mark.parametrize(
    ("pattern", "columns"),
    [
        ("instaloader/*", {"url", "published_at", "like_count", "comment_count", "media_urls"}),
        ("apify*", {"url", "published_at", "like_count", "comment_count", "media_urls", "title_or_caption"}),
        ("xdt_timeline*", {"url", "published_at", "like_count", "comment_count", "media_urls", "title_or_caption"}),
    ],
)
def test_documented_columns_of_real_posts_are_filled(pattern: str, columns: set[str]) -> None:
    """In the real dumps every post has the columns that its shape documents for all posts."""
    items = [item for body in documents(pattern) for item in parse(body, subject=None, observed_at=WHEN).content_items]
    filled = Counter(name for item in items for name in known(item))
    assert items
    assert {name: filled[name] for name in columns} == dict.fromkeys(columns, len(items))


@needs_realdata
def test_real_views_and_plays_stay_apart() -> None:
    """The real reel with 4,584 views and 40,562 plays has both; the real Scrapfly post needs its owner's handle."""
    items = [parse(body, subject=None, observed_at=WHEN).content_items[0] for body in documents("apify_posts*")]
    assert [(item.view_count, item.play_count) for item in items if item.type == "reel"] == [(4584, 40562)]
    body = next(documents("scrapfly_parsed_video-post.json"))
    assert parse(body, subject=None, observed_at=WHEN).reason == "missing-field"
    reel = parse(body, subject="google", observed_at=WHEN).content_items[0]
    assert (reel.account_id, reel.type, reel.view_count, reel.like_count) == ("instagram:@google", "reel", 92275, 5150)
