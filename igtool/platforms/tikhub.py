"""TikHub, a paid service that passes Instagram's answers on.

Its envelope is fixed (``code``, ``message``, ``data`` …), what is in ``data`` is not: the web's user with ``edge_…``
counts, the app's user with ``pk``, and posts as ``items`` or as a connection of ``edges``, at the top or in another
``data`` or ``user``. So what is needed is looked for in each of these places. Source: the service's OpenAPI file.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar
from urllib.parse import urlencode

import msgspec

from igtool.errors import ConfigError, UsageError
from igtool.http import Response
from igtool.pacing import Limit, Policy
from igtool.platforms import values
from igtool.platforms.base import Outcome, Refused
from igtool.platforms.live import POSTS, PROFILE, REELS, Call, Item, Key, Page, Source, Start, Task
from igtool.platforms.outcomes import Verdict, decoded, judge, one_line
from igtool.platforms.values import Number

ITEMS_A_PAGE = 12
"""What the service and the platform behind it give unless asked for more; at most 50 can be asked for."""

_PATHS = {
    PROFILE: "fetch_user_info_by_username",
    POSTS: "fetch_user_posts",
    REELS: "fetch_user_reels",
}
_WORDS: tuple[tuple[str, Outcome], ...] = (
    ("balance", "auth"),
    ("too many requests", "rate_limited"),
    ("rate limit", "rate_limited"),
    ("not found", "not_found"),
    ("does not exist", "not_found"),
    ("doesn't exist", "not_found"),
    ("不存在", "not_found"),
    ("is private", "private"),
    ("private account", "private"),
    ("retry", "transient"),
    ("try again", "transient"),
)
"""What a message contains that comes as HTTP 400, or as 200 with ``data.code`` 400, in the order it is looked for."""

_TIMELINE = "edge_owner_to_timeline_media"
_XDT = "xdt_api__v1__"
"""How the names of newer connections begin: ``xdt_api__v1__feed__user_timeline_graphql_connection``."""

_INSIDE = ("data", "user", _TIMELINE)
_DEEPEST = 4
_LONGEST_ERROR = 4_000

_HANDLE = re.compile(r"[A-Za-z0-9._]{1,30}")
_USER_ID = re.compile(r"[0-9]{1,25}")
_CURSOR = re.compile(r"[!-~]{1,2000}")
_SECRET = re.compile(r"[!-~]+")


class _Counted(msgspec.Struct):
    count: Number = None


class _User(msgspec.Struct):
    """A user in the style of the web (``id``, ``edge_…``) or of the app (``pk``, ``media_count``)."""

    id: Number = None
    pk: Number = None
    is_private: bool | None = None
    media_count: Number = None
    edge_owner_to_timeline_media: _Counted | None = None


class _Entry(msgspec.Struct):
    """One item of a page, by itself or as the ``media`` or ``node`` that holds it."""

    media: _Entry | None = None
    node: _Entry | None = None
    id: Number = None
    pk: Number = None
    taken_at: Number = None
    taken_at_timestamp: Number = None
    is_pinned: bool | None = None
    timeline_pinned_user_ids: list[msgspec.Raw] | None = None
    clips_tab_pinned_user_ids: list[msgspec.Raw] | None = None
    pinned_for_users: list[msgspec.Raw] | None = None


class _Paging(msgspec.Struct):
    max_id: Number = None
    more_available: bool | None = None
    end_cursor: Number = None
    has_next_page: bool | None = None


class _Listing(msgspec.Struct):
    """A list of posts or reels with what it says about going on."""

    items: list[_Entry] | None = None
    edges: list[_Entry] | None = None
    next_max_id: Number = None
    more_available: bool | None = None
    paging_info: _Paging | None = None
    page_info: _Paging | None = None
    end_cursor: Number = None
    pagination_token: Number = None

    @property
    def entries(self) -> list[_Entry] | None:
        return self.edges if self.items is None else self.items

    def cursors(self) -> tuple[Number, ...]:
        """What may lead to the next page, the likeliest first."""
        paging, info = self.paging_info or _Paging(), self.page_info or _Paging()
        return (self.next_max_id, paging.max_id, info.end_cursor, self.end_cursor, self.pagination_token)

    def more(self) -> bool | None:
        """What it says about further pages."""
        paging, info = self.paging_info or _Paging(), self.page_info or _Paging()
        said = (self.more_available, paging.more_available, info.has_next_page)
        return next((value for value in said if value is not None), None)


_NULL = msgspec.Raw(b"null")


class _Envelope(msgspec.Struct):
    data: msgspec.Raw = _NULL
    detail: msgspec.Raw = _NULL
    message: msgspec.Raw = _NULL


class _Said(msgspec.Struct):
    message: str | None = None


@dataclass(frozen=True)
class _Layer:
    """One of the places in ``data``: an object with its keys, or a bare list."""

    raw: msgspec.Raw
    keys: Mapping[str, msgspec.Raw]
    is_list: bool = False

    def listing(self) -> _Listing:
        return _Listing(items=_ENTRIES.decode(self.raw)) if self.is_list else _LISTING.decode(self.raw)

    def is_user(self) -> bool:
        return not _IDS.isdisjoint(self.keys) and not _USER_SIGNS.isdisjoint(self.keys)


_IDS = frozenset({"id", "pk"})
_USER_SIGNS = frozenset({"username", "edge_followed_by", "follower_count"})
_ENVELOPE = msgspec.json.Decoder(_Envelope)
_KEYS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_USER = msgspec.json.Decoder(_User)
_LISTING = msgspec.json.Decoder(_Listing)
_ENTRIES = msgspec.json.Decoder(list[_Entry])
_MESSAGE = msgspec.json.Decoder(str | _Said | None)


class TikHub(Source):
    """Instagram profiles, posts and reels through TikHub; each request costs ``tikhub_cost_usd``."""

    name = "tikhub"
    platform = "instagram"
    kinds = (PROFILE, POSTS, REELS)
    workers = 8
    policy: ClassVar[Policy] = Policy(limits=(Limit(600, 60), Limit(10, 1)), jitter_s=(0.0, 0.2), batch_size=0)

    def keys(self) -> tuple[Key, ...]:
        """The token of the settings."""
        setting = self.settings.tikhub_api_token
        secret = setting.get_secret_value().strip() if setting else ""
        if not secret:
            raise ConfigError("the source tikhub needs a token: set TIKHUB_API_TOKEN in the environment or in .env")
        if not _SECRET.fullmatch(secret):
            raise ConfigError("TIKHUB_API_TOKEN holds a space or a letter that no token has: copy it again")
        return (Key(hashlib.sha256(secret.encode()).hexdigest()[:8], secret),)

    def call(self, tasks: Sequence[Task], key: Key) -> Call:
        """The request for the one task. Raises UsageError for a bad handle."""
        (task,) = tasks
        url = f"{self.settings.tikhub_base_url}/api/v1/instagram/v1/{_PATHS[task.kind]}?{urlencode(self._query(task))}"
        headers = {"authorization": f"Bearer {key.secret}", "accept": "application/json"}
        return Call(_PATHS[task.kind], url, headers, cost_usd=self.settings.tikhub_cost_usd)

    def page(self, task: Task, body: bytes) -> Page:
        """What the answer holds, wherever in ``data`` it is."""
        layers = list(_layers(decoded(_ENVELOPE, body).data))
        if task.kind == PROFILE:
            return _profile(layers)
        listings = [layer.listing() for layer in layers]
        found = next((each for each in listings if each.entries is not None), None)
        if found is None:
            raise Refused("missing-field", "data.items")
        # The cursor may stand in the layer around the list.
        listings = [found, *(each for each in listings if each is not found)]
        return _posts(found.entries or [], listings)

    def judge(self, response: Response) -> Verdict:
        """The generic verdict, but TikHub says in words what it means by 400, and in 404 that a path is wrong."""
        verdict = judge(response.status, response.body, has_pages=False)
        if verdict.outcome == "ok":
            return verdict
        try:
            words = _message(decoded(_ENVELOPE, response.body))
        except (Refused, msgspec.ValidationError):
            return verdict
        if response.status == 402:
            return Verdict("auth", one_line(f"the balance at TikHub is used up: {words}"))
        if response.status == 404 and words == "Not Found":
            return Verdict("invalid", "this address has no such path: check TIKHUB_BASE_URL")
        if response.status not in (200, 400, 422) or verdict.outcome != "invalid":
            return verdict
        low = words.lower()
        outcome = next((outcome for part, outcome in _WORDS if part in low), None)
        return Verdict(outcome, one_line(words)) if outcome else verdict

    def _query(self, task: Task) -> dict[str, Any]:
        if task.kind == PROFILE:
            if not _HANDLE.fullmatch(task.handle):
                raise UsageError(
                    f"{task.handle[:60]!r} is no Instagram handle: 1 to 30 of the letters a-z, digits, '.' and '_'"
                )
            return {"username": task.handle}
        if task.target is None or not _USER_ID.fullmatch(task.target):
            raise ValueError(f"the {task.kind} of {task.handle} have no user id to be asked by: {task.target!r}")
        if task.cursor is not None and not _CURSOR.fullmatch(task.cursor):
            raise Refused("bad-cursor", f"{task.cursor[:80]!r} is no place in a list of {task.kind}")
        count = self.settings.page_size or ITEMS_A_PAGE
        return {"user_id": task.target, "count": count} | ({"max_id": task.cursor} if task.cursor else {})


def _message(envelope: _Envelope) -> str:
    """The words of an error; the innermost, since the envelope around one may say "successful"."""
    for raw in (envelope.detail, envelope.data, envelope.message):
        if len(memoryview(raw)) <= _LONGEST_ERROR:
            try:
                said = _MESSAGE.decode(raw)
            except (msgspec.DecodeError, UnicodeDecodeError):
                continue
            words = said.message if isinstance(said, _Said) else said
            if words:
                return words
    return ""


def _layers(raw: msgspec.Raw, depth: int = 0) -> Iterator[_Layer]:
    """``raw`` and what is inside it, where users and lists have been seen."""
    if bytes(memoryview(raw)[:1]) == b"[":
        yield _Layer(raw, {}, is_list=True)
    elif bytes(memoryview(raw)[:1]) == b"{":
        keys = _KEYS.decode(raw)
        yield _Layer(raw, keys)
        inside = [*_INSIDE, *(name for name in keys if name.startswith(_XDT))]
        for name in inside if depth < _DEEPEST else ():
            if name in keys:
                yield from _layers(keys[name], depth + 1)


def _profile(layers: Sequence[_Layer]) -> Page:
    """The user's first posts, if they came along, and where posts and reels begin."""
    layer = next((layer for layer in layers if layer.is_user()), None)
    if layer is None:
        raise Refused("missing-field", "data.user")
    user = _USER.decode(layer.raw)
    user_id = values.identifier(user.pk) or values.identifier(user.id)
    if user_id is None or not _USER_ID.fullmatch(user_id):
        raise Refused("wrong-type", f"data.user.id: {str(user_id)[:60]!r} is no user id")
    if user.is_private:
        return Page(more=False, is_private=True)
    timeline = _LISTING.decode(layer.keys[_TIMELINE]) if _TIMELINE in layer.keys else _Listing()
    items = _items(timeline.entries or [])
    counted = user.edge_owner_to_timeline_media or _Counted()
    is_empty = 0 in (values.count(user.media_count, []), values.count(counted.count, []))
    posts = Start(
        user_id,
        # The app's list goes on from the last item by its id; the web's own cursor means nothing to it.
        cursor=f"{items[-1].native_id}_{user_id}" if items else None,
        is_end=is_empty or (bool(items) and timeline.more() is False),
    )
    return Page(items, more=False, follow={POSTS: posts, REELS: Start(user_id, is_end=is_empty)})


def _posts(entries: Sequence[_Entry], listings: Sequence[_Listing]) -> Page:
    """A page of posts or reels; ``listings`` are the places to look for a cursor, the best first."""
    named = _distinct(cursor for listing in listings for cursor in listing.cursors())
    last = _innermost(entries[-1]) if entries else _Entry()
    others = [cursor for cursor in _distinct((*named[1:], last.id, last.pk)) if cursor not in named[:1]]
    more = next((said for listing in listings if (said := listing.more()) is not None), None)
    return Page(_items(entries), named[0] if named else None, more, tuple(others))


def _items(entries: Sequence[_Entry]) -> tuple[Item, ...]:
    found = []
    for entry in map(_innermost, entries):
        native_id = values.identifier(entry.pk) or values.identifier(entry.id)
        if native_id is not None:  # what has no id is an advertisement or a suggestion
            seconds = entry.taken_at_timestamp if entry.taken_at is None else entry.taken_at
            pins = (entry.timeline_pinned_user_ids, entry.clips_tab_pinned_user_ids, entry.pinned_for_users)
            is_pinned = bool(entry.is_pinned or any(pins))
            found.append(Item(native_id.partition("_")[0], values.moment(seconds, []), is_pinned))
    return tuple(found)


def _innermost(entry: _Entry) -> _Entry:
    """The item itself: ``{"media": …}`` and ``{"node": {"media": …}}`` are wrappings."""
    while (inner := entry.media or entry.node) is not None:
        entry = inner
    return entry


def _distinct(cursors: Iterable[Number]) -> tuple[str, ...]:
    """Each cursor once, as text; without those that cannot be one."""
    texts = (values.identifier(cursor) for cursor in cursors)
    return tuple(dict.fromkeys(text for text in texts if text and _CURSOR.fullmatch(text)))
