"""Asking the server without igtool: plain requests and raw sockets, for tests of the server itself."""

from __future__ import annotations

import http.client
import json
import socket
import time
from contextlib import closing, suppress
from typing import Any
from urllib.parse import quote, urlsplit

from .server import KEYS, PlatformServer

HEADERS = {
    "web": {"x-ig-app-id": "936619743392459"},
    "graph": {"authorization": f"Bearer {KEYS['graph'][0]}"},
    "tikhub": {"authorization": f"Bearer {KEYS['tikhub'][0]}"},
    "youtube": {"x-goog-api-key": KEYS["youtube"][0]},
}
TIKHUB = "/tikhub/api/v1/instagram/v1/"


def path_of(server: PlatformServer, platform: str, endpoint: str, handle: str, cursor: str = "") -> str:
    """The path and query that ask for ``endpoint`` of ``handle``."""
    person = server.person(handle)
    if platform == "web":
        variables = json.dumps({"id": person.user_id, "first": 12, "after": cursor or None})
        posts = f"/web/graphql/query/?query_hash=abc&variables={quote(variables)}"
        return posts if endpoint == "posts" else f"/web/api/v1/users/web_profile_info/?username={handle}"
    if platform == "graph":
        after = f".after({cursor})" if cursor or endpoint == "posts" else ""
        fields = f"business_discovery.username({handle}){{id,media{after}.limit(25){{id}}}}"
        return f"/graph/17841400000000001?fields={quote(fields)}"
    if platform == "tikhub":
        asked = f"user_id={person.user_id}&count=12&max_id={quote(cursor)}"
        return (
            f"{TIKHUB}fetch_user_info_by_username?username={handle}"
            if endpoint == "profile"
            else (f"{TIKHUB}fetch_user_{endpoint}?{asked}")
        )
    return {
        "profile": f"/youtube/channels?part=snippet&forHandle=@{handle}",
        "posts": f"/youtube/playlistItems?playlistId={person.uploads_id}&maxResults=50&pageToken={quote(cursor)}",
        "videos": f"/youtube/videos?id={person.post(0).video_id}",
        "search": f"/youtube/search?q=bread&type=channel&maxResults=25&pageToken={quote(cursor)}",
    }[endpoint]


def get(server: PlatformServer, path: str, headers: dict[str, str] | None = None) -> tuple[int, Any, dict[str, str]]:
    """Status, decoded body (bytes where it is no JSON) and headers of one request on a connection of its own."""
    host = urlsplit(server.url("web"))
    with closing(http.client.HTTPConnection(host.hostname or "", host.port, timeout=10)) as connection:
        connection.request("GET", path, headers=HEADERS.get(path.split("/")[1], {}) if headers is None else headers)
        answer = connection.getresponse()
        body = answer.read()
    named = {name.lower(): value for name, value in answer.getheaders()}
    try:
        return answer.status, json.loads(body), named
    except ValueError:
        return answer.status, body, named


def asked(server: PlatformServer, platform: str, endpoint: str, handle: str, cursor: str = "") -> Any:
    """The decoded body of a decent answer."""
    status, body, _ = get(server, path_of(server, platform, endpoint, handle, cursor))
    assert status == 200
    return body


def page(platform: str, endpoint: str, body: Any) -> tuple[list[str], str | None]:
    """The ids of the items on a page and the cursor of the next."""
    if platform == "web":
        timeline = body["data"]["user"]["edge_owner_to_timeline_media"]
        return [edge["node"]["id"] for edge in timeline["edges"]], timeline["page_info"]["end_cursor"]
    if platform == "graph":
        media = body["business_discovery"]["media"]
        return [item["permalink"].split("/")[-2] for item in media["data"]], media["paging"]["cursors"].get("after")
    if platform == "youtube":
        return [item["contentDetails"]["videoId"] for item in body["items"]], body.get("nextPageToken")
    data = body["data"]
    if endpoint == "reels":
        return [str(item["media"]["pk"]) for item in data["items"]], data["paging_info"]["max_id"] or None
    return [str(item["pk"]) for item in data["items"]], data.get("next_max_id")


def talk(server: PlatformServer, path: str) -> bytes:
    """What comes back on a raw socket, at most 64 KB of it, until silence after the server has noted the request."""
    host = urlsplit(server.url("web"))
    noted = len(server.requests)
    with socket.create_connection((host.hostname, host.port), timeout=5) as connection:
        headers = "".join(f"{name}: {value}\r\n" for name, value in HEADERS[path.split("/")[1]].items())
        connection.sendall(f"GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{headers}\r\n".encode())
        received = b""
        connection.settimeout(0.05)
        deadline = time.monotonic() + 5
        with suppress(ConnectionError):
            while len(received) < 65_536:
                try:
                    more = connection.recv(65_536)
                except TimeoutError:
                    if len(server.requests) == noted and time.monotonic() < deadline:
                        continue  # on a busy machine the server may not have read the request yet
                    break
                if not more:
                    break
                received += more
    return received
