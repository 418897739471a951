"""Invented creators: everything about one follows from the handle, or from any of its ids.

An id holds a person's number, and the number holds how many posts there are; so a page can be made from the id
alone, and a million people need no memory. Words at the start of a handle choose special cases:

    posts120_…   exactly 120 posts                 private_…   a private account
    empty_…      no posts                          missing_…   no such user, in the platform's usual words
    pinned_…     an old post is shown first        gone_…      404 with an error message
    html_…       404 with a page that says nothing
"""

from __future__ import annotations

import base64
import binascii
import re
from collections import OrderedDict
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import blake2b

NOW = datetime(2026, 10, 1, 12, tzinfo=UTC)
"""When the server plays: the newest posts are a little older."""

MOST_POSTS = 511
PRIVATE, PINNED = 1, 2
UNKNOWN = ("missing", "gone", "html")
_KEPT_NAMES = 200_000
_EPOCH_MS = 1_314_220_021_721
"""Instagram's media ids count milliseconds from here (Instagram Engineering, "Sharding & IDs at Instagram")."""
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
_POSTS = re.compile(r"posts(\d{1,3})_")
_FIRST = (
    *("Aina", "Bruno", "Carla", "Dmitri", "Elif", "Farah", "Gael", "Hana"),
    *("Ines", "Jonas", "Kira", "Lluc", "Mei", "Nour", "Oriol", "Priya"),
)
_LAST = (
    *("Vidal", "Keller", "Rossi", "Tanaka", "Duarte", "Novak", "Ferrer"),
    *("Okoye", "Lind", "Serra", "Haddad", "Moreau", "Pons", "Silva"),
)
_DOES = (
    ("I bake bread and tell how", "Receptes i pa de massa mare", "food"),
    ("Trail runner. Maps in the highlights", "Corredora de montaña. Rutas cada semana", "sport"),
    ("Repairs old radios, one valve at a time", "Electrónica y café", "technology"),
    ("Slow travel by train", "Viajo en tren y lo cuento", "travel"),
    ("Houseplants for dark flats", "Plantas para pisos oscuros", "home"),
)


def draw(number: int, what: str, below: int) -> int:
    """A number under ``below`` that looks random and is always the same for the same arguments."""
    return int.from_bytes(blake2b(f"{number}:{what}".encode(), digest_size=8).digest(), "big") % below


def code(number: int, length: int = 11) -> str:
    """``number`` in the alphabet of shortcodes and video ids."""
    letters = ""
    while number:
        number, digit = divmod(number, 64)
        letters = _LETTERS[digit] + letters
    return letters.rjust(length, "A")


def number_of(letters: str) -> int:
    """The number that ``code`` was given. Raises ValueError for anything else."""
    number = 0
    for letter in letters:
        number = number * 64 + _LETTERS.index(letter)
    return number


@dataclass(frozen=True)
class Post:
    """One post, or one video: the same moments on both platforms."""

    person: Person
    index: int
    taken_at: int
    is_pinned: bool = False

    @property
    def media_id(self) -> int:
        """Instagram's id, which grows with time."""
        person = self.person.number
        moment = self.taken_at * 1000 + draw(person, f"ms{self.index}", 1000) - _EPOCH_MS
        return moment << 23 | draw(person, f"shard{self.index}", 1 << 23)

    @property
    def video_id(self) -> str:
        """YouTube's id, from which channel and position can be read back."""
        return code(self.person.number << 9 | self.index)

    @property
    def kind(self) -> str:
        """image, video or carousel."""
        return ("image", "video", "carousel")[draw(self.person.number, f"kind{self.index}", 3)]

    @property
    def caption(self) -> str:
        """What is written under it."""
        does = _DOES[draw(self.person.number, "does", len(_DOES))]
        return f"{does[self.index % 2]}, part {self.index} #{does[2]} ☀️"

    def count(self, what: str, below: int = 20_000) -> int:
        """An invented number of ``what``."""
        return draw(self.person.number, f"{what}{self.index}", below)


@dataclass(frozen=True)
class Person:
    """One invented creator. ``handle`` is empty where only the number is known."""

    number: int
    handle: str = ""

    @property
    def name(self) -> str:
        """The display name."""
        return f"{_FIRST[draw(self.number, 'first', len(_FIRST))]} {_LAST[draw(self.number, 'last', len(_LAST))]}"

    @property
    def bio(self) -> str:
        """The biography, in English or Spanish."""
        return _DOES[draw(self.number, "does", len(_DOES))][draw(self.number, "language", 2)]

    @property
    def posts_count(self) -> int:
        """How many posts and videos there are."""
        return self.number & MOST_POSTS

    @property
    def is_private(self) -> bool:
        """Whether others see no posts."""
        return bool(self.number >> 9 & PRIVATE)

    @property
    def has_pinned(self) -> bool:
        """Whether the oldest post is shown first."""
        return bool(self.number >> 9 & PINNED) and self.posts_count > 2

    @property
    def user_id(self) -> str:
        """Instagram's id of the account."""
        return str(self.number)

    @property
    def graph_id(self) -> str:
        """The id by which the Graph API knows the account."""
        return str(17_841_400_000_000_000 + self.number % 10**12)

    @property
    def channel_id(self) -> str:
        """YouTube's id of the channel."""
        return "UC" + code(draw(self.number, "channel", 1 << 62), 12)[-12:] + code(self.number, 10)

    @property
    def uploads_id(self) -> str:
        """The playlist of the channel's uploads."""
        return "UU" + self.channel_id[2:]

    @property
    def word(self) -> str:
        """The special case that the handle chooses: its first word."""
        return self.handle.partition("_")[0]

    def count(self, what: str, below: int = 2_000_000) -> int:
        """An invented number of ``what``."""
        return draw(self.number, what, below)

    def post(self, index: int) -> Post:
        """The post at ``index``, counted from the newest."""
        gap_s = 3600 * (6 + draw(self.number, "gap", 240))
        within = draw(self.number, f"when{index}", gap_s - 60)
        return Post(self, index, int(NOW.timestamp()) - index * gap_s - within - 30)

    def shown(self, is_reels: bool = False) -> list[int]:
        """The indices of posts (or of the videos among them) in the order in which Instagram shows them."""
        order = list(range(self.posts_count))
        if is_reels:
            return [index for index in order if self.post(index).kind == "video"]
        return [order[-1], *order[:-1]] if self.has_pinned else order

    def page(self, offset: int, size: int, is_reels: bool = False) -> list[Post]:
        """The posts from ``offset`` on; a pinned one says so."""
        shown = self.shown(is_reels)
        found = [self.post(index) for index in shown[offset : offset + size]]
        if found and offset == 0 and self.has_pinned and not is_reels:
            found[0] = Post(self, found[0].index, found[0].taken_at, is_pinned=True)
        return found


class Population:
    """Everybody. Remembers whose handle a number was, for those who were asked for last."""

    def __init__(self) -> None:
        self._names: OrderedDict[int, str] = OrderedDict()

    def by_handle(self, handle: str) -> Person:
        """The person called ``handle``, with or without @, in any case of letters."""
        handle = handle.lstrip("@").lower()
        whole = draw(0, handle, 1 << 62)
        word = handle.partition("_")[0]
        asked = _POSTS.match(handle)
        posts = min(int(asked[1]), MOST_POSTS) if asked else 0 if word == "empty" else whole % 97
        flags = {"private": PRIVATE, "pinned": PINNED}.get(word, 0)
        number = (whole >> 16 | 1) << 11 | flags << 9 | posts
        self._names[number] = handle
        if len(self._names) > _KEPT_NAMES:
            self._names.popitem(last=False)
        return Person(number, handle)

    def by_number(self, number: int) -> Person:
        """The person with this number."""
        return Person(number, self._names.get(number, ""))

    def by_user_id(self, user_id: str) -> Person | None:
        """The person with this Instagram id, or None where it is no id."""
        return self.by_number(int(user_id)) if user_id.isascii() and user_id.isdigit() and len(user_id) < 19 else None

    def by_channel_id(self, channel_id: str) -> Person | None:
        """The person with this channel (``UC…``) or uploads playlist (``UU…``), or None where there is none."""
        try:
            found = self.by_number(number_of(channel_id[-10:]))
        except ValueError:
            return None
        return found if found.channel_id[2:] == channel_id[2:] and channel_id[:2] in ("UC", "UU") else None

    def by_video_id(self, video_id: str) -> Post | None:
        """The video with this id, or None where there is none."""
        try:
            number, index = divmod(number_of(video_id), 1 << 9)
        except ValueError:
            return None
        person = self.by_number(number)
        return person.post(index) if len(video_id) == 11 and index < person.posts_count else None


def cursor(offset: int, kind: str) -> str:
    """An opaque cursor that stands for ``offset``."""
    return base64.urlsafe_b64encode(f"{kind}:{offset}:cursor".encode()).decode()


def offset_of(value: str | None, person: Person, is_reels: bool = False) -> int | None:
    """Where the page at cursor ``value`` begins; None for a cursor that nobody gave.

    The id of an item, alone or with its owner's (``<pk>_<owner>``), stands for the page after it, as it does in
    the lists of Instagram's apps.
    """
    if not value:
        return 0
    try:
        _, offset, last = base64.urlsafe_b64decode(value).decode().split(":")
        if last == "cursor":
            return int(offset)
    except (ValueError, binascii.Error):
        pass
    media_id = value.partition("_")[0]
    for position, index in enumerate(person.shown(is_reels)):
        if str(person.post(index).media_id) == media_id:
            return position + 1
    return None
