"""The names of a person, and texts and JSON documents without them.

A handle can be a word (``food``). Where it cannot be told from one, only ``@food``, addresses of the profile and
entries with that user name are taken for the person; a handle with a digit, dot or underscore, or with 15 letters,
is found anywhere. Names that people have in common with others (display names) name nobody.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

PLACEHOLDER = "[forgotten]"
"""What stands in a text of others instead of a name."""

_NOT_A_WORD = re.compile(r"[\d._]")
_LONG = 15
"""Letters from which on a handle is no common word."""
_MOST_PARTS = 10
_SURE_DIGITS = 9
"""Digits from which on a number in a text is an id and not a count."""
_SITES = r"(?:instagram|youtube|youtu|tiktok|facebook|twitter|threads|twitch)\.(?:com|be|tv|net)"
_INSIDE = r"[^\s\"'<>(),;\[\]{}\\]"
_HANDLE_KEYS = frozenset({"customurl", "uniqueid", "author", "user", "owner", "channel"})
_OF_PEOPLE = re.compile("mention|user|account|handle|tagged|collab|author|channel|owner", re.IGNORECASE)
"""Keys of lists that hold names and no words."""
_GONE: Final = object()


@dataclass(frozen=True)
class Named:
    """How a person is named. ``shared``: handles that somebody else has as well, on another platform.

    ``ids``: of the platforms; ``keys``: ids of igtool (accounts, creators, items); ``addresses``: e-mail addresses and
    websites; ``profiles``: addresses of profiles, by which a shared handle is told.
    """

    handles: frozenset[str]
    ids: frozenset[str] = frozenset()
    keys: frozenset[str] = frozenset()
    addresses: frozenset[str] = frozenset()
    shared: frozenset[str] = frozenset()
    profiles: frozenset[str] = frozenset()

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        """A whole token in which one of the names stands."""
        parts = [re.escape(one) for one in self.addresses]
        parts += [rf"(?<![\w.-]){re.escape(key)}(?![\w.-]|:)" for key in self.keys]
        for handle in self.handles:
            name = re.escape(handle)
            if handle not in self.shared:
                parts.append(rf"{_SITES}/(?:{_INSIDE}*/)?@?{name}(?!\w|[.-]\w)")
                before = "(?<![\\w.])" if is_distinct(handle) else "(?<![\\w.])@"
                parts.append(rf"{before}{name}(?!\w|\.\w)")
        parts += [rf"{re.escape(one)}(?!\w|[.-]\w)" for one in self.profiles]
        for one in self.ids:
            if one.isdigit():
                before = r"(?<![^\W_])" if len(one) >= _SURE_DIGITS else "(?<=[:_/=])"
                parts.append(rf"{before}{one}(?![^\W_])")
            else:
                parts.append(rf"(?<![\w-]){re.escape(one)}(?![\w-])")
        found = "|".join(f"(?:{part})" for part in sorted(parts, key=lambda part: (-len(part), part))) or "(?!)"
        return re.compile(rf"{_INSIDE}*?(?:{found}){_INSIDE}*", re.IGNORECASE)

    @property
    def words(self) -> list[str]:
        """Lower-case texts of which one stands in whatever names the person: cheap to look for first."""
        named = {*self.handles, *self.ids, *self.keys, *self.addresses}
        named |= {one.replace("@", "\\u0040") for one in self.addresses}
        return sorted({one.lower() for one in named if one})

    def in_text(self, text: str) -> bool:
        """Whether ``text`` names the person."""
        lower = text.lower()
        return any(word in lower for word in self.words) and self._pattern.search(text) is not None

    def in_path(self, path: str) -> bool:
        """Whether a part of a file name is one of their names."""
        return not path_words(path).isdisjoint({*self.handles, *self._ids}) or self.in_text(path)

    def redacted(self, text: str) -> str:
        """``text`` with `PLACEHOLDER` instead of every word that names the person."""
        return self._pattern.sub(PLACEHOLDER, text)

    def without(self, value: Any) -> Any:
        """A JSON value without the person: entries about them gone from lists, names in texts redacted.

        An entry is the element of the innermost list around an object that holds their user name or id. Without such
        a list the whole value goes: None.
        """
        left = self._pruned(value, whole=True)
        return None if left is _GONE else self._redacted(left)

    def without_objects(self, value: Any) -> Any:
        """As `without`, but of what is about them only the innermost object goes; where it stood is null."""
        left = self._pruned(value, whole=False)
        return None if left is _GONE else self._redacted(left)

    def exactly(self, value: Any) -> Any:
        """A JSON value with `PLACEHOLDER` for texts that are one of their handles and nothing else, a word or not."""
        if isinstance(value, str):
            is_name = value.strip().lower().removeprefix("@") in self.handles - self.shared
            return PLACEHOLDER if is_name else value
        if isinstance(value, dict):
            return {key: self.exactly(item) for key, item in value.items()}
        return [self.exactly(item) for item in value] if isinstance(value, list) else value

    def _pruned(self, value: Any, *, whole: bool, key: str = "") -> Any:
        if isinstance(value, dict):
            if any(self._identifies(key, item) for key, item in value.items()):
                return _GONE
            kept = {key: self._pruned(item, whole=whole, key=key) for key, item in value.items()}
            if whole and any(item is _GONE for item in kept.values()):
                return _GONE
            return {key: None if item is _GONE else item for key, item in kept.items()}
        if isinstance(value, list):
            of_people = bool(_OF_PEOPLE.search(key))
            left = (self._pruned(item, whole=whole) for item in value if not self._is_name(item, of_people=of_people))
            return [item for item in left if item is not _GONE]
        return value

    def _identifies(self, key: str, value: Any) -> bool:
        """Whether an object with this entry is about the person."""
        if isinstance(value, bool) or not isinstance(value, (str, int)):
            return False
        text, name = str(value).strip().lower(), key.lower().replace("_", "").replace("-", "")
        if text in self._ids:
            return name.endswith(("id", "pk")) or not text.isdigit()
        if text in self._keys:
            return True
        is_handle = name.endswith("name") or "handle" in name or name in _HANDLE_KEYS
        return is_handle and text.removeprefix("@") in self.handles - self.shared

    def _is_name(self, item: Any, *, of_people: bool) -> bool:
        """Whether an element of a list is nothing but a name. ``of_people``: all elements are, words or not."""
        if isinstance(item, bool) or not isinstance(item, (str, int)):
            return False
        text = str(item).strip().lower()
        if text in self._keys or (text in self._ids and (not text.isdigit() or len(text) >= _SURE_DIGITS)):
            return True
        name = text.lstrip("@#")
        is_sure = of_people or text.startswith("@") or is_distinct(name)
        return isinstance(item, str) and is_sure and name in self.handles - self.shared

    def _redacted(self, value: Any) -> Any:
        if isinstance(value, str):
            return self.redacted(value)
        if isinstance(value, dict):
            return {self.redacted(key): self._redacted(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self._redacted(item) for item in value]
        return value

    @cached_property
    def _ids(self) -> frozenset[str]:
        return frozenset(one.lower() for one in self.ids)

    @cached_property
    def _keys(self) -> frozenset[str]:
        return frozenset(one.lower() for one in self.keys)


def is_distinct(handle: str) -> bool:
    """Whether a handle is no word that a text could hold by chance."""
    return bool(_NOT_A_WORD.search(handle)) or len(handle) >= _LONG


def json_text(value: Any) -> str:
    """A JSON value as text that can be stored."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    try:
        text.encode()
    except UnicodeEncodeError:  # half of a character, as some platforms cut texts
        return json.dumps(value, separators=(",", ":"))
    return text


def lowered(names: Iterable[str | None]) -> frozenset[str]:
    """``names`` as they are compared: lower case, without @ and spaces around; empty ones left out."""
    plain = (name.strip().lower().removeprefix("@") for name in names if name)
    return frozenset(name for name in plain if name)


def path_words(path: str) -> set[str]:
    """What a part of a file name could be a handle, lower case: ``videos_anna_b_20260101.json`` holds ``anna_b``."""
    found: set[str] = set()
    for word in re.findall(r"[\w.-]+", path.lower()):
        for plain in {word, word.rpartition(".")[0], word.partition(".")[0]}:
            parts = plain.split("_")[:_MOST_PARTS]
            ends = ((start, end) for start in range(len(parts)) for end in range(start + 1, len(parts) + 1))
            found |= {"_".join(parts[start:end]) for start, end in ends}
    return found - {""}
