"""The official YouTube Data API v3: channels, their uploads, and search where it is asked for.

Uploads take two requests a page. ``playlistItems.list`` names the videos, ``videos.list`` describes up to 50 of them;
which of the two is next stands in the cursor, so that a run that died goes on with the one that is missing:

    None or ``items:TOKEN``       the list of a page
    ``videos:ID,ID,…|TOKEN``      the videos of that page, and where the list goes on (empty: nowhere)

Source of fields and units: the API's reference pages and its page "Quota costs".
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar, TypeVar
from urllib.parse import urlencode

import msgspec

from igtool.errors import ConfigError, UsageError
from igtool.http import Response
from igtool.lists.handles import YOUTUBE, Account, parse_handle
from igtool.pacing import Limit, Policy, Quota
from igtool.platforms import values
from igtool.platforms.base import Refused
from igtool.platforms.live import POSTS, PROFILE, SEARCH, Call, Item, Key, Page, Source, Start, Task
from igtool.platforms.outcomes import Verdict, decoded, judge

TOGETHER = 50
"""Ids that ``channels.list`` and ``videos.list`` take at once, and items a page holds at most."""

_SEARCH_UNITS = 100
_CHANNEL_PARTS = "snippet,statistics,contentDetails,status,topicDetails,brandingSettings"
_VIDEO_PARTS = "snippet,statistics,contentDetails,status,paidProductPlacementDetails"
_CHANNEL_ID = re.compile(r"UC[A-Za-z0-9_-]{22}")
"""With its case: a channel id in lower case is nobody's, and may be somebody's handle."""

_PLAYLIST_ID = re.compile(r"[A-Za-z0-9_-]{2,64}")
_VIDEO_ID = re.compile(r"[A-Za-z0-9_-]{1,32}")
_TOKEN = re.compile(r"[!-~]{1,1000}")
_EMPTY_LIST_BYTES = 2_000

_Playlist = Annotated[str, msgspec.Meta(pattern=rf"\A{_PLAYLIST_ID.pattern}\Z")]
_VideoId = Annotated[str, msgspec.Meta(pattern=rf"\A{_VIDEO_ID.pattern}\Z")]
_PageToken = Annotated[str, msgspec.Meta(pattern=rf"\A{_TOKEN.pattern}\Z")]
T = TypeVar("T")


class _Related(msgspec.Struct):
    uploads: _Playlist | None = None


class _ChannelDetails(msgspec.Struct, rename="camel"):
    related_playlists: _Related | None = None


class _Statistics(msgspec.Struct, rename="camel"):
    video_count: values.Number = None


class _Status(msgspec.Struct, rename="camel"):
    privacy_status: str | None = None


class _Channel(msgspec.Struct, rename="camel"):
    id: str
    content_details: _ChannelDetails | None = None
    statistics: _Statistics | None = None
    status: _Status | None = None


class _Channels(msgspec.Struct):
    kind: str
    items: list[_Channel] = []


class _ListedDetails(msgspec.Struct, rename="camel"):
    video_id: _VideoId
    video_published_at: str | None = None


class _Resource(msgspec.Struct, rename="camel"):
    video_id: _VideoId


class _ListedSnippet(msgspec.Struct, rename="camel"):
    resource_id: _Resource | None = None


class _Listed(msgspec.Struct, rename="camel"):
    """An entry of a playlist; with ``part=snippet`` instead of ``contentDetails`` it is named further down."""

    content_details: _ListedDetails | None = None
    snippet: _ListedSnippet | None = None


class _Uploads(msgspec.Struct, rename="camel"):
    kind: str
    items: list[_Listed] = []
    next_page_token: _PageToken | None = None


class _Videos(msgspec.Struct):
    kind: str
    items: list[msgspec.Raw] = []


class _FoundId(msgspec.Struct, rename="camel"):
    channel_id: str | None = None


class _Found(msgspec.Struct):
    id: _FoundId


class _Search(msgspec.Struct, rename="camel"):
    kind: str
    items: list[_Found] = []
    next_page_token: _PageToken | None = None


_CHANNELS = msgspec.json.Decoder(_Channels)
_UPLOADS = msgspec.json.Decoder(_Uploads)
_VIDEOS = msgspec.json.Decoder(_Videos)
_SEARCH = msgspec.json.Decoder(_Search)


class YouTube(Source):
    """Channels (up to 50 ids in one request) and their uploads, by API key."""

    name = "youtube"
    platform = "youtube"
    kinds = (PROFILE, POSTS, SEARCH)
    workers = 2
    policy: ClassVar[Policy] = Policy(
        limits=(Limit(300, 60),),
        quotas=(Quota(10_000), Quota(100 * _SEARCH_UNITS, "search.list")),
        jitter_s=(0.1, 0.3),
        batch_size=0,
    )

    def keys(self) -> tuple[Key, ...]:
        """Each key of the settings once, in their order."""
        setting = self.settings.youtube_api_keys
        given = setting.get_secret_value() if setting else ""
        secrets = dict.fromkeys(part.strip() for part in given.split(",") if part.strip())
        if not secrets:
            raise ConfigError(
                "the source youtube needs a key of the YouTube Data API v3: set YOUTUBE_API_KEY in the environment or "
                "in .env (several keys with commas between them)"
            )
        if not all(_TOKEN.fullmatch(secret) for secret in secrets):
            raise ConfigError("a key in YOUTUBE_API_KEY holds a space or a letter that no key has: copy it again")
        return tuple(Key(hashlib.sha256(secret.encode()).hexdigest()[:8], secret) for secret in secrets)

    def together(self, task: Task) -> int:
        """50 profiles that are asked by channel id; a handle takes a request of its own."""
        return TOGETHER if task.kind == PROFILE and _CHANNEL_ID.fullmatch(task.handle) else 1

    def requests_for(self, kind: str, pages: int) -> int:  # noqa: ARG002 - there is one further kind
        """Two requests a page: the list, and its videos."""
        return 2 * pages

    def call(self, tasks: Sequence[Task], key: Key) -> Call:
        """The request for ``tasks``: profiles by channel id, or one task. Raises UsageError for a bad handle."""
        task = tasks[0]
        if len(tasks) > min(self.together(each) for each in tasks):
            raise ValueError(f"{len(tasks)} tasks do not fit into one request")
        if task.kind == SEARCH:
            return self.search_call(task.handle, task.cursor, key)
        if task.kind == PROFILE:
            return self._channels([each.handle for each in tasks], key)
        if task.target is None or not _PLAYLIST_ID.fullmatch(task.target):
            raise ValueError(f"the uploads of {task.handle} have no playlist id to be asked by: {task.target!r}")
        ids, token = _position(task.cursor)
        if ids:
            return self._call("videos.list", {"part": _VIDEO_PARTS, "id": ",".join(ids)}, key)
        listed: dict[str, Any] = {
            "part": "contentDetails",
            "playlistId": task.target,
            "maxResults": min(self.settings.page_size or TOGETHER, TOGETHER),
        }
        return self._call("playlistItems.list", listed | ({"pageToken": token} if token else {}), key)

    def search_call(self, query: str, page_token: str | None, key: Key) -> Call:
        """The request for channels that match ``query``; 100 units, so never made unless the user asks."""
        if page_token is not None and not _TOKEN.fullmatch(page_token):
            raise ValueError(f"{page_token!r} is no page token")
        asked = {"part": "snippet", "type": "channel", "q": query, "maxResults": TOGETHER}
        return self._call("search.list", asked | ({"pageToken": page_token} if page_token else {}), key, _SEARCH_UNITS)

    def page(self, task: Task, body: bytes) -> Page:
        """What the answer to the request of ``call`` holds, at the step that the cursor of ``task`` names."""
        if task.kind == SEARCH:
            ids, token = search_channels(body), search_token(body)
            return Page(tuple(map(Item, ids)), cursor=token, more=token is not None, discovered=tuple(ids))
        if task.kind == PROFILE:
            return _profiles(task, _list(_CHANNELS, body, "channelListResponse"))
        ids, token = _position(task.cursor)
        if ids:
            _list(_VIDEOS, body, "videoListResponse")
            return Page(cursor=f"items:{token}" if token else None, more=bool(token), counted=False)
        return _listed(_list(_UPLOADS, body, "playlistItemListResponse"))

    def judge(self, response: Response) -> Verdict:
        """The generic verdict, but videos that are all gone do not mean that their channel is."""
        verdict = judge(response.status, response.body, has_pages=False)
        if verdict.outcome != "not_found" or response.status != 200 or len(response.body) > _EMPTY_LIST_BYTES:
            return verdict
        try:
            kind = decoded(_VIDEOS, response.body).kind
        except (Refused, msgspec.ValidationError):
            return verdict
        return Verdict("ok") if kind == "youtube#videoListResponse" else verdict

    def _channels(self, handles: Sequence[str], key: Key) -> Call:
        if _CHANNEL_ID.fullmatch(handles[0]):
            return self._call(
                "channels.list", {"part": _CHANNEL_PARTS, "id": ",".join(handles), "maxResults": TOGETHER}, key
            )
        account = parse_handle(handles[0], YOUTUBE)
        if not isinstance(account, Account) or account != (YOUTUBE, handles[0].lower()):
            raise UsageError(
                f"{handles[0][:60]!r} is no YouTube handle: 3 to 30 letters, digits, '.', '_', '-' or '·', "
                "or a channel id (UC and 22 characters)"
            )
        return self._call("channels.list", {"part": _CHANNEL_PARTS, "forHandle": f"@{account.handle}"}, key)

    def _call(self, endpoint: str, query: Mapping[str, Any], key: Key, units: int = 1) -> Call:
        url = f"{self.settings.youtube_url}/{endpoint.removesuffix('.list')}?{urlencode(query)}"
        return Call(endpoint, url, {"x-goog-api-key": key.secret, "accept": "application/json"}, units)


def search_channels(body: bytes) -> list[str]:
    """The channel ids of an answer of ``search.list``, in its order, each once."""
    items = _list(_SEARCH, body, "searchListResponse").items
    return list(dict.fromkeys(item.id.channel_id for item in items if item.id.channel_id))


def search_token(body: bytes) -> str | None:
    """Where an answer of ``search.list`` goes on; None at its end."""
    return _list(_SEARCH, body, "searchListResponse").next_page_token


def _position(cursor: str | None) -> tuple[list[str], str | None]:
    """The video ids that are to be asked for (none: the list is next), and the token of the list's next page."""
    if cursor is None:
        return [], None
    step, _, rest = cursor.partition(":")
    listed, _, token = rest.partition("|") if step == "videos" else ("", "", rest)
    ids = listed.split(",") if listed else []
    is_sound = step in ("items", "videos") and all(map(_VIDEO_ID.fullmatch, ids)) and len(ids) <= TOGETHER
    if not is_sound or (step == "videos") != bool(ids) or (token and not _TOKEN.fullmatch(token)):
        raise Refused("bad-cursor", f"{cursor[:80]!r} is no place in a list of uploads")
    return ids, token or None


def _list(decoder: msgspec.json.Decoder[T], body: bytes, kind: str) -> T:
    """``body`` as ``decoder`` reads it. Raises Refused when it is another list than one of ``kind``."""
    found = decoded(decoder, body)
    said = getattr(found, "kind", None)
    if said != f"youtube#{kind}":
        raise Refused("unknown-shape", f"its kind is {str(said)[:60]!r}, not 'youtube#{kind}'")
    return found


def _profiles(task: Task, channels: _Channels) -> Page:
    """Where the uploads of each channel begin; by id for several, else for the account that was asked."""
    if not channels.items:
        raise Refused("missing-field", "items")
    if _CHANNEL_ID.fullmatch(task.handle):
        starts = {channel.id: {POSTS: _uploads_of(channel)} for channel in channels.items}
        asked = next((channel for channel in channels.items if channel.id == task.handle), None)
        return Page(
            more=False,
            is_private=_is_private(asked),
            follow=starts.get(task.handle, {}),
            found=frozenset(starts),
            starts=starts,
        )
    channel = channels.items[0]
    return Page(more=False, is_private=_is_private(channel), follow={POSTS: _uploads_of(channel)})


def _is_private(channel: _Channel | None) -> bool:
    return bool(channel and channel.status and channel.status.privacy_status == "private")


def _uploads_of(channel: _Channel) -> Start:
    """The playlist of a channel's uploads; at its end at once where the channel has no public video."""
    related = channel.content_details and channel.content_details.related_playlists
    playlist = related.uploads if related else None
    count = channel.statistics and values.count(channel.statistics.video_count, [])
    return Start(playlist, is_end=playlist is None or count == 0)


def _listed(uploads: _Uploads) -> Page:
    """The videos of a page of uploads; next are the videos themselves, then the list goes on."""
    if len(uploads.items) > TOGETHER:
        raise Refused("too-many-items", f"{len(uploads.items)} videos on a page of at most {TOGETHER}")
    items = tuple(map(_item, uploads.items))
    token = uploads.next_page_token or ""
    if items:
        ids = dict.fromkeys(item.native_id for item in items)
        return Page(items, cursor=f"videos:{','.join(ids)}|{token}", more=True, is_half=True)
    return Page(cursor=f"items:{token}" if token else None, more=bool(token))


def _item(listed: _Listed) -> Item:
    details = listed.content_details
    if details is not None:
        return Item(details.video_id, values.iso_moment(details.video_published_at, []))
    if listed.snippet is not None and listed.snippet.resource_id is not None:
        return Item(listed.snippet.resource_id.video_id)
    raise Refused("missing-field", "items[].contentDetails")
