"""TikHub's envelope: ``{"code", "request_id", "router", …, "data"}`` around an answer of Instagram.

What ``data`` holds differs by version of the endpoint: a user, an object with a user, a list or a connection of
posts, or any of these below a second ``data``. What is found is read by the shapes of Instagram's own answers.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from igtool.platforms.base import Answer, Outcome, Parsed, Shape, Top
from igtool.platforms.shapes import instagram_user, instagram_v1
from igtool.platforms.shapes.instagram_v1 import keys

_SHAPES = (*instagram_v1.SHAPES, *instagram_user.SHAPES)
_DEEPEST = 3


def no_such_user(top: Top) -> tuple[Outcome, str] | None:
    """``{"data": {"data": {"user": null}}}`` with status ok."""
    if not _is_envelope(top):
        return None
    return instagram_user.no_such_user(keys(top["data"]))


def _is_envelope(top: Top) -> bool:
    return "data" in top and ("router" in top or "request_id" in top)


def _read(top: Top, answer: Answer) -> Parsed | None:
    if not _is_envelope(top):
        return None
    for candidate in _candidates(top["data"]):
        for shape in _SHAPES:
            if shape.keys <= candidate.keys():
                parsed = shape.read(candidate, answer)
                if parsed is not None:
                    return parsed
    return None


def _candidates(raw: msgspec.Raw) -> Iterator[Top]:
    """What could be an answer of Instagram: each ``data``, and each as the user that it may be."""
    for _ in range(_DEEPEST):
        layer = keys(raw)
        if not layer:
            return
        yield layer
        yield {"user": raw, "data": msgspec.Raw(b'{"user":' + bytes(raw) + b"}")}
        if "data" not in layer:
            return
        raw = layer["data"]


SHAPES = (Shape("tikhub", frozenset({"data"}), _read, version=2),)
FAILURES = (no_such_user,)
