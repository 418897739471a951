"""Write the example: a list of invented creators and the raw platform answers for it.

``python examples/make_examples.py [FOLDER]`` writes ``creators.csv``, ``raw/`` and ``later.zip`` into FOLDER (default:
beside this script), always the same bytes. The people are in ``people.txt``, what they write is in ``texts.toml``. The
shapes are those of Instagram's ``web_profile_info``, its older ``graphql.user``, and the YouTube Data API v3
(``channels.list``, ``videos.list``). Nobody in it exists; all addresses are under reserved ``.example`` names.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import math
import shutil
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from invented import HERE, Person, Writer, code_of, likes, number_of, people, published

POSTS = 12
_IN_GZIP = slice(20, 26)
_IN_ZIP = slice(40, 44)
_CHANNELS_A_FILE = 10
_COUNTRIES = {
    "ES": "Spain",
    "GB": "United Kingdom",
    "AT": "Austria",
    "CA": "Canada",
    "PT": "Portugal",
    "FR": "France",
    "IE": "Ireland",
    "US": "United States",
    "DE": "Germany",
    "AU": "Australia",
    "BE": "Belgium",
    "NL": "Netherlands",
    "ZA": "South Africa",
}
_LATER = "_20261001T081500"
_WEEKS = ("20261008", "20261015", "20261022", "20261029", "20261105")
_LOOKED_AT = slice(0, 16)
_RENAMED = 11
_NOTHING = {"count": 0, "page_info": {"has_next_page": False, "end_cursor": None}, "edges": []}
_NO = (
    "blocked_by_viewer restricted_by_viewer country_block followed_by_viewer follows_viewer has_ar_effects "
    "has_guides has_channel has_blocked_viewer has_requested_viewer hide_like_and_view_counts is_joined_recently "
    "requested_by_viewer should_show_public_contacts"
)
_NULL = (
    "external_url_linkshimmed business_address_json business_email business_phone_number overall_category_name "
    "category_enum connected_fb_page"
)
_SAME_FOR_ALL: dict[str, Any] = {
    **dict.fromkeys(_NO.split(), False),
    **dict.fromkeys(_NULL.split()),
    "has_clips": True,
    "business_contact_method": "UNKNOWN",
    "pronouns": [],
    "edge_felix_video_timeline": _NOTHING,
    "edge_saved_media": _NOTHING,
    "edge_media_collections": _NOTHING,
}


def instagram_user(person: Person, texts: dict[str, Any]) -> dict[str, Any]:
    """``data.user`` of web_profile_info, with twelve posts unless the account is private."""
    writer = Writer(person, texts, "instagram")
    private = "private" in person.marks
    bio = writer.bio()
    if person.channel == "bio":
        bio += f"\n▶️ youtube.com/@{person.channel_handle}"
    user_id = str(number_of(person.handle, 14))
    category = None if person.order % 13 == 12 else writer.niche["category"]
    picture = f"https://images.example/{person.handle}/profile"
    cursor = None if private else code_of(number_of(person.handle, 18))
    posts = [] if private else list(instagram_posts(person, writer, user_id))
    return {
        **_SAME_FOR_ALL,
        "biography": bio,
        "external_url": person.website,
        "edge_followed_by": {"count": person.followers},
        "fbid": str(number_of(person.handle + "fb", 17)),
        "edge_follow": {"count": person.rng("follows").randint(40, 1900)},
        "full_name": person.name,
        "highlight_reel_count": person.order % 19,
        "id": user_id,
        "is_business_account": category is not None,
        "is_professional_account": category is not None,
        "business_category_name": "Creators & Celebrities" if category else None,
        "category_name": category,
        "is_private": private,
        "is_verified": "verified" in person.marks,
        "profile_pic_url": f"{picture}_150.jpg",
        "profile_pic_url_hd": f"{picture}_320.jpg",
        "should_show_category": category is not None,
        "username": person.handle,
        "edge_owner_to_timeline_media": {
            "count": person.rng("posts").randint(60, 2400),
            "page_info": {"has_next_page": not private, "end_cursor": cursor},
            "edges": [{"node": post} for post in posts],
        },
    }


def instagram_posts(person: Person, writer: Writer, user_id: str) -> Iterator[dict[str, Any]]:
    """Twelve nodes of edge_owner_to_timeline_media, newest first."""
    rng = person.rng("posts")
    times = published(person, "instagram", POSTS)
    for number, (caption, time) in enumerate(zip(writer.captions(POSTS), times, strict=True)):
        kind = rng.choices(["GraphVideo", "GraphImage", "GraphSidecar"], [5, 3, 3])[0]
        media_id = number_of(f"{person.handle}|{number}", 19)
        liked = likes(person, rng, person.followers)
        picture = f"https://images.example/{person.handle}/{number}"
        node: dict[str, Any] = {
            "__typename": kind,
            "id": str(media_id),
            "shortcode": code_of(media_id),
            "dimensions": {"height": 1350, "width": 1080},
            "display_url": f"{picture}.jpg",
            "owner": {"id": user_id, "username": person.handle},
            "is_video": kind == "GraphVideo",
            "accessibility_caption": None,
            "edge_media_to_caption": {"edges": [{"node": {"text": caption}}]},
            "edge_media_to_comment": {"count": round(liked * rng.uniform(0.015, 0.06))},
            "comments_disabled": False,
            "taken_at_timestamp": int(time.timestamp()),
            "edge_liked_by": {"count": liked},
            "edge_media_preview_like": {"count": liked},
            "location": None,
            "thumbnail_src": f"{picture}_640.jpg",
        }
        if kind == "GraphVideo":
            node["product_type"] = "clips"
            node["video_view_count"] = round(liked * rng.uniform(6, 18))
        if kind == "GraphSidecar":
            children = [
                {"__typename": "GraphImage", "id": str(media_id + child), "display_url": f"{picture}_{child}.jpg"}
                for child in (1, 2)
            ]
            node["edge_sidecar_to_children"] = {"edges": [{"node": child} for child in children]}
        yield node


def channel_id(person: Person) -> str:
    """``UC`` and 22 characters; ``xmpl`` shows that it is invented."""
    return "UCxmpl" + code_of(number_of(person.handle + "yt", 40))[:18]


def youtube_subscribers(person: Person) -> int:
    """Subscribers: the followers of a creator without Instagram, else a part of them."""
    if "only-yt" in person.marks:
        return round(41_000 * math.exp(person.rng("subscribers").gauss(0, 1)))
    return round(person.followers * person.rng("subscribers").uniform(0.0015, 0.009)) * 100


def youtube_channel(person: Person, texts: dict[str, Any]) -> dict[str, Any]:
    """One item of channels.list; what links it to Instagram is in the description."""
    writer = Writer(person, texts, "channel")
    weekly = "Vídeos nuevos cada semana." if person.language == "es" else "New videos weekly."
    description = f"{writer.about()}\n\n{weekly}"
    if person.channel == "website":
        description += f"\nWeb: {person.website}"
    if person.channel == "bio":
        description += f"\nInstagram: https://www.instagram.com/{person.handle}/"
    rng = person.rng("channel")
    followers = youtube_subscribers(person)
    snippet = {
        "title": person.name,
        "description": description,
        "customUrl": f"@{person.channel_handle}",
        "publishedAt": f"20{rng.randint(11, 22)}-0{rng.randint(1, 9)}-1{rng.randint(0, 9)}T10:20:30Z",
        "thumbnails": _thumbnails(f"https://images.example/{person.handle}/channel"),
        "localized": {"title": person.name, "description": description},
        "country": person.country,
    }
    statistics = {
        "viewCount": str(followers * rng.randint(60, 190)),
        "subscriberCount": str(followers),
        "hiddenSubscriberCount": False,
        "videoCount": str(rng.randint(40, 900)),
    }
    key = channel_id(person)
    return {"kind": "youtube#channel", "etag": key[6:], "id": key, "snippet": snippet, "statistics": statistics}


def youtube_videos(person: Person, texts: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Ten to fifteen items of videos.list, newest first."""
    writer = Writer(person, texts, "videos")
    rng = person.rng("videos")
    count = rng.randint(10, 15)
    followers = youtube_subscribers(person)
    for number, (title, time) in enumerate(zip(writer.titles(count), published(person, "youtube", count), strict=True)):
        key = code_of(number_of(f"{person.handle}|video|{number}", 25))[:11]
        views = round(followers * rng.lognormvariate(-1.6, 0.6)) + 40
        liked = round(views * rng.uniform(0.02, 0.07))
        is_short = rng.random() < 0.25
        duration = f"PT{rng.randint(21, 58)}S" if is_short else f"PT{rng.randint(4, 38)}M{rng.randint(0, 59)}S"
        snippet = {
            "publishedAt": time.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "channelId": channel_id(person),
            "title": title,
            "description": f"{title}.\n\n" + " ".join(f"#{tag}" for tag in writer.niche["tags"][:3]),
            "thumbnails": _thumbnails(f"https://images.example/{person.handle}/v{number}"),
            "channelTitle": person.name,
            "tags": writer.niche["tags"],
            "categoryId": writer.niche["youtube"],
            "liveBroadcastContent": "none",
            "defaultAudioLanguage": writer.language,
        }
        yield {
            "kind": "youtube#video",
            "etag": key[::-1],
            "id": key,
            "snippet": snippet,
            "contentDetails": {"duration": duration, "definition": "hd"},
            "statistics": {
                "viewCount": str(views),
                "likeCount": str(liked),
                "commentCount": str(round(liked * rng.uniform(0.03, 0.15))),
            },
        }


def _thumbnails(address: str) -> dict[str, Any]:
    return {"high": {"url": f"{address}.jpg", "width": 480, "height": 360}}


def _answer(kind: str, items: list[dict[str, Any]]) -> dict[str, Any]:
    page = {"totalResults": len(items), "resultsPerPage": len(items)}
    return {"kind": kind, "etag": str(number_of(items[0]["id"], 20)), "pageInfo": page, "items": items}


def instagram_files(everyone: list[Person], texts: dict[str, Any]) -> Iterator[tuple[str, bytes]]:
    """Path below ``raw/`` and bytes of each dump: files, a gzip of JSON lines, a zip, and what went wrong."""
    asked = [p for p in everyone if not {"only-yt", "unanswered", "missing", "limited"} & set(p.marks)]
    bodies = {}
    for person in asked:
        user = instagram_user(person, texts)
        legacy = "legacy" in person.marks
        name = f"{'graphql_user' if legacy else 'web_profile_info'}({person.handle}){_LATER}.json"
        bodies[name] = _json({"graphql": {"user": user}} if legacy else {"data": {"user": user}, "status": "ok"})
    names = list(bodies)
    packed = set(names[_IN_GZIP]) | set(names[_IN_ZIP])
    yield from ((f"instagram/{name}", bodies[name]) for name in names if name not in packed)
    lines = b"".join(bodies[name] for name in names[_IN_GZIP])
    yield f"instagram/older_profiles{_LATER}.jsonl.gz", gzip.compress(lines, mtime=0)
    yield "instagram/backup_2026-09.zip", _zip({name: bodies[name] for name in names[_IN_ZIP]})
    for person in everyone:
        if "missing" in person.marks:
            body = _json({"data": {"user": None}, "status": "ok"})
            yield f"instagram/web_profile_info({person.handle}){_LATER}.json", body
        if "limited" in person.marks:
            said = "Please wait a few minutes before you try again."
            body = _json({"message": said, "require_login": True, "status": "fail"})
            yield f"instagram/web_profile_info({person.handle}){_LATER}.json", body
    yield f"instagram/torn_download{_LATER}.json", bodies[names[0]][:4_000]


def later_looks(everyone: list[Person], texts: dict[str, Any]) -> bytes:
    """A zip with five weekly looks at some accounts: followers that grew or shrank, and a handle that changed."""
    members = {}
    asked = [p for p in everyone if not {"only-yt", "unanswered", "missing", "limited", "private"} & set(p.marks)]
    for week, day in enumerate(_WEEKS, start=1):
        lines = []
        for place, person in enumerate(asked[_LOOKED_AT]):
            user = instagram_user(person, texts)
            weekly = person.rng("later").gauss(0.012, 0.02)
            user["edge_followed_by"] = {"count": round(person.followers * (1 + weekly) ** week)}
            posts = user["edge_owner_to_timeline_media"]
            posts["edges"] = posts["edges"][:3]
            for post in posts["edges"]:
                liked = round(post["node"]["edge_liked_by"]["count"] * (1 + 0.1 * (1 - 0.5**week)))
                post["node"]["edge_liked_by"] = post["node"]["edge_media_preview_like"] = {"count": liked}
            if place == _RENAMED and week > 2:
                user["username"] = f"{person.handle}.studio"
            lines.append(_json({"data": {"user": user}, "status": "ok"}))
        members[f"profiles_{day}T081500.jsonl"] = b"".join(lines)
    return _zip(members)


def youtube_files(everyone: list[Person], texts: dict[str, Any]) -> Iterator[tuple[str, bytes]]:
    """Path below ``raw/`` and bytes: channels in a few files, the videos of each channel in one."""
    owners = [person for person in everyone if person.channel]
    for start in range(0, len(owners), _CHANNELS_A_FILE):
        some = [youtube_channel(person, texts) for person in owners[start : start + _CHANNELS_A_FILE]]
        name = f"youtube/channels_{start // _CHANNELS_A_FILE + 1}{_LATER}.json"
        yield name, _json(_answer("youtube#channelListResponse", some))
    for person in owners:
        videos = list(youtube_videos(person, texts))
        yield (
            f"youtube/videos_{person.channel_handle}{_LATER}.json",
            _json(_answer("youtube#videoListResponse", videos)),
        )


def creator_list(everyone: list[Person], texts: dict[str, Any]) -> bytes:
    """The CSV: CRLF between records, bare LF inside cells, spacer rows, one handle twice, some cells filled."""
    file = io.StringIO(newline="")
    writer = csv.writer(file, lineterminator="\r\n")
    writer.writerow(["Rank", "Name ", "Country", "GENRE", "Details", "Instagram Handle"])
    for person in everyone:
        genres = texts[person.niche]["genre"]
        between = "\n" if "lines" in person.marks else ""
        genre = between.join(genres) if {"lines", "genre"} & set(person.marks) else ""
        details = f"Met in {person.city}, answers fast" if "details" in person.marks else ""
        country = _COUNTRIES[person.country]
        writer.writerow([person.order + 1, person.name, country, genre, details, _cell(person)])
        if "twice" in person.marks:
            writer.writerow([person.order + 1, person.name.upper(), country, "", "", f"@{person.handle.title()}"])
        if person.order in (24, 49, 69):
            writer.writerow(["", "", "Spain", "", "", "#N/A"])
    return file.getvalue().encode()


def _cell(person: Person) -> str:
    if "only-yt" in person.marks:
        path = f"channel/{channel_id(person)}" if person.order % 2 else f"@{person.channel_handle}"
        return f"https://www.youtube.com/{path}"
    if "url" in person.marks:
        return f"https://www.instagram.com/{person.handle}/"
    return person.handle if "at" in person.marks else f"@{person.handle}"


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def _zip(members: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, body in members.items():
            archive.writestr(zipfile.ZipInfo(name, (2026, 10, 1, 8, 0, 0)), body, zipfile.ZIP_DEFLATED)
    return file.getvalue()


def write_examples(folder: Path) -> list[Path]:
    """Replace ``creators.csv``, ``raw/`` and ``later.zip`` in ``folder``; the files written."""
    texts = tomllib.loads((HERE / "texts.toml").read_text(encoding="utf-8"))
    everyone = people()
    shutil.rmtree(folder / "raw", ignore_errors=True)
    files = {"creators.csv": creator_list(everyone, texts), "later.zip": later_looks(everyone, texts)}
    for name, body in (*instagram_files(everyone, texts), *youtube_files(everyone, texts)):
        files[f"raw/{name}"] = body
    for name, body in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
    return [folder / name for name in files]


if __name__ == "__main__":
    written = write_examples(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE)
    print(f"{len(written)} files, {sum(path.stat().st_size for path in written):,} bytes")
