"""JSON text as platforms and dump tools write it, checked and decoded."""

from __future__ import annotations

import re
from typing import TypeVar

import msgspec

T = TypeVar("T")

_ESCAPE = re.compile(
    rb"\\(?:(u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})|(u[dD][89a-fA-F][0-9a-fA-F]{2})|.)",
    re.DOTALL,
)
_ANY = msgspec.json.Decoder(msgspec.Raw)
WHITESPACE = b" \t\r\n"


class Malformed(Exception):  # noqa: N818 - what the text is, not a failure of the program
    """A text that is not JSON that can be kept: ``reason`` is a slug, ``detail`` a sentence."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


def check(body: bytes) -> None:
    r"""Nothing for a JSON text in UTF-8; else raises Malformed.

    Reasons: ``empty-file``, ``not-utf8``, ``not-json`` (it does not begin as JSON does), ``broken-json``,
    ``too-deep``. A lone surrogate escape (``\ud800``) is allowed: the text is kept, ``decode`` repairs it.
    """
    try:
        body.decode()
    except UnicodeDecodeError as error:
        raise Malformed("not-utf8", f"byte {error.start} is not UTF-8") from error
    decode(_ANY, body)


def decode(decoder: msgspec.json.Decoder[T], body: bytes | memoryview | str) -> tuple[T, bool]:
    """``body`` decoded, and whether lone surrogates in it were replaced by U+FFFD.

    Raises Malformed as ``check`` does, and msgspec.ValidationError when the JSON is sound but of another type.
    """
    if isinstance(body, str):
        body = encoded(body)
    try:
        return decoder.decode(body), False
    except msgspec.ValidationError:
        raise
    except RecursionError as error:
        raise _too_deep() from error
    except UnicodeDecodeError as error:
        raise Malformed("not-utf8", f"a text in it is not UTF-8: {error.reason}") from error
    except msgspec.DecodeError as error:
        body = bytes(body)
        repaired = repair(body)
        if repaired == body:
            raise _malformed(body, error) from error
    try:
        return decoder.decode(repaired), True
    except msgspec.ValidationError:
        raise
    except RecursionError as error:
        raise _too_deep() from error
    except msgspec.DecodeError as error:
        raise _malformed(body, error) from error


def repair(body: bytes) -> bytes:
    r"""``body`` with each lone surrogate escape as ``\ufffd``; of the same length, so offsets stay."""
    return _ESCAPE.sub(lambda match: rb"\ufffd" if match[2] else match[0], body)


def encoded(text: str) -> bytes:
    """``text`` as UTF-8. Raises Malformed (``not-utf8``) for a lone surrogate outside an escape."""
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise Malformed("not-utf8", f"character {error.start} is a lone surrogate") from error


def _malformed(body: bytes, error: msgspec.DecodeError) -> Malformed:
    start = body[:200].lstrip(WHITESPACE)
    if not start and not body.strip(WHITESPACE):
        return Malformed("empty-file", "there is nothing in it")
    if start[:1] not in b'{["-0123456789tfn':
        opening = start[:40].decode("utf-8", "replace")
        return Malformed("not-json", f"it begins with {opening!r}")
    return Malformed("broken-json", str(error))


def _too_deep() -> Malformed:
    return Malformed("too-deep", "its lists and objects are nested about 1,000 deep or more")
