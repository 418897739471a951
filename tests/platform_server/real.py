"""Answers and behaviours made of saved real payloads, for tests only; none where the folder is not there."""

from __future__ import annotations

import json
from pathlib import Path

from .behaviour import BLOCKED, INVALID, LIMITED, STOPPED, TRANSIENT, Behaviour, Expected
from .statuses import answers

_HTML = "text/html; charset=utf-8"
_ERRORS: dict[str, tuple[str, int, Expected]] = {
    "instagram/errors/checkpoint_challenge-done.json": ("web", 200, BLOCKED),
    "instagram/errors/checkpoint_challenge.json": ("web", 400, BLOCKED),
    "instagram/errors/ig_400_challenge_required.json": ("web", 400, BLOCKED),
    "instagram/errors/ig_401_please_wait.json": ("web", 401, LIMITED),
    "instagram/errors/ig_429_please_wait_no_login.json": ("web", 429, LIMITED),
    "instagram/errors/login-error.json": ("web", 200, STOPPED),
    "instagram/errors/medias-error_not_json.json": ("web", 200, TRANSIENT),
    "instagram/html/home.html": ("web", 200, STOPPED),
    "instagram/html/profile-additional-data.html": ("web", 200, INVALID),
    "instagram/tikhub/error_200_inner_400.json": ("tikhub", 200, INVALID),
    "instagram/tikhub/error_400_detail.json": ("tikhub", 400, INVALID),
    "youtube/errors/error_response.json": ("youtube", 400, STOPPED),
    "youtube/errors/yt_403_quotaExceeded.json": ("youtube", 403, LIMITED),
    "youtube/data_api_v3/error_permission_resp.json": ("youtube", 403, STOPPED),
}
_PAYLOADS = {
    "instagram/web_profile_info__rdj.json": ("web", "profile", "data.user.username"),
    "instagram/graphql_timeline_edges_p1.json": (
        "web",
        "posts",
        "data.user.edge_owner_to_timeline_media.edges.0.node.owner.id",
    ),
    "instagram/tikhub/fetch_user_info_by_username.DERIVED.json": ("tikhub", "profile", "data.username"),
    "instagram/tikhub/fetch_user_posts.DERIVED.json": ("tikhub", "posts", "data.items.0.user.pk"),
    "instagram/tikhub/fetch_user_reels.DERIVED.json": ("tikhub", "reels", "data.items.0.media.user.pk"),
    "youtube/data_api_v3/channels/info.json": ("youtube", "profile", "items.0.id"),
    "youtube/data_api_v3/videos/videos_info_single.json": ("youtube", "videos", "items.0.id"),
    "youtube/data_api_v3/playlist_items/playlist_items_paged_1.json": (
        "youtube",
        "posts",
        "items.0.snippet.playlistId",
    ),
}
"""File: platform, endpoint, and where in it stands whom it was asked about."""


def behaviours_of(folder: Path) -> dict[str, Behaviour]:
    """A behaviour ``real-<file name>`` for each saved error under ``folder``."""
    found = {}
    for name, (platform, status, expected) in _ERRORS.items():
        path = folder / name
        if path.is_file():
            kind = _HTML if path.suffix == ".html" else None
            found[f"real-{path.stem}"] = Behaviour(answers(status, path.read_bytes(), kind), expected, (platform,))
    return found


def answers_of(folder: Path) -> dict[tuple[str, str, str], bytes]:
    """The saved answers under ``folder``, by platform, endpoint and the name or id that was asked for."""
    found = {}
    for name, (platform, endpoint, where) in _PAYLOADS.items():
        path = folder / name
        if not path.is_file():
            continue
        body = path.read_bytes()
        value = json.loads(body)
        for step in where.split("."):
            value = value[int(step)] if isinstance(value, list) else value[step]
        found[platform, endpoint, str(value)] = body
    return found
