"""What a provider means by an answer that is none: its status and words, one reading for all of them.

The wordings are those of OpenAI, xAI, OpenRouter, vLLM, llama-server, Ollama, LM Studio, SGLang and the Gemini API.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

import httpx2
import msgspec

from igtool import pacing
from igtool.llms.base import Outcome, ProviderError
from igtool.llms.transport import Refused
from igtool.text import one_line

_WORDS = 300
_ECHOED = 4_000
_TOO_MANY_REQUESTS = 429
_PAYMENT_REQUIRED = 402
_TOO_LARGE = 413
_FIRST_SERVER_ERROR = 500
_DENIED = frozenset({401, 403, 407})
_PASSING = frozenset({408, 409, 425})

_TOO_LONG = re.compile(
    r"context_length_exceeded|exceed_context_size|string_above_max_length"
    r"|maximum (context|prompt|input|model) (length|size)|maximum number of tokens allowed"
    r"|exceed\w* (the |this )?(available |configured |max(imum)? |model'?s? )*(context|limit of \d+ tokens)"
    r"|context (size|length|window) (has been |is |was )?exceeded|(prompt|inputs?)( \([^)]*\))? (is |are )?too long"
    r"|longer than the (model'?s |maximum )+|reduce the length of|tokens must be reduced|request too large"
    r"|greater than the context length|context length of only|max_new_tokens` must be"
    r"|max_(completion_)?tokens must be at least 1, got -"
)
_SIGHTLESS = re.compile(
    r"image input is not supported|(does not|doesn't) support (image|vision)|data required for image input"
    r"|image_url is only supported by|support(s|ing)? image input|is not a multimodal model"
    r"|unsupported content part type"
)
"""No model for pictures, which llama-server and Ollama say with status 500."""
_SPENT = re.compile(
    r"insufficient[_ ](quota|balance|credits?|funds)|exceeded your current quota|billing[_ ]hard[_ ]limit"
    r"|(out of|any|all available|not enough|no more|requires more) credits|credits? (are |is )?(depleted|exhausted)"
    r"|credit balance|spending[- ]limit|payment required|billing_not_active|account is not active"
)
_PACED = re.compile(r"per ?(minute|second|hour)|retry in|retrydelay|try again in")
_SHUT_OUT = re.compile(
    r"(incorrect|invalid|missing|wrong)[ _]api[_ -]?key|api[_ -]?key[_ ](not|invalid|expired|was reported)"
    r"|user location is not supported"
)
_MODERATED = re.compile(
    r"content[_ ](policy|filter|management)|usage guidelines|safety_check|requires moderation|flagged by"
    r"|prohibited_content"
)
_ECHO = re.compile(r"((?:api[ _-]?key|token)[^:]{0,20}:\s*)[^\s,;\"']+", re.IGNORECASE)
_WAIT = re.compile(
    r"(?:again|retry) (?:in|after) ((?:\d+(?:\.\d+)?\s?(?:ms|seconds?|s|minutes?|m|hours?|h)\s?)+)", re.I
)
_SPAN = re.compile(r"(\d+(?:\.\d+)?)\s?(ms|s|m|h)")
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


@dataclass(frozen=True)
class Said:
    """An answer that is none. ``words``: for a person; ``text``: all that names a reason, in lower case."""

    status: int
    words: str
    text: str
    wait_s: float | None = None

    def means_moderation(self) -> bool:
        """Whether the prompt itself was refused: another one may pass."""
        return self.status in (400, 403, 422) and _MODERATED.search(self.text) is not None

    def outcome(self) -> Outcome:
        """What follows from it."""
        if _TOO_LONG.search(self.text) or self.status == _TOO_LARGE:
            return "too_long"
        if _SIGHTLESS.search(self.text):
            return "invalid"
        if self.status == _PAYMENT_REQUIRED or (self.status < _FIRST_SERVER_ERROR and self._is_spent()):
            return "quota"
        if self.status in _DENIED or (self.status < _FIRST_SERVER_ERROR and _SHUT_OUT.search(self.text)):
            return "auth"
        if self.status == _TOO_MANY_REQUESTS:
            return "rate_limited"
        if self.status in _PASSING or self.status >= _FIRST_SERVER_ERROR:
            return "transient"
        return "invalid"

    def error(self, who: str) -> ProviderError:
        """As the error to raise; ``who``: the provider and its model."""
        return ProviderError(self.outcome(), one_line(f"{who}: {self.status}: {self.words}", _WORDS), self.wait_s)

    def _is_spent(self) -> bool:
        """Whether nothing is left; Google says the same of what is left again in a minute."""
        if self.status == _TOO_MANY_REQUESTS and "perday" in self.text:  # in the names of Google's quotas
            return True
        return bool(_SPENT.search(self.text)) and ("insufficient_quota" in self.text or not _PACED.search(self.text))


def said(status: int, headers: Mapping[str, str], body: bytes) -> Said:
    """What an answer with ``status`` says, whether its body is JSON of some shape, a text or a page."""
    try:
        data = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        data = body[:_ECHOED].decode("utf-8", "replace")
    words, reasons = _read(data)
    words = _ECHO.sub(r"\1***", unquote(words) if "%20" in words else words)
    text = f"{words} {reasons}".lower()
    return Said(status, words or "no words", text, _wait_s(headers, text))


def inside(error: Any) -> Said:
    """What an error says that came with status 200: its code is the status, where it is one."""
    whole = said(200, {}, msgspec.json.encode({"error": error}))
    code = error.get("code") if isinstance(error, dict) else None
    status = code if isinstance(code, int) and 400 <= code < 600 else _FIRST_SERVER_ERROR
    return Said(status, whole.words, whole.text, whole.wait_s)


def unanswered(who: str, error: Exception) -> ProviderError:
    """The error for a call without a complete answer: worth another try, unless what came is not taken."""
    reason = next((one for one in (error, error.__cause__) if isinstance(one, httpx2.TransportError)), error)
    outcome: Outcome = "invalid" if isinstance(reason, Refused) else "transient"
    return ProviderError(outcome, one_line(f"{who}: {reason}", _WORDS))


def unreadable(who: str, why: str) -> ProviderError:
    """The error for an answer that is not what the provider promises; the next one may be."""
    return ProviderError("transient", one_line(f"{who}: the answer cannot be read: {why}", _WORDS))


def _read(data: Any) -> tuple[str, str]:
    """The words for a person, and whatever else tells the reason: types, codes, parameters, names of limits.

    What a server repeats of the request is left out: it names everything that was sent.
    """
    if isinstance(data, list):
        data = data[0] if data else ""
    if not isinstance(data, dict):
        return _plain(data), ""
    error = data.get("error", data)
    if not isinstance(error, dict):
        return _plain(error), _plain(data.get("code"))
    detail = error.get("detail")
    problems = detail if isinstance(detail, list) else []
    words = error.get("message") or (detail if isinstance(detail, str) else "")
    words = words or "; ".join(_problem(one) for one in problems)
    known = [error.get(name) for name in ("type", "code", "status", "param")]
    return _plain(words), " ".join(
        [*(_plain(one) for one in known if one is not None), *_details(error.get("details"))]
    )


def _problem(one: Any) -> str:
    """A line of FastAPI's list of what does not fit."""
    if not isinstance(one, dict):
        return _plain(one)
    place = one.get("loc")
    return f"{'.'.join(map(str, place)) if isinstance(place, list) else ''}: {_plain(one.get('msg'))}"


def _details(details: Any) -> list[str]:
    """The reasons in Google's list of details: names of quotas, reasons, delays."""
    found = []
    for detail in details if isinstance(details, list) else []:
        if isinstance(detail, dict):
            found += [_plain(detail.get(name)) for name in ("reason", "subject") if name in detail]
            found += [f"retrydelay {_plain(detail['retryDelay'])}"] if "retryDelay" in detail else []
            violations = detail.get("violations")
            for one in violations if isinstance(violations, list) else []:
                found += [_plain(one.get("quotaId"))] if isinstance(one, dict) else []
    return found


def _plain(value: Any) -> str:
    if value is None:
        return ""
    text = re.sub(r"<[^>]*>", " ", str(value)[:_ECHOED])
    return one_line(text, _ECHOED)


def _wait_s(headers: Mapping[str, str], text: str) -> float | None:
    """Seconds to wait: of the header in milliseconds, Retry-After, Google's delay, or the words."""
    try:
        waits = float(headers.get("retry-after-ms", "")) / 1000
        if 0 < waits < pacing.MAX_RETRY_AFTER_S:
            return waits
    except ValueError:
        pass
    known = pacing.retry_after_s(headers.get("retry-after"), time.time())
    if known is not None:
        return known
    delay = re.search(r"retrydelay ((?:\d+\.?\d*)s)", text) or _WAIT.search(text)
    if delay is None:
        return None
    spans = _SPAN.findall(delay[1].replace("seconds", "s").replace("minutes", "m").replace("hours", "h"))
    return min(sum(float(number) * _UNITS[unit] for number, unit in spans), pacing.MAX_RETRY_AFTER_S) or None
