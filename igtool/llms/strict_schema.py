"""A JSON schema in the narrower form that providers take for an answer that must fit it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_UNUSED = frozenset({"title", "default", "examples", "$schema", "$id", "discriminator", "deprecated", "readOnly"})
_BOUNDS = frozenset(
    {"minLength", "maxLength", "pattern", "format", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"}
    | {"multipleOf", "minItems", "maxItems", "uniqueItems", "minProperties", "maxProperties"}
)
_NAMED = frozenset({"properties", "$defs", "definitions"})


def strict(schema: Mapping[str, Any], *, has_bounds: bool = True) -> dict[str, Any]:
    """``schema`` so that the strict mode of OpenAI takes it: every object closed, every property required.

    ``$defs`` are kept. A property with a default becomes one that the model has to fill in, which every pydantic
    model still takes. Without ``has_bounds`` lengths, ranges and patterns are left out: some servers refuse them.
    An object without properties of its own, such as a mapping, cannot be made strict and stays as it is. Source:
    https://platform.openai.com/docs/guides/structured-outputs#supported-schemas
    """
    if "$ref" in schema:
        beside = {name: _plain(name, part, has_bounds) for name, part in schema.items() if name in _NAMED}
        return {"$ref": schema["$ref"], **beside}
    made = {_word(name): _plain(name, part, has_bounds) for name, part in schema.items() if _is_kept(name, has_bounds)}
    whole = made.pop("allOf", None)
    if isinstance(whole, list):
        for part in whole:
            made = {**part, **made}
    if "const" in made:
        made["enum"] = [made.pop("const")]
    if isinstance(made.get("properties"), dict):
        made |= {"additionalProperties": False, "required": list(made["properties"])}
    return made


def _is_kept(name: str, has_bounds: bool) -> bool:
    return name not in _UNUSED and (has_bounds or name not in _BOUNDS)


def _word(name: str) -> str:
    return "anyOf" if name == "oneOf" else name


def _plain(name: str, part: Any, has_bounds: bool) -> Any:
    """The value of the keyword ``name`` with the schemas in it made strict."""
    if name in _NAMED and isinstance(part, Mapping):
        return {own: strict(one, has_bounds=has_bounds) for own, one in part.items()}
    if name in ("enum", "const", "required", "type"):
        return part
    if isinstance(part, Mapping):
        return strict(part, has_bounds=has_bounds)
    if isinstance(part, list):
        return [strict(one, has_bounds=has_bounds) if isinstance(one, Mapping) else one for one in part]
    return part
