"""The Graph API's Business Discovery: the profile and the posts of a business or creator account.

``{"business_discovery": {"id", "username", …, "media": {"data": [{…}]}}, "id"}``. Its ids are not those of the other
answers. The account is known by its handle until another answer tells its id; posts get their id from the
shortcode of their permalink. Source of the fields: the reference pages "Business Discovery" and "IG Media".
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

from igtool.platforms import values
from igtool.platforms.base import Account, Answer, ContentItem, Parsed, Refused, Shape, Top
from igtool.platforms.shapes.instagram_rows import PLATFORM, account_of, add_page, item_id, item_url, media_id
from igtool.platforms.values import Number

_PERMALINK = re.compile(r"https?://[^/?#]+/(?:[\w.]+/)?(?:p|reel|reels|tv)/([\w-]+)", re.ASCII)


class _Child(msgspec.Struct, gc=False):
    media_url: str | None = None
    thumbnail_url: str | None = None
    media_type: str | None = None


class _Children(msgspec.Struct, gc=False):
    data: list[_Child] | None = None


class _Media(_Child, gc=False):
    """One post. ``media_url`` of a video is the film, its picture is ``thumbnail_url``."""

    permalink: str | None = None
    caption: str | None = None
    media_product_type: str | None = None
    timestamp: str | None = None
    like_count: Number = None
    comments_count: Number = None
    view_count: Number = None
    children: _Children | None = None


class _MediaPage(msgspec.Struct, gc=False):
    data: list[msgspec.Raw] | None = None


class _Account(msgspec.Struct, gc=False):
    username: str | None = None
    name: str | None = None
    biography: str | None = None
    website: str | None = None
    followers_count: Number = None
    follows_count: Number = None
    media_count: Number = None
    profile_picture_url: str | None = None
    media: _MediaPage | None = None


_ACCOUNT = msgspec.json.Decoder(_Account)
_MEDIA = msgspec.json.Decoder(_Media)


def _read(top: Top, answer: Answer) -> Parsed:
    account = _ACCOUNT.decode(top["business_discovery"])
    handle = values.handle(account.username) or values.handle(answer.subject)
    if handle is None:
        raise Refused("missing-field", "business_discovery.username")
    parsed = Parsed()
    if account.followers_count is not None or account.media_count is not None:
        parsed.accounts.append(_profile(account, handle))
    elif account.media is None:
        raise Refused("missing-field", "business_discovery.followers_count")
    return add_page(parsed, _posts(account.media, handle))


def _profile(account: _Account, handle: str) -> Account:
    flags = [] if account.username is not None else ["handle-from-subject"]
    return Account(
        account_of(None, handle),
        PLATFORM,
        flags,
        handle=handle,
        display_name=account.name,
        bio=account.biography,
        profile_image_url=account.profile_picture_url or None,
        external_url=account.website or None,
        followers_count=values.count(account.followers_count, flags),
        following_count=values.count(account.follows_count, flags),
        posts_count=values.count(account.media_count, flags),
        is_business=True,  # it answers for no other accounts
    )


def _posts(page: _MediaPage | None, handle: str) -> Iterator[ContentItem | Refused]:
    for position, raw in enumerate((page and page.data) or ()):
        where = f"business_discovery.media.data[{position}]"
        try:
            media = _MEDIA.decode(raw)
        except msgspec.ValidationError as error:
            yield Refused("wrong-type", f"{where}: {error}")
        else:
            yield _post(media, where, handle)


def _post(media: _Media, where: str, handle: str) -> ContentItem | Refused:
    found = _PERMALINK.match(media.permalink or "")
    native_id = media_id(found[1]) if found else None
    if found is None or native_id is None:
        return Refused("missing-field", f"{where}.permalink")
    flags: list[str] = []
    children = (media.children and media.children.data) or []
    kind = _type(media)
    return ContentItem(
        item_id(native_id),
        PLATFORM,
        account_of(None, handle),
        kind,
        flags,
        url=item_url(found[1], kind),
        title_or_caption=media.caption,
        published_at=values.iso_moment(media.timestamp, flags),
        like_count=values.count(media.like_count, flags),
        comment_count=values.count(media.comments_count, flags),
        view_count=values.count(media.view_count, flags),
        media_urls=values.distinct([_picture(media), *map(_picture, children)]),
        video_url=(media.media_url or None) if media.media_type == "VIDEO" else None,
    )


def _type(media: _Media) -> str:
    if media.media_type == "CAROUSEL_ALBUM":
        return "carousel"
    if media.media_product_type == "REELS":
        return "reel"
    return "video" if media.media_type == "VIDEO" else "post"


def _picture(media: _Child) -> str | None:
    return media.thumbnail_url or (None if media.media_type == "VIDEO" else media.media_url)


SHAPES = (Shape("instagram/business_discovery", frozenset({"business_discovery"}), _read, version=2),)
