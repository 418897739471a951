"""The pictures in a request, checked, and what a model says of them here: tags by their mean colour."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

_CHAT_START = "data:image/jpeg;base64,"


def of_chat(data: Mapping[str, Any]) -> tuple[bytes, ...]:
    """The pictures in the body of a chat completion. Raises ValueError for what is no JPEG in a data URL."""
    parts = [
        part for one in data.get("messages", ()) if isinstance(one.get("content"), list) for part in one["content"]
    ]
    urls = [part["image_url"]["url"] for part in parts if part["type"] == "image_url"]
    if not all(url.startswith(_CHAT_START) for url in urls):
        raise ValueError("a picture does not come as a JPEG in a data URL")
    return tuple(_jpeg(url.removeprefix(_CHAT_START)) for url in urls)


def of_gemini(data: Mapping[str, Any]) -> tuple[bytes, ...]:
    """The pictures in the body of generateContent. Raises ValueError for what is no JPEG."""
    inline = [part["inlineData"] for one in data.get("contents", ()) for part in one["parts"] if "inlineData" in part]
    if not all(one["mimeType"] == "image/jpeg" for one in inline):
        raise ValueError("a picture is not said to be a JPEG")
    return tuple(_jpeg(one["data"]) for one in inline)


def _jpeg(text: str) -> bytes:
    content = base64.b64decode(text, validate=True)
    if not (content.startswith(b"\xff\xd8\xff") and content.endswith(b"\xff\xd9")):
        raise ValueError("a picture is no JPEG")
    return content


def seen(schema: Mapping[str, Any], picture: bytes) -> dict[str, Any]:
    """An answer about the tags that ``schema`` names: the brighter a channel, the surer is the tag whose turn it is."""
    import simplejpeg

    means = [float(mean) for mean in simplejpeg.decode_jpeg(picture, "RGB").mean(axis=(0, 1))]
    slugs = schema["properties"]["tags"]["items"]["properties"]["tag"]["enum"]
    tags = [
        {"tag": slug, "present": mean > 127.5, "confidence": round(0.5 + abs(mean - 127.5) / 255, 3)}
        for slug, mean in zip(slugs, means * len(slugs), strict=False)
    ]
    return {"tags": tags, "reason": f"colours of {'bright' if sum(means) > 382 else 'dark'} cloth"}


def are_asked(schema: Any) -> bool:
    """Whether ``schema`` asks for tags of a picture."""
    return isinstance(schema, Mapping) and {"tags", "reason"} <= set(schema.get("properties", ()))
