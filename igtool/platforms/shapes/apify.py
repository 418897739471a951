"""Datasets of Apify's Instagram actors: a profile with its latest posts, a post or a reel, an item that says why not.

One item is one object in camelCase. Plays are three to ten times the views: the two are kept apart. Source of the
fields: the output pages of the actors "Instagram Profile Scraper", "Instagram Post Scraper" and "Instagram Reel
Scraper".
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from igtool.platforms import values
from igtool.platforms.base import Account, Answer, ContentItem, Outcome, Parsed, Refused, Shape, Top
from igtool.platforms.shapes.instagram_rows import PLATFORM, account_of, add_page, item_id, item_url, length_s, media_id
from igtool.platforms.values import Number

_ERRORS: dict[str, Outcome] = {
    "not_found": "not_found",  # "Post does not exist"
    "no_items": "private",  # "Empty or private data for provided input"
}
"""``error`` of an item without data; any other is ``invalid``."""

_KINDS = {"Image": "post", "Video": "video", "Sidecar": "carousel"}


class _Child(msgspec.Struct, rename="camel", gc=False):
    display_url: str | None = None


class _Post(_Child, rename="camel", gc=False):
    id: Number = None
    short_code: str | None = None
    type: str | None = None
    product_type: str | None = None
    url: str | None = None
    caption: str | None = None
    timestamp: Number = None
    likes_count: Number = None
    comments_count: Number = None
    video_view_count: Number = None
    video_play_count: Number = None
    video_duration: float | None = None
    images: list[str | None] | None = None
    child_posts: list[_Child | None] | None = None
    owner_id: Number = None
    owner_username: str | None = None
    owner_full_name: str | None = None
    is_sponsored: bool | None = None


class _Link(msgspec.Struct, gc=False):
    url: str | None = None


class _Address(msgspec.Struct, gc=False):
    country_code: str | None = None


class _Profile(msgspec.Struct, rename="camel", gc=False):
    id: Number = None
    username: str | None = None
    full_name: str | None = None
    biography: str | None = None
    business_category_name: str | None = None
    external_url: str | None = None
    external_urls: list[_Link | str | None] | None = None
    profile_pic_url: str | None = None
    profile_pic_url_hd: str | None = msgspec.field(name="profilePicUrlHD", default=None)
    followers_count: Number = None
    follows_count: Number = None
    posts_count: Number = None
    is_business_account: bool | None = None
    private: bool | None = None
    verified: bool | None = None
    business_address: _Address | None = None
    latest_posts: list[msgspec.Raw] | None = None
    latest_igtv_videos: list[msgspec.Raw] | None = None


_POST = msgspec.json.Decoder(_Post)
_PROFILE = msgspec.json.Decoder(_Profile)
_TEXT = msgspec.json.Decoder(str)
_OF_A_PROFILE = frozenset({"followsCount", "postsCount", "biography"})
_OF_A_POST = frozenset({"ownerUsername", "ownerId", "likesCount", "commentsCount"})


def no_data(top: Top) -> tuple[Outcome, str] | None:
    """``{"error": "not_found", "errorDescription": "Post does not exist", …}``."""
    if "error" not in top or "errorDescription" not in top or "shortCode" in top or "followersCount" in top:
        return None
    try:
        error, words = _TEXT.decode(top["error"]), _TEXT.decode(top["errorDescription"])
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return _ERRORS.get(error, "invalid"), words or error


def _read_profile(top: Top, _: Answer) -> Parsed | None:
    if top.keys().isdisjoint(_OF_A_PROFILE):
        return None
    profile = _PROFILE.decode(msgspec.json.encode(top))
    handle, user_id = values.handle(profile.username), values.identifier(profile.id)
    if handle is None:
        raise Refused("missing-field", "username")
    account = _account(profile, user_id, handle)
    return add_page(Parsed(accounts=[account]), _posts(profile, account))


def _account(profile: _Profile, user_id: str | None, handle: str) -> Account:
    flags: list[str] = []
    country = values.country_code(profile.business_address.country_code) if profile.business_address else None
    return Account(
        account_of(user_id, handle),
        PLATFORM,
        flags,
        platform_user_id=user_id,
        handle=handle,
        display_name=profile.full_name,
        bio=profile.biography,
        category=_category(profile.business_category_name),
        profile_image_url=profile.profile_pic_url_hd or profile.profile_pic_url or None,
        external_url=profile.external_url or None,
        links=_links(profile.external_urls),
        followers_count=values.count(profile.followers_count, flags),
        following_count=values.count(profile.follows_count, flags),
        posts_count=values.count(profile.posts_count, flags),
        is_verified=profile.verified,
        is_private=profile.private,
        is_business=profile.is_business_account,
        country=country,
        country_source="business_address" if country else None,
    )


def _category(names: str | None) -> str | None:
    """The category without the word that stands for none: ``None,Restaurant``."""
    name = (names or "").removeprefix("None,").strip()
    return name if name not in ("", "None") else None


def _links(entries: list[_Link | str | None] | None) -> list[str] | None:
    if entries is None:
        return None
    return values.distinct(entry.url if isinstance(entry, _Link) else entry for entry in entries)


def _posts(profile: _Profile, account: Account) -> Iterator[ContentItem | Refused]:
    for name, entries in (("latestPosts", profile.latest_posts), ("latestIgtvVideos", profile.latest_igtv_videos)):
        for position, raw in enumerate(entries or ()):
            try:
                post = _POST.decode(raw)
            except msgspec.ValidationError as error:
                yield Refused("wrong-type", f"{name}[{position}]: {error}")
            else:
                yield _item(post, f"{name}[{position}].", account)


def _read_post(top: Top, _: Answer) -> Parsed | None:
    if top.keys().isdisjoint(_OF_A_POST):
        return None
    post = _POST.decode(msgspec.json.encode(top))
    handle, owner_id = values.handle(post.owner_username), values.identifier(post.owner_id)
    if handle is None and owner_id is None:
        raise Refused("missing-field", "ownerId")
    owner = Account(
        account_of(owner_id, handle),
        PLATFORM,
        [],
        platform_user_id=owner_id,
        handle=handle,
        is_profile=False,
        display_name=post.owner_full_name,
    )
    item = _item(post, "", owner)
    if isinstance(item, Refused):
        raise item
    return Parsed(accounts=[owner] if handle else [], content_items=[item])


def _item(post: _Post, where: str, account: Account) -> ContentItem | Refused:
    """A post; ``account`` is whose it is where it names nobody else."""
    written = values.identifier(post.id) or ""
    native_id = written if written.isascii() and written.isdigit() else media_id(post.short_code or "")
    if native_id is None:
        return Refused("missing-field", f"{where}shortCode")
    owner_id, handle = values.identifier(post.owner_id), values.handle(post.owner_username)
    is_its_own = handle in (None, account.handle) if owner_id is None else owner_id == account.platform_user_id
    flags: list[str] = []
    kind = _type(post)
    children = (child.display_url for child in post.child_posts or () if child)
    return ContentItem(
        item_id(native_id),
        PLATFORM,
        account.account_id if is_its_own else account_of(owner_id, handle),
        kind,
        flags,
        url=item_url(post.short_code, kind) or post.url or None,
        title_or_caption=post.caption,
        published_at=values.moment(post.timestamp, flags),
        like_count=values.count(post.likes_count, flags),
        comment_count=values.count(post.comments_count, flags),
        view_count=values.count(post.video_view_count, flags),
        play_count=values.count(post.video_play_count, flags),
        duration_s=length_s(post.video_duration, flags),
        media_urls=values.distinct([post.display_url, *(post.images or ()), *children]),
        is_declared=post.is_sponsored,
    )


def _type(post: _Post) -> str:
    """Carousel, reel, video or post; where the product is not told, the address marks a reel."""
    kind = _KINDS.get(post.type or "", "post")
    is_clip = post.product_type == "clips" or (post.product_type is None and "/reel/" in (post.url or ""))
    return "reel" if kind == "video" and is_clip else kind


SHAPES = (
    Shape("instagram/apify_profile", frozenset({"username", "followersCount"}), _read_profile),
    Shape("instagram/apify_post", frozenset({"shortCode", "timestamp"}), _read_post),
)
FAILURES = (no_data,)
