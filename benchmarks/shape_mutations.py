"""Payloads changed as platforms, dump tools and damaged disks change them: by structure, by value, by byte."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

_DEEP = "@@deep@@"
_HUGE = "@@huge@@"
_RAW = {
    f'"{_DEEP}"': ("[" * 400 + "]" * 400, '{"a":' * 300 + "1" + "}" * 300, "[" * 3000, "[" * 990 + "]" * 990),
    f'"{_HUGE}"': ("1e400", "-1e308", "9" * 400, "NaN", "Infinity", "1E+9", "-0", "-0.0", "0.1e1"),
}
"""What a JSON encoder cannot be asked for stands in the tree as a word, and is put into the text afterwards."""

ODD: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, 2**53 + 1, 2**63 - 1, 2**63, -(2**63), 2**64, 10**40, 1.5, -2.5, 1e308, 3.0),
    *("", " ", "\0", "0", "-1", "1.5", "1,234", "1.2M", "47 subscribers", "2.67%", "1e5", "9" * 25, "true", "null"),
    *("٣", "²", "１２", "nan", "inf", "-inf", "1_000", "0x10", "\ud83d", "\udc00x", "\u202e", "😀" * 30, "x" * 5000),
    *(
        "@",
        "@@",
        "#",
        "#" * 50,
        "a@b.example",
        "@a.b",
        "https://",
        "http://[",
        "https://www.instagram.com/p/",
        "_",
        "a_b",
    ),
    *(1_600_000_000, 1_600_000_000_000, 10**15, 4_102_444_800, 253_402_300_800, -62_135_596_801, "0001-01-01"),
    *("9999-12-31T23:59:59Z", "2024-02-30", "2020-06-02 18:41:50", "1969-12-31T23:59:59Z", "2024-01-01T00:00:00+99:99"),
    *(
        "PT",
        "PT1M3S",
        "P99999999999W",
        "PT" + "9" * 400 + "S",
        "03/04/2025",
        "18.31.02",
        "7 days ago",
        "9999 years ago",
    ),
    *([], {}, [[]], [{}], [None], {"": None}, {"count": -1}, {"text": None}, {"url": ""}, {"$numberLong": "-9"}),
    *({"$numberLong": "x" * 50}, {"edges": [None, {"node": None}]}, {"node": []}, _DEEP, _HUGE, _HUGE),
)
_BYTES = (
    b"\0",
    b"\xff",
    b"\xed\xa0\x80",
    b"\\ud800",
    b'"',
    b"\\",
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b":",
    b"\xef\xbb\xbf",
    b"\n",
)


@dataclass(frozen=True)
class Seed:
    """One payload: its text, and the handle that was asked for."""

    body: bytes
    subject: str | None


Site = tuple[Any, Any]
"""A list or an object of the payload, and a place in it."""


def smaller(value: Any, most: int = 3, longest: int = 200) -> Any:
    """``value`` with the first entries of each list and the beginning of each text: mutants of it are read faster."""
    if isinstance(value, dict):
        return {key: smaller(inner, most, longest) for key, inner in value.items()}
    if isinstance(value, list):
        return [smaller(inner, most, longest) for inner in value[:most]]
    return value[:longest] if isinstance(value, str) else value


def words_of(seeds: Sequence[Seed]) -> tuple[str, ...]:
    """Every key of the payloads: what a renamed key may be called."""
    keys: dict[str, None] = {}
    for seed in seeds:
        keys.update(dict.fromkeys(key for place, key in _sites(json.loads(seed.body)) if isinstance(place, dict)))
    return tuple(keys)


def mutated(seed: Seed, words: Sequence[str], rng: random.Random) -> bytes:
    """The payload with one to five changes; in one of eight the bytes are changed, and not the structure.

    Raises ValueError where the seed is no JSON, and TypeError where it is no object.
    """
    if rng.random() < 0.125:
        return _bytes_changed(seed.body, rng)
    payload = json.loads(seed.body)
    if not isinstance(payload, dict | list):
        raise TypeError("not an object: there is nothing to change")
    for _ in range(rng.choice((1, 1, 1, 2, 3, 5))):
        sites = _sites(payload)
        if not sites:
            break
        rng.choice(_CHANGES)(sites, words, rng)
    text = json.dumps(payload)
    for word, raws in _RAW.items():
        if word in text:
            text = text.replace(word, rng.choice(raws))
    if rng.random() < 0.05:
        text = text.replace(": ", ":" + " " * rng.choice((0, 1, 500)), 3)
    return text.encode()


def _sites(payload: Any) -> list[Site]:
    found: list[Site] = []
    waiting = [payload]
    while waiting:
        place = waiting.pop()
        for key in place if isinstance(place, dict) else range(len(place)):
            found.append((place, key))
            if isinstance(place[key], dict | list):
                waiting.append(place[key])
    return found


def _odd(sites: list[Site], _: Sequence[str], rng: random.Random) -> None:
    place, key = rng.choice(sites)
    place[key] = copy.deepcopy(rng.choice(ODD))


def _drop(sites: list[Site], _: Sequence[str], rng: random.Random) -> None:
    place, key = rng.choice(sites)
    del place[key]


def _rename(sites: list[Site], words: Sequence[str], rng: random.Random) -> None:
    place, key = rng.choice(sites)
    if isinstance(place, dict):
        place[rng.choice(words)] = place.pop(key)


def _copy(sites: list[Site], words: Sequence[str], rng: random.Random) -> None:
    """The same entry again, or the same value under a second key."""
    place, key = rng.choice(sites)
    if isinstance(place, dict):
        place[rng.choice(words)] = place[key]
    else:
        place.insert(rng.randrange(len(place) + 1), place[key])


def _exchange(sites: list[Site], _: Sequence[str], rng: random.Random) -> None:
    """Two values change places, but for lists and objects, which could come to hold themselves."""
    plain = [(place, key) for place, key in sites if not isinstance(place[key], dict | list)]
    if plain:
        (place, key), (other, name) = rng.choice(plain), rng.choice(plain)
        place[key], other[name] = other[name], place[key]


def _retype(sites: list[Site], _: Sequence[str], rng: random.Random) -> None:
    place, key = rng.choice(sites)
    value = place[key]
    kinds: tuple[Any, ...] = ([value], {"node": value}, {"count": value}, [value, value], None)
    if not isinstance(value, dict | list):
        kinds += (str(value), f" {value} ", -value if isinstance(value, int | float) else value, [str(value)])
        if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 400:
            kinds += (int(value), float(value))
    place[key] = rng.choice(kinds)


_CHANGES: tuple[Callable[[list[Site], Sequence[str], random.Random], None], ...] = (
    *(_odd, _odd, _odd, _drop, _rename, _copy, _exchange, _retype, _retype),
)


def _bytes_changed(body: bytes, rng: random.Random) -> bytes:
    changed = bytearray(body)
    for _ in range(rng.choice((1, 1, 2, 8))):
        start = rng.randrange(len(changed) + 1)
        end = min(start + rng.choice((0, 1, 1, 4, 40)), len(changed))
        how = rng.randrange(4)
        if how == 0:
            changed[start:end] = rng.choice(_BYTES)
        elif how == 1:
            changed[start:end] = rng.randbytes(end - start)
        elif how == 2:
            changed[start:start] = changed[start:end]
        else:
            del changed[start:end]
    return bytes(changed if rng.random() < 0.9 else changed[: rng.randrange(len(changed) + 1)])
