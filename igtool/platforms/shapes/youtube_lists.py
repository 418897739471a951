"""YouTube Data API v3: ``channels.list`` and ``videos.list``, and a channel or video of them on its own.

Counts are strings. What a list does not hold is not said: an empty list means that nothing was found. A video also
names its channel. The other methods of the API are in ``youtube_other``.
Source of the fields: the reference pages "Channels" and "Videos" of that API.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Annotated, Any
from urllib.parse import unquote

import msgspec

from igtool.platforms import values
from igtool.platforms.base import Account, Answer, ContentItem, Outcome, Parsed, Refused, Shape, Top, account_id
from igtool.platforms.json_text import WHITESPACE
from igtool.platforms.values import Number

PLATFORM = "youtube"

SHORT_S = 60
"""A video of up to this many seconds is a short; the API does not say which are. Upright and square ones may have 180
since 15 October 2024, but the API does not say either which those are."""

_OPENING = 1_000
"""Within so many bytes a list that is not empty has begun its first item."""

_SIZES = ("maxres", "standard", "high", "medium", "default")
"""Names of thumbnails, largest first."""


Id = Annotated[str, msgspec.Meta(pattern=r"^\S*\Z")]
"""An id of a channel or a video; with white space in it, it is none."""


class Thumbnail(msgspec.Struct):
    """One size of a picture."""

    url: str | None = None


class _ChannelSnippet(msgspec.Struct, rename="camel"):
    title: str | None = None
    description: str | None = None
    custom_url: str | None = None
    published_at: str | None = None
    thumbnails: dict[str, Thumbnail] | None = None
    country: str | None = None


class _ChannelStatistics(msgspec.Struct, rename="camel"):
    view_count: Number = None
    subscriber_count: Number = None
    hidden_subscriber_count: bool | None = None
    video_count: Number = None


class _Status(msgspec.Struct, rename="camel"):
    privacy_status: str | None = None


class _Topics(msgspec.Struct, rename="camel"):
    topic_categories: list[str] | None = None


class _Channel(msgspec.Struct, rename="camel"):
    id: Id | None = None
    snippet: _ChannelSnippet | None = None
    statistics: _ChannelStatistics | None = None
    status: _Status | None = None
    topic_details: _Topics | None = None


class _VideoSnippet(msgspec.Struct, rename="camel"):
    title: str | None = None
    description: str | None = None
    channel_id: Id | None = None
    channel_title: str | None = None
    published_at: str | None = None
    thumbnails: dict[str, Thumbnail] | None = None


class _VideoStatistics(msgspec.Struct, rename="camel"):
    view_count: Number = None
    like_count: Number = None
    comment_count: Number = None


class _VideoDetails(msgspec.Struct, rename="camel"):
    duration: str | None = None


class _Placement(msgspec.Struct, rename="camel"):
    has_paid_product_placement: bool | None = None


class _Video(msgspec.Struct, rename="camel"):
    id: Id | None = None
    snippet: _VideoSnippet | None = None
    statistics: _VideoStatistics | None = None
    content_details: _VideoDetails | None = None
    paid_product_placement_details: _Placement | None = None


Add = Callable[[Parsed, Any, str], None]
"""Adds the rows of one decoded item, which stands at a path; raises Refused."""

_KIND = msgspec.json.Decoder(str)
_ITEMS = msgspec.json.Decoder(list[msgspec.Raw])
_CHANNEL = msgspec.json.Decoder(_Channel)
_VIDEO = msgspec.json.Decoder(_Video)


def kind_of(top: Top) -> str | None:
    """What the payload says it is, ``youtube#videoListResponse``; None when it does not."""
    try:
        return _KIND.decode(top["kind"]) if "kind" in top else None
    except msgspec.ValidationError:
        return None


def nothing_found(top: Top) -> tuple[Outcome, str] | None:
    """A list of channels or videos with no items."""
    if kind_of(top) not in _LISTS:
        return None
    items = top.get("items")
    if items is not None and bytes(memoryview(items)[:_OPENING]).strip(WHITESPACE + b"[]") not in (b"", b"null"):
        return None
    return "not_found", "no items"


def read_list(kind: str, decoder: msgspec.json.Decoder[Any], add: Add, top: Top, _: Answer) -> Parsed | None:
    """The rows of a list of ``kind``; an item that cannot be read is named in ``lost``."""
    if kind_of(top) != kind:
        return None
    parsed = Parsed()
    refusals: list[Refused] = []
    for position, raw in enumerate(_ITEMS.decode(top["items"])):
        try:
            add(parsed, decoder.decode(raw), f"items[{position}].")
        except msgspec.ValidationError as error:
            refusals.append(Refused("wrong-type", f"items[{position}]: {error}"))
        except Refused as refusal:
            refusals.append(refusal)
    if refusals and not parsed.accounts and not parsed.content_items:
        raise refusals[0]
    parsed.lost += [f"{refusal.reason} {refusal.detail}" for refusal in refusals]
    return parsed


def read_one(kind: str, decoder: msgspec.json.Decoder[Any], add: Add, top: Top, _: Answer) -> Parsed | None:
    """The rows of one resource of ``kind`` outside a list."""
    if kind_of(top) != kind:
        return None
    parsed = Parsed()
    add(parsed, decoder.decode(msgspec.json.encode(top)), "")
    return parsed


def name_channel(parsed: Parsed, channel_id: str | None, title: str | None) -> None:
    """Add a channel that is only named, by its id and its title, once."""
    if not channel_id or not title:
        return
    named = account_id(PLATFORM, channel_id)
    if all(account.account_id != named for account in parsed.accounts):
        parsed.accounts.append(
            Account(named, PLATFORM, [], platform_user_id=channel_id, is_profile=False, display_name=title)
        )


def _add_channel(parsed: Parsed, channel: _Channel, where: str) -> None:
    if not channel.id:
        raise Refused("missing-field", f"{where}id")
    if channel.snippet is None:  # without it the row would hide the name that another answer told
        raise Refused("missing-field", f"{where}snippet")
    flags: list[str] = []
    snippet, numbers = channel.snippet, channel.statistics or _ChannelStatistics()
    hidden = bool(numbers.hidden_subscriber_count)
    flags += ["hidden-followers"] * hidden
    country = values.country_code(snippet.country)
    privacy = channel.status and channel.status.privacy_status
    parsed.accounts.append(
        Account(
            account_id(PLATFORM, channel.id),
            PLATFORM,
            flags,
            platform_user_id=channel.id,
            handle=values.handle(snippet.custom_url) or channel.id.lower(),
            display_name=snippet.title,
            bio=snippet.description,
            category=_category(channel.topic_details),
            profile_image_url=picture(snippet.thumbnails),
            followers_count=None if hidden else values.count(numbers.subscriber_count, flags),
            posts_count=values.count(numbers.video_count, flags),
            view_count=values.count(numbers.view_count, flags),
            is_private=None if privacy is None else privacy == "private",
            country=country,
            country_source="channel_country" if country else None,
            created_at=values.iso_moment(snippet.published_at, flags),
        )
    )


def _add_video(parsed: Parsed, video: _Video, where: str) -> None:
    if not video.id or video.snippet is None or not video.snippet.channel_id:
        raise Refused("missing-field", f"{where}{'snippet.channelId' if video.id else 'id'}")
    flags: list[str] = []
    snippet, numbers = video.snippet, video.statistics or _VideoStatistics()
    seconds = values.duration_s((video.content_details or _VideoDetails()).duration, flags)
    parsed.content_items.append(
        ContentItem(
            f"{PLATFORM}:{video.id}",
            PLATFORM,
            account_id(PLATFORM, snippet.channel_id),
            "short" if seconds and seconds <= SHORT_S else "video",
            flags,
            url=f"https://www.youtube.com/watch?v={video.id}",
            title_or_caption=snippet.title,
            description=snippet.description,
            published_at=values.iso_moment(snippet.published_at, flags),
            like_count=values.count(numbers.like_count, flags),
            comment_count=values.count(numbers.comment_count, flags),
            view_count=values.count(numbers.view_count, flags),
            duration_s=seconds,
            media_urls=values.distinct([picture(snippet.thumbnails)]),
            is_declared=(video.paid_product_placement_details or _Placement()).has_paid_product_placement,
        )
    )
    name_channel(parsed, snippet.channel_id, snippet.channel_title)


def picture(thumbnails: dict[str, Thumbnail] | None) -> str | None:
    """The address of the largest thumbnail."""
    found = thumbnails or {}
    return next((found[size].url for size in _SIZES if size in found and found[size].url), None)


def _category(topics: _Topics | None) -> str | None:
    """The first topic: the last part of an encyclopedia address, ``…/wiki/Lifestyle_(sociology)``."""
    for address in (topics and topics.topic_categories) or ():
        name = unquote(address.rstrip("/").rpartition("/")[2]).replace("_", " ").strip()
        if name:
            return name
    return None


_RESOURCES: dict[str, tuple[msgspec.json.Decoder[Any], Add]] = {
    "youtube#channel": (_CHANNEL, _add_channel),
    "youtube#video": (_VIDEO, _add_video),
}
_LISTS = frozenset(f"{kind}ListResponse" for kind in _RESOURCES)


def shapes_of(kind: str, decoder: msgspec.json.Decoder[Any], add: Add) -> tuple[Shape, Shape]:
    """How to read a list of ``kind``, and one resource of it."""
    listed = f"{kind.removesuffix('Result')}ListResponse"  # the list of searchResult is searchListResponse
    return (
        Shape(listed.replace("#", "/"), frozenset({"kind", "items"}), partial(read_list, listed, decoder, add)),
        Shape(kind.replace("#", "/"), frozenset({"kind", "etag"}), partial(read_one, kind, decoder, add)),
    )


SHAPES = tuple(shape for kind, reads in _RESOURCES.items() for shape in shapes_of(kind, *reads))
FAILURES = (nothing_found,)
