"""Which fields igtool reads: found by introspection of the Structs that a shape declares."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from functools import lru_cache
from types import ModuleType
from typing import Any, get_args, get_origin

import msgspec

from igtool.drift.compare import Fields
from igtool.platforms import shapes

_FILES = f"{shapes.__name__}."


@lru_cache(maxsize=256)
def fields_read(shape: str) -> Fields:
    """The fields that the file of ``shape`` declares; none when there is no such shape."""
    for found in pkgutil.iter_modules(shapes.__path__):
        module = importlib.import_module(f"{shapes.__name__}.{found.name}")
        keys = {(key,) for each in getattr(module, "SHAPES", ()) if each.name == shape for key in each.keys}
        if keys:
            return frozenset(keys | _fields_of(_structs_of(module)))
    return frozenset()


def _structs_of(module: ModuleType) -> set[type[msgspec.Struct]]:
    """The Structs that a file of shapes has, and those of the files that it works with."""
    found: set[type[msgspec.Struct]] = set()
    for held in vars(module).values():
        if isinstance(held, ModuleType) and held.__name__.startswith(f"{shapes.__name__}."):
            found |= _structs_of(held)
        elif (
            isinstance(held, type) and issubclass(held, msgspec.Struct) and held.__module__.startswith(shapes.__name__)
        ):
            found.add(held)
    return found


def _fields_of(structs: set[type[msgspec.Struct]]) -> set[tuple[str, ...]]:
    above: dict[type[msgspec.Struct], set[str]] = {}
    for struct in structs:
        for field in msgspec.structs.fields(struct):
            for inner in _within(field.type):
                above.setdefault(inner, set()).add(field.encode_name)
    found: set[tuple[str, ...]] = set()
    for struct in structs:
        for name in struct.__struct_encode_fields__:
            found |= {(key, name) for key in above.get(struct, ())}
            if struct not in above or not (name.isalpha() and name.islower()):
                found.add((name,))
    return found


def _within(annotation: Any) -> Iterator[type[msgspec.Struct]]:
    """The Structs in a type: in a union, a list, a dict, or as an argument of another Struct."""
    for part in (annotation, get_origin(annotation)):
        if isinstance(part, type) and issubclass(part, msgspec.Struct):
            yield part
    for part in get_args(annotation):
        yield from _within(part)
