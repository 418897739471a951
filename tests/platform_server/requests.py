"""What a request asks for, and what a plain answer is made of."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from .population import Person, Population

PLATFORMS = ("web", "graph", "tikhub", "youtube")
PROFILE, POSTS, REELS, VIDEOS, SEARCH = "profile", "posts", "reels", "videos", "search"
_SECRET_PARAMETERS = frozenset({"key", "access_token", "token", "api_key", "client_secret"})
_TIKHUB = "/api/v1/instagram/v1/"
_PATHS = {
    ("web", "/api/v1/users/web_profile_info/"): PROFILE,
    ("web", "/graphql/query/"): POSTS,
    ("tikhub", _TIKHUB + "fetch_user_info_by_username"): PROFILE,
    ("tikhub", _TIKHUB + "fetch_user_posts"): POSTS,
    ("tikhub", _TIKHUB + "fetch_user_reels"): REELS,
    ("youtube", "/channels"): PROFILE,
    ("youtube", "/playlistItems"): POSTS,
    ("youtube", "/videos"): VIDEOS,
    ("youtube", "/search"): SEARCH,
}
_DISCOVERY = re.compile(r"business_discovery\.username\(([^)]*)\)")
_AFTER = re.compile(r"\.after\(([^)]*)\)")
_LIMIT = re.compile(r"\.limit\((\d+)\)")


@dataclass(frozen=True)
class Ask:
    """One request, understood.

    ``endpoint`` is ``profile``, ``posts``, ``reels``, ``videos`` or ``search`` on every platform, or the path where
    nothing of the kind was asked for. ``people``: whom it concerns, as far as the server knows them. ``secrets``:
    parameters of the URL that should have been a header. ``is_elsewhere``: it came to the server's other origin.
    """

    platform: str
    endpoint: str
    target: str
    headers: Mapping[str, str]
    people: tuple[Person, ...] = ()
    subjects: tuple[str, ...] = ()
    cursor: str | None = None
    size: int = 12
    key: str = ""
    secrets: tuple[str, ...] = ()
    is_elsewhere: bool = False

    @property
    def handles(self) -> tuple[str, ...]:
        """The handles of those whom it concerns; empty where only an id is known."""
        return tuple(person.handle for person in self.people)

    @property
    def path(self) -> str:
        """The path of the URL."""
        return urlsplit(self.target).path


@dataclass
class Reply:
    """A plain answer: ``document`` is sent as JSON, unless there is a ``body``."""

    status: int = 200
    document: Any = None
    body: bytes | None = None
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def content(self) -> bytes:
        """The body."""
        if self.body is not None:
            return self.body
        return json.dumps(self.document, ensure_ascii=False, separators=(",", ":")).encode()


def understand(target: str, headers: Mapping[str, str], population: Population, *, is_elsewhere: bool = False) -> Ask:
    """The meaning of a request for ``target``."""
    parts = urlsplit(target)
    platform, _, rest = parts.path.removeprefix("/").partition("/")
    path = "/" + rest
    query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
    endpoint = _PATHS.get((platform, path), parts.path)
    key = headers.get("authorization", "").removeprefix("Bearer ") or headers.get("x-goog-api-key", "")
    secrets = tuple(sorted(_SECRET_PARAMETERS & query.keys()))
    found: dict[str, Any] = {}
    if platform == "graph" and "fields" in query:
        endpoint, found = _graph(query["fields"], endpoint, population)
    elif (platform, path) in _PATHS:
        found = _READERS[platform](query, population)
    return Ask(platform, endpoint, target, headers, key=key, secrets=secrets, is_elsewhere=is_elsewhere, **found)


def _web(query: Mapping[str, str], population: Population) -> dict[str, Any]:
    if "username" in query:
        return _named(query["username"], population)
    try:
        variables = json.loads(query.get("variables", "{}"))
    except ValueError:
        variables = {}
    found = _owned(str(variables.get("id", "")), population)
    return found | {"cursor": variables.get("after"), "size": int(variables.get("first") or 12)}


def _graph(fields: str, path: str, population: Population) -> tuple[str, dict[str, Any]]:
    name, after, limit = (pattern.search(fields) for pattern in (_DISCOVERY, _AFTER, _LIMIT))
    if name is None:
        return fields, {}
    found = _named(name[1], population) | {
        "cursor": after and unquote(after[1]),
        "size": int(limit[1]) if limit else 25,
    }
    return POSTS if after else PROFILE, found


def _tikhub(query: Mapping[str, str], population: Population) -> dict[str, Any]:
    if "username" in query:
        return _named(query["username"], population)
    found = _owned(query.get("user_id", ""), population)
    return found | {"cursor": query.get("max_id") or None, "size": int(query.get("count") or 12)}


def _youtube(query: Mapping[str, str], population: Population) -> dict[str, Any]:
    rest = {"cursor": query.get("pageToken") or None, "size": min(int(query.get("maxResults") or 5), 50)}
    if "forHandle" in query:
        return _named(query["forHandle"], population) | rest
    if "q" in query:
        return {"subjects": (query["q"],), **rest}
    ids = tuple(query.get("playlistId", query.get("id", "")).split(","))
    people: dict[str, Person] = {}
    for one in ids:
        video = population.by_video_id(one)
        person = video.person if video else population.by_channel_id(one)
        if person is not None:
            people[person.user_id] = person
    return {"people": tuple(people.values()), "subjects": ids, **rest}


def _named(handle: str, population: Population) -> dict[str, Any]:
    return {"people": (population.by_handle(handle),), "subjects": (handle,)}


def _owned(user_id: str, population: Population) -> dict[str, Any]:
    person = population.by_user_id(user_id)
    return {"people": (person,) if person else (), "subjects": (user_id,)}


_READERS = {"web": _web, "tikhub": _tikhub, "youtube": _youtube}
