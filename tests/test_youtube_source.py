"""The source youtube: its requests, its pages, what they cost, and what its answers mean."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec
import pytest
from conftest import REALDATA, needs_realdata

from igtool.errors import ConfigError, UsageError
from igtool.http import Response
from igtool.platforms.base import Refused
from igtool.platforms.live import POSTS, PROFILE, Call, Page, Start, Task
from igtool.platforms.youtube import YouTube, search_channels, search_token
from igtool.settings import load

ID = "UC" + "a" * 22
OTHER_ID = "UC" + "B_-9" * 5 + "zz"
NAMES = ("YOUTUBE_API_KEY", "YOUTUBE_API_KEYS", "IGTOOL_YOUTUBE_API_KEYS", "IGTOOL_PAGE_SIZE", "IGTOOL_YOUTUBE_URL")


@pytest.fixture(autouse=True)
def _no_keys_of_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def source(tmp_path: Path) -> YouTube:
    """The source with one key, asking an invented host."""
    return YouTube(load(tmp_path, youtube_api_keys="a-secret", youtube_url="http://api.test/v3"))


def listing(kind: str, *items: object, **more: Any) -> bytes:
    """A list as the API answers it."""
    return json.dumps({"kind": f"youtube#{kind}ListResponse", "items": list(items), **more}).encode()


def channel(channel_id: str, uploads: str | None = "UU1", **more: Any) -> dict[str, Any]:
    """A channel with its uploads playlist."""
    return {"id": channel_id, "contentDetails": {"relatedPlaylists": {"uploads": uploads}}, **more}


def listed(video_id: str) -> dict[str, Any]:
    """An entry of a playlist."""
    details = {"videoId": video_id, "videoPublishedAt": "2026-01-02T03:04:05Z"}
    return {"id": "an-entry", "snippet": {"position": 0}, "contentDetails": details}


def asked(call: Call) -> tuple[str, dict[str, str]]:
    """The path and the query of a request."""
    parts = urlsplit(call.url)
    return parts.path, {name: values[0] for name, values in parse_qs(parts.query, strict_parsing=True).items()}


def uploads(cursor: str | None = None) -> Task:
    """A page of somebody's uploads."""
    return Task("someone", POSTS, "UU1", cursor)


def test_keys_are_named_by_a_hash(tmp_path: Path) -> None:
    """Each key is there once, in order, and its name says nothing about it."""
    keys = YouTube(load(tmp_path, youtube_api_keys=" one,two, ,one")).keys()
    assert [key.secret for key in keys] == ["one", "two"]
    assert keys[0].name == "7692c3ad"  # sha256 of "one"
    assert "two" not in repr(keys)


@pytest.mark.parametrize("given", [None, " , ", "one two", "schlüssel", "a\nb"])
def test_no_key_or_no_possible_key_is_a_configuration_error(tmp_path: Path, given: str | None) -> None:
    """The message names the setting and does not repeat the key."""
    with pytest.raises(ConfigError, match="YOUTUBE_API_KEY") as raised:
        YouTube(load(tmp_path, youtube_api_keys=given)).keys()
    assert not given or given.strip(" ,") == "" or given not in str(raised.value)


def test_a_handle_is_asked_by_handle(source: YouTube) -> None:
    """One unit, the key in a header and not in the address, letters of any script escaped."""
    (key,) = source.keys()
    call = source.call([Task("ñandú·tv", PROFILE)], key)
    path, query = asked(call)
    assert (path, query["forHandle"]) == ("/v3/channels", "@ñandú·tv")
    assert query["part"].split(",") == [
        "snippet", "statistics", "contentDetails", "status", "topicDetails", "brandingSettings",
    ]  # fmt: skip
    assert (call.endpoint, call.units, call.cost_usd) == ("channels.list", 1, 0)
    assert call.headers["x-goog-api-key"] == "a-secret"
    assert "a-secret" not in call.url + repr(call)


def test_fifty_ids_go_into_one_request(source: YouTube) -> None:
    """Channel ids are asked together with their case kept; handles and a lower-cased id are not."""
    tasks = [Task(f"UC{position:022d}", PROFILE) for position in range(50)]
    path, query = asked(source.call(tasks, source.keys()[0]))
    assert path == "/v3/channels"
    assert query["id"].split(",") == [task.handle for task in tasks]
    assert [source.together(Task(handle, PROFILE)) for handle in (ID, "someone", ID.lower())] == [50, 1, 1]
    assert source.together(Task(ID, POSTS, "UU1")) == 1


@pytest.mark.parametrize(
    "tasks",
    [
        [Task("someone", PROFILE), Task("another", PROFILE)],
        [Task(ID, PROFILE), Task("someone", PROFILE)],
        [Task(f"UC{position:022d}", PROFILE) for position in range(51)],
        [Task("someone", POSTS)],
        [Task("someone", POSTS, "UU1&key=x")],
    ],
)
def test_what_cannot_be_asked_is_refused(source: YouTube, tasks: list[Task]) -> None:
    """Tasks that do not fit together, and uploads without a playlist id, never become a request."""
    with pytest.raises(ValueError, match=r"do not fit|playlist id"):
        source.call(tasks, source.keys()[0])


@pytest.mark.parametrize("handle", ["../../etc", "a" * 300, "ab", "a b c", "x\0yz", "ig:someone", "", "some/one"])
def test_a_malformed_handle_is_a_usage_error(source: YouTube, handle: str) -> None:
    """The message says what a handle looks like."""
    with pytest.raises(UsageError, match="3 to 30 letters"):
        source.call([Task(handle, PROFILE)], source.keys()[0])


def test_a_profile_leads_to_its_uploads(source: YouTube) -> None:
    """The playlist is where the posts begin; a channel without public videos has none to ask for."""
    task = Task("someone", PROFILE)
    assert source.page(task, listing("channel", channel(ID))).follow == {POSTS: Start("UU1")}
    empty = channel(ID, statistics={"videoCount": "0"})
    assert source.page(task, listing("channel", empty)).follow[POSTS].is_end
    assert source.page(task, listing("channel", channel(ID, None))).follow == {POSTS: Start(None, is_end=True)}
    assert source.page(task, listing("channel", {"id": ID})).follow[POSTS].is_end
    assert source.page(task, listing("channel", channel(ID, status={"privacyStatus": "private"}))).is_private


def test_many_profiles_lead_to_the_uploads_of_each(source: YouTube) -> None:
    """The ids that the answer has, in their case, and a start for each."""
    body = listing("channel", channel(OTHER_ID, "UU2"), channel(ID, "UU1"))
    page = source.page(Task(ID, PROFILE), body)
    assert page.found == {ID, OTHER_ID}
    assert page.starts == {ID: {POSTS: Start("UU1")}, OTHER_ID: {POSTS: Start("UU2")}}
    assert page.follow == {POSTS: Start("UU1")}
    missing = source.page(Task("UC" + "x" * 22, PROFILE), body)
    assert "UC" + "x" * 22 not in (missing.found or ())
    assert missing.follow == {}


def walk(source: YouTube, answers: dict[str, bytes]) -> Iterator[tuple[Call, Page]]:
    """Ask for uploads from the first page to the end; ``answers`` by what the query names."""
    cursor: str | None = None
    while True:
        call = source.call([uploads(cursor)], source.keys()[0])
        _, query = asked(call)
        page = source.page(uploads(cursor), answers[query.get("id") or query.get("pageToken") or ""])
        yield call, page
        if not page.more or page.cursor is None:
            return
        cursor = page.cursor


def test_uploads_alternate_between_list_and_videos(source: YouTube) -> None:
    """Two pages of uploads are four requests; only the lists count as pages; each cursor is another one."""
    answers = {
        "": listing("playlistItem", listed("v1"), listed("v2"), nextPageToken="CAo=="),
        "v1,v2": listing("video", {"id": "v1"}, {"id": "v2"}),
        "CAo==": listing("playlistItem", listed("v3")),
        "v3": listing("video", {"id": "v3"}),
    }
    steps = list(walk(source, answers))
    assert [call.endpoint for call, _ in steps] == ["playlistItems.list", "videos.list"] * 2
    assert [page.counted for _, page in steps] == [True, False, True, False]
    assert [page.is_half for _, page in steps] == [True, False, True, False]
    assert [page.cursor for _, page in steps] == ["videos:v1,v2|CAo==", "items:CAo==", "videos:v3|", None]
    assert [item.native_id for _, page in steps for item in page.items] == ["v1", "v2", "v3"]
    assert all(item.published_at for _, page in steps for item in page.items)
    assert sum(call.units for call, _ in steps) == 4


@pytest.mark.parametrize(("setting", "expected"), [(None, "50"), (7, "7")])
def test_page_size(tmp_path: Path, setting: int | None, expected: str) -> None:
    """Fifty videos a page unless the user says otherwise; the videos themselves take no size."""
    source = YouTube(load(tmp_path, youtube_api_keys="k", page_size=setting))
    _, query = asked(source.call([uploads()], source.keys()[0]))
    assert query == {"part": "contentDetails", "playlistId": "UU1", "maxResults": expected}
    _, query = asked(source.call([uploads("videos:v1|")], source.keys()[0]))
    assert query == {"part": "snippet,statistics,contentDetails,status,paidProductPlacementDetails", "id": "v1"}


def test_an_empty_list_of_uploads_is_an_end(source: YouTube) -> None:
    """No items is a sound answer: nothing follows, or the list goes on where it says so."""
    body = listing("playlistItem")
    assert source.judge(Response(200, {}, body, "", 0)).outcome == "ok"
    assert source.page(uploads(), body) == Page(more=False)
    onward = source.page(uploads(), listing("playlistItem", nextPageToken="T"))
    assert (onward.items, onward.cursor, onward.more) == ((), "items:T", True)


@pytest.mark.parametrize(
    "cursor",
    ["", "T", "videos:", "videos:|T", "videos:v1,,v2|", "videos:../x|", "items:a b", "pages:T", "items:" + "x" * 1001,
     "videos:" + ",".join(f"v{n}" for n in range(51)) + "|"],
)  # fmt: skip
def test_a_foreign_cursor_is_refused(source: YouTube, cursor: str) -> None:
    """A cursor that this source did not write never becomes part of an address."""
    with pytest.raises(Refused, match="is no place in a list of uploads"):
        source.call([uploads(cursor)], source.keys()[0])


@pytest.mark.parametrize(
    ("task", "body"),
    [
        (Task("someone", PROFILE), listing("video", {"id": "v1"})),
        (Task("someone", PROFILE), listing("channel")),
        (Task("someone", PROFILE), listing("channel", channel(ID, "../UU1"))),
        (Task("someone", PROFILE), listing("channel", {"id": None})),
        (uploads(), listing("channel", channel(ID))),
        (uploads(), listing("playlistItem", {"contentDetails": {}})),
        (uploads(), listing("playlistItem", {})),
        (uploads(), listing("playlistItem", {"snippet": {}})),
        (uploads(), listing("playlistItem", listed("v1&key=x"))),
        (uploads(), listing("playlistItem", listed("v1,v2"))),
        (uploads(), listing("playlistItem", nextPageToken="a\nb")),
        (uploads(), listing("playlistItem", nextPageToken=5)),
        (uploads(), listing("playlistItem", *[listed(f"v{n}") for n in range(51)])),
        (uploads("videos:v1|"), listing("playlistItem")),
        (uploads(), b'{"kind":"youtube#playlistItemListResponse","items":{}}'),
        (uploads(), b'{"kind":'),
        (uploads(), b"[]"),
        (uploads(), b"{}"),
    ],
)
def test_a_body_of_another_kind_is_refused(source: YouTube, task: Task, body: bytes) -> None:
    """Another list, wrong types and ids that are none are told, not guessed at."""
    with pytest.raises((Refused, msgspec.ValidationError)):
        source.page(task, body)


def error(code: int, reason: str) -> bytes:
    """An error body of the API."""
    return json.dumps({"error": {"code": code, "message": "words", "errors": [{"reason": reason}]}}).encode()


@pytest.mark.parametrize(
    ("status", "body", "outcome"),
    [
        (200, listing("channel", channel(ID)), "ok"),
        (200, listing("channel"), "not_found"),
        (200, b'{"kind":"youtube#channelListResponse","pageInfo":{"totalResults":0}}', "not_found"),
        (200, listing("video"), "ok"),
        (403, error(403, "quotaExceeded"), "rate_limited"),
        (403, error(403, "rateLimitExceeded"), "rate_limited"),
        (400, error(400, "keyInvalid"), "auth"),
        (403, error(403, "accessNotConfigured"), "auth"),
        (404, error(404, "playlistNotFound"), "not_found"),
        (500, error(500, "backendError"), "transient"),
    ],
)
def test_outcomes(source: YouTube, status: int, body: bytes, outcome: str) -> None:
    """No channel is not_found, no videos is not; a 403 is a quota only by its reason."""
    assert source.judge(Response(status, {}, body, "", 0)).outcome == outcome


def test_a_forbidden_answer_without_a_quota_reason_is_no_rate_limit(source: YouTube) -> None:
    """Waiting would not help: the key or the project is wrong."""
    for reason in ("forbidden", "SERVICE_UNAVAILABLE", "channelForbidden"):
        assert source.judge(Response(403, {}, error(403, reason), "", 0)).outcome != "rate_limited"


def test_search_costs_a_hundred_units(source: YouTube) -> None:
    """Channels only, with the query escaped, and the ids of the answer once each."""
    (key,) = source.keys()
    call = source.call([uploads()], key)
    search = source.search_call("cocina & más", "CAUQAA", key)
    path, query = asked(search)
    assert (path, query["q"], query["type"], query["pageToken"]) == ("/v3/search", "cocina & más", "channel", "CAUQAA")
    assert (search.endpoint, search.units, call.units) == ("search.list", 100, 1)
    assert "pageToken" not in source.search_call("q", None, key).url
    with pytest.raises(ValueError, match="page token"):
        source.search_call("q", "a b", key)
    body = listing("search", *({"id": {"channelId": each}} for each in (OTHER_ID, ID, OTHER_ID)), {"id": {}})
    assert search_channels(body) == [OTHER_ID, ID]
    assert search_token(body) is None


def test_policy_counts_search_apart() -> None:
    """10,000 units a day, searches counted once more by themselves; no rests between batches."""
    quotas = {quota.endpoint: quota.units for quota in YouTube.policy.quotas}
    assert quotas == {None: 10_000, "search.list": 10_000}
    assert YouTube.policy.batch_size == 0
    assert YouTube.kinds[0] == PROFILE


def real(name: str) -> bytes:
    """A recorded answer of the API."""
    return (REALDATA / "youtube" / name).read_bytes()


@needs_realdata
def test_recorded_answers_can_be_paged_through(source: YouTube) -> None:
    """Recorded lists give the items and tokens that they hold."""
    page = source.page(Task("googledevelopers", PROFILE), real("data_api_v3/channel_info_single.json"))
    assert page.follow[POSTS].is_end  # recorded without contentDetails
    page = source.page(uploads(), real("data_api_v3/playlist_items/playlist_items_paged_1.json"))
    assert (len(page.items), (page.cursor or "").partition("|")[2]) == (10, "CAoQAA")
    source.call([uploads(page.cursor)], source.keys()[0])
    videos = real("data_api_v3/videos/videos_info_single.json")
    assert source.page(uploads("videos:D-lhorsDlUQ|CAoQAA"), videos).cursor == "items:CAoQAA"
    search = real("data_api_v3/search/search_channels.json")
    assert (len(search_channels(search)), search_token(search)) == (5, "CAUQAA")


@needs_realdata
def test_recorded_errors(source: YouTube) -> None:
    """The recorded quota error is a rate limit, the recorded key error is not, a denied permission neither."""
    outcomes = [
        source.judge(Response(status, {}, real(name), "", 0)).outcome
        for status, name in (
            (403, "errors/yt_403_quotaExceeded.json"),
            (400, "errors/error_response.json"),
            (403, "data_api_v3/error_permission_resp.json"),
        )
    ]
    assert outcomes[:2] == ["rate_limited", "auth"]
    assert outcomes[2] not in ("ok", "rate_limited")
