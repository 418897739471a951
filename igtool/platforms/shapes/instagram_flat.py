"""Instagram's GraphQL posts flattened into a table, one record a post: every value is text, missing ones are blank.

The columns are those of instascrape's ``Post.to_dict``. ``timestamp`` is Unix seconds; ``upload_date`` is the same in
the time zone of whoever collected it and is not read. Lists stand there as Python wrote them (``['TagOne']``); none of
them is kept: tags are found in the caption.
"""

from __future__ import annotations

import msgspec

from igtool.platforms import values
from igtool.platforms.base import Account, Answer, ContentItem, Parsed, Refused, Shape, Top
from igtool.platforms.shapes.instagram_rows import PLATFORM, account_of, item_id, item_url, media_id
from igtool.platforms.values import Number


class _Record(msgspec.Struct, gc=False):
    id: Number = None
    shortcode: str | None = None
    username: str | None = None
    full_name: str | None = None
    timestamp: Number = None
    caption: str | None = None
    likes: Number = None
    comments: Number = None
    is_video: str | bool | None = None
    video_view_count: Number = None
    video_play_count: Number = None
    video_url: str | None = None
    display_url: str | None = None


_RECORD = msgspec.json.Decoder(_Record)
_COLUMNS = frozenset({"id", "shortcode", "username", "timestamp", "likes", "comments", "is_video", "display_url"})


def _read(top: Top, answer: Answer) -> Parsed:
    record = _RECORD.decode(msgspec.json.encode({name: top[name] for name in _Record.__struct_fields__ if name in top}))
    native_id = values.identifier(record.id) or media_id((record.shortcode or "").strip())
    handle = values.handle(record.username) or values.handle(answer.subject)
    if native_id is None or handle is None:
        raise Refused("missing-field", "id" if native_id is None else "username")
    named = [] if record.username else ["handle-from-subject"]
    owner = Account(
        account_of(None, handle),
        PLATFORM,
        named,
        handle=handle,
        is_profile=False,
        display_name=record.full_name or None,
    )
    flags: list[str] = []
    kind = _type(record)
    item = ContentItem(
        item_id(native_id),
        PLATFORM,
        owner.account_id,
        kind,
        flags,
        url=item_url(record.shortcode, kind),
        title_or_caption=record.caption or None,
        published_at=values.moment(record.timestamp, flags),
        like_count=values.count(record.likes, flags),
        comment_count=values.count(record.comments, flags),
        view_count=values.count(record.video_view_count, flags),
        play_count=values.count(record.video_play_count, flags),
        media_urls=values.distinct([record.display_url]),
    )
    return Parsed(accounts=[owner], content_items=[item])


def _type(record: _Record) -> str:
    """Video, carousel or post: what is no video and has one is a carousel; one of pictures alone is a post here."""
    if str(record.is_video).strip().lower() in {"true", "1"}:
        return "video"
    return "carousel" if record.video_url else "post"


SHAPES = (Shape("instagram/posts_table", _COLUMNS, _read, flat=True),)
