"""YouTube Data API v3: answers that only name channels, and those that are about none.

Search results, playlists, their items and activities name a channel by its id and title: it becomes an account
without profile. The videos in them get no row: without counts it would hide the counts that ``videos.list`` told
before. Search results for channels also have a picture, the first words of the channel's text and its age.

Categories, regions, languages, sections and comments hold nothing of creators: read, and without rows.
Source of the fields: the reference page of each method of that API.
"""

from __future__ import annotations

from functools import partial

import msgspec

from igtool.platforms import values
from igtool.platforms.base import Account, Answer, Parsed, Refused, Shape, Top, account_id
from igtool.platforms.shapes.youtube_lists import PLATFORM, Id, Thumbnail, kind_of, name_channel, picture, shapes_of

_NAMING = ("searchResult", "playlistItem", "playlist", "activity")
_ABOUT_NONE = (
    "channelSection",
    "guideCategory",
    "videoCategory",
    "i18nRegion",
    "i18nLanguage",
    "videoAbuseReportReason",
    "caption",
    "comment",
    "commentThread",
    "subscription",
)
"""A subscription or a comment names who follows or answers somebody: no creators that were asked for."""


class _Snippet(msgspec.Struct, rename="camel"):
    """In a playlist ``channelId`` is its owner, ``videoOwnerChannelId`` that of a video in it."""

    channel_id: Id | None = None
    channel_title: str | None = None
    video_owner_channel_id: Id | None = None
    video_owner_channel_title: str | None = None
    title: str | None = None
    description: str | None = None
    published_at: str | None = None
    thumbnails: dict[str, Thumbnail] | None = None


class _Found(msgspec.Struct, rename="camel"):
    channel_id: Id | None = None


class _Item(msgspec.Struct):
    """The id of a search result is an object; without ``part=snippet`` nothing is named."""

    id: _Found | Id | None = None
    snippet: _Snippet | None = None


_ITEM = msgspec.json.Decoder(_Item)


def _add(parsed: Parsed, item: _Item, _: str) -> None:
    snippet = item.snippet or _Snippet()
    if isinstance(item.id, _Found) and item.id.channel_id:
        _add_found(parsed, item.id.channel_id, snippet)
    name_channel(parsed, snippet.channel_id, snippet.channel_title)
    name_channel(parsed, snippet.video_owner_channel_id, snippet.video_owner_channel_title)


def _add_found(parsed: Parsed, channel_id: str, snippet: _Snippet) -> None:
    """A search result that is a channel; it goes before what a video said of the same one."""
    found = account_id(PLATFORM, channel_id)
    flags: list[str] = []
    parsed.accounts[:] = [account for account in parsed.accounts if account.account_id != found]
    parsed.accounts.append(
        Account(
            found,
            PLATFORM,
            flags,
            platform_user_id=channel_id,
            is_profile=False,
            display_name=snippet.title,
            bio=snippet.description,
            profile_image_url=picture(snippet.thumbnails),
            created_at=values.iso_moment(snippet.published_at, flags),
        )
    )


def _read_nothing(kinds: frozenset[str], top: Top, _: Answer) -> Parsed | None:
    return Parsed() if kind_of(top) in kinds else None


def _read_statistics(top: Top, _: Answer) -> Parsed | None:
    """``{"viewCount", "subscriberCount", "hiddenSubscriberCount", "videoCount"}``: of nobody knows whom."""
    if "id" in top:
        return None
    raise Refused("missing-field", "id (the statistics of a channel do not say whose they are)")


def _nothing_of(kind: str) -> Shape:
    """A resource and a list of them, told by the kind alone."""
    kinds = frozenset({f"youtube#{kind}", f"youtube#{kind}ListResponse"})
    return Shape(f"youtube/{kind}", frozenset({"kind"}), partial(_read_nothing, kinds))


SHAPES = (
    *(shape for kind in _NAMING for shape in shapes_of(f"youtube#{kind}", _ITEM, _add)),
    *map(_nothing_of, _ABOUT_NONE),
    Shape(
        "youtube/channelStatistics",
        frozenset({"viewCount", "subscriberCount", "hiddenSubscriberCount", "videoCount"}),
        _read_statistics,
    ),
)
