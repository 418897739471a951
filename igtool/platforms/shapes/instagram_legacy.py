"""What Instagram's own pages and its web client answered in 2016 and 2017.

- 2016 ``{"items": [{"created_time": "1477…", "images", "likes": {"count"}, …}], "more_available"}``: posts; the closed
  public API had the same objects below ``data``
- 2017 ``{"user": {"followed_by": {"count"}, "follows", "media": {"count", "nodes": […]}}}``: a profile and its posts
- 2017 ``{"media": {"code", "date", …}}``: one post; ``{"tag": {"media": {"nodes"}, "top_posts"}}``: those of a hashtag
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator

import msgspec

from igtool.platforms import values
from igtool.platforms.base import Account, Answer, ContentItem, Parsed, Refused, Shape, Top
from igtool.platforms.shapes.instagram_rows import PLATFORM, account_of, add_page, item_id, item_url
from igtool.platforms.shapes.instagram_v1 import keys
from igtool.platforms.values import Number

_SHORTCODE = re.compile(r"https?://[^/?#]+/(?:p|reel|tv)/([\w-]+)", re.ASCII)


class _Counted(msgspec.Struct, gc=False):
    count: Number = None


class _Text(msgspec.Struct, gc=False):
    text: str | None = None


class _Picture(msgspec.Struct, gc=False):
    url: str | None = None


class _Sizes(msgspec.Struct, gc=False):
    standard_resolution: _Picture | None = None
    low_resolution: _Picture | None = None


class _Part(msgspec.Struct, gc=False):
    """One picture or video of a carousel."""

    images: _Sizes | None = None


class Named(msgspec.Struct, gc=False):
    """The account that a post names, or that a user's reel belongs to."""

    id: Number = None
    username: str | None = None
    full_name: str | None = None
    profile_picture: str | None = None
    profile_pic_url: str | None = None
    is_verified: bool | None = None
    is_private: bool | None = None
    edge_followed_by: _Counted | None = None
    edge_owner_to_timeline_media: _Counted | None = None


class _Item(_Part, gc=False):
    """One post of 2016; ``id`` is ``<id>_<id of its owner>``."""

    id: Number = None
    code: str | None = None
    link: str | None = None
    created_time: Number = None
    type: str | None = None
    caption: _Text | None = None
    likes: _Counted | None = None
    comments: _Counted | None = None
    video_views: Number = None
    carousel_media: list[_Part] | None = None
    user: Named | None = None


class _Node(msgspec.Struct, gc=False):
    """One post of 2017; the caption is plain text."""

    typename: str | None = msgspec.field(name="__typename", default=None)
    id: Number = None
    code: str | None = None
    date: Number = None
    display_src: str | None = None
    is_video: bool | None = None
    video_views: Number = None
    caption: str | None = None
    likes: _Counted | None = None
    comments: _Counted | None = None
    owner: Named | None = None


class _Nodes(msgspec.Struct, gc=False):
    count: Number = None
    nodes: list[msgspec.Raw] | None = None


class _Tag(msgspec.Struct, gc=False):
    media: _Nodes | None = None
    top_posts: _Nodes | None = None


class _User(msgspec.Struct, gc=False):
    id: Number = None
    username: str | None = None
    full_name: str | None = None
    biography: str | None = None
    external_url: str | None = None
    profile_pic_url: str | None = None
    profile_pic_url_hd: str | None = None
    followed_by: _Counted | None = None
    follows: _Counted | None = None
    media: _Nodes | None = None
    is_private: bool | None = None
    is_verified: bool | None = None
    is_business_account: bool | None = None


class _Owned(msgspec.Struct, gc=False):
    owner: Named | None = None


_ITEM = msgspec.json.Decoder(_Item)
_NODE = msgspec.json.Decoder(_Node)
_TAG = msgspec.json.Decoder(_Tag)
_USER = msgspec.json.Decoder(_User)
OWNED = msgspec.json.Decoder(_Owned)
_LIST = msgspec.json.Decoder(list[msgspec.Raw])

_OF_2016 = frozenset({"id", "created_time", "images"})
_OF_2017 = frozenset({"id", "code", "date", "display_src"})


def _user(top: Top, answer: Answer) -> Parsed | None:
    """A profile of 2017 with its first posts."""
    if not keys(keys(top["user"]).get("followed_by", msgspec.Raw(b"null"))):
        return None
    user = _USER.decode(top["user"])
    user_id = values.identifier(user.id)
    handle = values.handle(user.username) or values.handle(answer.subject)
    if user_id is None or handle is None:
        raise Refused("missing-field", f"user.{'id' if user_id is None else 'username'}")
    parsed = Parsed(accounts=[_profile(user, user_id, handle)])
    return add_page(parsed, _posts(_post_of_2017, _places("user.media.nodes", user.media), user_id))


def _profile(user: _User, user_id: str, handle: str) -> Account:
    flags = [] if user.username is not None else ["handle-from-subject"]
    return Account(
        account_of(user_id),
        PLATFORM,
        flags,
        platform_user_id=user_id,
        handle=handle,
        display_name=user.full_name,
        bio=user.biography,
        profile_image_url=user.profile_pic_url_hd or user.profile_pic_url or None,
        external_url=user.external_url or None,
        followers_count=_count(user.followed_by, flags),
        following_count=_count(user.follows, flags),
        posts_count=None if user.media is None else values.count(user.media.count, flags),
        is_verified=user.is_verified,
        is_private=user.is_private,
        is_business=user.is_business_account,
    )


def _media(top: Top, _: Answer) -> Parsed | None:
    """One post of 2017 with its owner."""
    if not keys(top["media"]).keys() >= _OF_2017:
        return None
    parsed = add_page(Parsed(), _posts(_post_of_2017, [("media", top["media"])]))
    parsed.accounts = owners([OWNED.decode(top["media"]).owner])
    return parsed


def _tag(top: Top, _: Answer) -> Parsed | None:
    """The newest and the top posts of a hashtag in 2017; they name their owners by id only."""
    if not keys(keys(top["tag"]).get("media", msgspec.Raw(b"null"))).keys() >= {"nodes"}:
        return None
    tag = _TAG.decode(top["tag"])
    places = [*_places("tag.media.nodes", tag.media), *_places("tag.top_posts.nodes", tag.top_posts)]
    return add_page(Parsed(), _posts(_post_of_2017, places))


def _items(top: Top, _: Answer) -> Parsed | None:
    return _list_of_2016("items", top["items"])


def _public_api(top: Top, _: Answer) -> Parsed | None:
    is_list = bytes(memoryview(top["data"])[:1]) == b"["  # most of what has this key is a large object
    return _list_of_2016("data", top["data"]) if is_list else None


def _list_of_2016(name: str, raw: msgspec.Raw) -> Parsed | None:
    """Posts of 2016 with the accounts that they name."""
    try:
        entries = _LIST.decode(raw)
    except msgspec.ValidationError:
        return None
    if not any(keys(entry).keys() >= _OF_2016 for entry in entries):
        return None
    places = [(f"{name}[{position}]", entry) for position, entry in enumerate(entries)]
    parsed = add_page(Parsed(), _posts(_post_of_2016, places))
    parsed.accounts = owners(map(_named_in, entries))
    return parsed


def _named_in(raw: msgspec.Raw) -> Named | None:
    try:
        return _ITEM.decode(raw).user
    except msgspec.ValidationError:
        return None  # the post is lost, and says so


def _places(name: str, page: _Nodes | None) -> Iterator[tuple[str, msgspec.Raw]]:
    return ((f"{name}[{position}]", raw) for position, raw in enumerate((page and page.nodes) or ()))


def _posts(
    read: Callable[[msgspec.Raw, str, str | None], ContentItem | Refused],
    places: Iterable[tuple[str, msgspec.Raw]],
    owner_id: str | None = None,
) -> Iterator[ContentItem | Refused]:
    """What ``read`` makes of each place; ``owner_id`` is the owner of posts that name none."""
    for where, raw in places:
        try:
            yield read(raw, where, owner_id)
        except msgspec.ValidationError as error:
            yield Refused("wrong-type", f"{where}: {error}")


def _post_of_2016(raw: msgspec.Raw, where: str, _: str | None) -> ContentItem | Refused:
    item = _ITEM.decode(raw)
    native_id, _, suffix = (values.identifier(item.id) or "").partition("_")
    owner_id = (item.user and values.identifier(item.user.id)) or suffix
    if not native_id or not owner_id:
        return Refused("missing-field", f"{where}.{'user.id' if native_id else 'id'}")
    flags: list[str] = []
    kind = item.type if item.type in ("carousel", "video") else "post"
    address = _SHORTCODE.match(item.link or "")
    return ContentItem(
        item_id(native_id),
        PLATFORM,
        account_of(owner_id),
        kind,
        flags,
        url=item_url(item.code or (address[1] if address else None), kind),
        title_or_caption=item.caption.text if item.caption else None,
        published_at=values.moment(item.created_time, flags),
        like_count=_count(item.likes, flags),
        comment_count=_count(item.comments, flags),
        view_count=values.count(item.video_views, flags),
        media_urls=values.distinct(_largest(part.images) for part in (item, *(item.carousel_media or ()))),
    )


def _post_of_2017(raw: msgspec.Raw, where: str, owner_id: str | None) -> ContentItem | Refused:
    node = _NODE.decode(raw)
    native_id = values.identifier(node.id)
    owner_id = (node.owner and values.identifier(node.owner.id)) or owner_id
    if native_id is None or owner_id is None:
        return Refused("missing-field", f"{where}.{'owner.id' if native_id else 'id'}")
    flags: list[str] = []
    is_carousel = (node.typename or "").endswith("Sidecar")
    kind = "carousel" if is_carousel else "video" if node.is_video else "post"
    return ContentItem(
        item_id(native_id),
        PLATFORM,
        account_of(owner_id),
        kind,
        flags,
        url=item_url(node.code, kind),
        title_or_caption=node.caption,
        published_at=values.moment(node.date, flags),
        like_count=_count(node.likes, flags),
        comment_count=_count(node.comments, flags),
        view_count=values.count(node.video_views, flags),
        media_urls=values.distinct([node.display_src]),
    )


def _largest(sizes: _Sizes | None) -> str | None:
    picture = sizes and (sizes.standard_resolution or sizes.low_resolution)
    return picture.url if picture else None


def _count(counted: _Counted | None, flags: list[str]) -> int | None:
    return None if counted is None else values.count(counted.count, flags)


def owners(named: Iterable[Named | None]) -> list[Account]:
    """The accounts that have an id and a handle, each once."""
    found: dict[str, Account] = {}
    for owner in named:
        user_id = owner and values.identifier(owner.id)
        handle = owner and values.handle(owner.username)
        if owner is None or not user_id or not handle or user_id in found:
            continue
        flags: list[str] = []
        found[user_id] = Account(
            account_of(user_id),
            PLATFORM,
            flags,
            platform_user_id=user_id,
            handle=handle,
            is_profile=False,
            display_name=owner.full_name,
            profile_image_url=owner.profile_pic_url or owner.profile_picture or None,
            followers_count=_count(owner.edge_followed_by, flags),
            posts_count=_count(owner.edge_owner_to_timeline_media, flags),
            is_verified=owner.is_verified,
            is_private=owner.is_private,
        )
    return list(found.values())


SHAPES = (
    Shape("instagram/user_2017", frozenset({"user"}), _user),
    Shape("instagram/media_2017", frozenset({"media"}), _media),
    Shape("instagram/tag_2017", frozenset({"tag"}), _tag),
    Shape("instagram/items_2016", frozenset({"items"}), _items),
    Shape("instagram/public_api_2016", frozenset({"data"}), _public_api),
)
