"""Instagram's profile with its first posts (``web_profile_info``, the older ``?__a=1``) and further pages of posts.

``{"data": {"user": {…}}}`` and ``{"graphql": {"user": {…}}}`` hold the same user; counts are in ``edge_…``
objects. A page has nothing of the user but the posts; whose they are stands in each of them.
``{"data": {"user": null}}`` means that there is no such user.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Generic, TypeVar

import msgspec
from msgspec import UNSET, UnsetType

from igtool.platforms import values
from igtool.platforms.base import Account, Answer, ContentItem, Outcome, Parsed, Refused, Shape, Top
from igtool.platforms.shapes.instagram_rows import PLATFORM, account_of, item_id, item_url, length_s
from igtool.platforms.values import Number

E = TypeVar("E")


class _Counted(msgspec.Struct, gc=False):
    count: Number = None


class _Text(msgspec.Struct, gc=False):
    text: str | None = None


class _CaptionEdge(msgspec.Struct, gc=False):
    node: _Text | None = None


class _Captions(msgspec.Struct, gc=False):
    edges: list[_CaptionEdge] | None = None


class _Owner(msgspec.Struct, gc=False):
    id: Number = None


class _Picture(msgspec.Struct, gc=False):
    display_url: str | None = None


class _PictureEdge(msgspec.Struct, gc=False):
    node: _Picture | None = None


class _Pictures(msgspec.Struct, gc=False):
    edges: list[_PictureEdge] | None = None


class _Sponsors(msgspec.Struct, gc=False):
    edges: list[msgspec.Raw] | None = None


class _Node(msgspec.Struct, gc=False):
    """One post; ``id`` is the bare media id."""

    typename: str | None = msgspec.field(name="__typename", default=None)
    id: Number = None
    shortcode: str | None = None
    display_url: str | None = None
    is_video: bool | None = None
    product_type: str | None = None
    owner: _Owner | None = None
    taken_at_timestamp: Number = None
    edge_media_to_caption: _Captions | None = None
    edge_media_preview_like: _Counted | None = None
    edge_liked_by: _Counted | None = None
    edge_media_to_comment: _Counted | None = None
    edge_media_to_parent_comment: _Counted | None = None
    video_url: str | None = None
    video_view_count: Number = None
    video_play_count: Number = None
    video_duration: float | None = None
    edge_sidecar_to_children: _Pictures | None = None
    is_paid_partnership: bool | None = None
    edge_media_to_sponsor_user: _Sponsors | None = None


class _Edge(msgspec.Struct, gc=False):
    node: _Node | None = None


class _Timeline(msgspec.Struct, Generic[E], gc=False):
    count: Number = None
    edges: list[E] | None = None


class _Link(msgspec.Struct, gc=False):
    url: str | None = None


class _Address(msgspec.Struct, gc=False):
    country_code: str | None = None


class _User(msgspec.Struct, Generic[E], gc=False):
    """``pk`` is what the private API calls ``id``: a user with it and without ``edge_…`` is another shape."""

    id: Number = None
    pk: Number = None
    username: str | None = None
    full_name: str | None = None
    biography: str | None = None
    category_name: str | None = None
    business_category_name: str | None = None
    overall_category_name: str | None = None
    profile_pic_url_hd: str | None = None
    profile_pic_url: str | None = None
    external_url: str | None = None
    bio_links: list[_Link] | None = None
    edge_followed_by: _Counted | None = None
    edge_follow: _Counted | None = None
    is_verified: bool | None = None
    is_private: bool | None = None
    is_business_account: bool | None = None
    is_professional_account: bool | None = None
    business_address_json: str | _Address | None = None
    edge_owner_to_timeline_media: _Timeline[E] | None = None
    edge_felix_video_timeline: _Timeline[E] | None = None


class _Envelope(msgspec.Struct, Generic[E], gc=False):
    user: _User[E] | UnsetType | None = UNSET


_WHOLE = msgspec.json.Decoder(_Envelope[_Edge])
_BY_POST = msgspec.json.Decoder(_Envelope[msgspec.Raw])
_EDGE = msgspec.json.Decoder(_Edge)
_NODE = msgspec.json.Decoder(_Node)
_KEYS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_ADDRESS = msgspec.json.Decoder(_Address)
_TIMELINES = ("edge_owner_to_timeline_media", "edge_felix_video_timeline")
_SHORT = 200
"""An envelope without a user is short: ``{"viewer": {}, "user": null}``."""


def no_such_user(top: Top) -> tuple[Outcome, str] | None:
    """``{"data": {"user": null}}``, which comes with status ok."""
    data = top.get("data")
    if data is None or len(memoryview(data)) > _SHORT:
        return None
    return ("not_found", "no such user") if _keys(data).get("user") == b"null" else None


def _keys(raw: msgspec.Raw) -> dict[str, bytes]:
    """The keys of an object with their JSON text; none when it is no object."""
    try:
        return {key: bytes(value) for key, value in _KEYS.decode(raw).items()}
    except msgspec.DecodeError:
        return {}


def read_user(envelope: str, top: Top, answer: Answer) -> Parsed | None:
    """The user below ``top[envelope]`` with the posts in it, or posts alone; None where there is neither.

    Raises Refused for a user without id or handle, and for a page of which no post can be read.
    """
    lost: list[str] = []
    try:
        user = _WHOLE.decode(top[envelope]).user
    except msgspec.ValidationError:
        if not _keys(top[envelope]).get("user", b"").startswith(b"{"):
            return None
        user = _user_by_post(top[envelope], lost)
    if not isinstance(user, _User):
        return None
    if user.edge_followed_by is None and (user.username is None or user.pk is not None):
        return _page(envelope, user, lost)
    handle = values.handle(user.username) or values.handle(answer.subject)
    user_id = values.identifier(user.id)
    if user_id is None or handle is None:
        raise Refused("missing-field", f"{envelope}.user.{'id' if user_id is None else 'username'}")
    items = [_post(node, user_id) for _, _, node in _nodes(user, lost)]
    return Parsed(accounts=[_profile(user, user_id, handle)], content_items=items, lost=lost)


def _page(envelope: str, user: _User[_Edge], lost: list[str]) -> Parsed | None:
    """The posts of an answer without a profile; None where it has no list of posts either."""
    if all(getattr(user, name) is None for name in _TIMELINES):
        return None
    parsed = Parsed(lost=lost)
    for name, position, node in _nodes(user, lost):
        owner_id = (node.owner and values.identifier(node.owner.id)) or values.identifier(user.id)
        if owner_id is None:
            lost.append(f"{name}.edges[{position}].node.owner.id is missing")
        else:
            parsed.content_items.append(_post(node, owner_id))
    if lost and not parsed.content_items:
        raise Refused("missing-field", f"{envelope}.user.{lost[0]}")
    return parsed


def _user_by_post(raw: msgspec.Raw, lost: list[str]) -> _User[_Edge] | UnsetType | None:
    """The user with those posts that can be read; the others are named in ``lost``.

    Raises msgspec.ValidationError when the profile itself is the trouble.
    """
    user = _BY_POST.decode(raw).user
    if not isinstance(user, _User):
        return user
    fields = {name: getattr(user, name) for name in _User.__struct_fields__}
    for name in _TIMELINES:
        timeline = fields[name]
        if timeline is not None:
            fields[name] = _Timeline(timeline.count, list(_edges(name, timeline.edges or (), lost)))
    return _User(**fields)


_UNREADABLE = _Edge()


def _edges(name: str, raws: Iterable[msgspec.Raw], lost: list[str]) -> Iterator[_Edge]:
    for position, raw in enumerate(raws):
        try:
            yield _EDGE.decode(raw)
        except msgspec.ValidationError as error:
            lost.append(f"{name}.edges[{position}]: {error}")
            yield _UNREADABLE  # keeps the positions of those after it


def _nodes(user: _User[_Edge], lost: list[str]) -> Iterator[tuple[str, int, _Node]]:
    """The posts with their list and place, each once: a video is on the timeline and in the list of videos."""
    seen: set[str] = set()
    for name in _TIMELINES:
        timeline: _Timeline[_Edge] | None = getattr(user, name)
        for position, edge in enumerate((timeline and timeline.edges) or ()):
            if edge is _UNREADABLE:
                continue
            native_id = values.identifier(edge.node.id) if edge.node else None
            if edge.node is None or native_id is None:
                lost.append(f"{name}.edges[{position}].node.id is missing")
            elif native_id not in seen:
                seen.add(native_id)
                yield name, position, edge.node


def _profile(user: _User[_Edge], user_id: str, handle: str) -> Account:
    flags = [] if user.username is not None else ["handle-from-subject"]
    country = _country(user.business_address_json)
    return Account(
        account_of(user_id),
        PLATFORM,
        flags,
        platform_user_id=user_id,
        handle=handle,
        display_name=user.full_name,
        bio=user.biography,
        category=user.category_name or user.business_category_name or user.overall_category_name or None,
        profile_image_url=user.profile_pic_url_hd or user.profile_pic_url or None,
        external_url=user.external_url or None,
        links=None if user.bio_links is None else values.distinct(link.url for link in user.bio_links),
        followers_count=_count(user.edge_followed_by, flags),
        following_count=_count(user.edge_follow, flags),
        posts_count=_count(user.edge_owner_to_timeline_media, flags),
        is_verified=user.is_verified,
        is_private=user.is_private,
        is_business=values.either(user.is_business_account, user.is_professional_account),
        country=country,
        country_source="business_address" if country else None,
    )


def read_post(raw: msgspec.Raw, where: str) -> ContentItem | Refused:
    """A post that stands alone, or why it cannot be read."""
    try:
        node = _NODE.decode(raw)
    except msgspec.ValidationError as error:
        return Refused("wrong-type", f"{where}: {error}")
    owner_id = values.identifier(node.owner.id) if node.owner else None
    if owner_id is None or values.identifier(node.id) is None:
        return Refused("missing-field", f"{where}.{'id' if owner_id else 'owner.id'}")
    return _post(node, owner_id)


def _post(node: _Node, user_id: str) -> ContentItem:
    """A post; ``user_id`` is its owner where it names none."""
    flags: list[str] = []
    owner_id = (node.owner and values.identifier(node.owner.id)) or user_id
    kind = _type(node)
    return ContentItem(
        item_id(values.identifier(node.id) or ""),
        PLATFORM,
        account_of(owner_id),
        kind,
        flags,
        url=item_url(node.shortcode, kind),
        title_or_caption=_caption(node.edge_media_to_caption),
        published_at=values.moment(node.taken_at_timestamp, flags),
        like_count=_count(node.edge_media_preview_like or node.edge_liked_by, flags),
        comment_count=_count(node.edge_media_to_comment or node.edge_media_to_parent_comment, flags),
        view_count=values.count(node.video_view_count, flags),
        play_count=values.count(node.video_play_count, flags),
        duration_s=length_s(node.video_duration, flags),
        media_urls=_pictures(node),
        video_url=node.video_url or None,
        is_declared=_declared(node),
    )


def _count(counted: _Counted | _Timeline[_Edge] | None, flags: list[str]) -> int | None:
    return None if counted is None else values.count(counted.count, flags)


def _type(node: _Node) -> str:
    """Carousel, reel, video or post; newer answers write ``XDTGraphVideo`` for ``GraphVideo``."""
    name = node.typename or ""
    if name.endswith("GraphSidecar") or (not name and node.edge_sidecar_to_children):
        return "carousel"
    if name.endswith("GraphVideo") or node.is_video:
        return "reel" if node.product_type == "clips" else "video"
    return "post"


def _declared(node: _Node) -> bool | None:
    """Whether it is marked as a paid partnership, or names a sponsor."""
    sponsors = node.edge_media_to_sponsor_user
    return values.either(node.is_paid_partnership, None if sponsors is None else bool(sponsors.edges))


def _caption(captions: _Captions | None) -> str | None:
    """The caption; None for a post without one (the list of edges is empty)."""
    if captions is None or not captions.edges or captions.edges[0].node is None:
        return None
    return captions.edges[0].node.text


def _pictures(node: _Node) -> list[str]:
    if node.edge_sidecar_to_children is None:
        return [node.display_url] if node.display_url else []
    children = [edge.node.display_url for edge in node.edge_sidecar_to_children.edges or () if edge.node]
    return values.distinct([node.display_url, *children])


def _country(address: str | _Address | None) -> str | None:
    """The country of a business address, which comes as JSON text inside the JSON."""
    if isinstance(address, str):
        try:
            address = _ADDRESS.decode(address)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None
    return values.country_code(address.country_code) if address else None


def _data(top: Top, answer: Answer) -> Parsed | None:
    return read_user("data", top, answer)


def _graphql(top: Top, answer: Answer) -> Parsed | None:
    return read_user("graphql", top, answer)


SHAPES = (
    Shape("instagram/web_profile_info", frozenset({"data"}), _data, version=2),
    Shape("instagram/graphql_user", frozenset({"graphql"}), _graphql, version=2),
)
FAILURES = (no_such_user,)
