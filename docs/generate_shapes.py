"""Writes the reference of shapes from their readers: which fields of a payload fill which column; a test compares it.

The readers are looked at, not run: from the function that a shape declares, through all that it calls, to where an
Account or a ContentItem is made. The fields that stand in the expression of a column, or in the functions that it
calls, are those that fill it.
"""

from __future__ import annotations

import ast
import inspect
import sys
import textwrap
from collections.abc import Iterator, Mapping
from functools import cache, partial
from pathlib import Path
from types import FunctionType
from typing import Any, NamedTuple, cast

import msgspec

from igtool.platforms.base import Account, ContentItem, Shape, _declared
from igtool.platforms.shapes import homemade_names, instagram_user, instagram_v1, instagram_views

PAGE = Path(__file__).parent / "shapes.md"
ROWS = {"Account": ("accounts", Account), "ContentItem": ("content_items", ContentItem)}
_PACKAGE = "igtool.platforms.shapes."
_NAMES = {"PROFILE": homemade_names.PROFILE, "POST": homemade_names.POST, "WHO": homemade_names.WHO}
_ALWAYS = frozenset({"account_id", "content_id", "platform", "flags", "is_profile"})
"""Columns that every row has, whatever the payload."""

_OF_OTHERS = {
    "tikhub": (*instagram_v1.SHAPES, *instagram_user.SHAPES),
    "instagram/shared_data": instagram_views._PAGES,
    "instagram/hikerapi_response": instagram_v1.SHAPES,
}
"""Envelopes around answers of other shapes."""

Filled = Mapping[str, Mapping[str, tuple[str, ...]]]
"""Table to column to the fields that fill it, in the order of the columns."""


class _Place(NamedTuple):
    """Where an expression stands; ``seen`` are the names that were followed."""

    function: FunctionType
    reached: list[FunctionType]
    seen: set[Any]


def filled(shape: Shape) -> Filled:
    """What the reader of ``shape`` takes of its payloads."""
    found: dict[str, dict[str, dict[str, None]]] = {"accounts": {}, "content_items": {}}
    for one in (shape, *_OF_OTHERS.get(shape.name, ())):
        reached = _reached(one.read)
        for function in reached:
            for call in _nodes(function, ast.Call):
                if isinstance(call.func, ast.Name) and call.func.id in ROWS:
                    _take(call, ROWS[call.func.id], _Place(function, reached, set()), found)
    return {
        table: {column: tuple(found[table][column]) for column in struct.__struct_fields__ if column in found[table]}
        for table, struct in ROWS.values()
    }


def _take(call: ast.Call, row: tuple[str, Any], place: _Place, found: dict[str, Any]) -> None:
    table, struct = row
    given = dict(zip(struct.__struct_fields__, call.args, strict=False))
    given |= {keyword.arg: keyword.value for keyword in call.keywords if keyword.arg}
    for column, value in given.items():
        if column not in _ALWAYS:
            found[table].setdefault(column, {}).update(dict.fromkeys(_fields(value, place._replace(seen=set()))))


def _fields(value: ast.AST, place: _Place) -> Iterator[str]:
    """The fields of the payload that stand in an expression, in what it calls, and in what its names were set to."""
    encoded = _encoded_names(place.function.__module__)
    objects = {id(node.value) for node in ast.walk(value) if isinstance(node, ast.Attribute)}
    handed_on = {id(given) for node in ast.walk(value) if isinstance(node, ast.Call) for given in node.args}
    for node in ast.walk(value):
        if id(node) in objects and isinstance(node, ast.Name):
            continue
        if isinstance(node, ast.Attribute) and node.attr in encoded:
            yield encoded[node.attr]
        elif isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name) and node.value.id in _NAMES:
            if isinstance(node.slice, ast.Constant):
                yield from _NAMES[node.value.id][node.slice.value][:4]
        elif isinstance(node, ast.Name) and node.id != "flags" and (place.function, node.id) not in place.seen:
            place.seen.add((place.function, node.id))
            for meant, where in _meanings(node.id, place, is_whole=id(node) not in handed_on):
                yield from _fields(meant, where)


def _meanings(name: str, place: _Place, *, is_whole: bool) -> Iterator[tuple[ast.AST, _Place]]:
    """What a name stands for: the function that is called, what was assigned to it, what a caller gave for it.

    What a caller gave counts where the name ``is_whole``, all that there is: an object that is handed on is not read.
    """
    function = place.function
    called = function.__globals__.get(name)
    if isinstance(called, FunctionType) and called.__module__.startswith(_PACKAGE):
        yield from ((statement, place._replace(function=called)) for statement in _tree(called).body)
    for assignment in _nodes(function, ast.Assign):
        if any(isinstance(n, ast.Name) and n.id == name for target in assignment.targets for n in ast.walk(target)):
            yield assignment.value, place
    parameters = [parameter.arg for parameter in _tree(function).args.args]
    if is_whole and name in parameters:
        for caller in place.reached:
            for call in _nodes(caller, ast.Call):
                if getattr(call.func, "id", getattr(call.func, "attr", "")) == function.__name__:
                    given = call.args[parameters.index(name) : parameters.index(name) + 1]
                    yield from ((argument, place._replace(function=caller)) for argument in given)


def _reached(read: Any) -> list[FunctionType]:
    """The functions of shapes that a reader calls, itself first."""
    found: dict[FunctionType, None] = {}
    waiting = [read]
    while waiting:
        one = waiting.pop(0)
        if isinstance(one, partial):
            waiting += [one.func, *one.args]
        elif isinstance(one, FunctionType) and one.__module__.startswith(_PACKAGE) and one not in found:
            found[one] = None
            waiting += [one.__globals__.get(name.id) for name in _nodes(one, ast.Name)]
            for use in _nodes(one, ast.Attribute):
                module = one.__globals__.get(use.value.id) if isinstance(use.value, ast.Name) else None
                waiting.append(getattr(module, use.attr, None) if inspect.ismodule(module) else None)
    return list(found)


@cache
def _tree(function: FunctionType) -> ast.FunctionDef:
    (tree,) = ast.parse(textwrap.dedent(inspect.getsource(function))).body
    return cast("ast.FunctionDef", tree)


def _nodes(function: FunctionType, kind: Any) -> list[Any]:
    return [node for node in ast.walk(_tree(function)) if isinstance(node, kind)]


@cache
def _encoded_names(module: str) -> dict[str, str]:
    """What the attributes of the Structs of a file are called in payloads."""
    structs = [
        value
        for value in vars(sys.modules[module]).values()
        if isinstance(value, type) and issubclass(value, msgspec.Struct) and value not in (Account, ContentItem)
    ]
    return {field.name: field.encode_name for struct in structs for field in msgspec.structs.fields(struct)}


def page() -> str:
    """The reference of all shapes as Markdown."""
    lines = [
        "# Shapes of payloads",
        "",
        "Generated by `docs/generate_shapes.py` from the readers in `igtool/platforms/shapes`. A payload is of the",
        "first shape below that has all of its keys at the top and whose reader finds its structure; names of files",
        "play no part. Where a column names several fields, its reader knows which is taken first. Of the many names",
        "of home-made dumps the first four are shown: `homemade_names.py` has them all.",
        "",
        "Columns that are found in texts when rows are made (`hashtags`, `mentions`, `links`, `language`,",
        "`is_sponsored`) are not repeated for each shape; `is_declared` is what a platform marks as advertising.",
    ]
    groups: dict[str, dict[tuple[str, ...], list[Shape]]] = {}
    for shape in _declared()[0]:
        module = _reached(shape.read)[0].__module__
        groups.setdefault(module, {}).setdefault(tuple(_table(filled(shape))), []).append(shape)
    for module, tables in groups.items():
        lines += ["", f"## {module.removeprefix(_PACKAGE)}", "", str(sys.modules[module].__doc__).strip()]
        for table, shapes in tables.items():
            lines += ["", *map(_recognised, shapes), *table]
    return "\n".join(lines) + "\n"


def _recognised(shape: Shape) -> str:
    keys = ", ".join(f"`{key}`" for key in sorted(shape.keys)) or "no key that all have"
    notes = ["records of tables too"] * shape.flat + ["asked after all others"] * shape.last
    return f"- **{shape.name}** (version {shape.version}): " + "; ".join([keys, *notes])


def _table(columns: Filled) -> list[str]:
    rows = [
        f"| `{table}.{column}` | {', '.join(f'`{name}`' for name in names)} |"
        for table, own in columns.items()
        for column, names in own.items()
        if names
    ]
    return ["", "| column | fields |", "|---|---|", *rows] if rows else []


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
