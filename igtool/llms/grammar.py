"""From a JSON schema to the grammar that keeps a model in this process to it.

The engine says nothing when it cannot follow a schema: it lets the model write what it likes, or takes all memory
(measured: ``minItems`` of 10⁹ took 24 GB). So what it does not know, and bounds out of proportion, are refused here.
Keywords that were found to be followed: https://github.com/guidance-ai/llguidance/blob/main/docs/json_schema.md
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from igtool.llms.base import ProviderError

_IGNORED = frozenset({"title", "description", "default", "examples"})
_WITHIN = frozenset({"items", "additionalProperties"})
_LISTS = frozenset({"anyOf", "oneOf", "allOf"})
_NAMED = frozenset({"properties", "$defs"})
_SIZES = frozenset({"minItems", "maxItems", "minLength", "maxLength"})
_BOUNDS = frozenset({"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"})
_PLAIN = frozenset({"type", "enum", "const", "required", "pattern", "$ref"})
_TYPES = frozenset({"object", "array", "string", "integer", "number", "boolean", "null"})
_LARGEST = 10_000
"""Of a length, a number of items and an enum."""
_DEEPEST = 32

_COMPACT = {"whitespace_flexible": False, "item_separator": ",", "key_separator": ":"}
"""No spaces and line breaks: they are tokens too."""


def closed_schema(schema: Mapping[str, Any]) -> dict[str, Any]:
    """``schema`` for an engine that follows JSON schemas token by token: compact, and without undeclared properties.

    Raises ProviderError (invalid) for what such an engine would not follow.
    """
    return {**_closed(schema, 0), "x-guidance": _COMPACT}


def _closed(schema: Any, depth: int) -> Any:
    if isinstance(schema, bool):
        return schema
    if not isinstance(schema, Mapping) or depth > _DEEPEST:
        raise _refused("it is nested too deeply" if depth > _DEEPEST else f"{schema!r:.60} is no schema")
    closed: dict[str, Any] = {}
    for name, value in schema.items():
        if name in _NAMED and isinstance(value, Mapping):
            closed[name] = {key: _closed(part, depth + 1) for key, part in value.items()}
        elif name in _LISTS and isinstance(value, Sequence) and value:
            closed[name] = [_closed(part, depth + 1) for part in value]
        elif name in _WITHIN:
            closed[name] = _closed(value, depth + 1)
        elif name not in _IGNORED:
            closed[name] = _checked(name, value)
    if "properties" in closed:
        closed.setdefault("additionalProperties", False)
    _check_whole(closed)
    return closed


def _checked(name: str, value: Any) -> Any:
    """A keyword that holds no schema."""
    if name in _SIZES:
        fits = isinstance(value, int) and 0 <= value <= _LARGEST
    elif name in _BOUNDS:
        fits = isinstance(value, (int, float))
    elif name == "type":
        fits = bool(value) and {value} <= _TYPES if isinstance(value, str) else bool(value) and set(value) <= _TYPES
    elif name == "enum":
        fits = 0 < len(value) <= _LARGEST
    else:
        fits = name in _PLAIN
    if not fits:
        raise _refused(f"{name} {value!r:.60}")
    return value


def _check_whole(schema: Mapping[str, Any]) -> None:
    """Raises where two keywords leave nothing that could be written."""
    for least, most in (("minItems", "maxItems"), ("minLength", "maxLength"), ("minimum", "maximum")):
        if schema.get(least, 0) > schema.get(most, schema.get(least, 0)):
            raise _refused(f"{least} above {most}")
    missing = set(schema.get("required", ())) - set(schema.get("properties", ()))
    if missing and schema.get("additionalProperties") is False:
        raise _refused(f"{sorted(missing)[0]!r} is required and not described")


def _refused(what: str) -> ProviderError:
    return ProviderError("invalid", f"the schema of the answer cannot be followed by a model in this process: {what}")
