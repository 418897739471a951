"""A raw answer made into rows: recognised by its structure, decoded by its type.

A shape is declared in a file of ``igtool.platforms.shapes``: the msgspec.Structs with the fields that are kept,
and ``SHAPES`` (how to read them) or ``FAILURES`` (how to tell that the answer is none). Decoding is validation.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any, Literal

import msgspec

from igtool.platforms.json_text import Malformed, decode

PARSER_VERSION = 2
"""Raised with every change of what rows a payload gives; it is on each row."""

Outcome = Literal["ok", "not_found", "private", "rate_limited", "auth", "blocked", "transient", "invalid"]
"""What an answer means, whatever its platform (DESIGN §4)."""

Row = dict[str, Any]
Top = Mapping[str, msgspec.Raw]
"""The top-level keys of a payload and their undecoded values."""

_TOP = msgspec.json.Decoder(dict[str, msgspec.Raw])
_DETAIL = 300
_ENVELOPES = frozenset({"data", "graphql", "user", "detail", "error"})


class Refused(Exception):  # noqa: N818 - a verdict on a payload, not a failure of the program
    """A payload that gives no rows: ``reason`` is a slug, ``detail`` names the field or the keys."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Answer:
    """What rows need to know besides the body."""

    answer_id: str
    subject: str | None
    observed_at: datetime
    flags: tuple[str, ...] = ()


@dataclass(slots=True)
class Parsed:
    """What a payload gave.

    ``accounts``, ``content_items`` and ``metric_snapshots`` are rows of the tables of those names (see schema.py;
    a missing column is NULL). With a ``reason`` there are none, and ``detail`` says why in a sentence. A payload
    that says "no such user" has the outcome ``not_found``, no rows and no reason. ``lost`` names parts of the
    payload that could not be read although others could.
    """

    outcome: Outcome = "ok"
    accounts: list[Row] = field(default_factory=list)
    content_items: list[Row] = field(default_factory=list)
    metric_snapshots: list[Row] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    reason: str | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Shape:
    """One family of payloads.

    ``read`` gets the top-level values of a payload that has all ``keys`` and gives what it found, or None when
    the structure below is another one. It raises Refused for a payload of this shape that cannot be used, and
    lets msgspec.ValidationError through.
    """

    name: str
    keys: frozenset[str]
    read: Callable[[Top, Answer], Parsed | None]


Failure = Callable[[Top], tuple[Outcome, str] | None]
"""The outcome and the platform's words when a payload is an error message, else None."""


def parse(body: bytes | str, *, answer_id: str, subject: str | None = None, observed_at: datetime) -> Parsed:
    """The rows of one raw answer: a function of its arguments, without clock or randomness.

    ``subject`` is the handle that was asked for, used when the body names none. ``observed_at`` (UTC) is when it
    was true. A body that gives no rows has a ``reason``: ``unknown-shape``, ``missing-field``, ``wrong-type``,
    ``error-<outcome>``, or one of ``json_text.check``.
    """
    try:
        return _read(body, answer_id, subject, observed_at)
    except (Refused, Malformed) as refusal:
        return Parsed("invalid", reason=refusal.reason, detail=refusal.detail[:_DETAIL])
    except msgspec.ValidationError as error:
        return Parsed("invalid", reason="wrong-type", detail=str(error)[:_DETAIL])
    except UnicodeDecodeError as error:
        return Parsed("invalid", reason="not-utf8", detail=f"a text in it is not UTF-8: {error.reason}")


def outcome_of(body: bytes | str) -> Outcome:
    """The outcome of an answer, for its raw row, without making rows: ``invalid`` where it is no JSON object."""
    try:
        top, _ = decode(_TOP, body)
    except (Malformed, msgspec.ValidationError, UnicodeDecodeError):
        return "invalid"
    return _outcome(top)[0]


def _read(body: bytes | str, answer_id: str, subject: str | None, observed_at: datetime) -> Parsed:
    try:
        top, repaired = decode(_TOP, body)
    except msgspec.ValidationError as error:
        raise Refused("unknown-shape", f"not an object: {error}") from error
    outcome, words = _outcome(top)
    if outcome == "not_found":
        return Parsed(outcome)
    if outcome != "ok":
        return Parsed(outcome, reason=f"error-{outcome}", detail=words[:_DETAIL])
    answer = Answer(answer_id, subject, observed_at, ("repaired-surrogates",) if repaired else ())
    for shape in _declared()[0]:
        if shape.keys <= top.keys():
            parsed = shape.read(top, answer)
            if parsed is not None:
                return parsed
    raise Refused("unknown-shape", f"its keys are {_outline(top)}")


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
    """Everything that the files of ``igtool.platforms.shapes`` declare, in the order of their names."""
    from igtool.platforms import shapes

    names = sorted(module.name for module in pkgutil.iter_modules(shapes.__path__))
    modules = [importlib.import_module(f"{shapes.__name__}.{name}") for name in names]
    found: list[Shape] = []
    failures: list[Failure] = []
    for module in modules:
        found += getattr(module, "SHAPES", ())
        failures += getattr(module, "FAILURES", ())
    return tuple(found), tuple(failures)


def origin(answer: Answer, flags: list[str]) -> Row:
    """The columns that say where a row of ``accounts`` or ``content_items`` came from."""
    return {
        "flags": sorted(set(flags)),
        "answer_id": answer.answer_id,
        "parser_version": PARSER_VERSION,
        "observed_at": answer.observed_at,
    }


def metrics(
    rows: list[Row], subject_id: str, subject_type: str, answer: Answer, values: Mapping[str, int | None]
) -> None:
    """Add a row of ``metric_snapshots`` to ``rows`` for each known value."""
    rows.extend(
        {
            "subject_id": subject_id,
            "subject_type": subject_type,
            "metric": metric,
            "value": value,
            "answer_id": answer.answer_id,
            "observed_at": answer.observed_at,
        }
        for metric, value in values.items()
        if value is not None
    )
