"""YouTube Data API v3: ``channels.list`` and ``videos.list``; ``playlistItems.list`` and ``search.list`` give no rows.

Counts are strings. What a list does not hold is not said: an empty list means that nothing was found.
A page of a playlist or of a search only names what ``videos.list`` tells in full.
Source of the fields: the reference pages "Channels", "Videos", "PlaylistItems" and "Search" of that API.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any
from urllib.parse import unquote

import msgspec

from igtool.language import identify
from igtool.platforms import values
from igtool.platforms.base import Answer, Outcome, Parsed, Refused, Shape, Top, metrics, origin
from igtool.platforms.json_text import WHITESPACE
from igtool.platforms.values import Number

SHORT_S = 60
"""A video of up to this many seconds is a short; the API does not say which are."""

_OPENING = 1_000
"""Within so many bytes a list that is not empty has begun its first item."""

_SIZES = ("maxres", "standard", "high", "medium", "default")
"""Names of thumbnails, largest first."""


class _Thumbnail(msgspec.Struct):
    url: str | None = None


class _ChannelSnippet(msgspec.Struct, rename="camel"):
    title: str | None = None
    description: str | None = None
    custom_url: str | None = None
    published_at: str | None = None
    thumbnails: dict[str, _Thumbnail] | None = None
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
    id: str | None = None
    snippet: _ChannelSnippet | None = None
    statistics: _ChannelStatistics | None = None
    status: _Status | None = None
    topic_details: _Topics | None = None


class _VideoSnippet(msgspec.Struct, rename="camel"):
    title: str | None = None
    description: str | None = None
    channel_id: str | None = None
    published_at: str | None = None
    thumbnails: dict[str, _Thumbnail] | None = None


class _VideoStatistics(msgspec.Struct, rename="camel"):
    view_count: Number = None
    like_count: Number = None
    comment_count: Number = None


class _VideoDetails(msgspec.Struct, rename="camel"):
    duration: str | None = None


class _Placement(msgspec.Struct, rename="camel"):
    has_paid_product_placement: bool | None = None


class _Video(msgspec.Struct, rename="camel"):
    id: str | None = None
    snippet: _VideoSnippet | None = None
    statistics: _VideoStatistics | None = None
    content_details: _VideoDetails | None = None
    paid_product_placement_details: _Placement | None = None


_KIND = msgspec.json.Decoder(str)
_ITEMS = msgspec.json.Decoder(list[msgspec.Raw])
_CHANNEL = msgspec.json.Decoder(_Channel)
_VIDEO = msgspec.json.Decoder(_Video)


def _kind(top: Top) -> str | None:
    try:
        return _KIND.decode(top["kind"]) if "kind" in top else None
    except msgspec.ValidationError:
        return None


def nothing_found(top: Top) -> tuple[Outcome, str] | None:
    """A list of channels or videos with no items."""
    if _kind(top) not in _READERS:
        return None
    items = top.get("items")
    if items is not None and bytes(memoryview(items)[:_OPENING]).strip(WHITESPACE + b"[]") not in (b"", b"null"):
        return None
    return "not_found", "no items"


def _read(
    kind: str,
    decoder: msgspec.json.Decoder[Any],
    add: Callable[[Parsed, Any, str, Answer], None],
    top: Top,
    answer: Answer,
) -> Parsed | None:
    """The rows of a list of ``kind``; an item that cannot be read is named in ``lost``."""
    if _kind(top) != kind:
        return None
    parsed = Parsed()
    refusals: list[Refused] = []
    for position, raw in enumerate(_ITEMS.decode(top["items"])):
        try:
            add(parsed, decoder.decode(raw), f"items[{position}]", answer)
        except msgspec.ValidationError as error:
            refusals.append(Refused("wrong-type", f"items[{position}]: {error}"))
        except Refused as refusal:
            refusals.append(refusal)
    if refusals and not parsed.accounts and not parsed.content_items:
        raise refusals[0]
    parsed.lost += [f"{refusal.reason} {refusal.detail}" for refusal in refusals]
    return parsed


def _read_names(kind: str, top: Top, answer: Answer) -> Parsed | None:  # noqa: ARG001 - the signature of a shape
    """No rows: an item names a video or a channel, without its counts, and a row would hide those that are known."""
    if _kind(top) != kind:
        return None
    _ITEMS.decode(top["items"])
    return Parsed()


def _add_channel(parsed: Parsed, channel: _Channel, where: str, answer: Answer) -> None:
    if not channel.id:
        raise Refused("missing-field", f"{where}.id")
    if channel.snippet is None:  # without it the row would hide the name that another answer told
        raise Refused("missing-field", f"{where}.snippet")
    flags = list(answer.flags)
    snippet, numbers = channel.snippet, channel.statistics or _ChannelStatistics()
    hidden = bool(numbers.hidden_subscriber_count)
    flags += ["hidden-followers"] * hidden
    account_id = f"youtube:{channel.id}"
    country = values.country_code(snippet.country)
    counts = {
        "followers": None if hidden else values.count(numbers.subscriber_count, flags),
        "posts": values.count(numbers.video_count, flags),
        "views": values.count(numbers.view_count, flags),
    }
    privacy = channel.status and channel.status.privacy_status
    parsed.accounts.append(
        {
            "account_id": account_id,
            "platform": "youtube",
            "platform_user_id": channel.id,
            "handle": values.handle(snippet.custom_url) or channel.id.lower(),
            "display_name": snippet.title,
            "bio": snippet.description,
            "category": _category(channel.topic_details),
            "profile_image_url": _picture(snippet.thumbnails),
            "followers_count": counts["followers"],
            "posts_count": counts["posts"],
            "view_count": counts["views"],
            "is_private": None if privacy is None else privacy == "private",
            "language": identify(snippet.description),
            "country": country,
            "country_source": "channel_country" if country else None,
            "created_at": values.iso_moment(snippet.published_at, flags),
            **origin(answer, flags),
        }
    )
    metrics(parsed.metric_snapshots, account_id, "account", answer, counts)


def _add_video(parsed: Parsed, video: _Video, where: str, answer: Answer) -> None:
    if not video.id or video.snippet is None or not video.snippet.channel_id:
        raise Refused("missing-field", f"{where}.{'snippet.channelId' if video.id else 'id'}")
    flags = list(answer.flags)
    snippet, numbers = video.snippet, video.statistics or _VideoStatistics()
    text = "\n".join(part for part in (snippet.title, snippet.description) if part)
    tags = values.hashtags(text)
    declared = (video.paid_product_placement_details or _Placement()).has_paid_product_placement
    seconds = values.duration_s((video.content_details or _VideoDetails()).duration, flags)
    content_id = f"youtube:{video.id}"
    counts = {
        "likes": values.count(numbers.like_count, flags),
        "comments": values.count(numbers.comment_count, flags),
        "views": values.count(numbers.view_count, flags),
    }
    parsed.content_items.append(
        {
            "content_id": content_id,
            "platform": "youtube",
            "account_id": f"youtube:{snippet.channel_id}",
            "type": "short" if seconds and seconds <= SHORT_S else "video",
            "url": f"https://www.youtube.com/watch?v={video.id}",
            "title_or_caption": snippet.title,
            "description": snippet.description,
            "hashtags": tags,
            "mentions": values.mentions(text),
            "published_at": values.iso_moment(snippet.published_at, flags),
            "like_count": counts["likes"],
            "comment_count": counts["comments"],
            "view_count": counts["views"],
            "duration_s": seconds,
            "media_urls": values.distinct([_picture(snippet.thumbnails)]),
            "is_sponsored": values.is_sponsored(declared, tags, text or None),
            "language": identify(text),
            **origin(answer, flags),
        }
    )
    metrics(parsed.metric_snapshots, content_id, "content", answer, counts)


def _picture(thumbnails: dict[str, _Thumbnail] | None) -> str | None:
    found = thumbnails or {}
    return next((found[size].url for size in _SIZES if size in found and found[size].url), None)


def _category(topics: _Topics | None) -> str | None:
    """The first topic: the last part of an encyclopedia address, ``…/wiki/Lifestyle_(sociology)``."""
    for address in (topics and topics.topic_categories) or ():
        name = unquote(address.rstrip("/").rpartition("/")[2]).replace("_", " ").strip()
        if name:
            return name
    return None


_READERS = {
    "youtube#channelListResponse": partial(_read, "youtube#channelListResponse", _CHANNEL, _add_channel),
    "youtube#videoListResponse": partial(_read, "youtube#videoListResponse", _VIDEO, _add_video),
}
_NAMING = {
    kind: partial(_read_names, kind) for kind in ("youtube#playlistItemListResponse", "youtube#searchListResponse")
}
SHAPES = tuple(
    Shape(kind.replace("#", "/"), frozenset({"kind", "items"}), read) for kind, read in (_READERS | _NAMING).items()
)
FAILURES = (nothing_found,)
