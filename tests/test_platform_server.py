"""The scripted platform server does what it says; nothing of igtool's own client is used to look at it."""

from __future__ import annotations

import http.client
import json
import re
import socket
import subprocess
import sys
import threading
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from conftest import REALDATA, needs_realdata
from platform_server import ANY, BEHAVIOURS, EXPECTED, NOW, PlatformServer, Population
from platform_server.asking import HEADERS, TIKHUB, asked, get, page, path_of, talk
from platform_server.behaviour import EVERYWHERE
from platform_server.requests import Ask
from platform_server.scripts import Limiter
from platform_server.server import KEYS, Options
from platform_server.wire import BOMB_BYTES, bomb

from igtool.platforms.base import parse
from igtool.settings import Settings


@pytest.fixture
def server() -> Iterator[PlatformServer]:
    """A server without scripts."""
    with PlatformServer() as opened:
        yield opened


@pytest.mark.parametrize(
    ("platform", "endpoint"),
    [("web", "posts"), ("graph", "posts"), ("tikhub", "posts"), ("tikhub", "reels"), ("youtube", "posts")],
)
def test_pages_end_and_hold_each_item_once(server: PlatformServer, platform: str, endpoint: str) -> None:
    """Following the cursors from the first page brings every post once, the newest first."""
    handle, cursor, found = "posts120_anna", "", list[str]()
    for _ in range(20):
        ids, following = page(platform, endpoint, asked(server, platform, endpoint, handle, cursor))
        found += ids
        if following is None:
            break
        cursor = following
    person = server.person(handle)
    assert len(set(found)) == len(found) == len(person.shown(endpoint == "reels"))
    assert found == sorted(found, reverse=True) or platform in ("graph", "youtube")


def test_profile_page_one_continues(server: PlatformServer) -> None:
    """The cursor in a web profile leads to the page after the posts that the profile shows."""
    first, cursor = page("web", "profile", asked(server, "web", "profile", "posts30_anna"))
    second, _ = page("web", "posts", asked(server, "web", "posts", "posts30_anna", cursor or ""))
    assert len(first) == len(second) == 12
    assert not set(first) & set(second)


def test_same_person_everywhere(server: PlatformServer) -> None:
    """Name, times and permalinks of a handle agree on all platforms, and between two servers."""
    web = asked(server, "web", "profile", "posts20_anna")["data"]["user"]
    graph = asked(server, "graph", "profile", "posts20_anna")["business_discovery"]
    channel = asked(server, "youtube", "profile", "posts20_anna")["items"][0]
    assert web["full_name"] == graph["name"] == channel["snippet"]["title"]
    codes = [edge["node"]["shortcode"] for edge in web["edge_owner_to_timeline_media"]["edges"]]
    assert codes == [item["permalink"].split("/")[-2] for item in graph["media"]["data"]][:12]
    with PlatformServer() as another:
        assert asked(another, "web", "profile", "posts20_anna")["data"]["user"] == web


def test_ids_hold_the_person() -> None:
    """Every id leads back to its person, in a population that has never heard of the handle."""
    people, strangers = Population(), Population()
    for rank in range(300):
        person = people.by_handle(f"creator_{rank}")
        found = (strangers.by_user_id(person.user_id), strangers.by_channel_id(person.uploads_id))
        assert {one.number for one in found if one} == {person.number}
        assert len(person.channel_id) == 24
        if person.posts_count:
            video = strangers.by_video_id(person.post(0).video_id)
            assert video is not None
            assert video.person.number == person.number
            assert video.taken_at < NOW.timestamp()
    assert strangers.by_channel_id("UC" + "x" * 22) is None


def test_words_choose_special_cases(server: PlatformServer) -> None:
    """missing_, gone_, html_, private_, empty_ and pinned_ answer as the platforms do in such cases."""
    assert asked(server, "web", "profile", "missing_a") == {"data": {"user": None}, "status": "ok"}
    assert get(server, path_of(server, "web", "profile", "gone_a"))[0] == 404
    status, body, headers = get(server, path_of(server, "web", "profile", "html_a"))
    assert (status, headers["content-type"], body[:9]) == (404, "text/html; charset=utf-8", b"<!DOCTYPE")
    private = asked(server, "web", "profile", "private_a")["data"]["user"]
    assert private["is_private"]
    assert private["edge_owner_to_timeline_media"]["edges"] == []
    assert page("web", "profile", asked(server, "web", "profile", "empty_a")) == ([], None)
    assert get(server, path_of(server, "youtube", "posts", "empty_a"))[0] == 404
    assert "items" not in asked(server, "youtube", "profile", "missing_a")
    assert get(server, path_of(server, "graph", "profile", "missing_a"))[1]["error"]["code"] == 110
    assert asked(server, "tikhub", "profile", "missing_a")["data"]["code"] == 404
    handle = next(f"pinned_{n}" for n in range(50) if server.person(f"pinned_{n}").posts_count > 12)
    nodes = asked(server, "web", "profile", handle)["data"]["user"]["edge_owner_to_timeline_media"]["edges"]
    assert nodes[0]["node"]["pinned_for_users"]
    assert nodes[0]["node"]["taken_at_timestamp"] < nodes[1]["node"]["taken_at_timestamp"]


@pytest.mark.parametrize(("platform", "endpoint"), [("web", "profile"), ("youtube", "profile"), ("youtube", "videos")])
def test_answers_are_rows(server: PlatformServer, platform: str, endpoint: str) -> None:
    """What the server invents is a payload that igtool reads without rejects."""
    body = asked(server, platform, endpoint, "posts30_anna")
    parsed = parse(json.dumps(body), observed_at=datetime(2026, 10, 1, tzinfo=UTC))
    assert (parsed.outcome, parsed.reason, parsed.lost) == ("ok", None, [])
    assert len(parsed.accounts) == (endpoint == "profile")
    assert len(parsed.content_items) == {"profile": 12 * (platform == "web"), "videos": 1}[endpoint]


def test_search_has_pages(server: PlatformServer) -> None:
    """A search finds channels that exist, on more than one page."""
    found = asked(server, "youtube", "search", "x")
    ids = [item["id"]["channelId"] for item in found["items"]]
    more = asked(server, "youtube", "search", "x", found["nextPageToken"])
    assert len(ids) == 25
    assert not set(ids) & {item["id"]["channelId"] for item in more["items"]}
    channels = get(server, f"/youtube/channels?part=snippet&id={','.join(ids)}")[1]
    assert {channel["id"] for channel in channels["items"]} == set(ids)


def test_keys_are_needed(server: PlatformServer) -> None:
    """Without its key a platform refuses in its own words, and a key in the URL is noticed."""
    status, body, _ = get(server, path_of(server, "graph", "profile", "anna"), headers={})
    assert (status, body["error"]["code"]) == (401, 190)
    assert get(server, path_of(server, "tikhub", "profile", "anna"), headers={})[0] == 401
    path = path_of(server, "youtube", "profile", "anna") + "&key=youtube-key-invented-1"
    assert get(server, path, headers={})[1]["error"]["errors"][0]["reason"] == "keyInvalid"
    assert server.requests[-1].secrets == ("key",)
    assert get(server, path_of(server, "web", "profile", "anna"), headers={})[0] == 400


def test_every_request_is_recorded(server: PlatformServer) -> None:
    """A record tells platform, endpoint, whose, which page, which key and when; ids are led back to handles."""
    asked(server, "web", "profile", "posts30_anna")
    asked(server, "tikhub", "posts", "posts30_anna", "17_4")
    first, second = server.requests
    assert (first.platform, first.endpoint, first.handle, first.cursor) == ("web", "profile", "posts30_anna", None)
    assert (second.endpoint, second.handle, second.cursor) == ("posts", "posts30_anna", "17_4")
    assert second.key == KEYS["tikhub"][0]
    assert second.at >= first.at
    assert second.question != first.question
    assert server.summary()["counts"] == {"web/profile/ok": 1, "tikhub/posts/ok": 1}


@pytest.mark.parametrize("name", BEHAVIOURS)
def test_behaviour_plays(server: PlatformServer, name: str) -> None:
    """Every behaviour plays once where it says it can, without an error inside, and a decent answer follows."""
    behaviour = BEHAVIOURS[name]
    platform = behaviour.platforms[0]
    endpoint = next(one for one in behaviour.endpoints if one in ("profile", "posts"))
    path = path_of(server, platform, endpoint, "posts300_anna")
    server.script([name], handle="posts300_anna")
    talk(server, path)
    assert [record.behaviour for record in server.requests] == [name]
    assert get(server, path)[0] == 200
    assert server.requests[-1].behaviour == "ok"
    assert server.errors == []


def test_expectations_are_complete() -> None:
    """At least 60 behaviours, each with an outcome, states and a fate of the source from the closed sets."""
    outcomes = {"ok", "not_found", "private", "rate_limited", "auth", "blocked", "transient", "invalid", ANY}
    states = {"done", "not_found", "private", "failed", "dead", "waiting", ANY}
    assert len(EXPECTED) >= 60
    for expected in EXPECTED.values():
        assert expected.outcome in outcomes
        assert {expected.once, expected.always} <= states
        assert expected.source in {"goes_on", "waits", "stops"}
        assert (expected.source == "goes_on") == (expected.outcome not in {"rate_limited", "auth", "blocked"})


STATUS = re.compile(r"status-(\d{3})")


@pytest.mark.parametrize("name", [name for name in BEHAVIOURS if STATUS.match(name) and name != "status-999"])
def test_status_is_the_named_one(server: PlatformServer, name: str) -> None:
    """A behaviour named after a status answers with it."""
    server.script([name])
    status, _, headers = get(server, path_of(server, "web", "profile", "anna"))
    assert f"status-{status}" == STATUS.match(name)[0]  # type: ignore[index]
    if status == 429:
        assert ("retry-after" in headers) == (name not in {"status-429", "status-429-empty", "status-429-html"})


def test_scripts_play_in_order(server: PlatformServer) -> None:
    """skip, then each behaviour, then decent answers; forever repeats the last; filters by handle and endpoint hold."""
    path = path_of(server, "web", "profile", "anna")
    server.script(["status-500", "status-502"], handle="anna", skip=1)
    assert [get(server, path)[0] for _ in range(4)] == [200, 500, 502, 200]
    server.reset()
    server.script(["status-503", "status-504"], platform="web", endpoint="posts", forever=True)
    posts = path_of(server, "web", "posts", "bruno")
    assert [get(server, posts)[0] for _ in range(4)] == [503, 504, 504, 504]
    assert get(server, path)[0] == 200


def test_script_of_a_handle_follows_its_ids(server: PlatformServer) -> None:
    """A script for a handle also meets the requests that name the account by an id."""
    server.script(["status-500"] * 3, handle="anna")
    paths = [
        path_of(server, platform, endpoint, "anna")
        for platform, endpoint in (("web", "posts"), ("tikhub", "reels"), ("youtube", "posts"))
    ]
    assert [get(server, path)[0] for path in paths] == [500, 500, 500]


def test_wrong_scripts_are_refused(server: PlatformServer) -> None:
    """A name that is unknown, and a behaviour where it cannot be played, are errors at once."""
    with pytest.raises(ValueError, match="nonsense"):
        server.script(["nonsense"])
    with pytest.raises(ValueError, match="google-403-quota cannot be played at web"):
        server.script(["google-403-quota"], platform="web")


@pytest.mark.parametrize("name", ["cursor-same", "cursor-a-b-a"])
@pytest.mark.parametrize("platform", ["web", "graph", "tikhub", "youtube"])
def test_cursor_loops_bring_new_items(server: PlatformServer, platform: str, name: str) -> None:
    """A loop of cursors shows itself by its cursors alone: its pages have new items each time."""
    server.script([name], endpoint="posts", forever=True)
    cursor, cursors, found = "first", list[str](), list[str]()
    for _ in range(4):
        ids, following = page(platform, "posts", asked(server, platform, "posts", "posts400_anna", cursor))
        assert following is not None
        cursor = following
        cursors.append(cursor)
        found += ids
    assert len(set(cursors)) == (1 if name == "cursor-same" else 2)
    assert len(set(found)) == len(found) > 40


@pytest.mark.parametrize(("name", "works"), [("cursor-withheld", True), ("cursor-lost", False)])
def test_missing_cursors(server: PlatformServer, name: str, works: bool) -> None:
    """Where the cursor is missing although there is more, the last item's id leads on, or back to the first page."""
    server.script([name], endpoint="posts", forever=True)
    first = asked(server, "web", "posts", "posts40_anna")
    ids, cursor = page("web", "posts", first)
    assert cursor is None
    assert first["data"]["user"]["edge_owner_to_timeline_media"]["page_info"]["has_next_page"]
    again, _ = page("web", "posts", asked(server, "web", "posts", "posts40_anna", ids[-1]))
    assert (not set(ids) & set(again)) == works


def test_redirect_elsewhere_needs_no_key(server: PlatformServer) -> None:
    """The other origin answers the same without a key, and records what it was shown."""
    server.script(["redirect-elsewhere"])
    status, _, headers = get(server, path_of(server, "graph", "profile", "anna"))
    other = urlsplit(headers["location"])
    assert (status, other.port) != (302, urlsplit(server.url("graph")).port)
    with closing(http.client.HTTPConnection("127.0.0.1", other.port, timeout=10)) as connection:
        connection.request("GET", f"{other.path}?{other.query}")
        assert json.loads(connection.getresponse().read())["business_discovery"]["username"] == "anna"
    assert (server.requests[-1].is_elsewhere, server.requests[-1].key) == (True, "")


def test_bomb_is_a_bomb() -> None:
    """The gzip bomb unpacks to 200 MB and is a valid stream to its end."""
    assert len(bomb()) < 1 << 20
    unpacker, size, rest = zlib.decompressobj(31), 0, bomb()
    while rest and not unpacker.eof:
        size += len(unpacker.decompress(rest, 1 << 22))
        rest = unpacker.unconsumed_tail
    assert (size, unpacker.eof) == (BOMB_BYTES, True)


def test_limiter_slides() -> None:
    """Any window holds at most the limit; a refused request takes no place; keys and platforms count apart."""
    limiter = Limiter(2, 60.0, scale=10)
    anna = Ask("web", "profile", "/", {})
    assert [limiter.refuse(anna, at) for at in (0.0, 30.0)] == [None, None]
    assert [limiter.refuse(anna, at) for at in (40.0, 59.0)] == [200.0, 10.0]
    assert limiter.refuse(Ask("graph", "profile", "/", {}), 59.0) is None
    assert [limiter.refuse(anna, at) for at in (60.0, 61.0)] == [None, 290.0]
    assert limiter.violations == 3


def test_limit_and_quota_are_enforced() -> None:
    """Above the limit comes 429 with Retry-After; above the quota comes YouTube's 403."""
    with PlatformServer(Options(limit=(2, 600.0))) as server:
        answers = [get(server, path_of(server, "web", "profile", "anna")) for _ in range(3)]
        assert [answer[0] for answer in answers] == [200, 200, 429]
        assert 0 < int(answers[-1][2]["retry-after"]) <= 600
        assert server.summary()["violations"] == 1
    with PlatformServer(Options(quota=101)) as server:
        asked(server, "youtube", "search", "x")
        asked(server, "youtube", "profile", "anna")
        status, body, _ = get(server, path_of(server, "youtube", "profile", "anna"))
        assert (status, body["error"]["errors"][0]["reason"]) == (403, "quotaExceeded")
        assert server.summary()["units"] == {KEYS["youtube"][0]: 102}


def test_close_ends_what_hangs() -> None:
    """Closing the server ends its connections and threads, also those that hang or drip."""
    before = threading.active_count()
    with ExitStack() as stack:
        with PlatformServer() as server:
            host = urlsplit(server.url("web"))
            request = f"GET {path_of(server, 'web', 'profile', 'anna')} HTTP/1.1\r\n\r\n".encode()
            stack.enter_context(socket.create_connection((host.hostname, host.port), timeout=5))
            for name in ("endless-body", "drip-body", "hang-in-body"):
                server.script([name])
                one = stack.enter_context(socket.create_connection((host.hostname, host.port), timeout=5))
                one.sendall(request)
                assert one.recv(1) == b"H"
        assert threading.active_count() == before


def test_connections_are_kept(server: PlatformServer) -> None:
    """Several requests go over one connection, and requests sent together are all answered."""
    path = path_of(server, "web", "profile", "empty_a")
    host = urlsplit(server.url("web"))
    request = f"GET {path} HTTP/1.1\r\nx-ig-app-id: {HEADERS['web']['x-ig-app-id']}\r\n"
    with socket.create_connection((host.hostname, host.port), timeout=5) as connection:
        connection.sendall(f"{request}\r\n{request}\r\n{request}connection: close\r\n\r\n".encode())
        received = b""
        while more := connection.recv(65_536):
            received += more
    assert received.count(b"HTTP/1.1 200 OK") == 3


def test_settings_fit(server: PlatformServer) -> None:
    """Igtool takes the settings that point at the server."""
    settings = Settings(**server.settings())
    assert settings.instagram_web_url == server.url("web")
    assert settings.youtube_api_keys is not None
    assert settings.youtube_api_keys.get_secret_value().split(",") == list(KEYS["youtube"])


def test_child_process(tmp_path: Path) -> None:
    """As a process it prints its address, takes scripts, logs each request as a line and ends with its input."""
    log = tmp_path / "requests.jsonl"
    command = [sys.executable, "-m", "tests.platform_server", "--log", str(log), "--limit", "5/600"]
    folder = Path(__file__).parents[1]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=folder) as child:
        assert child.stdout is not None
        address = urlsplit(child.stdout.readline().strip())
        with closing(http.client.HTTPConnection(address.hostname or "", address.port, timeout=10)) as connection:

            def ask(method: str, path: str, body: Any = None) -> tuple[int, Any]:
                connection.request(method, path, body=body and json.dumps(body), headers=HEADERS["web"])
                answer = connection.getresponse()
                return answer.status, json.loads(answer.read())

            profile = "/web/api/v1/users/web_profile_info/?username=anna"
            assert ask("POST", "/_control/scripts", {"behaviours": ["status-500"]}) == (200, {})
            assert ask("POST", "/_control/scripts", {"behaviours": ["nonsense"]})[0] == 400
            assert [ask("GET", profile)[0] for _ in range(2)] == [500, 200]
            assert ask("GET", "/_control/counts")[1]["counts"] == {
                "web/profile/status-500": 1,
                "web/profile/ok": 1,
            }
        child.communicate("", timeout=10)
        assert child.returncode == 0
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert [line["behaviour"] for line in lines] == ["status-500", "ok"]
    assert lines[0]["handles"] == ["anna"]


@needs_realdata
def test_saved_answers_are_served() -> None:
    """With a folder of saved payloads their accounts are answered byte for byte, and their errors are behaviours."""
    with PlatformServer(Options(realdata=REALDATA)) as server:
        body = asked(server, "web", "profile", "robertdowneyjr")
        assert body == json.loads((REALDATA / "instagram/web_profile_info__rdj.json").read_bytes())
        reels = get(server, f"{TIKHUB}fetch_user_reels?user_id=3171067&count=12")[1]
        assert len(reels["data"]["items"]) == 12
        real = [name for name in server.behaviours if name.startswith("real-")]
        assert len(real) == 14
        for name in real:
            platform = server.behaviours[name].platforms[0]
            server.script([name], platform=platform)
            assert get(server, path_of(server, platform, "profile", "anna"))[1] != {}
            assert server.requests[-1].behaviour == name


def test_endpoints_are_known() -> None:
    """No behaviour names an endpoint that the server does not have."""
    for behaviour in BEHAVIOURS.values():
        assert set(behaviour.endpoints) <= set(EVERYWHERE)
