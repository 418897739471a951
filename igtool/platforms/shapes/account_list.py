"""Flat lists of accounts: ``{"platform", "handle", "platform_user_id", "display_name", "website", …}``.

Any platform may be named; ``platform`` and one of ``handle`` and ``platform_user_id`` must be there. Records that
``homemade`` reads, profiles of Instagram and YouTube without a ``platform_user_id``, are left to it.

Where the platform's id is missing, the handle stands in for it: as ``platform:handle`` on platforms of which nothing
but such lists tells, as ``platform:@handle`` on Instagram and YouTube, whose dumps and sources tell the ids.
"""

from __future__ import annotations

import re
from collections.abc import Collection

from igtool.lists import handles
from igtool.platforms import values
from igtool.platforms.base import Account, Answer, Parsed, Refused, Shape, Top, account_id
from igtool.platforms.shapes.homemade_fields import Fields, has_any
from igtool.platforms.shapes.homemade_names import PROFILE, PROFILE_EVIDENCE, WHO, fold

_USER_ID = ("platformuserid",)
_HANDLE = ("handle", "username", "screenname")
_NAMED = (*WHO["display_name"], *PROFILE["external_url"])
_PLATFORM = re.compile(r"[a-z0-9][a-z0-9_.-]{0,29}")
_ALIASES = {"x": "twitter", "ig": "instagram", "insta": "instagram", "yt": "youtube", "fb": "facebook"}
_KNOWN = (handles.INSTAGRAM, handles.YOUTUBE)
_CHANNEL_ID = re.compile(r"UC[\w-]{22}", re.ASCII)
_LONGEST = 200


def _account_row(top: Top, _: Answer) -> Parsed | None:
    """One account; None for records of other shapes."""
    fields = Fields(top)
    keys = {fold(key) for key in top}
    if not _fits(keys) or any(fields.objects(PROFILE["posts"])):
        return None
    platform = _platform(fields)
    if platform in _KNOWN and not has_any(keys, _USER_ID) and _is_profile(fields):
        return None
    handle, user_id = _handle(fields), fields.text(_USER_ID)
    if platform == handles.YOUTUBE and handle and _CHANNEL_ID.fullmatch(handle):
        handle, user_id = None, user_id or handle
    if not handle and not user_id:
        raise Refused("missing-field", "handle and platform_user_id are both empty: one of them must name the account")
    handle = values.handle(handle)
    flags: list[str] = []
    country = values.country_code(fields.text(PROFILE["country"]))
    website = fields.text(PROFILE["external_url"])
    bio = fields.text(PROFILE["bio"])
    account = Account(
        account_id(platform, user_id, handle) if platform in _KNOWN else f"{platform}:{user_id or handle}",
        platform,
        flags,
        platform_user_id=user_id,
        handle=handle,
        is_profile=bio is not None,  # a bare row replaces no profile
        display_name=fields.text(WHO["display_name"]),
        bio=bio,
        category=fields.text(PROFILE["category"]),
        external_url=website,
        links=fields.listed(PROFILE["links"]),
        emails=_emails(fields),
        followers_count=fields.count(PROFILE["followers_count"], flags),
        following_count=fields.count(PROFILE["following_count"], flags),
        posts_count=fields.count(PROFILE["posts_count"], flags),
        is_verified=fields.flag(PROFILE["is_verified"]),
        country=country,
        country_source="country" if country else None,
    )
    return Parsed(accounts=[account])


def _platform(fields: Fields) -> str:
    """The platform as a slug. Raises Refused."""
    told = (fields.text(WHO["platform"]) or "").strip().lower()
    if handles.is_missing(told):
        raise Refused("missing-field", "platform is empty: name the platform of the account, for example twitter")
    told = _ALIASES.get(told, told)
    if not _PLATFORM.fullmatch(told):
        raise Refused("wrong-type", f"platform is {told[:60]!r}: a name of letters, digits, _ . - is needed")
    return told


def _handle(fields: Fields) -> str | None:
    """The handle as it is written, without @ and what stands for "no value"."""
    told = handles.cleaned(fields.text(_HANDLE) or "").removeprefix("@").strip()
    if handles.is_missing(told):
        return None
    if len(told) > _LONGEST or re.search(r"\s", told):
        raise Refused(
            "wrong-type", f"handle is {told[:60]!r}: a handle has no spaces and at most {_LONGEST} characters"
        )
    return told


def _emails(fields: Fields) -> list[str] | None:
    listed = fields.listed(PROFILE["emails"])
    return None if listed is None else values.distinct(email for text in listed for email in values.emails(text))


def _is_profile(fields: Fields) -> bool:
    """Whether ``homemade`` reads the record as a profile."""
    return any(fields.value(PROFILE[column]) is not None for column in PROFILE_EVIDENCE)


def _fits(columns: Collection[str]) -> bool:
    folded = {fold(column) for column in columns}
    named = has_any(folded, _USER_ID) or (has_any(folded, _HANDLE) and has_any(folded, _NAMED))
    listed = has_any(folded, WHO["platform"]) or has_any(folded, _USER_ID)
    return named and listed


SHAPES = (Shape("account_list/account", frozenset(), _account_row, flat=True, fits=_fits, last=True),)
