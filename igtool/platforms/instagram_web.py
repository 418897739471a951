"""Instagram as anyone sees it without an account: the answers that its own web pages ask for.

Public data only: no login, no cookies, nothing that makes the client look like a browser. The profile brings the
first posts along; further pages come from the public GraphQL query of the timeline. Reels have no address that
answers without a login, so this source has none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import ClassVar
from urllib.parse import urlencode, urlsplit

import msgspec

from igtool.http import Response
from igtool.platforms import values
from igtool.platforms.base import Outcome, Refused
from igtool.platforms.live import POSTS, PROFILE, Call, Item, Key, Page, Source, Start, Task
from igtool.platforms.outcomes import Verdict, decoded

APP_ID = "936619743392459"
"""The id that instagram.com sends with its own requests; without it the answer is a login page."""

TIMELINE_QUERY = "e769aa130647d2354c40ea6a439bfc08"
"""The hash by which the GraphQL query of a user's timeline is known."""

ITEMS_A_PAGE = 12
"""What instagram.com itself asks for."""

_HANDLE = re.compile(r"[A-Za-z0-9._]{1,30}")
_CURSOR = re.compile(r"[!-~]{1,2000}")
_REDIRECTED: tuple[tuple[str, Outcome], ...] = (
    ("/challenge", "blocked"),
    ("/checkpoint", "blocked"),
    ("/accounts/suspended", "blocked"),
    ("/consent", "blocked"),
    ("/accounts/login", "auth"),
)

_Id = int | str | None


class _PageInfo(msgspec.Struct):
    has_next_page: bool | None = None
    end_cursor: _Id = None
    next_cursor: _Id = None


class _PagingInfo(msgspec.Struct):
    more_available: bool | None = None
    max_id: _Id = None


class _Owner(msgspec.Struct):
    id: _Id = None
    pk: _Id = None


class _Node(msgspec.Struct):
    """One post, by the names of the web (``id``, ``taken_at_timestamp``) or of the app (``pk``, ``taken_at``)."""

    id: _Id = None
    pk: _Id = None
    taken_at_timestamp: int | None = None
    taken_at: int | None = None
    owner: _Owner | None = None
    user: _Owner | None = None
    pinned_for_users: list[msgspec.Raw] | None = None
    timeline_pinned_user_ids: list[msgspec.Raw] | None = None

    @property
    def native_id(self) -> str | None:
        """The bare media id: ``id`` may be followed by ``_`` and the owner's."""
        return (values.identifier(self.pk) or values.identifier(self.id) or "").partition("_")[0] or None


class _Edge(msgspec.Struct):
    node: msgspec.Raw = msgspec.Raw(b"null")


class _Connection(msgspec.Struct):
    edges: list[_Edge] | None = None
    page_info: _PageInfo | None = None


class _User(msgspec.Struct):
    id: _Id = None
    pk: _Id = None
    username: str | None = None
    is_private: bool | None = None
    edge_owner_to_timeline_media: _Connection | None = None


class _Data(msgspec.Struct):
    user: _User | None = None
    xdt_api__v1__feed__user_timeline_graphql_connection: _Connection | None = None


class _Body(msgspec.Struct):
    """Every shape that has answered: ``data``, the older ``graphql``, and the app's list of ``items``."""

    data: _Data | None = None
    graphql: _Data | None = None
    user: _User | None = None
    items: list[msgspec.Raw] | None = None
    more_available: bool | None = None
    next_max_id: _Id = None
    next_cursor: _Id = None
    paging_info: _PagingInfo | None = None


_BODY = msgspec.json.Decoder(_Body)
_NODE = msgspec.json.Decoder(_Node)


class InstagramWeb(Source):
    """Public Instagram profiles and their posts, without a key: 10 requests a minute, a rest after each 100."""

    name = "instagram_web"
    platform = "instagram"
    kinds: ClassVar[tuple[str, ...]] = (PROFILE, POSTS)

    def keys(self) -> tuple[Key, ...]:
        """One key without a secret: nothing is shown to be let in."""
        return (Key(),)

    def call(self, tasks: Sequence[Task], key: Key) -> Call:  # noqa: ARG002 - there is no secret to show
        """The request for the one task. Raises Refused for a handle that Instagram cannot have."""
        (task,) = tasks
        if not _HANDLE.fullmatch(task.handle):
            raise Refused("bad-handle", f"{task.handle[:60]!r} is no Instagram handle")
        headers = {"x-ig-app-id": APP_ID}
        if task.kind == PROFILE:
            query = urlencode({"username": task.handle})
            return Call("web_profile_info", f"{self._base}/api/v1/users/web_profile_info/?{query}", headers)
        return Call("timeline", f"{self._base}/graphql/query/?{self._timeline_query(task)}", headers)

    def page(self, task: Task, body: bytes) -> Page:
        """The profile with its first posts, or a page of posts."""
        answer = decoded(_BODY, body)
        return _profile(task, answer) if task.kind == PROFILE else _posts(task, answer)

    def judge(self, response: Response) -> Verdict:
        """The generic verdict; a redirect to a login or challenge page is one, whatever that page holds."""
        verdict = super().judge(response)
        if verdict.outcome == "rate_limited":
            return verdict
        path = urlsplit(response.url).path
        outcome = next((outcome for part, outcome in _REDIRECTED if part in path), None)
        return Verdict(outcome, f"redirected to {path[:200]}") if outcome else verdict

    @property
    def _base(self) -> str:
        return self.settings.instagram_web_url

    def _timeline_query(self, task: Task) -> str:
        if not task.target:
            raise Refused("missing-target", f"the posts of {task.handle} are asked by user id, and none is known")
        variables: dict[str, str | int] = {"id": task.target, "first": self.settings.page_size or ITEMS_A_PAGE}
        if task.cursor and not _CURSOR.fullmatch(task.cursor):
            raise Refused("bad-cursor", f"{task.cursor[:80]!r} is no place in a list of posts")
        if task.cursor:
            variables["after"] = task.cursor
        return urlencode({"query_hash": TIMELINE_QUERY, "variables": msgspec.json.encode(variables).decode()})


def _profile(task: Task, answer: _Body) -> Page:
    """The profile that was asked for. Raises Refused when it is somebody else's or does not say whose it is."""
    user = next((data.user for data in (answer.data, answer.graphql) if data and data.user), None)
    if user is None:
        raise Refused("missing-field", "data.user")
    user_id = values.identifier(user.id)
    if user_id is None or not user.username:
        raise Refused("missing-field", f"data.user.{'id' if user_id is None else 'username'}")
    _check_subject(task, user)
    timeline = user.edge_owner_to_timeline_media or _Connection()
    info = timeline.page_info or _PageInfo()
    is_private = user.is_private is True
    start = Start(user_id, _cursor(info.end_cursor), is_end=is_private or info.has_next_page is False)
    return Page(tuple(_items(_nodes(timeline))), more=False, is_private=is_private, follow={POSTS: start})


def _posts(task: Task, answer: _Body) -> Page:
    """A page of posts in whichever shape it came."""
    connection = _connection(answer)
    if connection is None and answer.items is None:
        raise Refused("missing-field", "data.user.edge_owner_to_timeline_media")
    user = (answer.data and answer.data.user) or answer.user or _User()
    _check_subject(task, user)
    nodes = list(_nodes(connection)) if connection is not None else _readable(answer.items or [])
    info = (connection and connection.page_info) or _PageInfo()
    paging = answer.paging_info or _PagingInfo()
    said = (info.has_next_page, answer.more_available, paging.more_available)
    more = next((each for each in said if each is not None), None)
    told = [info.end_cursor] if connection is not None else [answer.next_max_id, paging.max_id]
    cursor = None if more is False else next((each for each in map(_cursor, told) if each), None)
    others = () if cursor or more is False else _candidates(task, answer, info, nodes)
    return Page(tuple(_items(nodes)), cursor, more, others, is_private=user.is_private is True)


def _connection(answer: _Body) -> _Connection | None:
    """The timeline in an answer that has one as edges with a ``page_info``."""
    for data in (answer.data, answer.graphql):
        if data is not None:
            newer = data.xdt_api__v1__feed__user_timeline_graphql_connection
            found = newer or (data.user and data.user.edge_owner_to_timeline_media)
            if found:
                return found
    return None


def _check_subject(task: Task, user: _User) -> None:
    if user.username and user.username.lower() != task.handle.lower():
        raise Refused("wrong-subject", f"asked for {task.handle}, got {user.username[:60]!r}")


def _candidates(task: Task, answer: _Body, info: _PageInfo, nodes: Sequence[_Node]) -> tuple[str, ...]:
    """Where the next page may begin after an answer that promises one and does not say where, the likeliest first."""
    paging = answer.paging_info or _PagingInfo()
    named = [answer.next_max_id, paging.max_id, info.next_cursor, answer.next_cursor]
    if nodes:
        last = nodes[-1]
        owner = last.user or last.owner or _Owner()
        owner_id = values.identifier(owner.pk) or values.identifier(owner.id) or task.target
        named += [last.id, last.pk, f"{last.native_id}_{owner_id}" if last.native_id and owner_id else None]
    known = values.distinct(map(_cursor, named))
    return tuple(each for each in known if each != task.cursor)


def _cursor(value: _Id) -> str | None:
    return values.identifier(value)


def _nodes(connection: _Connection) -> list[_Node]:
    return _readable([edge.node for edge in connection.edges or ()])


def _readable(raws: Sequence[msgspec.Raw]) -> list[_Node]:
    """The posts that can be read; the others are told when the answer becomes rows. Raises when none can be."""
    nodes: list[_Node] = []
    trouble: msgspec.ValidationError | None = None
    for raw in raws:
        try:
            nodes.append(_NODE.decode(raw))
        except msgspec.ValidationError as error:
            trouble = error
    if trouble is not None and not nodes:
        raise trouble
    return nodes


def _items(nodes: Sequence[_Node]) -> Iterator[Item]:
    for node in nodes:
        if node.native_id is not None:
            at = node.taken_at_timestamp if node.taken_at is None else node.taken_at
            is_pinned = bool(node.pinned_for_users or node.timeline_pinned_user_ids)
            yield Item(node.native_id, values.moment(at, []), is_pinned)
