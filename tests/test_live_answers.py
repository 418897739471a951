"""Answers of live sources on their way into the lake, and what real ones hold."""

from __future__ import annotations

import json
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from conftest import NOW, REALDATA, needs_realdata
from payload_rows import Read, read

from igtool.journal import Journal
from igtool.lake import Lake
from igtool.platforms.shapes.instagram_rows import media_id
from igtool.progress import Progress
from igtool.runner import Runner
from igtool.settling import settle
from igtool.stages.base import Context
from igtool.stages.normalize import Normalize
from igtool.stages.resolve import Resolve

USER = {"id": "305", "username": "lola.invented", "edge_followed_by": {"count": 7}, "biography": "b"}


def discovery(followers: int) -> dict[str, Any]:
    """An answer of Business Discovery for the same account."""
    return {
        "business_discovery": {"id": "17841400000000001", "username": "lola.invented", "followers_count": followers}
    }


def real(path: str) -> Read:
    """The rows of a real payload."""
    return read((REALDATA / path).read_bytes(), observed_at=NOW)


def store(lake: Lake, journal: Journal, folder: Path, *rows: dict[str, Any]) -> None:
    """Put raw answers into the lake and run the stages over them."""
    with lake.transaction():
        lake.merge("raw_responses", rows)
    context = Context(encoder=lambda: pytest.fail("no encoder"), clock=lambda: NOW)
    runner = Runner(lake, journal, context, Progress(folder / "p.json", "t", bars=False))
    runner.run([Normalize()])
    settle(lake, journal, NOW)
    runner.run([Resolve()])


def answer(number: str, payload: Any, **columns: Any) -> dict[str, Any]:
    """A row of ``raw_responses``."""
    known = {"answer_id": number, "source": "instagram_web", "endpoint": "profile", "status": 200, "outcome": "ok"}
    return {**known, "body": json.dumps(payload), "subject": "lola.invented", "fetched_at": NOW, **columns}


def test_error_bodies_are_no_items(lake: Lake, journal: Journal, tmp_path: Path) -> None:
    """Stored error bodies of live sources are left alone; a file of that name and live outcomes are not."""
    wait = {"message": "Please wait a few minutes before you try again.", "status": "fail"}
    nobody = {"data": {"user": None}}
    profile = {"data": {"user": {**USER, "is_private": True}}}
    store(
        lake,
        journal,
        tmp_path,
        answer("1", wait, endpoint="profile_error", status=429, outcome="rate_limited"),
        answer("2", wait, endpoint="dump/profile_error", source="files", status=None),
        answer("3", nobody, outcome="not_found"),
        answer("4", profile, outcome="private"),
        answer("5", profile, endpoint=None, fetched_at=NOW - timedelta(days=1)),
    )
    rejects = lake.rows("select item_id, reason from rejects where stage = 'normalize'")
    assert [tuple(row.values()) for row in rejects] == [("2", "error-rate_limited")]
    done = lake.rows("select item_id from stage_rows where stage = 'normalize' order by 1")
    assert [row["item_id"] for row in done] == ["2", "3", "4", "5"]
    assert [row["is_private"] for row in lake.rows("from accounts")] == [True]
    assert lake.value("select count(*) from metric_snapshots") == 2


@pytest.mark.slow
def test_a_stand_in_is_no_second_creator(lake: Lake, journal: Journal, tmp_path: Path) -> None:
    """An account known by handle and later by id is one creator with the newest count, linked across platforms."""
    channel = {"kind": "youtube#channelListResponse"}
    channel |= {"items": [{"id": "UC1", "snippet": {"title": "L", "customUrl": "@lola.invented"}}]}
    profile = {"data": {"user": USER}}
    store(lake, journal, tmp_path, answer("1", discovery(1200)), answer("2", channel, source="youtube"))
    (before,) = lake.rows("from creators")
    assert (before["total_followers_count"], before["account_count"]) == (1200, 2)
    store(lake, journal, tmp_path, answer("3", profile, fetched_at=NOW + timedelta(days=1)))
    (creator,) = lake.rows("from creators")
    assert creator["creator_id"] == before["creator_id"]
    assert (creator["total_followers_count"], creator["account_count"]) == (7, 2)
    assert lake.value("select count(*) from accounts") == lake.value("select count(*) from creator_links") == 2
    store(lake, journal, tmp_path, answer("4", discovery(9), fetched_at=NOW + timedelta(days=2)))
    assert lake.value("select total_followers_count from creators") == 9


REAL = {
    "graphql_timeline_edges_p1.json": (0, 12, {"likes": 12, "comments": 12, "views": 6}),
    "private_v1_clips_user.json": (0, 12, {"likes": 12, "comments": 12, "views": 12, "plays": 12}),
    "private_v1_media_carousel.json": (0, 1, {"likes": 1, "comments": 1}),
    "private_v1_media_video.json": (0, 1, {"likes": 1, "comments": 1, "views": 1}),
    "private_v1_user_info__rdj.json": (1, 0, {"followers": 1, "following": 1, "posts": 1}),
    "xdt_graphql_connection_p1__google.DERIVED.json": (0, 12, {"likes": 12, "comments": 12}),
    "xdt_graphql_connection_p2__google.DERIVED.json": (0, 12, {"likes": 12, "comments": 12}),
    "tikhub/fetch_user_info_by_username.DERIVED.json": (1, 0, {"followers": 1, "following": 1, "posts": 1}),
    "tikhub/fetch_user_posts.DERIVED.json": (0, 2, {"likes": 2, "comments": 2, "views": 1}),
    "tikhub/fetch_user_reels.DERIVED.json": (0, 12, {"likes": 12, "comments": 12, "views": 12, "plays": 12}),
}


@needs_realdata
@pytest.mark.parametrize("name", REAL)
def test_real_payloads_give_all_their_rows(name: str) -> None:
    """Every post, profile and count of the real payloads of this kind is there, and nothing is lost."""
    parsed = real(f"instagram/{name}")
    found = Counter(row["metric"] for row in parsed.metric_snapshots)
    assert (len(parsed.accounts), len(parsed.content_items), dict(found)) == REAL[name]
    assert (parsed.lost, parsed.reason) == ([], None)


@needs_realdata
def test_real_values() -> None:
    """Single values of the real payloads are those that stand in them, and an envelope changes none."""
    carousel = real("instagram/private_v1_media_carousel.json").content_items[0]
    assert (carousel["content_id"], carousel["account_id"]) == ("instagram:2317006284167526179", "instagram:305701719")
    assert (carousel["type"], carousel["like_count"], len(carousel["media_urls"])) == ("carousel", 820750, 3)
    reels = real("instagram/private_v1_clips_user.json").content_items
    assert {(row["type"], row["account_id"]) for row in reels} == {("reel", "instagram:3171067")}
    assert (reels[0]["view_count"], reels[0]["play_count"], reels[0]["duration_s"]) == (100856, 401421, 20.433)
    enveloped = real("instagram/tikhub/fetch_user_reels.DERIVED.json").content_items
    assert enveloped == [{**row, "shape": enveloped[0]["shape"]} for row in reels]
    account = real("instagram/private_v1_user_info__rdj.json").accounts[0]
    assert (account["account_id"], account["followers_count"]) == ("instagram:1518284433", 50857062)
    assert (account["posts_count"], account["is_business"], account["category"]) == (400, True, None)
    assert real("instagram/tikhub/fetch_user_info_by_username.DERIVED.json").accounts[0]["category"] == "Artist"
    newer = real("instagram/xdt_graphql_connection_p1__google.DERIVED.json").content_items
    assert Counter(row["type"] for row in newer) == {"reel": 10, "post": 2}
    assert Counter(row["account_id"] for row in newer) == {"instagram:1067259270": 11, "instagram:69550579620": 1}


@needs_realdata
def test_real_ids_are_their_shortcodes() -> None:
    """For every real post with an address, the id decoded from its shortcode is the id that the platform gave."""
    rows = [row for name in REAL for row in real(f"instagram/{name}").content_items if row["url"]]
    assert len(rows) == 64
    assert all(f"instagram:{media_id(row['url'].split('/')[-2])}" == row["content_id"] for row in rows)


@needs_realdata
def test_real_pages_that_only_name_videos() -> None:
    """Playlist pages and searches of the real data are read: they name channels, and have no counts of videos."""
    folder = REALDATA / "youtube" / "data_api_v3"
    paths = [*sorted((folder / "playlist_items").glob("*.json")), *sorted((folder / "search").glob("*.json"))]
    assert len(paths) == 8
    for path in paths:
        parsed = read(path.read_bytes(), observed_at=NOW)
        assert (parsed.outcome, parsed.reason, parsed.content_items, parsed.lost) == ("ok", None, [], [])
        assert parsed.accounts
        assert not any(account["is_profile"] for account in parsed.accounts)
