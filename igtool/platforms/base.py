"""A raw answer made into rows: recognised by its structure, decoded by its type.

A shape is declared in a file of ``igtool.platforms.shapes``: the msgspec.Structs with the fields that are kept,
and ``SHAPES`` (how to read them) or ``FAILURES`` (how to tell that the answer is none). Decoding is validation.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Literal

import msgspec

from igtool.platforms.json_text import Malformed, decode

PARSER_VERSION = 3
"""Raised with every change of the rules that all shapes share; with the version of the shape it is on each row."""

Outcome = Literal["ok", "not_found", "private", "rate_limited", "auth", "blocked", "transient", "invalid"]
"""What an answer means, whatever its platform (DESIGN §4)."""

Top = Mapping[str, msgspec.Raw]
"""The top-level keys of a payload and their undecoded values."""

Body = bytes | memoryview | str
"""A JSON text, encoded or not."""

_TOP = msgspec.json.Decoder(dict[str, msgspec.Raw])
_DETAIL = 300
_ENVELOPES = frozenset({"data", "graphql", "user", "detail", "error"})


class Refused(Exception):  # noqa: N818 - a verdict on a payload, not a failure of the program
    """A payload that gives no rows: ``reason`` is a slug, ``detail`` names the field or the keys."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


class Account(msgspec.Struct, gc=False):
    """An account as far as one payload tells: the columns of ``accounts`` that stand in payloads.

    ``account_id`` is ``platform:<the platform's id>``, or the stand-in ``platform:@<handle>`` where that is
    unknown. ``is_profile`` is false where a post only names its account: such a row never replaces a profile.
    ``emails`` are addresses in fields of their own; those in ``bio`` are found when the rows are made.
    """

    account_id: str
    platform: str
    flags: list[str]
    platform_user_id: str | None = None
    handle: str | None = None
    is_profile: bool = True
    display_name: str | None = None
    bio: str | None = None
    category: str | None = None
    profile_image_url: str | None = None
    external_url: str | None = None
    links: list[str] | None = None
    emails: list[str] | None = None
    followers_count: int | None = None
    following_count: int | None = None
    posts_count: int | None = None
    view_count: int | None = None
    is_verified: bool | None = None
    is_private: bool | None = None
    is_business: bool | None = None
    country: str | None = None
    country_source: str | None = None
    created_at: datetime | None = None


class ContentItem(msgspec.Struct, gc=False):
    """A post or video as far as one payload tells: the columns of ``content_items`` that stand in payloads.

    ``is_declared``: whether the platform marks it as advertising. Tags, mentions, links and language are found in
    the texts when the rows are made.
    """

    content_id: str
    platform: str
    account_id: str
    type: str
    flags: list[str]
    url: str | None = None
    title_or_caption: str | None = None
    description: str | None = None
    published_at: datetime | None = None
    like_count: int | None = None
    comment_count: int | None = None
    view_count: int | None = None
    play_count: int | None = None
    duration_s: float | None = None
    media_urls: list[str] | None = None
    video_url: str | None = None
    is_declared: bool | None = None


def account_id(platform: str, user_id: str | None, handle: str | None = None) -> str:
    """``platform:<user id>``, or the stand-in ``platform:@<handle>`` where the id is unknown."""
    return f"{platform}:{user_id}" if user_id else f"{platform}:@{handle}"


@dataclass(frozen=True, slots=True)
class Answer:
    """What shapes need to know besides the body: the handle that was asked for, and when the answer was true."""

    subject: str | None
    observed_at: datetime


@dataclass(slots=True)
class Parsed:
    """What a payload gave.

    With a ``reason`` there are no accounts and no items, and ``detail`` says why in a sentence. A payload that says
    "no such user" has the outcome ``not_found``, nothing in it and no reason. ``lost`` names parts of the payload
    that could not be read although others could. ``shape`` and ``version`` say what read it, or refused it;
    ``flags`` hold for all that is in it, and so does ``observed_at`` (UTC) where the payload itself says when it
    was true.
    """

    outcome: Outcome = "ok"
    accounts: list[Account] = field(default_factory=list)
    content_items: list[ContentItem] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    reason: str | None = None
    detail: str = ""
    shape: str | None = None
    version: int = 0
    flags: tuple[str, ...] = ()
    observed_at: datetime | None = None


_REFUSALS = (Refused, Malformed, msgspec.ValidationError, UnicodeDecodeError)


@dataclass(frozen=True, slots=True)
class Shape:
    """One family of payloads.

    ``read`` gets the top-level values of a payload that has all ``keys`` and gives what it found, or None when
    the structure below is another one. It raises Refused for a payload of this shape that cannot be used, and
    lets msgspec.ValidationError through. ``version`` is raised with every change of what it reads: only what this
    shape read is read again. ``flat``: it reads records of tables (CSV), whose values are all text. ``fits`` says
    whether a table with those columns is one of its, where a column has several names. ``last``: it is asked after
    the others, since what it looks for can stand in their payloads too.
    """

    name: str
    keys: frozenset[str]
    read: Callable[[Top, Answer], Parsed | None]
    version: int = 1
    flat: bool = False
    fits: Callable[[Collection[str]], bool] | None = None
    last: bool = False


Failure = Callable[[Top], tuple[Outcome, str] | None]
"""The outcome and the platform's words when a payload is an error message, else None."""


def parse(body: Body, *, subject: str | None = None, observed_at: datetime) -> Parsed:
    """What is in one raw answer: a function of its arguments, without clock or randomness.

    ``subject`` is the handle that was asked for, used when the body names none. ``observed_at`` (UTC) is when it
    was true. A body that gives no rows has a ``reason``: ``unknown-shape``, ``missing-field``, ``wrong-type``,
    ``error-<outcome>``, or one of ``json_text.check``.
    """
    try:
        return _read(body, Answer(subject, observed_at))
    except _REFUSALS as error:
        return _refused(error)


def outcome_of(body: Body) -> Outcome:
    """The outcome of an answer, for its raw row, without making rows: ``invalid`` where it is no JSON object."""
    try:
        top, _ = decode(_TOP, body)
    except (Malformed, msgspec.ValidationError, UnicodeDecodeError):
        return "invalid"
    return _outcome(top)[0]


def _read(body: Body, answer: Answer) -> Parsed:
    try:
        top, repaired = decode(_TOP, body)
    except msgspec.ValidationError as error:
        raise Refused("unknown-shape", f"not an object: {error}") from error
    outcome, words = _outcome(top)
    if outcome == "not_found":
        return Parsed(outcome)
    if outcome != "ok":
        return Parsed(outcome, reason=f"error-{outcome}", detail=words[:_DETAIL])
    for shape in _declared()[0]:
        if shape.keys <= top.keys():
            try:
                parsed = shape.read(top, answer)
            except _REFUSALS as error:
                parsed = _refused(error)
            if parsed is not None:
                parsed.shape, parsed.version = shape.name, shape.version
                if repaired:
                    parsed.flags += ("repaired-surrogates",)
                return parsed
    raise Refused("unknown-shape", f"its keys are {_outline(top)}")


def _refused(error: Exception) -> Parsed:
    if isinstance(error, Refused | Malformed):
        return Parsed("invalid", reason=error.reason, detail=error.detail[:_DETAIL])
    if isinstance(error, UnicodeDecodeError):
        return Parsed("invalid", reason="not-utf8", detail=f"a text in it is not UTF-8: {error.reason}")
    return Parsed("invalid", reason="wrong-type", detail=str(error)[:_DETAIL])


def _outline(top: Top) -> str:
    """The keys of a payload for a person, with the kind it says it is and what an envelope holds."""
    parts = []
    for key, raw in list(top.items())[:20]:
        shown = ""
        if key == "kind":
            shown = " = " + bytes(raw)[:60].decode("utf-8", "replace")
        elif key in _ENVELOPES:
            inner = _inner_keys(raw)
            shown = f" {{{', '.join(inner[:5])}}}" if inner else ""
        parts.append(key[:40] + shown)
    return ", ".join(parts) or "none at all"


def _inner_keys(raw: msgspec.Raw) -> list[str]:
    try:
        return [key[:60] for key in _TOP.decode(raw)]
    except (msgspec.DecodeError, UnicodeDecodeError):
        return []


def _outcome(top: Top) -> tuple[Outcome, str]:
    for failure in _declared()[1]:
        found = failure(top)
        if found is not None:
            return found
    return "ok", ""


@lru_cache(maxsize=1)
def _declared() -> tuple[Sequence[Shape], Sequence[Failure]]:
    """Everything that the files of ``igtool.platforms.shapes`` declare, in the order of their names, the last last."""
    from igtool.platforms import shapes

    names = sorted(module.name for module in pkgutil.iter_modules(shapes.__path__))
    modules = [importlib.import_module(f"{shapes.__name__}.{name}") for name in names]
    found: list[Shape] = []
    failures: list[Failure] = []
    for module in modules:
        found += getattr(module, "SHAPES", ())
        failures += getattr(module, "FAILURES", ())
    return tuple(sorted(found, key=lambda shape: shape.last)), tuple(failures)


def versions() -> dict[str, int]:
    """Name of each shape to its version."""
    return {shape.name: shape.version for shape in _declared()[0]}


def knows(columns: Collection[str]) -> bool:
    """Whether some shape reads records of a table with those columns."""
    return any(
        shape.flat and shape.keys <= set(columns) and (shape.fits is None or shape.fits(columns))
        for shape in _declared()[0]
    )
