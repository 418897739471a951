"""What scrapers make of YouTube's own pages (its API "InnerTube"): counts and times as they are shown to people.

- ``{"url", "subscriberCount": "47 subscribers", "joinedDate", …}``: the "about" box of a channel, without its name
- ``{"videoId", "viewCount": "451K views", "publishedTime": "7 days ago", "lengthText"}``: a tile of a channel's
  videos, which does not say whose it is
- ``{"videoId", "lengthSeconds", "channelId", "author", "shortDescription", …}``: ``videoDetails`` of the player
- ``{"video": {…, "stats"}, "channel": {"identifierId", …}}``: the page of a video

Counts are cut to three digits by YouTube, times to the day at best. Source of the fields: the results of Scrapfly's
public YouTube scraper, and ``parse_channel``, ``parse_video`` and ``parse_video_api`` of it.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime

import msgspec

from igtool.counts import MOST
from igtool.lists import handles
from igtool.platforms import countries, values
from igtool.platforms.base import Account, Answer, ContentItem, Parsed, Refused, Shape, Top, account_id
from igtool.platforms.shapes.youtube_lists import PLATFORM, SHORT_S, Id
from igtool.platforms.values import Number

_DATE = re.compile(r"\b([A-Z][a-z]{2})[a-z]*\.? (\d{1,2}), (\d{4})\b", re.ASCII)
_MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
_CHANNEL_ID = re.compile(r"UC[\w-]{22}", re.ASCII)
_LONGEST_S = 10**7
"""Four months: more is an error."""

_CLOCK = re.compile(r"(?:(\d{1,3}):)?(\d{1,2}):(\d{2})", re.ASCII)
_SHORTS = "SHORTS"
"""Stands where the length of other videos does."""


class _Picture(msgspec.Struct):
    url: str | None = None


class _Pictures(msgspec.Struct):
    thumbnails: list[_Picture] | None = None


class _Link(msgspec.Struct):
    url: str | None = None


class _About(msgspec.Struct, rename="camel"):
    url: str | None = None
    description: str | None = None
    subscriber_count: Number = None
    video_count: Number = None
    view_count: Number = None
    joined_date: str | None = None
    country: str | None = None
    links: list[_Link] | None = None


class _Tile(msgspec.Struct, rename="camel"):
    video_id: Id | None = None
    title: str | None = None
    published_time: str | None = None
    view_count: Number = None
    length_text: str | None = None
    thumbnails: list[_Picture] | None = None


class _Played(msgspec.Struct, rename="camel"):
    """YouTube has the pictures one level deeper than the scraper; a stream that goes on has no length, written 0."""

    video_id: Id | None = None
    title: str | None = None
    short_description: str | None = None
    length_seconds: Number = None
    channel_id: Id | None = None
    author: str | None = None
    view_count: Number = None
    thumbnail: list[_Picture] | _Pictures | None = None


class _Stats(msgspec.Struct, rename="camel"):
    view_count: Number = None
    like_count: Number = None
    comment_count: Number = None


class _Video(msgspec.Struct, rename="camel"):
    video_id: Id | None = None
    title: str | None = None
    description: str | None = None
    publishing_date: str | None = None
    length_seconds: Number = None
    thumbnail: list[_Picture] | None = None
    stats: _Stats | None = None


class _Channel(msgspec.Struct, rename="camel"):
    """``id`` is the handle."""

    identifier_id: Id | None = None
    id: str | None = None
    name: str | None = None
    verified: bool | None = None
    subscriber_count: Number = None
    thumbnails: list[_Picture] | None = None


_ABOUT = msgspec.json.Decoder(_About)
_TILE = msgspec.json.Decoder(_Tile)
_PLAYED = msgspec.json.Decoder(_Played)
_VIDEO = msgspec.json.Decoder(_Video)
_CHANNEL = msgspec.json.Decoder(_Channel)
_KEYS = msgspec.json.Decoder(dict[str, msgspec.Raw])


def _read_about(top: Top, _: Answer) -> Parsed | None:
    about = _ABOUT.decode(msgspec.json.encode(top))
    named = handles.parse_handle(about.url or "")
    if not isinstance(named, handles.Account) or named.platform != PLATFORM:
        return None
    channel_id = named.handle if _CHANNEL_ID.fullmatch(named.handle) else None
    flags: list[str] = []
    country = countries.code_of(about.country)
    flags += ["unknown-country"] * bool(about.country and country is None)
    account = Account(
        account_id(PLATFORM, channel_id, named.handle),
        PLATFORM,
        flags,
        platform_user_id=channel_id,
        handle=named.handle.lower(),
        bio=about.description,
        links=None if about.links is None else values.distinct(_address(link.url) for link in about.links),
        followers_count=values.count(about.subscriber_count, flags, MOST["followers"]),
        posts_count=values.count(about.video_count, flags, MOST["posts"]),
        view_count=values.count(about.view_count, flags, MOST["views"]),
        country=country,
        country_source="channel_country" if country else None,
        created_at=_date(about.joined_date, flags),
    )
    return Parsed(accounts=[account])


def _read_tile(top: Top, answer: Answer) -> Parsed:
    tile = _TILE.decode(msgspec.json.encode(top))
    handle = values.handle(answer.subject)
    if handle is None or not tile.video_id:
        raise Refused("missing-field", "channel (the file's name can tell its handle)" if tile.video_id else "videoId")
    flags = ["handle-from-subject"]
    seconds = _clock(tile.length_text, flags)
    is_short = tile.length_text == _SHORTS or (seconds is not None and seconds <= SHORT_S)
    item = ContentItem(
        f"{PLATFORM}:{tile.video_id}",
        PLATFORM,
        account_id(PLATFORM, None, handle),
        "short" if is_short else "video",
        flags,
        url=_watch(tile.video_id),
        title_or_caption=tile.title,
        published_at=values.ago(tile.published_time, answer.observed_at, flags),
        view_count=values.count(tile.view_count, flags, MOST["views"]),
        duration_s=seconds,
        media_urls=_largest(tile.thumbnails),
    )
    return Parsed(content_items=[item])


def _read_played(top: Top, _: Answer) -> Parsed:
    played = _PLAYED.decode(msgspec.json.encode(top))
    if not played.video_id or not played.channel_id:
        raise Refused("missing-field", "channelId" if played.video_id else "videoId")
    owner = Account(
        account_id(PLATFORM, played.channel_id),
        PLATFORM,
        [],
        platform_user_id=played.channel_id,
        is_profile=False,
        display_name=played.author,
    )
    pictures = played.thumbnail
    video = _Video(
        title=played.title,
        description=played.short_description,
        length_seconds=played.length_seconds,
        thumbnail=pictures.thumbnails if isinstance(pictures, _Pictures) else pictures,
        stats=_Stats(played.view_count),
    )
    return Parsed(accounts=[owner], content_items=[_item(video, played.video_id, owner.account_id)])


def _read_page(top: Top, _: Answer) -> Parsed | None:
    if not _has(top["video"], "videoId") or not _has(top["channel"], "identifierId"):
        return None
    video, channel = _VIDEO.decode(top["video"]), _CHANNEL.decode(top["channel"])
    if not video.video_id or not channel.identifier_id:
        raise Refused("missing-field", "channel.identifierId" if video.video_id else "video.videoId")
    flags: list[str] = []
    owner = Account(
        account_id(PLATFORM, channel.identifier_id),
        PLATFORM,
        flags,
        platform_user_id=channel.identifier_id,
        handle=values.handle(channel.id),
        is_profile=False,
        display_name=channel.name,
        profile_image_url=next(iter(_largest(channel.thumbnails) or ()), None),
        followers_count=values.count(channel.subscriber_count, flags, MOST["followers"]),
        is_verified=channel.verified,
    )
    return Parsed(accounts=[owner], content_items=[_item(video, video.video_id, owner.account_id)])


def _has(raw: msgspec.Raw, key: str) -> bool:
    try:
        return key in _KEYS.decode(raw)
    except msgspec.ValidationError:
        return False


def _item(video: _Video, video_id: str, owner_id: str) -> ContentItem:
    flags: list[str] = []
    stats = video.stats or _Stats()
    seconds = values.count(video.length_seconds, flags, _LONGEST_S) or None
    return ContentItem(
        f"{PLATFORM}:{video_id}",
        PLATFORM,
        owner_id,
        "short" if seconds and seconds <= SHORT_S else "video",
        flags,
        url=_watch(video_id),
        title_or_caption=video.title,
        description=video.description,
        published_at=_date(video.publishing_date, flags),
        like_count=values.count(stats.like_count, flags, MOST["likes"]),
        comment_count=values.count(stats.comment_count, flags, MOST["comments"]),
        view_count=values.count(stats.view_count, flags, MOST["views"]),
        duration_s=seconds,
        media_urls=_largest(video.thumbnail),
    )


def _watch(video_id: str) -> str:
    return f"https://www.youtube.com/watch?v={video_id}"


def _largest(pictures: list[_Picture] | None) -> list[str] | None:
    """The last of the sizes."""
    return None if pictures is None else values.distinct(picture.url for picture in pictures[-1:])


def _address(url: str | None) -> str | None:
    """A link with its scheme, which YouTube does not show."""
    return url if not url or "://" in url else f"https://{url}"


def _date(text: str | None, flags: list[str]) -> datetime | None:
    """The day of ``Joined Feb 27, 2023`` or ``Premiered Jul 17, 2024``; None with ``bad-time`` for another text."""
    if not text:
        return None
    found = _DATE.search(text)
    try:
        if found and 1970 <= int(found[3]) < 2100:
            return datetime(int(found[3]), _MONTHS.index(found[1]) + 1, int(found[2]), tzinfo=UTC)
    except ValueError:
        pass
    flags.append("bad-time")
    return None


def _clock(text: str | None, flags: list[str]) -> float | None:
    """The seconds of ``12:34`` or ``1:02:03``; None for a word such as LIVE, with ``bad-duration`` for other texts."""
    if not text or text.isupper():
        return None
    found = _CLOCK.fullmatch(text)
    if found is None:
        flags.append("bad-duration")
        return None
    hours, minutes, seconds = (float(part or 0) for part in found.groups())
    return (hours * 60 + minutes) * 60 + seconds


SHAPES = (
    Shape("youtube/innertube_about", frozenset({"url", "subscriberCount", "videoCount", "joinedDate"}), _read_about),
    Shape(
        "youtube/innertube_tile",
        frozenset({"videoId", "title", "publishedTime", "viewCount", "lengthText"}),
        _read_tile,
    ),
    Shape(
        "youtube/innertube_player",
        frozenset({"videoId", "title", "lengthSeconds", "channelId", "author", "viewCount"}),
        _read_played,
    ),
    Shape("youtube/innertube_page", frozenset({"video", "channel"}), _read_page),
)
