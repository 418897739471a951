"""What Scrapfly's public Instagram scraper writes: Instagram's answers under names of its own, or picked over.

- ``{"username", "followers", "follows", "bio", …}``: a profile, with its first videos and posts in older versions
- ``{"shortcode", "captions", "likes", "taken_at", …}``: a post, which does not say whose it is
- ``{"id": "<pk>_<pk of its owner>", "shortcode", "image_versions2", …}``: a post of the timeline

Source of the fields: ``parse_user``, ``parse_post`` and ``parse_user_posts`` of that scraper.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from igtool.platforms import values
from igtool.platforms.base import Account, Answer, ContentItem, Parsed, Refused, Shape, Top
from igtool.platforms.shapes import instagram_v1
from igtool.platforms.shapes.instagram_rows import PLATFORM, account_of, add_page, item_id, item_url, length_s, media_id
from igtool.platforms.values import Number


class _Post(msgspec.Struct, gc=False):
    """``src`` is the picture of a post; in the lists of a profile a video has ``thumb`` instead."""

    id: Number = None
    shortcode: str | None = None
    type: str | None = None
    is_video: bool | None = None
    video_url: str | None = None
    src: str | None = None
    src_attached: list[str | None] | None = None
    thumb: str | None = None
    captions: list[str | None] | None = None
    taken_at: Number = None
    likes: Number = None
    comments_count: Number = None
    views: Number = None
    plays: Number = None
    video_duration: float | None = None
    duration: float | None = None


class _User(msgspec.Struct, gc=False):
    id: Number = None
    username: str | None = None
    name: str | None = None
    category: str | None = None
    business_category: str | None = None
    bio: str | None = None
    bio_links: list[str | None] | None = None
    homepage: str | None = None
    email: str | None = None
    followers: Number = None
    follows: Number = None
    image_count: Number = None
    is_private: bool | None = None
    is_verified: bool | None = None
    profile_image: str | None = None
    videos: list[msgspec.Raw] | None = None
    images: list[msgspec.Raw] | None = None


_USER = msgspec.json.Decoder(_User)
_POST = msgspec.json.Decoder(_Post)
_VIDEOS = frozenset({"clips", "igtv"})


def _read_user(top: Top, _: Answer) -> Parsed | None:
    user = _USER.decode(msgspec.json.encode(top))
    handle, user_id = values.handle(user.username), values.identifier(user.id)
    if handle is None:
        raise Refused("missing-field", "username")
    parsed = Parsed(accounts=[_account(user, user_id, handle)])
    return add_page(parsed, _posts(user, account_of(user_id, handle)))


def _account(user: _User, user_id: str | None, handle: str) -> Account:
    flags: list[str] = []
    return Account(
        account_of(user_id, handle),
        PLATFORM,
        flags,
        platform_user_id=user_id,
        handle=handle,
        display_name=user.name,
        bio=user.bio,
        category=user.category or user.business_category or None,
        profile_image_url=user.profile_image or None,
        external_url=user.homepage or None,
        links=None if user.bio_links is None else values.distinct(user.bio_links),
        emails=[user.email] if user.email else None,
        followers_count=values.count(user.followers, flags),
        following_count=values.count(user.follows, flags),
        posts_count=values.count(user.image_count, flags),  # the count of all posts, videos too
        is_verified=user.is_verified,
        is_private=user.is_private,
    )


def _posts(user: _User, account_id: str) -> Iterator[ContentItem | Refused]:
    for name, entries in (("videos", user.videos), ("images", user.images)):
        for position, raw in enumerate(entries or ()):
            try:
                post = _POST.decode(raw)
            except msgspec.ValidationError as error:
                yield Refused("wrong-type", f"{name}[{position}]: {error}")
            else:
                yield _item(post, f"{name}[{position}].", account_id, [])


def _read_post(top: Top, answer: Answer) -> Parsed | None:
    if not bytes(top["captions"]).startswith((b"[", b"null")):
        return None
    post = _POST.decode(msgspec.json.encode(top))
    handle = values.handle(answer.subject)
    if handle is None:
        raise Refused("missing-field", "owner (it stands in no field: the file's name can tell the handle)")
    item = _item(post, "", account_of(None, handle), ["handle-from-subject"])
    if isinstance(item, Refused):
        raise item
    return Parsed(content_items=[item])


def _item(post: _Post, where: str, account_id: str, flags: list[str]) -> ContentItem | Refused:
    native_id = values.identifier(post.id) or media_id(post.shortcode or "")
    if native_id is None:
        return Refused("missing-field", f"{where}id")
    kind = _type(post)
    captions = post.captions or ()
    return ContentItem(
        item_id(native_id),
        PLATFORM,
        account_id,
        kind,
        flags,
        url=item_url(post.shortcode, kind),
        title_or_caption=next(iter(captions), None),
        published_at=values.moment(post.taken_at, flags),
        like_count=values.count(post.likes, flags),
        comment_count=values.count(post.comments_count, flags),
        view_count=values.count(post.views, flags),
        play_count=values.count(post.plays, flags),
        duration_s=length_s(post.duration if post.video_duration is None else post.video_duration, flags),
        media_urls=values.distinct([post.src or post.thumb, *(post.src_attached or ())]),
    )


def _type(post: _Post) -> str:
    if post.src_attached:
        return "carousel"
    is_video = post.is_video or post.type in _VIDEOS or post.thumb is not None or post.video_url is not None
    return ("reel" if post.type == "clips" else "video") if is_video else "post"


def _read_node(top: Top, _: Answer) -> Parsed | None:
    """A post of the timeline, of which the id alone says whose it is."""
    if "pk" in top:
        return None
    item = instagram_v1.read_post(msgspec.Raw(msgspec.json.encode(top)), "node")
    if isinstance(item, Refused):
        raise item
    return Parsed(content_items=[item])


SHAPES = (
    Shape(
        "instagram/scrapfly_user", frozenset({"username", "followers", "follows", "bio", "profile_image"}), _read_user
    ),
    Shape("instagram/scrapfly_post", frozenset({"id", "shortcode", "captions", "likes", "taken_at"}), _read_post),
    Shape(
        "instagram/scrapfly_node", frozenset({"id", "shortcode", "taken_at", "image_versions2"}), _read_node, version=2
    ),
)
