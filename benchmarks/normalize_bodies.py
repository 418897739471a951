"""Invented answers in the web_profile_info shape, as large and as varied as real ones, thousands a second.

Structure, names of fields and the shares of addresses, names, captions and previews in a body follow the two public
profiles of that shape in ../shared/realdata (``web_profile_info__rdj.json`` and, with its 24 posts,
``legacy_graphql_user__rdj.json``); no value is taken from them. ``python -m benchmarks.normalize_bodies`` prints
how the shares compare. A body is a template, of which there are 500, filled with what is the profile's own: ids,
handles, counts, times, captions and the numbers in all addresses.
"""

from __future__ import annotations

import json
import random
import re
import string
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

from benchmarks.normalize_texts import LANGUAGES, bio, caption

TEMPLATES = 500
LETTERS = string.ascii_letters + string.digits + "-_"
NIGHT = 1_767_225_600
"""2026-01-01: the first profile was asked for then, its newest posts are of the day before."""

_NODE = 4200
"""Bytes of a usual post."""
_VALUES = 350
"""Bytes by which the values of a post are longer than the marks that stand for them."""

_SLOT = re.compile(rb'"<<n:(\w+)>>"|<<s:(\w+)>>')
_OF_PROFILE = ("user", "handle", "name", "bio", "followers", "following", "posts", "picture")
_OF_POST = ("id", "code", "file", "caption", "likes", "comments", "views", "taken")


@dataclass(frozen=True)
class Template:
    """The fixed bytes of a body, with an empty place after each; which value goes to each place."""

    parts: list[bytes]
    pick: Callable[[list[bytes]], tuple[bytes, ...]]
    posts: int


class Profiles:
    """Bodies by number: the same number and seed give the same body. ``size_kb`` is the range of their sizes."""

    def __init__(self, seed: int, size_kb: tuple[float, float] = (50, 80)) -> None:
        self._seed = seed
        self._size = size_kb
        self._templates: dict[int, Template] = {}

    def handle(self, number: int) -> str:
        """The handle of profile ``number``."""
        return f"{('ana', 'studio', 'viajes.con', 'the_daily', 'chef', 'moda')[number % 6]}.{number}"

    def body(self, number: int) -> tuple[bytes, int]:
        """The answer about profile ``number``, and how many different posts are in it."""
        rng = random.Random(self._seed << 32 | number)
        chosen = rng.randrange(TEMPLATES)
        template = self._templates.get(chosen)
        if template is None:
            template = self._templates[chosen] = _template(random.Random(f"{self._seed} {chosen}"), self._size)
        values = _profile_values(rng, number, self.handle(number))
        followers = int(values[4])
        language = rng.choices(range(len(LANGUAGES)), _LANGUAGE_SHARES)[0]
        for place in range(template.posts):
            values += _post_values(rng, number * 64 + place, followers, language)
        parts = template.parts.copy()
        parts[1::2] = template.pick(values)
        return b"".join(parts), template.posts


_LANGUAGE_SHARES = [9, 6, *[1] * (len(LANGUAGES) - 2)]
"""Spanish and English before all others, as in the lists of Spanish creators that igtool is made for."""


def _profile_values(rng: random.Random, number: int, handle: str) -> list[bytes]:
    """The values in the order of ``_OF_PROFILE``."""
    followers = int(10 ** rng.uniform(2.7, 6.3))
    return [
        b"%d" % (5_000_000_000 + number * 7),
        handle.encode(),
        f"{handle.replace('.', ' ').replace('_', ' ').title()} ✨".encode(),
        bio(rng, number),
        b"%d" % followers,
        b"%d" % rng.randrange(20, 3000),
        b"%d" % rng.randrange(24, 4000),
        b"%d" % (140_000_000 + number),
    ]


def _post_values(rng: random.Random, number: int, followers: int, language: int) -> tuple[bytes, ...]:
    """The values in the order of ``_OF_POST``; of fifty posts one hides its likes (-1)."""
    native_id = 3_200_000_000_000_000_000 + number * 1_000_003
    likes = int(followers * rng.uniform(0.002, 0.08))
    return (
        b"%d" % native_id,
        _shortcode(native_id),
        b"%d" % (400_000_000 + number),
        caption(rng, language, number),
        b"%d" % likes if number % 50 else b"-1",
        b"%d" % (likes // 40),
        b"%d" % int(likes * rng.uniform(4, 30)),
        b"%d" % (NIGHT - 90_000 - (number % 64) * rng.randrange(40_000, 400_000)),
    )


_BASE64 = (string.ascii_uppercase + string.ascii_lowercase + string.digits + "-_").encode()


def _shortcode(native_id: int) -> bytes:
    """The id as it stands in addresses: base 64, most significant digit first."""
    return bytes(_BASE64[native_id >> shift & 63] for shift in range(60, -1, -6))


def _template(rng: random.Random, size_kb: tuple[float, float]) -> Template:
    """A profile with up to twelve posts and as many videos as its size takes."""
    wanted = rng.uniform(size_kb[0] * 1000 + _NODE, size_kb[1] * 1000 - _NODE)
    shape = _Shape(rng)
    user = shape.user()
    timeline: list[dict[str, Any]] = user["edge_owner_to_timeline_media"]["edges"]
    videos: list[dict[str, Any]] = user["edge_felix_video_timeline"]["edges"]
    while True:
        room = wanted - len(_encoded(user)) - _VALUES * shape.posts
        if room < _NODE / 2 or len(videos) == 12:
            break
        if len(timeline) < 12:
            timeline.append({"node": shape.post(room)})
        else:
            videos.append({"node": shape.video_again(len(videos), timeline) or shape.video(shape.new_post())})
    text = _encoded(user)
    names = [f"{name}" for name in _OF_PROFILE]
    names += [f"{name}{post}" for post in range(shape.posts) for name in _OF_POST]
    places = {name: place for place, name in enumerate(names)}
    pieces = _SLOT.split(text)
    parts = [piece for fixed in pieces[::3] for piece in (fixed, b"")][:-1]
    slots = [places[(number or words).decode()] for number, words in zip(pieces[1::3], pieces[2::3], strict=True)]
    return Template(parts, itemgetter(*slots), shape.posts)


def _encoded(user: dict[str, Any]) -> bytes:
    answer = {"data": {"user": user}, "status": "ok"}
    return json.dumps(answer, separators=(",", ":"), ensure_ascii=False).encode()


class _Shape:
    """Profiles and posts as dicts, with marks where a value is put in: ``<<n:…>>`` a number, ``<<s:…>>`` a text."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.posts = 0

    def _random(self, length: int) -> str:
        return "".join(self.rng.choices(LETTERS, k=length))

    def new_post(self) -> int:
        """The number of the next post, which has values of its own."""
        self.posts += 1
        return self.posts - 1

    def addresses(self, post: int, sizes: tuple[str, ...]) -> list[str]:
        """Addresses of one picture in several sizes: as on picture servers most of their 300 characters are equal."""
        host = f"https://media-mad{self.rng.randrange(1, 4)}-1.pictures.example/v/t51.29350-15"
        name = f"<<s:file{post}>>_{self.rng.randrange(10**15, 10**16)}_{self.rng.randrange(10**18, 10**19)}_n.jpg"
        tail = (
            f"_nc_ht=media-mad1-1.pictures.example&_nc_cat={self.rng.randrange(100, 112)}&_nc_ohc={self._random(11)}"
            f"&edm=AOQ1c0wBAAAA&ccb=7-5"
        )
        end = f"&oe={self.rng.randrange(16**8):08X}&_nc_sid=8b3546"
        return [f"{host}/{name}?stp=dst-jpg_e35_{size}&{tail}&oh=00_AfB{self._random(35)}{end}" for size in sizes]

    def user(self) -> dict[str, Any]:
        """The profile without posts, with the fields and their order as in real answers."""
        rng, no = self.rng, False
        site = "https://shop.example/<<s:handle>>" if rng.random() < 0.6 else None
        picture = self.addresses(0, ("s150x150", "s320x320"))
        small, large = (address.replace("<<s:file0>>", "<<s:picture>>") for address in picture)
        business = rng.random() < 0.5
        place = json.dumps({"city_name": "Madrid", "country_code": "ES", "street_address": "", "zip_code": "28001"})
        category = rng.choice(["Digital creator", "Artist", "Restaurant", "Personal blog", "Sportsperson", None])
        return {
            "biography": "<<s:bio>>",
            "bio_links": [{"title": "web", "lynx_url": site, "url": site, "link_type": "external"}] if site else [],
            "biography_with_entities": {"raw_text": "<<s:bio>>", "entities": []},
            **dict.fromkeys(("blocked_by_viewer", "restricted_by_viewer", "country_block"), no),
            "external_url": site,
            "external_url_linkshimmed": site and f"https://l.example/?u={site}&e={self._random(80)}",
            "edge_followed_by": {"count": "<<n:followers>>"},
            "fbid": f"1784140{rng.randrange(10**10)}",
            "followed_by_viewer": no,
            "edge_follow": {"count": "<<n:following>>"},
            "follows_viewer": no,
            "full_name": "<<s:name>>",
            **{name: rng.random() < 0.2 for name in ("has_ar_effects", "has_clips", "has_guides", "has_channel")},
            "has_blocked_viewer": no,
            "highlight_reel_count": rng.randrange(40),
            **dict.fromkeys(("has_requested_viewer", "hide_like_and_view_counts"), no),
            "id": "<<s:user>>",
            "is_business_account": business,
            "is_professional_account": business or rng.random() < 0.5,
            **dict.fromkeys(("is_supervision_enabled", "is_guardian_of_viewer", "is_supervised_by_viewer"), no),
            **dict.fromkeys(("is_supervised_user", "is_embeds_disabled", "is_joined_recently"), no),
            "guardian_id": None,
            "business_address_json": place if business and rng.random() < 0.4 else None,
            "business_contact_method": "UNKNOWN",
            "business_email": None,
            "business_phone_number": None,
            "business_category_name": None,
            "overall_category_name": None,
            "category_enum": None,
            "category_name": category,
            "is_private": no,
            "is_verified": rng.random() < 0.1,
            "edge_mutual_followed_by": {"count": 0, "edges": []},
            "profile_pic_url": small,
            "profile_pic_url_hd": large,
            "requested_by_viewer": no,
            **dict.fromkeys(("should_show_category", "should_show_public_contacts"), business),
            **dict.fromkeys(("state_controlled_media_country", "transparency_label", "transparency_product")),
            "username": "<<s:handle>>",
            "connected_fb_page": None,
            "pronouns": [],
            "edge_felix_video_timeline": self._page(rng.randrange(12, 400)),
            "edge_owner_to_timeline_media": self._page("<<n:posts>>"),
            "edge_saved_media": self._page(0),
            "edge_media_collections": self._page(0),
        }

    def _page(self, count: int | str) -> dict[str, Any]:
        cursor = self._random(120) if count else None
        return {"count": count, "page_info": {"has_next_page": bool(count), "end_cursor": cursor}, "edges": []}

    def post(self, room: float) -> dict[str, Any]:
        """A picture, a video or, where ``room`` bytes are enough for one, a carousel."""
        kind = self.rng.choices(("image", "video", "carousel"), (4, 6, 2 if room > 2 * _NODE else 0))[0]
        number = self.new_post()
        if kind == "video":
            return self.video(number)
        node = self._node(number, "GraphImage" if kind == "image" else "GraphSidecar")
        if kind == "carousel":
            children = [{"node": self._child(number)} for _ in range(self.rng.randrange(2, 5))]
            node["edge_sidecar_to_children"] = {"edges": children}
        return node

    def video(self, number: int) -> dict[str, Any]:
        """A video or reel."""
        node = self._node(number, "GraphVideo")
        (address,) = self.addresses(number, ("s720x1280",))
        return node | {
            "product_type": self.rng.choice(["clips", "clips", "feed", "igtv"]),
            "dash_info": {"is_dash_eligible": False, "video_dash_manifest": None, "number_of_qualities": 0},
            "has_audio": True,
            "video_url": address.replace(".jpg?", ".mp4?"),
            "video_view_count": f"<<n:views{number}>>",
            "video_duration": round(self.rng.uniform(5, 90), 3),
            "clips_music_attribution_info": None,
        }

    def video_again(self, place: int, timeline: list[dict[str, Any]]) -> dict[str, Any] | None:
        """Every second time a video that is on the timeline too, as the list of videos has those."""
        shown = [edge["node"] for edge in timeline if edge["node"]["is_video"]]
        if place % 2 or place // 2 >= len(shown):
            return None
        extra = {"felix_profile_grid_crop": None, "encoding_status": None, "is_published": True, "title": ""}
        again: dict[str, Any] = shown[place // 2] | extra
        return again

    def _node(self, number: int, kind: str) -> dict[str, Any]:
        sizes = ("s1080x1080", "s640x640_sh0.08", "s150x150", "s240x240", "s320x320", "s480x480", "s640x640")
        display, thumbnail, *others = self.addresses(number, sizes)
        words = [] if self.rng.random() < 0.04 else [{"node": {"text": f"<<s:caption{number}>>"}}]
        likes = {"count": f"<<n:likes{number}>>"}
        tagged = [self._tagged() for _ in range(self.rng.choice((0, 0, 0, 0, 1, 2)))]
        place = {"id": "219278730", "has_public_page": True, "name": "Gran Vía", "slug": "gran-via"}
        return self._media(number, kind, display) | {
            "edge_media_to_tagged_user": {"edges": tagged},
            "edge_media_to_caption": {"edges": words},
            "edge_media_to_comment": {"count": f"<<n:comments{number}>>"},
            "comments_disabled": False,
            "taken_at_timestamp": f"<<n:taken{number}>>",
            "edge_liked_by": likes,
            "edge_media_preview_like": likes,
            "location": place if self.rng.random() < 0.2 else None,
            "thumbnail_src": thumbnail,
            "thumbnail_resources": [
                {"src": address, "config_width": width, "config_height": width}
                for address, width in zip(others, (150, 240, 320, 480, 640), strict=True)
            ],
            **{name: [] for name in ("coauthor_producers", "pinned_for_users")},
            "viewer_can_reshare": True,
        }

    def _media(self, number: int, kind: str, address: str) -> dict[str, Any]:
        seen = f"Photo by {self._random(12)} on December 30, 2025. May be an image of 1 person and text."
        return {
            "__typename": kind,
            "id": f"<<s:id{number}>>",
            "shortcode": f"<<s:code{number}>>",
            "dimensions": {"height": 1350, "width": 1080},
            "display_url": address,
            **dict.fromkeys(("gating_info", "fact_check_overall_rating", "fact_check_information")),
            **dict.fromkeys(("sharing_friction_info", "media_overlay_info")),
            "media_preview": self._random(self.rng.choice((56, 160, 260, 400))),
            "owner": {"id": "<<s:user>>", "username": "<<s:handle>>"},
            "is_video": kind == "GraphVideo",
            "has_upcoming_event": False,
            "accessibility_caption": seen if kind == "GraphImage" else None,
        }

    def _child(self, number: int) -> dict[str, Any]:
        (address,) = self.addresses(number, ("s1080x1080",))
        return self._media(number, "GraphImage", address) | {"id": str(self.rng.randrange(3 * 10**18, 4 * 10**18))}

    def _tagged(self) -> dict[str, Any]:
        (address,) = self.addresses(0, ("s150x150",))
        user = {
            "full_name": self._random(12),
            "id": str(self.rng.randrange(10**9)),
            "is_verified": False,
            "profile_pic_url": address,
            "username": self._random(11).lower(),
        }
        return {"node": {"user": user, "x": round(self.rng.random(), 10), "y": round(self.rng.random(), 10)}}


def shares(body: bytes) -> dict[str, float]:
    """What a body is made of: its size, posts and fields, and the share of its bytes in each kind of value."""
    found: Counter[str] = Counter()

    def walk(value: Any, name: str) -> None:
        if isinstance(value, dict):
            for key, inner in value.items():
                found["fields"] += 1
                found["names"] += len(key) + 3
                walk(inner, key)
        elif isinstance(value, list):
            for inner in value:
                walk(inner, name)
        else:
            address = isinstance(value, str) and value.startswith("http")
            kind = "addresses" if address else {"text": "captions", "media_preview": "previews"}.get(name, "rest")
            found[kind] += len(json.dumps(value, ensure_ascii=False).encode())

    answer = json.loads(body)
    walk(answer, "")
    user = next(part["user"] for part in answer.values() if isinstance(part, dict) and "user" in part)
    posts = sum(len(user[name]["edges"]) for name in ("edge_owner_to_timeline_media", "edge_felix_video_timeline"))
    parts = {name: round(found[name] / len(body), 3) for name in ("addresses", "names", "captions", "previews")}
    return {"kb": round(len(body) / 1000, 1), "posts": posts, "fields": found["fields"], **parts}


def mean_shares(profiles: Profiles, count: int) -> dict[str, float]:
    """The means of ``shares`` over the first ``count`` bodies."""
    each = [shares(profiles.body(number)[0]) for number in range(count)]
    return {name: round(sum(one[name] for one in each) / count, 3) for name in each[0]}


if __name__ == "__main__":
    print(json.dumps(mean_shares(Profiles(1), 300)))
