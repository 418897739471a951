"""Plain answers of the YouTube Data API v3."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from .population import UNKNOWN, Person, Population, Post, cursor, offset_of
from .requests import POSTS, PROFILE, SEARCH, VIDEOS, Ask, Reply

UNITS = {PROFILE: 1, POSTS: 1, VIDEOS: 1, SEARCH: 100}
"""What a request costs; source: the API's page "Quota costs"."""

_MOST_FOUND = 60


def youtube(ask: Ask, population: Population) -> Reply:
    """A list of channels, playlist items, videos or search results."""
    if ask.endpoint == PROFILE:
        people = [person for person in ask.people if person.word not in UNKNOWN]
        return _list("channel", [_channel(person) for person in people])
    if ask.endpoint == POSTS:
        return _uploads(ask)
    if ask.endpoint == VIDEOS:
        videos = [population.by_video_id(one) for one in ask.subjects[:50]]
        return _list("video", [_video(video) for video in videos if video is not None])
    if ask.endpoint == SEARCH:
        return _found(ask, population)
    return Reply(404, google_error(404, "notFound", "Not Found"))


def google_error(status: int, reason: str, words: str, domain: str = "youtube.common") -> dict[str, Any]:
    """An error of a Google API."""
    errors = [{"message": words, "domain": domain, "reason": reason}]
    return {"error": {"code": status, "message": words, "errors": errors}}


def _list(kind: str, items: list[dict[str, Any]], total: int | None = None, following: str | None = None) -> Reply:
    document: dict[str, Any] = {
        "kind": f"youtube#{kind}ListResponse",
        "etag": "invented",
        "pageInfo": {"totalResults": len(items) if total is None else total, "resultsPerPage": max(len(items), 1)},
    }
    if following is not None:
        document["nextPageToken"] = following
    if items or kind != "channel":  # a list of channels without any has no key ``items``
        document["items"] = items
    return Reply(200, document)


def _uploads(ask: Ask) -> Reply:
    if not ask.people or ask.people[0].word == "empty":
        words = "The playlist identified with the request's <code>playlistId</code> parameter cannot be found."
        return Reply(404, google_error(404, "playlistNotFound", words, "youtube.playlistItem"))
    (person,) = ask.people
    offset = offset_of(ask.cursor, person)
    if offset is None:
        return Reply(400, google_error(400, "invalidPageToken", "The page token is invalid.", "youtube.parameter"))
    after = min(offset + ask.size, person.posts_count)
    items = [_playlist_item(person.post(index)) for index in range(offset, after)]
    following = cursor(after, POSTS) if after < person.posts_count else None
    return _list("playlistItem", items, person.posts_count, following)


def _channel(person: Person) -> dict[str, Any]:
    followers = person.count("subscribers")
    return {
        "kind": "youtube#channel",
        "etag": "invented",
        "id": person.channel_id,
        "snippet": {
            "title": person.name,
            "description": person.bio,
            "customUrl": f"@{person.handle or person.channel_id.lower()}",
            "publishedAt": "2012-03-04T05:06:07Z",
            "thumbnails": _thumbnails(person.channel_id),
            "country": ("ES", "US", "DE", "JP")[person.count("country", 4)],
        },
        "contentDetails": {"relatedPlaylists": {"likes": "", "uploads": person.uploads_id}},
        "statistics": {
            "viewCount": str(followers * 41),
            "subscriberCount": str(followers),
            "hiddenSubscriberCount": False,
            "videoCount": str(person.posts_count),
        },
        "status": {"privacyStatus": "public"},
        "topicDetails": {"topicCategories": ["https://en.wikipedia.org/wiki/Lifestyle_(sociology)"]},
        "brandingSettings": {"channel": {"title": person.name}},
    }


def _playlist_item(video: Post) -> dict[str, Any]:
    return {
        "kind": "youtube#playlistItem",
        "etag": "invented",
        "id": f"item-{video.video_id}",
        "snippet": {"title": video.caption, "channelId": video.person.channel_id, "position": video.index},
        "contentDetails": {"videoId": video.video_id, "videoPublishedAt": _moment(video.taken_at)},
    }


def _video(video: Post) -> dict[str, Any]:
    return {
        "kind": "youtube#video",
        "etag": "invented",
        "id": video.video_id,
        "snippet": {
            "publishedAt": _moment(video.taken_at),
            "channelId": video.person.channel_id,
            "title": video.caption,
            "description": video.person.bio,
            "thumbnails": _thumbnails(video.video_id),
        },
        "contentDetails": {"duration": f"PT{1 + video.count('minutes', 20)}M{video.count('seconds', 60)}S"},
        "status": {"privacyStatus": "public"},
        "statistics": {
            "viewCount": str(video.count("watched", 900_000)),
            "likeCount": str(video.count("likes")),
            "commentCount": str(video.count("comments", 900)),
        },
    }


def _found(ask: Ask, population: Population) -> Reply:
    offset = offset_of(ask.cursor, Person(0)) or 0
    after = min(offset + ask.size, _MOST_FOUND)
    word = "".join(letter for letter in ask.subjects[0].lower() if letter.isalnum()) or "anyone"
    people = [population.by_handle(f"found_{word}_{rank}") for rank in range(offset, after)]
    items = [
        {
            "kind": "youtube#searchResult",
            "etag": "invented",
            "id": {"kind": "youtube#channel", "channelId": person.channel_id},
            "snippet": {"channelId": person.channel_id, "title": person.name, "description": person.bio},
        }
        for person in people
    ]
    return _list("search", items, _MOST_FOUND, cursor(after, SEARCH) if after < _MOST_FOUND else None)


def _thumbnails(name: str) -> dict[str, Any]:
    return {"high": {"url": f"https://images.example/{name}.jpg", "width": 480, "height": 360}}


def _moment(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
