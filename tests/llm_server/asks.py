"""What a request asks, whichever of the two interfaces it speaks."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import parse_qsl, unquote, urlsplit

from . import pictures

Dialect = Literal["openai", "gemini", "control"]

_SINGLE = {"chat", "generate", "embed"}


@dataclass(frozen=True)
class Ask:
    """One request.

    ``endpoint``: ``chat``, ``generate`` or ``embed`` (one answer), ``models``, ``upload``, ``file``, ``content``,
    ``batches`` (the list), ``submit``, ``batch``, ``control``, else ``unknown``; ``name``: of the file or batch in
    the path. ``system``: the instruction, ``text``: all other turns, ``pictures``: the JPEG files that they show.
    ``prompt``: what tells one prompt from others, whatever the instruction.
    """

    method: str
    path: str
    dialect: Dialect
    endpoint: str
    name: str = ""
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)
    data: Any = field(default=None, repr=False)
    model: str = ""
    system: str = field(default="", repr=False)
    text: str = field(default="", repr=False)
    schema: Mapping[str, Any] | None = field(default=None, repr=False)
    alternatives: int = 0
    prompt: str = ""
    pictures: tuple[bytes, ...] = field(default=(), repr=False)

    @property
    def is_single(self) -> bool:
        """Whether one answer of a model is asked for."""
        return self.endpoint in _SINGLE

    @property
    def key(self) -> str:
        """The key that came with it."""
        return self.headers.get("authorization", "").removeprefix("Bearer ") or self.headers.get("x-goog-api-key", "")


def understand(method: str, target: str, headers: Mapping[str, str], body: bytes) -> Ask:
    """What a request to ``target`` asks. A body that is no JSON has the data None."""
    parts = urlsplit(target)
    path = unquote(parts.path)
    dialect, endpoint, name = _place(method, path)
    try:
        data = json.loads(body) if body and "multipart" not in headers.get("content-type", "") else None
    except ValueError:
        data = None
    known = (method, path, dialect, endpoint, name, dict(parse_qsl(parts.query)), headers, body, data)
    if endpoint == "embed" and isinstance(data, dict):
        return Ask(*known, **_fields(str(data.get("model", "")), "", "\n".join(data.get("input", ())), None, 0))
    if endpoint in _SINGLE and isinstance(data, dict):
        return Ask(*known, **(chat(data) if dialect == "openai" else generate(data, name)))
    return Ask(*known)


def prompt_id(text: str, pictures: Sequence[bytes] = ()) -> str:
    """What tells a prompt with the turns ``text`` (without the instruction) and ``pictures`` from others."""
    return hashlib.sha256(b"".join([text.encode(), *pictures])).hexdigest()[:16]


def chat(data: Mapping[str, Any]) -> dict[str, Any]:
    """What the body of a chat completion says, as fields of an Ask."""
    turns = [(one.get("role"), _content(one.get("content"))) for one in data.get("messages", ())]
    system = "\n".join(content for role, content in turns if role in ("system", "developer"))
    wanted = (data.get("response_format") or {}).get("json_schema") or {}
    alternatives = int(data.get("top_logprobs") or 0) if data.get("logprobs") else 0
    text = "\n".join(content for role, content in turns if role not in ("system", "developer"))
    shown = pictures.of_chat(data)
    return _fields(str(data.get("model", "")), system, text, wanted.get("schema"), alternatives, shown)


def generate(data: Mapping[str, Any], model: str) -> dict[str, Any]:
    """What the body of Gemini's generateContent says, as fields of an Ask."""
    system = _parts(data.get("systemInstruction") or {})
    text = "\n".join(_parts(content) for content in data.get("contents", ()))
    config = data.get("generationConfig") or {}
    schema = config.get("responseJsonSchema") or config.get("responseSchema")
    alternatives = int(config.get("logprobs") or 0) if config.get("responseLogprobs") else 0
    return _fields(model, system, text, schema, alternatives, pictures.of_gemini(data))


def _fields(
    model: str, system: str, text: str, schema: Any, alternatives: int, shown: tuple[bytes, ...] = ()
) -> dict[str, Any]:
    return {
        "model": model,
        "system": system,
        "text": text,
        "schema": schema or _written_schema(system) or _written_schema(text),
        "alternatives": alternatives,
        "prompt": prompt_id(text, shown),
        "pictures": shown,
    }


def _written_schema(text: str) -> Mapping[str, Any] | None:
    """The JSON schema that stands in ``text``, where it is not sent in its own field."""
    start = text.find('{"')
    while start >= 0:
        try:
            found, _ = json.JSONDecoder().raw_decode(text, start)
        except ValueError:
            found = None
        if isinstance(found, dict) and {"properties", "anyOf", "$ref", "type"} & set(found):
            return found
        start = text.find('{"', start + 1)
    return None


def _content(content: Any) -> str:
    if isinstance(content, list):
        return "".join(str(part.get("text", "")) for part in content)
    return str(content or "")


def _parts(content: Mapping[str, Any]) -> str:
    return "".join(str(part.get("text", "")) for part in content.get("parts", ()))


def _place(method: str, path: str) -> tuple[Dialect, str, str]:
    """The interface, the endpoint and the name of a model, file or batch that ``path`` leads to."""
    parts = path.strip("/").split("/")
    if parts[0] == "_control":
        return "control", "control", parts[-1]
    if parts[:2] == ["upload", "v1beta"]:
        return "gemini", "upload", parts[-1]
    if parts[0] == "v1beta":
        return "gemini", *_gemini_place(method, parts[1:])
    return "openai", *_openai_place(method, parts[1:])


def _gemini_place(method: str, parts: list[str]) -> tuple[str, str]:
    name, _, verb = parts[-1].partition(":")
    if parts[0] == "models":
        return {"generateContent": "generate", "batchGenerateContent": "submit"}.get(verb, "models"), name
    if parts[0] == "batches":
        return ("batches", "") if len(parts) == 1 else ("batch", name)
    return ("content", name) if verb == "download" else ("file", name)


def _openai_place(method: str, parts: list[str]) -> tuple[str, str]:
    match parts:
        case ["chat", "completions"]:
            return "chat", ""
        case ["embeddings"]:
            return "embed", ""
        case ["models", *rest]:
            return "models", "/".join(rest)
        case ["files"]:
            return "upload", ""
        case ["files", name, "content"]:
            return "content", name
        case ["files", name]:
            return "file", name
        case ["batches"]:
            return ("submit" if method == "POST" else "batches"), ""
        case ["batches", name, *_]:
            return "batch", name
    return "unknown", ""
