"""Plain answers of the three ways to ask Instagram."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from .population import Person, Post, code, cursor, offset_of
from .requests import POSTS, PROFILE, REELS, Ask, Reply

APP_ID = "936619743392459"
LOGIN_PATH = "/web/accounts/login/"
_TYPES = {"image": "GraphImage", "video": "GraphVideo", "carousel": "GraphSidecar"}
_MEDIA_TYPES = {"image": 1, "video": 2, "carousel": 8}
_GRAPH_TYPES = {"image": "IMAGE", "video": "VIDEO", "carousel": "CAROUSEL_ALBUM"}

UNKNOWN_PAGE = b"<!DOCTYPE html><html><head><title>Page</title></head><body><div id=root></div></body></html>"
LOGIN_PAGE = (
    b'<!DOCTYPE html><html class="not-logged-in"><head><title>Login</title></head><body><form id="loginForm" '
    b'action="/accounts/login/ajax/" method="post"><input name="username"><input name="password" type="password">'
    b"<button>Log in</button></form></body></html>"
)


def web(ask: Ask) -> Reply:
    """Instagram's public web answers."""
    if ask.path == LOGIN_PATH:
        return Reply(200, body=LOGIN_PAGE, headers={"content-type": "text/html; charset=utf-8"})
    if ask.endpoint not in (PROFILE, POSTS):
        return page_of(404)
    if ask.headers.get("x-ig-app-id") != APP_ID and not ask.is_elsewhere:  # a redirect takes no headers along
        return Reply(400, {"message": "useragent mismatch", "status": "fail"})
    if not ask.people:
        return Reply(200, {"data": {"user": None}, "status": "ok"})
    (person,) = ask.people
    if person.word == "html":
        return page_of(404)
    if person.word == "gone":
        return Reply(404, {"message": "User not found", "status": "fail"})
    if person.word == "missing":
        return Reply(200, {"data": {"user": None}, "status": "ok"})
    user = web_user(person) if ask.endpoint == PROFILE else {"edge_owner_to_timeline_media": _timeline(person, ask)}
    return Reply(200, {"data": {"user": user}, "status": "ok"})


def page_of(status: int, body: bytes = UNKNOWN_PAGE) -> Reply:
    """An HTML page."""
    return Reply(status, body=body, headers={"content-type": "text/html; charset=utf-8"})


def web_user(person: Person) -> dict[str, Any]:
    """A profile with its first twelve posts, as ``web_profile_info`` has it."""
    picture = f"https://images.example/{person.user_id}.jpg"
    first = Ask("web", POSTS, "", {}, (person,))
    empty = {"count": 0, "page_info": {"has_next_page": False, "end_cursor": None}, "edges": []}
    return {
        "id": person.user_id,
        "username": person.handle or f"user{person.user_id}",
        "full_name": person.name,
        "biography": person.bio,
        "external_url": f"https://{person.user_id}.example/",
        "bio_links": [{"title": "", "url": f"https://{person.user_id}.example/", "link_type": "external"}],
        "category_name": "Digital creator",
        "is_private": person.is_private,
        "is_verified": person.count("verified", 10) == 0,
        "is_business_account": False,
        "is_professional_account": True,
        "profile_pic_url": picture,
        "profile_pic_url_hd": picture,
        "edge_followed_by": {"count": person.count("followers")},
        "edge_follow": {"count": person.count("following", 5000)},
        "edge_felix_video_timeline": empty,
        "edge_owner_to_timeline_media": _timeline(person, first),
    }


def _timeline(person: Person, ask: Ask) -> dict[str, Any]:
    posts, following = _page(person, ask)
    return {
        "count": person.posts_count,
        "page_info": {"has_next_page": following is not None, "end_cursor": following},
        "edges": [{"node": _node(post)} for post in posts],
    }


def _page(person: Person, ask: Ask) -> tuple[list[Post], str | None]:
    """The posts that are asked for, and the cursor of those after them. Nothing of a private account."""
    is_reels = ask.endpoint == REELS
    offset = offset_of(ask.cursor, person, is_reels)
    if offset is None or person.is_private:
        return [], None
    after = offset + ask.size
    more = after < len(person.shown(is_reels))
    return person.page(offset, ask.size, is_reels), cursor(after, ask.endpoint) if more else None


def _node(post: Post) -> dict[str, Any]:
    owner = {"id": post.person.user_id, "username": post.person.handle or f"user{post.person.user_id}"}
    node = {
        "__typename": _TYPES[post.kind],
        "id": str(post.media_id),
        "shortcode": code(post.media_id),
        "owner": owner,
        "display_url": f"https://images.example/{post.media_id}.jpg",
        "is_video": post.kind == "video",
        "taken_at_timestamp": post.taken_at,
        "edge_media_to_caption": {"edges": [{"node": {"text": post.caption}}]},
        "edge_media_preview_like": {"count": post.count("likes")},
        "edge_media_to_comment": {"count": post.count("comments", 900)},
        "pinned_for_users": [owner] if post.is_pinned else [],
    }
    if post.kind == "video":
        node |= {"video_view_count": post.count("views", 90_000), "product_type": "clips"}
    return node


def tikhub(ask: Ask) -> Reply:
    """TikHub's envelope around one of Instagram's shapes."""
    if ask.endpoint not in (PROFILE, POSTS, REELS):
        return Reply(404, {"detail": "Not Found"})
    if not ask.people or ask.people[0].word in ("missing", "html"):
        return Reply(200, envelope(ask, {"code": 404, "message": "User not found", "data": None}))
    (person,) = ask.people
    if person.word == "gone":
        return Reply(404, {"detail": {"code": 404, "message": "User not found", "router": ask.path}})
    if ask.endpoint == PROFILE:
        return Reply(200, envelope(ask, web_user(person)))
    posts, following = _page(person, ask)
    if ask.endpoint == REELS:
        paging = {"max_id": following or "", "more_available": following is not None}
        items = [{"media": _item(post)} for post in posts]
        return Reply(200, envelope(ask, {"items": items, "paging_info": paging, "status": "ok"}))
    data: dict[str, Any] = {"items": [_item(post) for post in posts], "num_results": len(posts)}
    data |= {"more_available": following is not None, "status": "ok"}
    if following is not None:
        data["next_max_id"] = f"{posts[-1].media_id}_{person.user_id}"
    return Reply(200, envelope(ask, data))


def envelope(ask: Ask, data: Any) -> dict[str, Any]:
    """What TikHub puts around ``data``."""
    return {
        "code": 200,
        "request_id": str(UUID(int=0)),
        "message": "Request successful. This request will incur a charge.",
        "time": "2026-10-01 05:00:00",
        "time_stamp": 1_790_856_000,
        "time_zone": "America/Los_Angeles",
        "docs": "https://docs.example/",
        "cache_url": None,
        "router": ask.path.removeprefix("/tikhub"),
        "params": {"subject": ask.subjects[0] if ask.subjects else None},
        "data": data,
    }


def _item(post: Post) -> dict[str, Any]:
    """A post as the lists of Instagram's apps have it."""
    person = post.person
    item: dict[str, Any] = {
        "pk": post.media_id,
        "id": f"{post.media_id}_{person.user_id}",
        "code": code(post.media_id),
        "taken_at": post.taken_at,
        "media_type": _MEDIA_TYPES[post.kind],
        "product_type": "clips" if post.kind == "video" else "feed",
        "caption": {"text": post.caption},
        "like_count": post.count("likes"),
        "comment_count": post.count("comments", 900),
        "image_versions2": {"candidates": [{"url": f"https://images.example/{post.media_id}.jpg"}]},
        "user": {"pk": person.number, "username": person.handle or f"user{person.user_id}"},
        "timeline_pinned_user_ids": [person.number] if post.is_pinned else [],
    }
    if post.kind == "video":
        item |= {"view_count": post.count("views", 90_000), "play_count": post.count("plays", 120_000)}
    return item


def graph(ask: Ask) -> Reply:
    """Business Discovery of the Graph API; whoever is private or unknown cannot be found."""
    usage = {"x-app-usage": '{"call_count":3,"total_time":2,"total_cputime":1}'}
    if ask.endpoint not in (PROFILE, POSTS) or not ask.people[0].handle:
        words = "(#100) Tried accessing nonexisting field"
        return Reply(400, graph_error(100, words), headers=usage)
    (person,) = ask.people
    if person.is_private or person.word in ("missing", "gone", "html"):
        error = graph_error(110, "Invalid user id", 2207013)
        error["error"]["error_user_msg"] = f"The user with username: {person.handle} cannot be found."
        return Reply(400, error, headers=usage)
    posts, following = _page(person, ask)
    paging = {"cursors": {"after": following} if following else {}}
    user = {
        "id": person.graph_id,
        "username": person.handle,
        "name": person.name,
        "biography": person.bio,
        "website": f"https://{person.user_id}.example/",
        "followers_count": person.count("followers"),
        "follows_count": person.count("following", 5000),
        "media_count": person.posts_count,
        "profile_picture_url": f"https://images.example/{person.user_id}.jpg",
        "media": {"data": [_graph_media(post) for post in posts], "paging": paging},
    }
    return Reply(200, {"business_discovery": user, "id": "17841400000000001"}, headers=usage)


def graph_error(number: int, words: str, subcode: int | None = None) -> dict[str, Any]:
    """An error of the Graph API."""
    error: dict[str, Any] = {"message": words, "type": "OAuthException", "code": number, "fbtrace_id": "AInvented1"}
    return {"error": error | ({"error_subcode": subcode} if subcode else {})}


def _graph_media(post: Post) -> dict[str, Any]:
    kind = "reel" if post.kind == "video" else "p"
    return {
        "id": str(17_890_000_000_000_000 + post.media_id % 10**13),
        "caption": post.caption,
        "media_type": _GRAPH_TYPES[post.kind],
        "media_product_type": "REELS" if post.kind == "video" else "FEED",
        "like_count": post.count("likes"),
        "comments_count": post.count("comments", 900),
        "timestamp": _moment(post.taken_at),
        "permalink": f"https://www.instagram.com/{kind}/{code(post.media_id)}/",
        "media_url": f"https://images.example/{post.media_id}.jpg",
    }


def _moment(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S+0000")
