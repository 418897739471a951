r"""Tables of videos that were trending on a day, one record a video and day, as published on Kaggle.

- since 2020: ``channelId``, ``channelTitle``, ``publishedAt``, ``view_count``
- 2017 and 2018: ``channel_title``, ``publish_time``, ``views``; ``trending_date`` is YY.DD.MM, line ends in
  ``description`` are written ``\n``

A record was true on its ``trending_date``, of which only the day is known: 00:00 UTC.

The older tables tell no channel id. A title is no handle, so the channel is ``youtube:title:<title>`` with the flag
``known-by-title``: it never becomes another account, and channels with the same title are one. Cuts of them without
``video_id`` are known by channel and time, ``youtube:title:<title>/<Unix seconds>``, with the flag ``no-post-id``: the
same video from another source is another row. (Titles do not tell videos apart: of 1,475 in a published cut 14 got a
new title while they were trending, and once a channel published two videos in one second.)

Text that was decoded wrongly is set right, with the flag ``repaired-mojibake``.
"""

from __future__ import annotations

import re
from collections.abc import Collection

import msgspec

from igtool.counts import MOST
from igtool.platforms import values
from igtool.platforms.base import Account, Answer, ContentItem, Parsed, Refused, Shape, Top, account_id
from igtool.platforms.mojibake import repair
from igtool.platforms.shapes.youtube_lists import PLATFORM
from igtool.platforms.values import Number

_VIDEO_ID = re.compile(r"[\w-]{11}", re.ASCII)
_CHANNEL_ID = re.compile(r"UC[\w-]{22}", re.ASCII)


class _Record(msgspec.Struct, gc=False):
    """Names of the older tables; ``_NEWER`` has what they are called in the newer ones."""

    trending_date: str | None = None
    video_id: str | None = None
    title: str | None = None
    description: str | None = None
    channel_id: str | None = None
    channel_title: str | None = None
    publish_time: str | None = None
    views: Number = None
    likes: Number = None
    comment_count: Number = None
    comments_disabled: str | bool | None = None
    ratings_disabled: str | bool | None = None
    video_error_or_removed: str | bool | None = None
    thumbnail_link: str | None = None


_NEWER = {
    "channelId": "channel_id",
    "channelTitle": "channel_title",
    "publishedAt": "publish_time",
    "view_count": "views",
}
_NAMES = frozenset(_Record.__struct_fields__)
_KEYS = frozenset({"trending_date", "title", "likes", "comment_count", "comments_disabled"})
_RECORD = msgspec.json.Decoder(_Record)


def _fits(columns: Collection[str]) -> bool:
    """Whether a table says when a video was published, how often it was seen, and in which channel."""
    told = {_NEWER.get(column, column) for column in columns}
    return {"views", "publish_time"} <= told and not told.isdisjoint({"channel_id", "channel_title"})


def _read(top: Top, _: Answer) -> Parsed | None:
    if not _fits(top):
        return None
    cells = {_NEWER.get(name, name): value for name, value in top.items()}
    record = _RECORD.decode(msgspec.json.encode({name: cells[name] for name in _NAMES & cells.keys()}))
    owner = _channel(record)
    flags: list[str] = []
    told_at = values.trending_date(record.trending_date, flags)
    return Parsed(accounts=[owner], content_items=[_video(record, owner.account_id, flags)], observed_at=told_at)


def _channel(record: _Record) -> Account:
    flags: list[str] = []
    channel_id = (record.channel_id or "").strip()
    title = _text(record.channel_title, flags)
    if _CHANNEL_ID.fullmatch(channel_id):
        known_as = account_id(PLATFORM, channel_id)
    elif title:
        known_as, channel_id = account_id(PLATFORM, f"title:{title}"), ""
        flags.append("known-by-title")
    else:
        raise Refused("missing-field", "channel_title")
    return Account(known_as, PLATFORM, flags, platform_user_id=channel_id or None, is_profile=False, display_name=title)


def _video(record: _Record, owner_id: str, flags: list[str]) -> ContentItem:
    published_at = values.moment(record.publish_time, flags)
    video_id = (record.video_id or "").strip()
    if _VIDEO_ID.fullmatch(video_id):
        native_id, url = video_id, f"https://www.youtube.com/watch?v={video_id}"
    elif published_at is not None:
        native_id, url = f"{owner_id.removeprefix(f'{PLATFORM}:')}/{int(published_at.timestamp())}", None
        flags.append("no-post-id")
    else:
        raise Refused("missing-field", "video_id")
    has_comments, has_likes = not _is_true(record.comments_disabled), not _is_true(record.ratings_disabled)
    flags += ["comments-disabled"] * (not has_comments) + ["ratings-disabled"] * (not has_likes)
    flags += ["removed"] * _is_true(record.video_error_or_removed)
    return ContentItem(
        f"{PLATFORM}:{native_id}",
        PLATFORM,
        owner_id,
        "video",
        flags,
        url=url,
        title_or_caption=_text(record.title, flags),
        description=_text(record.description, flags),
        published_at=published_at,
        like_count=values.count(record.likes, flags, MOST["likes"]) if has_likes else None,
        comment_count=values.count(record.comment_count, flags, MOST["comments"]) if has_comments else None,
        view_count=values.count(record.views, flags, MOST["views"]),
        media_urls=values.distinct([record.thumbnail_link]),
    )


def _text(cell: str | None, flags: list[str]) -> str | None:
    r"""The cell without damage, None when it is blank; a written ``\n`` is a line end where the cell has no other."""
    if not cell or not cell.strip():
        return None
    text, is_repaired = repair(cell.strip())
    flags += ["repaired-mojibake"] * is_repaired
    return text if "\n" in text else text.replace("\\r", "").replace("\\n", "\n")


def _is_true(cell: str | bool | None) -> bool:
    return str(cell).strip().lower() == "true"


SHAPES = (Shape("youtube/trending", _KEYS, _read, flat=True, fits=_fits),)
