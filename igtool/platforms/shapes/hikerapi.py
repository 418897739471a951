"""HikerAPI and instagrapi: objects of Instagram's private API, flattened and without an envelope.

- ``{"pk", "username", "follower_count", …}``: a profile; without counts, an account that is only named
- ``{"pk", "media_type", "taken_at", "caption_text", "resources", "user", …}``: a post
- ``{"response": {…}, "next_page_id"}``: an answer of the private API as it came

Source of the fields: the types ``User``, ``UserShort`` and ``Media`` of instagrapi, and the reference of HikerAPI.
"""

from __future__ import annotations

import msgspec

from igtool.platforms.base import Account, Answer, Outcome, Parsed, Refused, Shape, Top
from igtool.platforms.shapes import instagram_v1
from igtool.platforms.shapes.instagram_v1 import keys

_ERRORS: tuple[tuple[str, Outcome], ...] = (
    ("notfound", "not_found"),
    ("private", "private"),
    ("notauthorized", "private"),
    ("wait", "rate_limited"),  # PleaseWaitFewMinutes
    ("throttl", "rate_limited"),
    ("ratelimit", "rate_limited"),
    ("toomany", "rate_limited"),
    ("challenge", "blocked"),
    ("checkpoint", "blocked"),
    ("feedback", "blocked"),
    ("consent", "blocked"),
    ("sentry", "blocked"),
    ("blocked", "blocked"),
    ("login", "auth"),
    ("forbidden", "auth"),
    ("unauthorized", "auth"),
    ("accesskey", "auth"),
    ("funds", "auth"),  # the balance of the key is used up
    ("connection", "transient"),
    ("timeout", "transient"),
    ("incompleteread", "transient"),
    ("jsondecode", "transient"),
    ("unavailable", "transient"),
    ("servererror", "transient"),
)
"""What ``exc_type``, the name of an exception of instagrapi, contains, in the order in which it is looked for."""

_OF_A_USER = frozenset({"full_name", "follower_count", "media_count", "is_private", "profile_pic_url"})
_TEXT = msgspec.json.Decoder(str)
_NOTHING = msgspec.Raw(b"null")


def exception(top: Top) -> tuple[Outcome, str] | None:
    """``{"detail": "Target user not found", "exc_type": "UserNotFound"}``, also with ``error`` for ``detail``."""
    if "exc_type" not in top or top.keys().isdisjoint({"detail", "error"}):
        return None
    try:
        name = _TEXT.decode(top["exc_type"])
        words = _TEXT.decode(top["detail"] if "detail" in top else top["error"])
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    low = name.lower().replace("_", "")
    return next((outcome for part, outcome in _ERRORS if part in low), "invalid"), words or name


def _user(top: Top, answer: Answer) -> Parsed | None:
    if top.keys().isdisjoint(_OF_A_USER) or not top.keys().isdisjoint({"media_type", "taken_at"}):
        return None
    account = instagram_v1.read_user(_whole(top), "", answer)
    _mark(account)
    if bytes(top.get("is_active", _NOTHING)) == b"false":
        account.flags.append("inactive")
    return Parsed(accounts=[account])


def _mark(account: Account) -> None:
    """Tells a profile from an account that is only named, and one with nothing in it (new, or deleted since)."""
    counts = (account.followers_count, account.following_count, account.posts_count)
    account.is_profile = any(count is not None for count in counts)
    if counts == (0, 0, 0) and not (account.display_name or account.bio or account.profile_image_url):
        account.flags.append("empty-profile")


def _media(top: Top, answer: Answer) -> Parsed | None:
    item = instagram_v1.read_post(_whole(top), "media")
    if isinstance(item, Refused):
        raise item
    if item.url is None:
        item.flags.append("no-shortcode")
    parsed = Parsed(content_items=[item])
    if "username" in keys(top.get("user", _NOTHING)):
        try:
            owner = instagram_v1.read_user(top["user"], "user", answer)
        except (Refused, msgspec.ValidationError) as error:
            parsed.lost.append(f"user: {error}")
        else:
            _mark(owner)
            parsed.accounts += [owner] if owner.account_id == item.account_id else []
    return parsed


def _response(top: Top, answer: Answer) -> Parsed | None:
    """What the private API answered, below ``response``."""
    below = keys(top["response"])
    for shape in instagram_v1.SHAPES:
        if shape.keys <= below.keys():
            parsed = shape.read(below, answer)
            if parsed is not None:
                return parsed
    return None


def _whole(top: Top) -> msgspec.Raw:
    return msgspec.Raw(msgspec.json.encode(top))


SHAPES = (
    Shape("instagram/hikerapi_user", frozenset({"pk", "username"}), _user),
    Shape("instagram/hikerapi_media", frozenset({"pk", "media_type", "taken_at"}), _media, version=2),
    Shape("instagram/hikerapi_response", frozenset({"response"}), _response, version=2),
)
FAILURES = (exception,)
