"""What every payload of Instagram has in common: ids, addresses, and pages of posts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from igtool.platforms.base import ContentItem, Parsed, Refused, account_id

PLATFORM = "instagram"

_ALPHABET = {
    letter: number for number, letter in enumerate("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
}
_LONGEST_SHORTCODE = 11
"""64 bits; what follows it in the address of a private post is a key."""

_LONGEST_S = 1e7
"""Four months: no post is longer, also not a live broadcast."""


def account_of(user_id: str | None, handle: str | None = None) -> str:
    """``instagram:<user id>``, or the stand-in ``instagram:@<handle>`` where the id is unknown."""
    return account_id(PLATFORM, user_id, handle)


def item_id(native_id: str) -> str:
    """``instagram:<id of the post>``."""
    return f"{PLATFORM}:{native_id}"


def media_id(shortcode: str) -> str | None:
    """The id of a post from the shortcode of its address (base 64, most significant digit first); None if it is none.

    A shortcode is the id written in another base, so a post has one id whichever source names it.
    """
    number = 0
    for letter in shortcode[:_LONGEST_SHORTCODE]:
        digit = _ALPHABET.get(letter)
        if digit is None:
            return None
        number = number * 64 + digit
    return str(number) if number else None


def item_url(shortcode: str | None, kind: str) -> str | None:
    """The public address of a post; None without its shortcode."""
    if not shortcode:
        return None
    return f"https://www.instagram.com/{'reel' if kind == 'reel' else 'p'}/{shortcode}/"


def length_s(seconds: float | None, flags: list[str]) -> float | None:
    """The length of a video; None with the flag ``bad-duration`` where it can be none."""
    if seconds is None or 0 <= seconds < _LONGEST_S:
        return seconds
    flags.append("bad-duration")
    return None


def add_page(parsed: Parsed, items: Iterable[ContentItem | Refused]) -> Parsed:
    """``parsed`` with the posts of a page, each once; those that could not be read are named in ``lost``.

    Raises Refused, the first one, when there were posts and none could be read.
    """
    refusals = []
    for item in _each_once(items):
        if isinstance(item, Refused):
            refusals.append(item)
        else:
            parsed.content_items.append(item)
    if refusals and not parsed.content_items and not parsed.accounts:
        raise refusals[0]
    parsed.lost += [f"{refusal.reason} {refusal.detail}" for refusal in refusals]
    return parsed


def _each_once(items: Iterable[ContentItem | Refused]) -> Iterator[ContentItem | Refused]:
    seen: set[str] = set()
    for item in items:
        if isinstance(item, Refused):
            yield item
        elif item.content_id not in seen:
            seen.add(item.content_id)
            yield item
