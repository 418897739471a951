"""A valid instance of a JSON schema, the same for the same seed."""

from __future__ import annotations

import math
import random
import re
from collections.abc import Mapping, Sequence
from typing import Any

_FORMATS = {
    "date-time": "2026-10-01T12:00:00Z",
    "date": "2026-10-01",
    "time": "12:00:00Z",
    "email": "someone@example.com",
    "uri": "https://example.com/",
    "uuid": "00000000-0000-4000-8000-000000000001",
}
_PATTERNED = (
    "word",
    "Word",
    "7",
    "2026",
    "12:30",
    "2026-10-01",
    "a1",
    "es",
    "en-US",
    "some words here",
    "#tag",
    "@name",
)
_DEEPEST = 24


def instance(schema: Mapping[str, Any], seed: str, text: str = "") -> Any:
    """A value that fits ``schema``; ``seed`` decides between the choices that it leaves.

    Strings are spans of ``text`` where no enum, pattern or format says otherwise, so that a quotation is one.
    Knows objects, arrays, enums, constants, strings, numbers, booleans, null, anyOf, oneOf, allOf and $ref, with
    bounds. Raises ValueError for a pattern that it cannot meet or a schema that never ends.
    """
    return _Maker(schema, random.Random(seed), text.split() or ["word"]).value(schema, 0)


class _Maker:
    def __init__(self, root: Mapping[str, Any], chance: random.Random, words: Sequence[str]) -> None:
        self._root, self._chance, self._words = root, chance, words

    def value(self, schema: Mapping[str, Any] | bool, depth: int) -> Any:
        """A value for ``schema``, ``depth`` levels below the root."""
        if depth > _DEEPEST:
            raise ValueError("the schema never ends")
        if isinstance(schema, bool) or not schema:
            return None
        if "$ref" in schema:
            rest = {key: part for key, part in schema.items() if key != "$ref"}
            return self.value({**self._referred(schema["$ref"]), **rest}, depth + 1)
        for several in ("anyOf", "oneOf"):
            if several in schema:
                return self.value(self._one_of(schema[several], depth), depth + 1)
        if "allOf" in schema:
            return self.value(self._merged(schema), depth + 1)
        if "const" in schema:
            return schema["const"]
        if "enum" in schema:
            return self._chance.choice(schema["enum"])
        return self._typed(schema, depth)

    def _typed(self, schema: Mapping[str, Any], depth: int) -> Any:
        kind = schema.get("type", "object" if "properties" in schema else "string")
        if isinstance(kind, list):
            kind = next((one for one in kind if one != "null"), "null")
        if kind == "object":
            return self._object(schema, depth)
        if kind == "array":
            return self._array(schema, depth)
        if kind in ("integer", "number"):
            return self._number(schema, whole=kind == "integer")
        return {"boolean": lambda: self._chance.random() < 0.5, "null": lambda: None}.get(
            kind, lambda: self._string(schema)
        )()

    def _object(self, schema: Mapping[str, Any], depth: int) -> dict[str, Any]:
        wanted = set(schema.get("required", ()))
        made = {
            name: self.value(part, depth + 1)
            for name, part in schema.get("properties", {}).items()
            if name in wanted or depth < _DEEPEST // 4
        }
        more = schema.get("additionalProperties")
        for number in range(max(0, schema.get("minProperties", 0) - len(made))):
            made[f"key_{number}"] = self.value(more if isinstance(more, dict) else {"type": "string"}, depth + 1)
        return made

    def _array(self, schema: Mapping[str, Any], depth: int) -> list[Any]:
        made = [self.value(part, depth + 1) for part in schema.get("prefixItems", ())]
        least = schema.get("minItems", 0)
        most = schema.get("maxItems", max(least, 2))
        count = self._chance.randint(least, max(least, min(most, max(least, 1) + 1)))
        for _ in range(20 * count):
            if len(made) >= count or "items" not in schema:
                break
            one = self.value(schema["items"], depth + 1)
            if not (schema.get("uniqueItems") and one in made):
                made.append(one)
        return made

    def _number(self, schema: Mapping[str, Any], *, whole: bool) -> float:
        least: float = schema.get("minimum", schema.get("exclusiveMinimum", 0))
        most: float = schema.get("maximum", schema.get("exclusiveMaximum", max(least + 10, 1)))
        step: float = schema.get("multipleOf", 1 if whole else 0)
        if step:
            first = math.ceil(least / step) + (schema.get("exclusiveMinimum") == math.ceil(least / step) * step)
            last = math.floor(most / step) - (schema.get("exclusiveMaximum") == math.floor(most / step) * step)
            return self._chance.randint(first, max(first, last)) * step
        return round(least + (most - least) * self._chance.uniform(0.01, 0.99), 6)

    def _string(self, schema: Mapping[str, Any]) -> str:
        least, most = schema.get("minLength", 0), schema.get("maxLength", 200)
        if "format" in schema and schema["format"] in _FORMATS:
            return _FORMATS[schema["format"]]
        if "pattern" in schema:
            fitting = [one for one in _PATTERNED if re.search(schema["pattern"], one) and least <= len(one) <= most]
            if not fitting:
                raise ValueError(f"nothing is known that fits the pattern {schema['pattern']!r}")
            return self._chance.choice(fitting)
        start = self._chance.randrange(len(self._words))
        span = " ".join(self._words[start : start + self._chance.randint(1, 6)])[:most].strip() or "word"[:most]
        while len(span) < least:
            span = f"{span} {self._chance.choice(self._words)}"[:most] or "w"
        return span

    def _referred(self, reference: str) -> Mapping[str, Any]:
        found: Any = self._root
        for part in reference.lstrip("#/").split("/"):
            found = found[part.replace("~1", "/").replace("~0", "~")]
        return dict(found)

    def _one_of(self, choices: Sequence[Mapping[str, Any]], depth: int) -> Mapping[str, Any]:
        """One of ``choices``, far down the first that ends."""
        real = [one for one in choices if one.get("type") != "null"] or list(choices)
        if depth > _DEEPEST // 2:
            return next((one for one in choices if one.get("type") == "null"), real[0])
        return self._chance.choice(real)

    def _merged(self, schema: Mapping[str, Any]) -> dict[str, Any]:
        whole: dict[str, Any] = {key: part for key, part in schema.items() if key != "allOf"}
        for part in schema["allOf"]:
            plain = {**self._referred(part["$ref"]), **part} if "$ref" in part else dict(part)
            plain.pop("$ref", None)
            joined = {**whole.get("properties", {}), **plain.get("properties", {})}
            required = [*whole.get("required", ()), *plain.get("required", ())]
            whole = {**whole, **plain}
            if joined:
                whole |= {"properties": joined, "required": required}
        return whole
