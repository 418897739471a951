"""Rows of Instagram profiles and posts, whatever the payload calls their fields.

A shape reads its own fields into a ``Profile`` or a ``Post``; the columns are filled here, once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

from igtool.language import identify
from igtool.platforms import values
from igtool.platforms.base import Answer, Parsed, Refused, metrics, origin

_ALPHABET = {
    letter: number for number, letter in enumerate("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
}
_LONGEST_SHORTCODE = 11
"""64 bits; what follows it in the address of a private post is a key."""


@dataclass(slots=True)
class Profile:
    """A profile as far as its payload tells. ``user_id`` is None where the answer has only a handle."""

    user_id: str | None
    handle: str
    flags: list[str]
    display_name: str | None = None
    bio: str | None = None
    category: str | None = None
    picture: str | None = None
    website: str | None = None
    links: list[str] | None = None
    followers: int | None = None
    following: int | None = None
    posts: int | None = None
    is_verified: bool | None = None
    is_private: bool | None = None
    is_business: bool | None = None
    country: str | None = None


@dataclass(slots=True)
class Post:
    """A post as far as its payload tells; ``type`` is one of ``content_items``."""

    native_id: str
    account_id: str
    type: str
    flags: list[str]
    shortcode: str | None = None
    caption: str | None = None
    published_at: datetime | None = None
    likes: int | None = None
    comments: int | None = None
    views: int | None = None
    plays: int | None = None
    duration_s: float | None = None
    pictures: list[str] = field(default_factory=list)
    is_declared: bool | None = None


def account_id(user_id: str | None, handle: str | None = None) -> str:
    """``instagram:<user id>``, or the stand-in ``instagram:@<handle>`` where the id is unknown."""
    return f"instagram:{user_id}" if user_id else f"instagram:@{handle}"


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


def add_profile(parsed: Parsed, profile: Profile, answer: Answer) -> None:
    """Add the rows of ``accounts`` and ``metric_snapshots`` for a profile."""
    subject_id = account_id(profile.user_id, profile.handle)
    parsed.accounts.append(
        {
            "account_id": subject_id,
            "platform": "instagram",
            "platform_user_id": profile.user_id,
            "handle": profile.handle,
            "display_name": profile.display_name,
            "bio": profile.bio,
            "category": profile.category,
            "profile_image_url": profile.picture,
            "external_url": profile.website,
            "links": profile.links,
            "followers_count": profile.followers,
            "following_count": profile.following,
            "posts_count": profile.posts,
            "is_verified": profile.is_verified,
            "is_private": profile.is_private,
            "is_business": profile.is_business,
            "language": identify(profile.bio),
            "country": profile.country,
            "country_source": "business_address" if profile.country else None,
            **origin(answer, [*answer.flags, *profile.flags]),
        }
    )
    counts = {"followers": profile.followers, "following": profile.following, "posts": profile.posts}
    metrics(parsed.metric_snapshots, subject_id, "account", answer, counts)


def add_post(parsed: Parsed, post: Post, answer: Answer) -> None:
    """Add the rows of ``content_items`` and ``metric_snapshots`` for a post."""
    content_id = f"instagram:{post.native_id}"
    tags = values.hashtags(post.caption)
    parsed.content_items.append(
        {
            "content_id": content_id,
            "platform": "instagram",
            "account_id": post.account_id,
            "type": post.type,
            "url": _address(post.shortcode, post.type),
            "title_or_caption": post.caption,
            "hashtags": tags,
            "mentions": values.mentions(post.caption),
            "published_at": post.published_at,
            "like_count": post.likes,
            "comment_count": post.comments,
            "view_count": post.views,
            "play_count": post.plays,
            "duration_s": post.duration_s,
            "media_urls": post.pictures,
            "is_sponsored": values.is_sponsored(post.is_declared, tags, post.caption),
            "language": identify(post.caption),
            **origin(answer, [*answer.flags, *post.flags]),
        }
    )
    counts = {"likes": post.likes, "comments": post.comments, "views": post.views, "plays": post.plays}
    metrics(parsed.metric_snapshots, content_id, "content", answer, counts)


def add_page(parsed: Parsed, posts: Iterable[Post | Refused], answer: Answer) -> Parsed:
    """``parsed`` with the posts of a page, each once; those that could not be read are named in ``lost``.

    Raises Refused, the first one, when there were posts and none could be read.
    """
    refusals = []
    for post in _each_once(posts):
        if isinstance(post, Refused):
            refusals.append(post)
        else:
            add_post(parsed, post, answer)
    if refusals and not parsed.content_items and not parsed.accounts:
        raise refusals[0]
    parsed.lost += [f"{refusal.reason} {refusal.detail}" for refusal in refusals]
    return parsed


def _each_once(posts: Iterable[Post | Refused]) -> Iterator[Post | Refused]:
    seen: set[str] = set()
    for post in posts:
        if isinstance(post, Refused):
            yield post
        elif post.native_id not in seen:
            seen.add(post.native_id)
            yield post


def _address(shortcode: str | None, kind: str) -> str | None:
    if not shortcode:
        return None
    return f"https://www.instagram.com/{'reel' if kind == 'reel' else 'p'}/{shortcode}/"
