"""Profiles and posts of home-made scrapers and spreadsheets: flat objects with the usual names, English or Spanish.

- ``{"username", "followers", "bio", …, "posts": [{"date", "likes", "caption", "url"}]}``: a profile, maybe with posts;
  also below ``data``, ``profile``, ``user``, ``perfil``…
- a record with an address or a shortcode of a post and a handle: a post
- ``{"status": "error", "data": null, "error": "…"}``: an outcome

``homemade_names`` lists what each column may be called. The platform is what ``platform`` (``plataforma``, ``red``)
or the address of the profile says, else Instagram. A post that tells neither its id nor its address is known by
its owner and its time, ``instagram:@<handle>/<Unix seconds>``, and has the flag ``no-post-id``: the same post from
another source is another row.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from datetime import datetime
from typing import NamedTuple

import msgspec

from igtool.lists import handles
from igtool.platforms import values
from igtool.platforms.base import Account, Answer, ContentItem, Outcome, Parsed, Refused, Shape, Top, account_id
from igtool.platforms.shapes.homemade_fields import Fields, has_any, keys_of
from igtool.platforms.shapes.homemade_names import FAILED, OBJECTS, POST, PROFILE, PROFILE_EVIDENCE, TYPES, WHO, fold
from igtool.platforms.shapes.instagram_rows import add_page, item_url, media_id
from igtool.platforms.shapes.youtube_lists import SHORT_S

NO_POST_ID = "no-post-id"

_POST_ADDRESS = re.compile(
    r"(?:https?://)?(?:[\w-]+\.)?(?:"
    r"instagram\.com/(?:[\w.]+/)?(?P<instagram>p|reels?|tv)/(?P<shortcode>[\w-]{5,60})"
    r"|(?:youtube\.com/(?:watch\?(?:[^#]*&)?v=|(?P<short>shorts)/|live/|embed/)|youtu\.be/)(?P<video>[\w-]{11})(?![\w-])"
    r")",
    re.ASCII | re.IGNORECASE,
)
_SHORTCODE = re.compile(r"[\w-]{5,60}", re.ASCII)
_MEDIA_ID = re.compile(r"(\d{15,20})(?:_\d+)?", re.ASCII)
_VIDEO_ID = re.compile(r"[\w-]{11}", re.ASCII)
_USER_ID = re.compile(r"[1-9]\d{4,14}", re.ASCII)
_BARE_ID = re.compile(r"[1-9]\d{7,14}", re.ASCII)
"""``id`` may be the number of a row; ids of the Graph API, which are not those of other answers, have 17 digits."""

_ADDRESSES = ("url", "link", "enlace")
"""Of a profile or of a website."""

_POST_EVIDENCE = ("caption", "published_at", "published_at_es", "like_count", "comment_count", "shortcode")
_OWNER = PROFILE | {
    "bio": tuple(name for name in PROFILE["bio"] if name not in POST["description"]),
    "category": (),
    "profile_image_url": tuple(name for name in PROFILE["profile_image_url"] if name not in POST["media_urls"]),
}
"""The owner beside a post, whose own text and picture have the plainer names."""

_CHANNEL_ID = re.compile(r"UC[\w-]{22}", re.ASCII)
_FAILURES: tuple[tuple[str, Outcome], ...] = (
    ("not found", "not_found"),
    ("does not exist", "not_found"),
    ("no existe", "not_found"),
    ("no encontrad", "not_found"),
    ("wait", "rate_limited"),
    ("too many", "rate_limited"),
    ("429", "rate_limited"),
    ("demasiad", "rate_limited"),
    ("checkpoint", "blocked"),
    ("challenge", "blocked"),
    ("private", "private"),
    ("privad", "private"),
    ("login", "auth"),
    ("401", "auth"),
    ("timeout", "transient"),
    ("timed out", "transient"),
    ("connection", "transient"),
    ("conexión", "transient"),
)
"""What a message contains, in the order in which it is looked for."""


class _Who(NamedTuple):
    """Whose profile or posts: ``account_id`` is the stand-in where ``user_id`` is None."""

    platform: str
    handle: str
    user_id: str | None

    @property
    def account_id(self) -> str:
        return account_id(self.platform, self.user_id, self.handle)


class _Place(NamedTuple):
    """What tells one post from others."""

    native_id: str
    url: str | None
    kind: str | None


def failed(top: Top) -> tuple[Outcome, str] | None:
    """``{"status": "error", "data": null, "error": "…"}``: an entry that its scraper could not collect."""
    if "data" not in top or bytes(memoryview(top["data"])[:5]) != b"null" or top.keys().isdisjoint({"error", "status"}):
        return None
    fields = Fields(top)
    words = fields.text(("error", "message", "mensaje"))
    if words is None and fold(fields.text(("status", "estado")) or "") not in FAILED:
        return None
    low = (words or "").lower()
    return next((outcome for part, outcome in _FAILURES if part in low), "invalid"), words or "status error"


def _profile(top: Top, _: Answer) -> Parsed | None:
    """A profile with a handle and at least one count or a text, and its posts; or only its posts."""
    outer = Fields(top)
    fields = _with_handle(outer)
    who = _who(fields)
    if who is None:
        return None
    posts = fields.objects(PROFILE["posts"])
    if fields is not outer:
        posts += outer.objects(PROFILE["posts"])
    is_profile = any(fields.value(PROFILE[column]) is not None for column in PROFILE_EVIDENCE)
    if not is_profile and not any(_is_like_a_post(raw) for _, raw in posts):
        return None
    account = _account(fields, who, is_profile=is_profile)
    account.is_profile = is_profile and account.bio is not None  # the rounded counts of a list replace no real ones
    return add_page(Parsed(accounts=[account]), _posts(posts, who))


def _post_record(top: Top, _: Answer) -> Parsed | None:
    """One post with its owner."""
    fields = Fields(top)
    who = _who(fields)
    place = who and _place(fields, who.platform)
    if who is None or place is None or not _has_address(fields):
        return None
    return Parsed(accounts=[_account(fields, who, is_profile=False)], content_items=[_post(fields, who, place)])


def _with_handle(fields: Fields) -> Fields:
    """The fields of the object that names its account: the top one, or one below it."""
    below = fields.layer(OBJECTS) if _who(fields) is None else None
    return fields if below is None else Fields(below)


def _who(fields: Fields) -> _Who | None:
    """The account that is named by its handle or by the address of its profile; None for other platforms' too."""
    stated = handles.parse_platform(fields.text(WHO["platform"]) or "")
    told = [handles.parse_handle(text) for text in fields.texts(WHO["profile_url"])]
    if isinstance(stated, handles.NoAccount) or (stated is None and handles.UNSUPPORTED in told):
        return None
    told += [handles.parse_handle(text) for text in fields.texts(_ADDRESSES) if handles.is_profile_address(text)]
    addressed = [account for account in told if isinstance(account, handles.Account)]
    for text in fields.texts(WHO["handle"]):
        found = handles.parse_handle(text, stated)
        if isinstance(found, handles.Account):
            same = (account for account in addressed if account.handle.lower() == found.handle.lower())
            addressed = [found if stated else next(same, found)]
            break
    if not addressed or stated not in (None, addressed[0].platform):
        return None
    platform, handle = addressed[0]
    return _Who(platform, handle.lower(), _user_id(fields, platform, handle))


def _user_id(fields: Fields, platform: str, handle: str) -> str | None:
    """The platform's id of the account, where what looks like one is one."""
    named = fields.texts(WHO["user_id"])
    if platform == handles.YOUTUBE:
        return next((text for text in (handle, *named) if _CHANNEL_ID.fullmatch(text)), None)
    bare = [text for text in fields.texts(WHO["id"]) if _BARE_ID.fullmatch(text)]
    return next((text for text in (*named, *bare) if _USER_ID.fullmatch(text)), None)


def _account(fields: Fields, who: _Who, *, is_profile: bool) -> Account:
    flags: list[str] = []
    country = values.country_code(fields.text(PROFILE["country"]))
    about = PROFILE if is_profile else _OWNER
    pictures = [text for text in fields.texts(about["profile_image_url"]) if _is_address(text)]
    return Account(
        who.account_id,
        who.platform,
        flags,
        platform_user_id=who.user_id,
        handle=who.handle,
        is_profile=is_profile,
        display_name=fields.text(WHO["display_name"]),
        bio=fields.text(about["bio"]),
        category=fields.text(about["category"]),
        profile_image_url=next(iter(pictures), None),
        external_url=_website(fields) if is_profile else None,
        links=fields.listed(PROFILE["links"]),
        emails=_emails(fields),
        followers_count=fields.count(PROFILE["followers_count"], flags),
        following_count=fields.count(PROFILE["following_count"], flags),
        posts_count=fields.count(PROFILE["posts_count"], flags),
        view_count=fields.count(PROFILE["view_count"], flags),
        is_verified=fields.flag(PROFILE["is_verified"]),
        is_private=fields.flag(PROFILE["is_private"]),
        is_business=fields.flag(PROFILE["is_business"]),
        country=country,
        country_source="country" if country else None,
    )


def _website(fields: Fields) -> str | None:
    """The first address that is not that of a profile."""
    return next((text for text in fields.texts(PROFILE["external_url"]) if not handles.is_profile_address(text)), None)


def _emails(fields: Fields) -> list[str] | None:
    listed = fields.listed(PROFILE["emails"])
    return None if listed is None else values.distinct(email for text in listed for email in values.emails(text))


def _is_address(text: str) -> bool:
    return text.startswith(("http://", "https://"))


def _is_like_a_post(raw: msgspec.Raw) -> bool:
    fields = Fields(keys_of(raw))
    return any(fields.value(POST[column]) is not None for column in _POST_EVIDENCE)


def _posts(raws: list[tuple[str, msgspec.Raw]], who: _Who) -> Iterator[ContentItem | Refused]:
    for where, raw in raws:
        fields = Fields(keys_of(raw))
        place = _place(fields, who.platform) or _by_time(fields, who)
        if place is None:
            yield Refused("missing-field", f"{where}.url, .shortcode or .date")
        else:
            yield _post(fields, who, place)


def _place(fields: Fields, platform: str) -> _Place | None:
    """The id of a post by its address, its shortcode or its id; None where it tells none of them."""
    for text in fields.texts(POST["url"]):
        found = _POST_ADDRESS.match(text)
        if found and found["video"] and platform == handles.YOUTUBE:
            kind = "short" if found["short"] else None
            return _Place(found["video"], f"https://www.youtube.com/watch?v={found['video']}", kind)
        native_id = media_id(found["shortcode"]) if found and found["shortcode"] else None
        if found and native_id and platform == handles.INSTAGRAM:
            kind = "reel" if found["instagram"].lower().startswith("reel") else None
            return _Place(native_id, item_url(found["shortcode"], kind or "post"), kind)
    if platform == handles.YOUTUBE:
        named = fields.texts((*POST["video_id"], *POST["post_id"]))
        video = next((text for text in named if _VIDEO_ID.fullmatch(text)), None)
        return _Place(video, f"https://www.youtube.com/watch?v={video}", None) if video else None
    shortcode = next((text for text in fields.texts(POST["shortcode"]) if _SHORTCODE.fullmatch(text)), None)
    numbers = (_MEDIA_ID.fullmatch(text) for text in fields.texts(POST["post_id"]))
    native_id = next((found[1] for found in numbers if found), None) or (shortcode and media_id(shortcode))
    return _Place(native_id, item_url(shortcode, "post"), None) if native_id else None


def _by_time(fields: Fields, who: _Who) -> _Place | None:
    """What stands in for the id of a post that tells only when it was posted."""
    time = _published_at(fields, [])
    return None if time is None else _Place(f"@{who.handle}/{int(time.timestamp())}", None, None)


def _published_at(fields: Fields, flags: list[str]) -> datetime | None:
    """When it was posted; under a Spanish name the day of ``03/04/2025`` comes first."""
    if fields.value(POST["published_at"]) is not None:
        return fields.moment(POST["published_at"], flags)
    return fields.moment(POST["published_at_es"], flags, day_first=True)


def _post(fields: Fields, who: _Who, place: _Place) -> ContentItem:
    flags = [NO_POST_ID] if place.native_id.startswith("@") else []
    seconds = fields.seconds(POST["duration_s"], flags)
    kind = _type(fields, who.platform, place, seconds)
    title, caption, description = (fields.text(POST[name]) for name in ("title", "caption", "description"))
    is_video_site = who.platform == handles.YOUTUBE
    url = place.url.replace("/p/", "/reel/") if place.url and kind == "reel" else place.url
    return ContentItem(
        f"{who.platform}:{place.native_id}",
        who.platform,
        who.account_id,
        kind,
        flags,
        url=url,
        title_or_caption=(title or caption) if is_video_site else (caption or title or description),
        description=description if is_video_site else None,
        published_at=_published_at(fields, flags),
        like_count=fields.count(POST["like_count"], flags),
        comment_count=fields.count(POST["comment_count"], flags),
        view_count=fields.count(POST["view_count"], flags),
        play_count=fields.count(POST["play_count"], flags),
        duration_s=seconds,
        media_urls=_pictures(fields),
        is_declared=fields.flag(POST["is_declared"]),
    )


def _type(fields: Fields, platform: str, place: _Place, seconds: float | None) -> str:
    if platform == handles.YOUTUBE:
        return place.kind or ("short" if seconds and seconds <= SHORT_S else "video")
    named = (TYPES.get(fold(text)) for text in fields.texts(POST["type"]))
    kind = place.kind or next((kind for kind in named if kind), None)
    return kind or ("video" if fields.flag(POST["is_video"]) else "post")


def _pictures(fields: Fields) -> list[str]:
    """The first address of a picture, or a list of them; ``url`` is one when it is not the address of a page."""
    listed = next((found for name in POST["media_urls"] if (found := fields.listed((name,)))), [])
    return [text for text in listed if _is_address(text) and not _POST_ADDRESS.match(text)]


def _has_address(fields: Fields) -> bool:
    """Whether a record is about a post: a bare number alone could be the id of anything."""
    return fields.text(POST["shortcode"]) is not None or any(map(_POST_ADDRESS.match, fields.texts(POST["url"])))


def _fits_profile(columns: Collection[str]) -> bool:
    folded = {fold(column) for column in columns}
    return _names_account(folded) and any(has_any(folded, PROFILE[column]) for column in PROFILE_EVIDENCE)


def _fits_post(columns: Collection[str]) -> bool:
    folded = {fold(column) for column in columns}
    addressed = has_any(folded, POST["url"]) and any(has_any(folded, POST[column]) for column in _POST_EVIDENCE)
    return _names_account(folded) and (addressed or has_any(folded, POST["shortcode"]))


def _names_account(folded: set[str]) -> bool:
    return has_any(folded, WHO["handle"]) or has_any(folded, WHO["profile_url"])


SHAPES = (
    Shape("homemade/post", frozenset(), _post_record, flat=True, fits=_fits_post, last=True),
    Shape("homemade/profile", frozenset(), _profile, flat=True, fits=_fits_profile, last=True),
)
FAILURES = (failed,)
