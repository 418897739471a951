"""Which columns of a creator list hold the handles and the platform: by header, checked by values."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from string import digits

from igtool.counts import parse_count
from igtool.lists.handles import INSTAGRAM, YOUTUBE, Account, cleaned, is_missing, is_profile_address, parse_handle

_SITE = "instagram|insta|ig|youtube|yt|social|socialmedia"
_WHO = "account|accounts|profile|creator|influencer|channel|cuenta|perfil|canal|usuario|user|creador|creadora"
_OF = f"(?:(?:de|del|on|for|en)?(?:{_SITE}))?"
_HANDLE_HEADERS = tuple(
    re.compile(pattern)
    for pattern in (
        f"(?:{_SITE})?(?:{_WHO})?(?:handles?|usernames?|usuario|nombredeusuario|arroba|screenname|nick|nickname){_OF}",
        f"(?:{_SITE})(?:name|nombre|id|{_WHO}|accountname|profilename)|(?:youtube|yt)?(?:channel|canal)id",
        "instagram|insta|ig|youtube|yt",
        f"(?:{_SITE})?(?:{_WHO})?(?:url|urls|link|links|enlace|enlaces|href|permalink){_OF}",
        f"(?:{_WHO})(?:name)?s?{_OF}",
    )
)
_AMBIGUOUS = len(_HANDLE_HEADERS) - 1
"""Rank of headers such as "creator", under which there may be people's names."""
_PLATFORM_HEADER_WORDS = "platform network socialnetwork socialplatform plataforma red redsocial"
_PLATFORM_HEADERS = frozenset(_PLATFORM_HEADER_WORDS.split())
_OTHER_HEADER_WORDS = """
    rank ranking rango no sno nr num number numero index id pos position posicion name names nombre nombres
    fullname displayname firstname lastname title country pais location city ciudad region language idioma gender
    sex category1 category2 tags tag followers follower followerscount seguidores subscribers suscriptores following
    posts likes avglikes views er engagement engagementrate engrate details detalles description descripcion bio
    biography biografia notes notas email mail correo phone telefono website web site date fecha status estado type
    tipo verified private age edad channelinfo audiencecountry source comments
"""
_GENRE_HEADER_WORDS = """
    genre genres category categories categoria categorias niche niches nicho nichos topic topics tema temas genero
    generos
"""
_GENRE_RANKS = {word: rank for rank, word in enumerate(_GENRE_HEADER_WORDS.split())}
"""Headers of what a creator does, likeliest first: ``Género`` may be the gender."""
_OTHER_HEADERS = frozenset(_OTHER_HEADER_WORDS.split()) | _GENRE_RANKS.keys()
_GENDER_WORDS = "f m h v female male woman man mujer hombre femenino masculino varon nonbinary other otro otra"
_GENDERS = frozenset(_GENDER_WORDS.split())
_NAMES = re.compile("|".join(("names?", "nombres?", "title", "fullname", "displayname")))
_NEVER_BY_VALUES = re.compile(".*(?:id|url|urls|link|links|count|date|time|image|picture|hash)")
_DIGITS = re.compile(r"[\d.,_%:/-]+")
_SAMPLE = 1000


@dataclass(frozen=True)
class HandleColumn:
    """A column of handles: its place, and the platform that its header names."""

    index: int
    platform: str | None


def header_key(header: str) -> str:
    """``header`` for comparing: lower case letters and digits only, without accents; ``@`` alone is "handle"."""
    if header.strip() == "@":
        return "handle"
    letters = unicodedata.normalize("NFKD", header).casefold()
    return "".join(letter for letter in letters if letter.isalnum())


def first_is_data(cells: Sequence[str]) -> bool:
    """Whether the first record of a list is a creator already, not names of columns.

    It is when a cell is ``@name`` or a profile address; or when no cell is a word known from headers and a handle
    is the only cell or stands beside a number.
    """
    known = [_is_known(header_key(cell)) for cell in cells]
    if any(_is_marked(cell) for cell, is_known in zip(cells, known, strict=True) if not is_known):
        return True
    if any(known) or not any(map(_is_handle, cells)):
        return False
    return len(cells) == 1 or any(parse_count(cell) is not None for cell in cells)


def handle_columns(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> list[HandleColumn]:
    """The columns that hold handles, best first; empty when there is none.

    A column is taken by its header where most of its values are handles or profile addresses; else by its values
    alone: at least 80 % handles, mostly different ones. If even that fails, by a header that means nothing else.
    """
    sample = rows[:: max(1, len(rows) // _SAMPLE)]
    keys = [header_key(header) for header in headers]
    values = [_values(sample, n) for n in range(len(keys))]
    ranked = sorted((rank, n) for n, key in enumerate(keys) if (rank := _rank(key)) is not None)
    verified = [n for rank, n in ranked if _share(values[n], _is_handle) > (0.8 if rank == _AMBIGUOUS else 0.5)]
    chosen = verified[:1] + [n for n in verified[1:] if _rank(keys[n]) != _AMBIGUOUS]
    if not chosen:
        scores = [(score, -n) for n, key in enumerate(keys) if (score := _score(key, values[n]))]
        chosen = [-max(scores)[1]] if scores else [n for rank, n in ranked if rank == 0][:1]
    return [HandleColumn(n, _platform_of(keys[n])) for n in chosen]


def platform_column(headers: Sequence[str]) -> int | None:
    """The column that names each row's platform, if there is one."""
    return next((n for n, header in enumerate(headers) if header_key(header) in _PLATFORM_HEADERS), None)


def genre_text(headers: Sequence[str], cells: Sequence[str]) -> str:
    """What the record's columns say that the creator does, as written; empty when they say nothing.

    Of several columns the likeliest that has text in this record; ``Category_1`` and ``Category_2`` are one, a line
    each. A gender is not what a creator does.
    """
    texts: dict[int, list[str]] = {}
    for header, cell in zip(headers, cells, strict=False):
        rank = _genre_rank(header)
        if rank is not None and not is_missing(cleaned(cell)) and header_key(cell) not in _GENDERS:
            texts.setdefault(rank, []).append(cell)
    return "\n".join(texts[min(texts)]) if texts else ""


@lru_cache(maxsize=1000)
def _genre_rank(header: str) -> int | None:
    return _GENRE_RANKS.get(header_key(header).rstrip(digits))


def _values(rows: Sequence[Sequence[str]], column: int) -> list[str]:
    return [row[column] for row in rows if column < len(row) and not is_missing(cleaned(row[column]))]


def _is_known(key: str) -> bool:
    return key in _OTHER_HEADERS or key in _PLATFORM_HEADERS or _rank(key) is not None


def _rank(key: str) -> int | None:
    return next((rank for rank, pattern in enumerate(_HANDLE_HEADERS) if pattern.fullmatch(key)), None)


def _platform_of(key: str) -> str | None:
    if re.match("youtube|yt|channel|canal", key) or key.endswith("youtube"):
        return YOUTUBE
    return INSTAGRAM if re.match("instagram|insta|ig(?!n)", key) or key.endswith("instagram") else None


def _is_handle(cell: str) -> bool:
    """Whether ``cell`` can be a handle and is no number."""
    text = cleaned(cell)
    if _DIGITS.fullmatch(text) or parse_count(text) is not None:
        return False
    return isinstance(parse_handle(text), Account) or isinstance(parse_handle(text, YOUTUBE), Account)


def _is_marked(cell: str) -> bool:
    return (cleaned(cell).startswith("@") and _is_handle(cell)) or is_profile_address(cell)


def _share(values: Sequence[str], test: Callable[[str], bool]) -> float:
    return sum(map(test, values)) / max(len(values), 1)


def _score(key: str, values: Sequence[str]) -> tuple[float, float, float] | None:
    """How much a column without a telling header looks like handles; None when it does not."""
    if not values or key in _PLATFORM_HEADERS or _NEVER_BY_VALUES.fullmatch(key):
        return None
    if key in _OTHER_HEADERS and not _NAMES.fullmatch(key):
        return None
    distinct = len({value.strip().lower() for value in values}) / len(values)
    if _share(values, _is_handle) < 0.8 or distinct < 0.7:
        return None
    return _share(values, _is_marked), _share(values, str.islower), distinct
