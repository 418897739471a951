"""Instagram's private API (v1) as resellers hand it on, and the newer GraphQL answers that hold the same objects.

- ``{"user": {"pk": …}}``: a profile with flat counts; also below ``data``
- ``{"items": [{…}], "more_available", "next_max_id"}``: posts
- ``{"items": [{"media": {…}}], "paging_info"}``: reels
- ``{"data": {"xdt_api__v1__…": {"edges": [{"node": {…}}], "page_info"}}}``: posts, or reels below ``media``
- ``{"edges": [{"node": {…}}], "page_info"}``: the same without its envelope

``pk`` is the id, a number beyond 2**53 or its digits; ``id`` of a post is ``<pk>_<pk of its owner>``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from igtool.platforms import values
from igtool.platforms.base import Account, Answer, ContentItem, Parsed, Refused, Shape, Top
from igtool.platforms.shapes.instagram_rows import PLATFORM, account_of, add_page, item_id, item_url, length_s
from igtool.platforms.values import Number

_BUSINESS = frozenset({2, 3})
"""``account_type``: 1 is a personal account, 2 a business, 3 a creator."""


class _File(msgspec.Struct, gc=False):
    """A picture or a video in one size."""

    url: str | None = None


class _Sizes(msgspec.Struct, gc=False):
    """One picture in several sizes, the largest first."""

    candidates: list[_File] | None = None


class _Child(msgspec.Struct, gc=False):
    image_versions2: _Sizes | None = None
    thumbnail_url: str | None = None


class _Text(msgspec.Struct, gc=False):
    text: str | None = None


class _Owner(msgspec.Struct, gc=False):
    pk: Number = None
    id: Number = None


class _Present(msgspec.Struct, gc=False):
    """An object of which only the presence matters."""


class _Media(_Child, gc=False):
    """One post. ``media_type``: 1 is a picture, 2 a video, 8 a carousel.

    Libraries around this API flatten it: ``caption_text``, ``thumbnail_url``, ``resources`` (the children).
    """

    pk: Number = None
    id: Number = None
    code: str | None = None
    shortcode: str | None = None
    media_type: Number = None
    product_type: str | None = None
    clips_metadata: _Present | None = None
    user: _Owner | None = None
    owner: _Owner | None = None
    taken_at: Number = None
    caption: _Text | None = None
    caption_text: str | None = None
    like_count: Number = None
    like_and_view_counts_disabled: bool | None = None
    comment_count: Number = None
    view_count: Number = None
    play_count: Number = None
    ig_play_count: Number = None
    video_duration: float | None = None
    video_versions: list[_File] | None = None
    carousel_media: list[_Child] | None = None
    resources: list[_Child] | None = None
    is_paid_partnership: bool | None = None
    sponsor_tags: list[msgspec.Raw] | None = None


class _Entry(_Media, gc=False):
    """A place in a list: the post itself, or an object around it."""

    media: _Media | None = None


class _Link(msgspec.Struct, gc=False):
    url: str | None = None


class _User(msgspec.Struct, gc=False):
    pk: Number = None
    id: Number = None
    username: str | None = None
    full_name: str | None = None
    biography: str | None = None
    category_name: str | None = None
    business_category_name: str | None = None
    overall_category_name: str | None = None
    category: str | None = None
    external_url: str | None = None
    bio_links: list[_Link] | None = None
    follower_count: Number = None
    following_count: Number = None
    media_count: Number = None
    is_private: bool | None = None
    is_verified: bool | None = None
    is_business: bool | None = None
    account_type: int | None = None
    profile_pic_url: str | None = None
    profile_pic_url_hd: str | None = None
    hd_profile_pic_url_info: _File | None = None
    public_email: str | None = None


_USER = msgspec.json.Decoder(_User)
_OWNER = msgspec.json.Decoder(_Owner | None)
_ENTRY = msgspec.json.Decoder(_Entry)
_LIST = msgspec.json.Decoder(list[msgspec.Raw])
_KEYS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_CONNECTION = "xdt_api__v1__"
_PAGING = frozenset({"more_available", "paging_info", "next_max_id", "num_results", "count"})
"""Some of these stand beside a list of posts; they tell an empty one from any other list."""

_IDS = frozenset({"pk", "id"})
_OF_A_PROFILE = frozenset({"follower_count", "media_count"})
_OF_A_POST = frozenset({"media_type", "taken_at"})
_SIZES = {"1": "post", "2": "video", "8": "carousel"}


def keys(raw: msgspec.Raw) -> dict[str, msgspec.Raw]:
    """The keys of an object with their undecoded values; none when it is no object."""
    try:
        return _KEYS.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return {}


def _profile(top: Top, answer: Answer) -> Parsed | None:
    named = keys(top["user"]).keys()
    if named.isdisjoint(_IDS) or named.isdisjoint(_OF_A_PROFILE):
        return None  # also the short form beside lists and posts: its row would hide what is known
    return Parsed(accounts=[read_user(top["user"], "user", answer)])


def read_user(raw: msgspec.Raw, where: str, answer: Answer) -> Account:
    """The account that a user of this API is. Raises Refused where it has no id or no handle."""
    user = _USER.decode(raw)
    user_id = values.identifier(user.pk) or values.identifier(user.id)
    handle = values.handle(user.username) or values.handle(answer.subject)
    if user_id is None or handle is None:
        raise Refused("missing-field", f"{where}.{'pk' if user_id is None else 'username'}")
    flags = [] if user.username is not None else ["handle-from-subject"]
    large = user.hd_profile_pic_url_info
    return Account(
        account_of(user_id),
        PLATFORM,
        flags,
        platform_user_id=user_id,
        handle=handle,
        display_name=user.full_name,
        bio=user.biography,
        category=user.category_name
        or user.business_category_name
        or user.overall_category_name
        or user.category
        or None,
        profile_image_url=(large and large.url) or user.profile_pic_url_hd or user.profile_pic_url or None,
        external_url=user.external_url or None,
        links=None if user.bio_links is None else values.distinct(link.url for link in user.bio_links),
        emails=[user.public_email] if user.public_email else None,
        followers_count=values.count(user.follower_count, flags),
        following_count=values.count(user.following_count, flags),
        posts_count=values.count(user.media_count, flags),
        is_verified=user.is_verified,
        is_private=user.is_private,
        is_business=values.either(
            user.is_business, None if user.account_type is None else user.account_type in _BUSINESS
        ),
    )


def _profile_below_data(top: Top, answer: Answer) -> Parsed | None:
    below = keys(top["data"])
    return _profile(below, answer) if "user" in below else None


def _list(top: Top, _: Answer) -> Parsed | None:
    """The posts of ``items``; ``user`` beside it is their owner where they name none."""
    entries = _entries(top["items"])
    if entries is None:
        return None
    if not (any(map(_is_post, entries)) if entries else not _PAGING.isdisjoint(top)):
        return None
    owner = _OWNER.decode(top["user"]) if keys(top.get("user", msgspec.Raw(b"null"))) else None
    places = ((f"items[{position}]", raw) for position, raw in enumerate(entries))
    return add_page(Parsed(), _posts(places, owner))


def _edges(top: Top, _: Answer) -> Parsed | None:
    """The posts of a connection: ``edges[].node``, which a single page may leave empty."""
    edges = _entries(top["edges"])
    if edges is None:
        return None
    nodes = [keys(raw).get("node", msgspec.Raw(b"null")) for raw in edges]
    if nodes and not any(map(_is_post, nodes)):
        return None
    return add_page(Parsed(), _posts(((f"edges[{n}].node", raw) for n, raw in enumerate(nodes)), None))


def _connection(top: Top, answer: Answer) -> Parsed | None:
    """The posts of every connection of the answer; there is one as a rule."""
    found: Parsed | None = None
    for name, raw in keys(top["data"]).items():
        if name.startswith(_CONNECTION) and keys(raw).keys() >= {"edges", "page_info"}:
            page = _edges(keys(raw), answer)
            if found is None or page is None:
                found = found or page
            else:
                found.content_items += page.content_items
                found.lost += page.lost
    return found


def _entries(raw: msgspec.Raw) -> list[msgspec.Raw] | None:
    try:
        return _LIST.decode(raw)
    except msgspec.ValidationError:
        return None


def _is_post(raw: msgspec.Raw) -> bool:
    """Whether an entry is a post of this API, or an object around one."""
    entry = keys(raw)
    named = (keys(entry["media"]) if "media" in entry else entry).keys()
    return not named.isdisjoint(_IDS) and not named.isdisjoint(_OF_A_POST)


def _posts(places: Iterable[tuple[str, msgspec.Raw]], owner: _Owner | None) -> Iterator[ContentItem | Refused]:
    return (read_post(raw, where, owner) for where, raw in places)


def read_post(raw: msgspec.Raw, where: str, owner: _Owner | None = None) -> ContentItem | Refused:
    """A post, or why it cannot be read; ``owner`` is whose it is where it does not say."""
    try:
        entry = _ENTRY.decode(raw)
    except msgspec.ValidationError as error:
        return Refused("wrong-type", f"{where}: {error}")
    return _post(entry.media or entry, where, owner)


def _post(media: _Media, where: str, owner: _Owner | None) -> ContentItem | Refused:
    native_id, owner_id = _ids(media, owner)
    if native_id is None:
        return Refused("missing-field", f"{where}.pk")
    if owner_id is None:
        return Refused("missing-field", f"{where}.user.pk")
    if media.product_type == "story":
        return Refused("story", f"{where} is gone after a day")
    flags: list[str] = []
    likes = values.count(media.like_count, flags)
    if media.like_and_view_counts_disabled:
        likes = None  # the number given instead is a small constant
        flags.append("hidden-likes")
    kind = _type(media)
    shortcode = media.code or media.shortcode
    return ContentItem(
        item_id(native_id),
        PLATFORM,
        account_of(owner_id),
        kind,
        flags,
        url=item_url(shortcode, kind),
        title_or_caption=media.caption.text if media.caption else media.caption_text,
        published_at=values.moment(media.taken_at, flags),
        like_count=likes,
        comment_count=values.count(media.comment_count, flags),
        view_count=values.count(media.view_count, flags),
        play_count=values.count(media.ig_play_count if media.play_count is None else media.play_count, flags),
        duration_s=length_s(media.video_duration, flags),
        media_urls=_pictures(media),
        video_url=_video(media),
        is_declared=_declared(media),
    )


def _ids(media: _Media, owner: _Owner | None) -> tuple[str | None, str | None]:
    """The ids of a post and of its owner.

    What ``id`` says of the owner goes first: ``user`` may be the one on whose page a post of two authors stands.
    """
    whole, _, suffix = (values.identifier(media.id) or "").partition("_")
    native_id = (values.identifier(media.pk) or whole).partition("_")[0] or None
    owner_id = suffix if suffix.isascii() and suffix.isdigit() else None
    for named in (media.user, media.owner, owner):
        if owner_id is None and named is not None:
            owner_id = values.identifier(named.pk) or values.identifier(named.id)
    return native_id, owner_id


def _type(media: _Media) -> str:
    """Carousel, reel, video or post; where the product is not told, data about a clip marks a reel."""
    kind = _SIZES.get(values.identifier(media.media_type) or "", "post")
    if media.media_type is None and media.video_versions:
        kind = "video"
    is_clip = media.product_type == "clips" or (media.product_type is None and media.clips_metadata is not None)
    return "reel" if kind == "video" and is_clip else kind


def _declared(media: _Media) -> bool | None:
    """Whether it is marked as a paid partnership, or names a sponsor."""
    return values.either(media.is_paid_partnership, None if media.sponsor_tags is None else bool(media.sponsor_tags))


def _video(media: _Media) -> str | None:
    """The first file: the others are the same in other sizes."""
    return next((one.url for one in media.video_versions or () if one.url), None)


def _pictures(media: _Media) -> list[str]:
    """The largest size of each picture: the cover, then the children of a carousel."""
    children = (*(media.carousel_media or ()), *(media.resources or ()))
    return values.distinct(_picture(one) for one in (media, *children))


def _picture(one: _Child) -> str | None:
    sizes = one.image_versions2
    return sizes.candidates[0].url if sizes and sizes.candidates else one.thumbnail_url


SHAPES = (
    Shape("instagram/v1_user", frozenset({"user"}), _profile, version=2),
    Shape("instagram/v1_user_below_data", frozenset({"data"}), _profile_below_data, version=2),
    Shape("instagram/v1_list", frozenset({"items"}), _list, version=2),
    Shape("instagram/xdt_connection", frozenset({"data"}), _connection, version=2),
    Shape("instagram/xdt_edges", frozenset({"edges", "page_info"}), _edges, version=2),
)
