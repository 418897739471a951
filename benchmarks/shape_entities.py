"""Where the posts of each shape stand: counted by a walk that shares no code with the readers of the shapes.

What a reader made of a payload is checked against it: every post is a row, is named in ``lost``, or is the same post
as one before it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from igtool.platforms.base import Parsed
from igtool.platforms.shapes.homemade_names import OBJECTS, POST, PROFILE, fold

ITSELF = ""
"""The payload is one post."""

_TIMELINES = ("edge_owner_to_timeline_media.edges", "edge_felix_video_timeline.edges")
_USER = tuple(f"user.{name}" for name in _TIMELINES)
_VIEW = (
    "shortcode_media",
    "xdt_shortcode_media",
    "hashtag.edge_hashtag_to_media.edges",
    "hashtag.edge_hashtag_to_top_posts.edges",
)
_XDT = "xdt_api__v1__*.edges"
_PRIVATE = ("items", "edges", f"data.{_XDT}")


def _below(prefix: str, paths: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(f"{prefix}.{path}" for path in paths)


POSTS: dict[str, tuple[str, ...]] = {
    "homemade/post": (ITSELF,),
    "homemade/profile": (),  # its lists have many names: see `_of_homemade`
    "instagram/apify_post": (ITSELF,),
    "instagram/apify_profile": ("latestPosts", "latestIgtvVideos"),
    "instagram/business_discovery": ("business_discovery.media.data",),
    "instagram/data_view": _below("data", _VIEW),
    "instagram/graphql_user": _below("graphql", _USER),
    "instagram/graphql_view": _below("graphql", _VIEW),
    "instagram/hikerapi_media": (ITSELF,),
    "instagram/hikerapi_response": _below("response", _PRIVATE),
    "instagram/hikerapi_user": (),
    "instagram/instaloader": (),  # by node_type: see `_of_instaloader`
    "instagram/items_2016": ("items",),
    "instagram/media_2017": ("media",),
    "instagram/posts_table": (ITSELF,),
    "instagram/public_api_2016": ("data",),
    "instagram/scrapfly_node": (ITSELF,),
    "instagram/scrapfly_post": (ITSELF,),
    "instagram/scrapfly_user": ("videos", "images"),
    "instagram/shared_data": (
        *_below("entry_data.?.?.graphql", (*_USER, *_VIEW)),
        *_below("entry_data.?.?", ("user.media.nodes", "media", "tag.media.nodes", "tag.top_posts.nodes", "items")),
    ),
    "instagram/tag_2017": ("tag.media.nodes", "tag.top_posts.nodes"),
    "instagram/user_2017": ("user.media.nodes",),
    "instagram/v1_list": ("items",),
    "instagram/v1_user": (),
    "instagram/v1_user_below_data": (),
    "instagram/web_profile_info": _below("data", _USER),
    "instagram/xdt_connection": (f"data.{_XDT}",),
    "instagram/xdt_edges": ("edges",),
    "tikhub": tuple(
        path
        for depth in ("data", "data.data", "data.data.data")
        for path in _below(depth, (*_TIMELINES, *_USER, _XDT, *_PRIVATE))
    ),
    "youtube/channel": (ITSELF,),
    "youtube/channelListResponse": ("items",),
    "youtube/channelStatistics": (ITSELF,),
    "youtube/innertube_about": (),
    "youtube/innertube_page": ("video",),
    "youtube/innertube_player": (ITSELF,),
    "youtube/innertube_tile": (ITSELF,),
    "youtube/trending": (ITSELF,),
    "youtube/video": (ITSELF,),
    "youtube/videoListResponse": ("items",),
}
"""Shape to the places of its posts, or of its channels: ``?`` is any key or element, a ``*`` at the end any ending."""

_IDENTITIES = frozenset({"pk", "id", "shortcode", "shortCode", "code", "permalink", "link"})
_HOMEMADE = frozenset(
    name for column in ("url", "shortcode", "post_id", "published_at", "published_at_es") for name in POST[column]
)

_NAMING = ("activity", "playlist", "playlistItem", "searchResult")
_LISTS = ("activity", "playlist", "playlistItem", "search")
_ABOUT_NONE = (
    *("caption", "channelSection", "comment", "commentThread", "guideCategory", "i18nLanguage", "i18nRegion"),
    *("subscription", "videoAbuseReportReason", "videoCategory"),
)
WITHOUT_POSTS = frozenset(
    [
        "account_list/account",
        *(f"youtube/{name}" for name in (*_NAMING, *(f"{n}ListResponse" for n in _LISTS), *_ABOUT_NONE)),
    ]
)
"""Shapes that give no posts on purpose: they name accounts, or are about none."""

CHANNELS = frozenset({"youtube/channel", "youtube/channelListResponse"})
"""Shapes that give an account for each of what is counted here."""

FIRST_ONLY = frozenset({"instagram/shared_data", "instagram/hikerapi_response", "tikhub", "homemade/profile"})
"""Shapes that hold any of several others, or an account in one of several places: the first is read, not all."""


def places(shape: str, payload: Any) -> list[list[Any]]:
    """The lists of posts in a payload (of channels in a list of channels), in order, repeated ones too."""
    if shape == "homemade/profile":
        return list(_of_homemade(payload))
    if shape == "instagram/instaloader":
        return list(_of_instaloader(payload))
    found = [value for path in POSTS[shape] for value in _at(payload, path.split(".") if path else [])]
    return [value if isinstance(value, list) else [value] for value in found]


def _at(value: Any, path: list[str]) -> Iterator[Any]:
    """The lists and objects at ``path``."""
    if not path:
        if isinstance(value, list | dict):
            yield value
        return
    name, rest = path[0], path[1:]
    if name == "?":
        inner = list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []
    elif isinstance(value, dict):
        inner = [value[key] for key in value if key == name or (name.endswith("*") and key.startswith(name[:-1]))]
    else:
        return
    for one in inner:
        yield from _at(one, rest)


def _of_homemade(payload: dict[str, Any]) -> Iterator[list[Any]]:
    layers = [payload, *(value for key, value in payload.items() if fold(key) in OBJECTS and isinstance(value, dict))]
    for layer in layers:
        for key, value in layer.items():
            if fold(key) in PROFILE["posts"] and isinstance(value, list) and any(isinstance(v, dict) for v in value):
                yield value


def _of_instaloader(payload: dict[str, Any]) -> Iterator[list[Any]]:
    node, kind = payload["node"], payload["instaloader"]["node_type"]
    if kind == "Post":
        yield [node]
    for path in _TIMELINES:
        yield from _at(node if kind == "Profile" else node.get("owner"), path.split("."))


def identities(entity: Any) -> set[str]:
    """What may tell a post from others: ids without that of the owner, shortcodes, addresses, times."""
    found = set()
    layers = [entity]
    for layer in layers:
        if not isinstance(layer, dict):
            continue
        layers += [layer[name] for name in ("node", "media") if name in layer]
        for key, value in layer.items():
            if key in _IDENTITIES or fold(key) in _HOMEMADE:
                if isinstance(value, dict):
                    value = next(iter(value.values()), None)
                if isinstance(value, int | float | str) and value != "":
                    found.add(str(value).strip().partition("_")[0])
    return found


def unaccounted(shape: str, payload: Any, parsed: Parsed) -> str | None:
    """Why rows and ``lost`` do not add up to the posts in the payload; None when they do.

    A payload that was refused as a whole is accounted for by its reason.
    """
    if parsed.reason is not None or shape in WITHOUT_POSTS:
        return None
    lists = places(shape, payload)
    inside = [entity for entities in lists for entity in entities]
    rows = len(parsed.accounts if shape in CHANNELS else parsed.content_items)
    lost = sum(not entry.startswith(("user:", "node.owner:")) for entry in parsed.lost)
    repeated, known = 0, set[str]()
    for entity in inside:
        own = identities(entity)
        repeated += not own.isdisjoint(known)
        known |= own
    least = 0 if shape in FIRST_ONLY and len(lists) > 1 else len(inside) - repeated
    if least <= rows + lost <= len(inside):
        return None
    return f"{len(inside)} in ({repeated} of them repeated), {rows} rows, {lost} lost"
