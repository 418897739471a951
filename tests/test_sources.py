"""What holds for every live source, found as the program finds them."""

from __future__ import annotations

import ast
import inspect
import json
from importlib.metadata import entry_points
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec
import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from igtool import registry
from igtool.errors import ConfigError, UsageError
from igtool.http import Response
from igtool.platforms.base import Refused
from igtool.platforms.live import POSTS, PROFILE, REELS, SEARCH, Call, Key, Page, Source, Task
from igtool.settings import Settings

NAMES = sorted(point.name for point in entry_points(group="igtool.sources"))
SECRET = "S3cr3tInvented77"
OUTCOMES = {"ok", "not_found", "private", "rate_limited", "auth", "blocked", "transient", "invalid"}
REFUSALS = (Refused, UsageError, ValueError)
HANDLES = {"instagram": "lola.invented", "youtube": "lolainvented"}
TARGETS = {"instagram_graph": "lola.invented", "youtube": "UUinvented0123456789abcd"}
JUNK = (
    b"",
    b"null",
    b"[]",
    b"42",
    b'"text"',
    b"{}",
    b"{error}",
    b"<html>",
    b"\xff\xfe",
    b'{"data": null, "items": null}',
    b'{"data": [], "items": {}}',
    b'{"data": {"user": {"id": []}}}',
    b'{"data": {"user": {"id": null}}}',
    b'{"data": {"data": {"user": 5}}, "router": "/x"}',
    b'{"business_discovery": {"id": {}, "media": []}}',
    b'{"business_discovery": {}}',
    b'{"kind": "youtube#channelListResponse", "items": [{"id": {}}]}',
    b'{"kind": "youtube#playlistItemListResponse", "items": "none"}',
    b'{"items": [[]], "more_available": "yes"}',
    b'{"a":' + b"[" * 100_000,
    b'{"data": {"user": {"id": "\xff"}}}',
)
EVIL = (
    "../../x",
    "a/b",
    "a?x=1",
    "a#b",
    "a&key=1",
    "a){id}",
    "a\r\nhost: x",
    "\u0430dmin",
    "x" * 300,
    "",
    " ",
    "%2e%2e",
)


def settings(**more: Any) -> Settings:
    """Settings with a key for each source."""
    return Settings(
        instagram_graph_token=SECRET,
        instagram_graph_user_id="17841400000000001",
        tikhub_api_token=SECRET,
        youtube_api_keys=SECRET,
        **more,
    )


@pytest.fixture(params=NAMES)
def source(request: pytest.FixtureRequest) -> Source:
    """Each registered source with its keys set."""
    made: Source = registry.load("sources", request.param)(settings())
    return made


def tasks_of(source: Source) -> list[Task]:
    """A task of each kind that the source has, first and later pages."""
    handle, target = HANDLES[source.platform], TARGETS.get(source.name, "70000000001")
    later = [Task(handle, kind, target, cursor) for kind in source.kinds[1:] for cursor in (None, page_cursor(source))]
    return [Task(handle, PROFILE), *later]


def page_cursor(source: Source) -> str:
    """A cursor as the source writes them."""
    return "items:CDIQAA" if source.platform == "youtube" else "QVFC0123="


def call(source: Source, task: Task) -> Call:
    """The request for a task."""
    return source.call([task], source.keys()[0])


def test_the_four_sources_are_there() -> None:
    """The sources that the documentation names are registered."""
    assert NAMES == ["instagram_graph", "instagram_web", "tikhub", "youtube"]


def test_a_source_says_what_it_is(source: Source) -> None:
    """Name, platform and kinds are those that the rest of the program knows, and a sentence describes it."""
    assert registry.load("sources", source.name) is type(source)
    assert source.platform in ("instagram", "youtube")
    assert source.kinds[:2] == (PROFILE, POSTS)
    assert set(source.kinds) <= {PROFILE, POSTS, REELS, SEARCH}
    assert len(set(source.kinds)) == len(source.kinds)
    assert (type(source).__doc__ or "").strip()
    assert source.probe().kind == PROFILE
    assert urlsplit(call(source, source.probe()).url).hostname


def test_a_policy_can_be_kept(source: Source) -> None:
    """Limits, quotas and pauses are positive, and each names what it counts."""
    policy = source.policy
    assert policy.limits
    assert all(limit.requests >= 1 and limit.window_s > 0 for limit in policy.limits)
    assert all(quota.units >= 1 for quota in policy.quotas)
    assert 0 <= policy.jitter_s[0] <= policy.jitter_s[1]
    assert policy.batch_size >= 0
    assert policy.batch_size == 0 or policy.batch_pause_s > 0


def test_a_missing_key_is_named(source: Source) -> None:
    """Without its key a source says which setting it wants; the web source wants none."""
    bare = type(source)(
        Settings(instagram_graph_token=None, instagram_graph_user_id=None, tikhub_api_token=None, youtube_api_keys=None)
    )
    if source.name == "instagram_web":
        assert bare.keys() == (Key(),)
        return
    with pytest.raises(ConfigError, match=r"(TOKEN|KEY)\b"):
        bare.keys()


def test_no_secret_is_shown(source: Source) -> None:
    """Secrets travel in headers only: not in addresses, names of keys, or what is printed."""
    for task in tasks_of(source):
        asked = call(source, task)
        assert SECRET not in asked.url + asked.endpoint + repr(asked)
    keys = source.keys()
    for key in keys:
        assert SECRET not in key.name + repr(key)
        assert source.name == "instagram_web" or key.secret == SECRET


def test_requests_go_to_the_address_of_the_settings(source: Source) -> None:
    """Every request of a source follows its base URL, and the same task is the same request."""
    setting = {"tikhub": "tikhub_base_url"}.get(source.name, f"{source.name}_url")
    moved = type(source)(settings(**{setting: "http://127.0.0.1:9/base"}))
    for task in tasks_of(moved):
        asked = call(moved, task)
        assert asked.url.startswith("http://127.0.0.1:9/base/")
        assert asked == call(moved, task)
        assert asked.endpoint
        assert not asked.endpoint.endswith("_error")
        assert asked.units >= 1
        assert asked.cost_usd >= 0


def test_cursors_lead_to_another_request(source: Source) -> None:
    """A later page is another address than the first."""
    first, later = (call(source, task) for task in tasks_of(source)[1:3])
    assert first.url != later.url


def test_headers_are_plain(source: Source) -> None:
    """Headers are printable ASCII with names in lower case, and none plays a browser."""
    for task in tasks_of(source):
        for name, value in call(source, task).headers.items():
            assert name == name.lower()
            assert (name + value).isascii()
            assert (name + value).isprintable()
            assert name not in ("cookie", "user-agent", "referer", "origin")
            assert not name.startswith("sec-")


@pytest.mark.parametrize("handle", EVIL)
def test_a_handle_cannot_leave_its_place(source: Source, handle: str) -> None:
    """A handle that is none is refused, or stays one value of the query."""
    plain = urlsplit(call(source, tasks_of(source)[0]).url)
    try:
        asked = call(source, Task(handle, PROFILE))
    except REFUSALS:
        return
    parts = urlsplit(asked.url)
    assert (parts.scheme, parts.netloc, parts.path, parts.fragment) == (plain.scheme, plain.netloc, plain.path, "")
    assert parse_qs(parts.query).keys() == parse_qs(plain.query).keys()
    assert asked.url.isascii()
    assert asked.url.isprintable()


@given(cursor=st.text(min_size=1, max_size=30), target=st.text(min_size=1, max_size=30))
@examples(max_examples=60, deadline=None)
@pytest.mark.parametrize("name", NAMES)
def test_cursors_and_targets_cannot_leave_their_place(name: str, cursor: str, target: str) -> None:
    """What a platform sends as cursor or id is refused, or stays within the query of the same address."""
    source: Source = registry.load("sources", name)(settings())
    plain = urlsplit(call(source, tasks_of(source)[1]).url)
    for task in (
        Task(HANDLES[source.platform], POSTS, target),
        Task(HANDLES[source.platform], POSTS, TARGETS.get(name, "70000000001"), cursor),
    ):
        try:
            url = call(source, task).url
        except REFUSALS:
            continue
        parts = urlsplit(url)
        assert parts.netloc == plain.netloc
        assert parts.path.rpartition("/")[0] == plain.path.rpartition("/")[0]
        assert url.isascii()
        assert url.isprintable()
        assert " " not in url


@pytest.mark.parametrize("body", JUNK, ids=range(len(JUNK)))
def test_a_body_of_another_kind_is_refused(source: Source, body: bytes) -> None:
    """Whatever is no page of a source raises what the fetcher expects, and never passes as a profile."""
    for task in tasks_of(source):
        try:
            page = source.page(task, body)
        except (Refused, msgspec.ValidationError):
            continue
        assert isinstance(page, Page)
        assert task.kind != PROFILE
        assert page.items == ()


@pytest.mark.parametrize("status", [200, 204, 301, 400, 401, 402, 403, 404, 410, 418, 429, 500, 503])
def test_every_answer_has_an_outcome(source: Source, status: int) -> None:
    """A source gives each status with each body one outcome of the closed set, and says why it is not ok."""
    bodies = [*JUNK, json.dumps({"message": "Please wait a few minutes", "status": "fail"}).encode()]
    for body in bodies:
        verdict = source.judge(Response(status, {}, body, "https://platform.example/x", 0.1))
        assert verdict.outcome in OUTCOMES
        assert verdict.outcome == "ok" or verdict.words
        assert len(verdict.words) <= 300
        assert status < 300 or verdict.outcome != "ok"
        assert status != 429 or verdict.outcome == "rate_limited"
        assert status != 401 or verdict.outcome in ("auth", "rate_limited")


@pytest.mark.parametrize(
    "headers",
    [{}, {"x-app-usage": "{", "x-business-use-case-usage": "[]"}, {"x-app-usage": '{"call_count": 1e300}'}],
    ids=range(3),
)
def test_usage_is_a_share_or_unknown(source: Source, headers: dict[str, str]) -> None:
    """Whatever the headers hold, the usage is between 0 and 1 or unknown."""
    score = source.usage_score(headers)
    assert score is None or 0 <= score <= 1


def test_one_task_fits_at_least(source: Source) -> None:
    """Every task can be asked for by itself; pages of posts are never put together."""
    first, *later = tasks_of(source)
    assert source.together(first) >= 1
    assert {source.together(task) for task in later} == {1}


def test_a_source_only_describes(source: Source) -> None:
    """No source waits, stores, opens a connection, reads a clock or draws a random number by itself."""
    banned = {"httpx2", "httpcore2", "socket", "urllib.request", "http", "time", "random", "sqlite3", "threading", "os"}
    imported = set()
    for node in ast.walk(ast.parse(inspect.getsource(inspect.getmodule(type(source)) or ast))):
        if isinstance(node, ast.Import):
            imported |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported.add(node.module or "")
            imported |= {alias.name for alias in node.names if node.module == "igtool.http"}
    assert not imported & (banned | {"Client"})
