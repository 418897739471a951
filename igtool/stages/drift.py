"""Which fields the answers of a week have: paths and JSON types, counted in a sample, without any value."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar

import msgspec
import pyarrow as pa

from igtool.drift.compare import UNKNOWN
from igtool.platforms.base import Parsed, parse, versions
from igtool.platforms.json_text import Malformed, decode
from igtool.stages.base import BatchStage, Context, Output, Row

SAMPLE = 40
"""Answers of one source, endpoint and week that are looked at."""
DEEPEST = 8
"""Keys and lists below each other that are followed."""
MOST_PATHS = 600
"""Paths kept of one shape in one week; the shallow ones stay."""
MOST_ELEMENTS = 100
"""Elements of one list that are looked at, from its start."""

_AT_ONCE = 16
_LONGEST_KEY = 64
_MANY_KEYS = 40
_MANY_RARE_KEYS = 20
_RARE = 0.25
_FAR_TOO_MANY_KEYS = 1_000
_PLAIN_KEY = re.compile(r"[^\W\d][\w-]*")
_DATA_KEY = re.compile(r"[\W\d_]*|.*\d{5}.*|(?=.*\d)[0-9a-fA-F-]{12,}|.*@.*|.*://.*", re.DOTALL)
"""No letter at all (numbers, dates, times), an id, an address."""
_ALWAYS_THERE = frozenset({"account_id", "content_id", "platform", "flags", "is_profile", "is_declared"})
"""Fields of the records that are no columns, or that igtool fills itself."""
_ANYTHING = msgspec.json.Decoder()
_KINDS = {bool: "bool", int: "int", float: "float", str: "str", type(None): "null"}

_SAMPLED = f"""
    select source || '|' || week as item_id, source, week, unnest(ids) as answer_id, unnest(times) as fetched_at
    from (
        select source, strftime(make_timestamp(epoch_us(fetched_at)), '%G-W%V') as week,
               if(source = 'files', '', endpoint) as family,
               min(answer_id, {SAMPLE}) as ids, arg_min(fetched_at, answer_id, {SAMPLE}) as times
        from raw_responses
        where outcome = 'ok' and fetched_at is not null
              and (source = 'files' or not ends_with(coalesce(endpoint, ''), '_error'))
        group by all
    )
"""


def _shapes() -> tuple[tuple[str, int], ...]:
    return tuple(sorted(versions().items()))


@dataclass(frozen=True)
class DriftOptions:
    """``shapes``: names and versions of those there are; with another one every sample is counted again."""

    shapes: tuple[tuple[str, int], ...] = field(default_factory=_shapes)


class Drift(BatchStage):
    """A week of a source in; the paths of its answers by shape, and how many rows have a value in each column.

    The sample of a week is the answers with the smallest ids: ids are hashes, so they are drawn at random, and the
    same ones are drawn again as long as no answer with a smaller id comes.
    """

    name = "drift"
    version = 1
    reads = ("raw_responses",)
    writes = ("drift", "column_fill")
    key = "sample_id"
    keys = f"""
        select item_id, md5(string_agg(answer_id, ' ' order by answer_id)) as fingerprint
        from ({_SAMPLED}) group by item_id
    """
    # The time is joined too: it lets DuckDB leave out the files of other weeks, whose bodies are large.
    rows = f"""
        select s.item_id, s.source, s.week, r.answer_id, r.body, r.subject, r.fetched_at
        from batch b join ({_SAMPLED}) s using (item_id)
        join raw_responses r on r.answer_id = s.answer_id and r.fetched_at = s.fetched_at
        order by s.item_id, r.answer_id
    """
    batch_size = 8
    Options: ClassVar[type] = DriftOptions

    def process(self, batch: pa.Table, context: Context) -> Output:  # noqa: ARG002 - a pure function of the batch
        """Rows of ``drift`` and ``column_fill``; an answer that is an error message or no JSON is left out."""
        samples: dict[str, _Sample] = {}
        for row in _rows(batch):
            item = row["item_id"]
            if item not in samples:
                samples[item] = _Sample(item, row["source"], row["week"])
            samples[item].add(row["answer_id"], row["body"] or "", row["subject"], row["fetched_at"])
        found = [samples[item] for item in sorted(samples)]
        return Output(
            tables={
                "drift": [row for sample in found for row in sample.paths()],
                "column_fill": [row for sample in found for row in sample.fill()],
            },
            done=sorted(samples),
        )


def _rows(batch: pa.Table) -> Iterator[Row]:
    for part in batch.to_batches(max_chunksize=_AT_ONCE):
        yield from part.to_pylist()


@dataclass(slots=True)
class Node:
    """What stands at one path: JSON type to the answers that have it there, and what stands below.

    Answers are bits of an integer, so that nodes that turn out to be one path can be made one.
    """

    types: dict[str, int] = field(default_factory=dict)
    below: dict[str, Node] = field(default_factory=dict)
    is_map: bool = False

    @property
    def answers(self) -> int:
        """The answers that have this path, as bits."""
        found = 0
        for bits in self.types.values():
            found |= bits
        return found

    def add(self, value: Any, answer: int, subject: str | None, depth: int = 0) -> None:
        """Count ``value``, which the answer with the bit ``answer`` has here."""
        kind = _KINDS.get(type(value)) or ("list" if isinstance(value, list) else "object")
        if kind in ("list", "object") and not value:
            kind = f"empty_{kind}"
        self.types[kind] = self.types.get(kind, 0) | answer
        if depth == DEEPEST:
            return
        if kind == "list":
            child = self._child("[]")
            for element in value[:MOST_ELEMENTS]:
                child.add(element, answer, subject, depth + 1)
        elif kind == "object":
            for key, held in value.items():
                step = "{}" if _is_data(key, held, subject) else _step(key)
                self._child(step).add(held, answer, subject, depth + 1)

    def _child(self, step: str) -> Node:
        if len(self.below) > _FAR_TOO_MANY_KEYS:
            self.fold()
        if self.is_map and step != "[]":
            step = "{}"
        return self.below.setdefault(step, Node())

    def fold(self) -> None:
        """Make all keys one: they are data."""
        elements = self.below.pop("[]", None)
        keys, self.below, self.is_map = self.below, {"{}": Node()}, True
        for child in keys.values():
            self.below["{}"].take(child)
        if elements is not None:
            self.below["[]"] = elements

    def take(self, other: Node) -> None:
        """Add what another node has counted."""
        for kind, bits in other.types.items():
            self.types[kind] = self.types.get(kind, 0) | bits
        if other.is_map and not self.is_map:
            self.fold()
        for step, child in other.below.items():
            self._child(step).take(child)

    def holds_data(self) -> bool:
        """Whether the keys below are too many and too alike, or too rare, to be names of fields."""
        keys = [child for step, child in self.below.items() if step != "[]"]
        if len(keys) <= _MANY_RARE_KEYS or len(keys) > _FAR_TOO_MANY_KEYS:
            return len(keys) > _FAR_TOO_MANY_KEYS
        objects = self.types.get("object", 0).bit_count()
        seen = sum(child.answers.bit_count() for child in keys)
        if objects >= 4 and seen / (len(keys) * objects) < _RARE:
            return True
        kinds = {kind.removeprefix("empty_") for child in keys for kind in child.types} - {"null"}
        return len(keys) > _MANY_KEYS and kinds in ({"object"}, {"list"}, {"int"}, {"float"}, {"int", "float"})

    def paths(self, path: str = "", depth: int = 0) -> Iterator[tuple[int, str, Node]]:
        """Depth, path and node of everything below, keys that are data made one."""
        if self.holds_data():
            self.fold()
        for step, child in self.below.items():
            below = path + step if step == "[]" or not path else f"{path}.{step}"
            yield depth + 1, below, child
            yield from child.paths(below, depth + 1)


def _is_data(key: str, held: Any, subject: str | None) -> bool:
    """Whether a key is an id, a handle, a number or a date rather than the name of a field."""
    if len(key) > _LONGEST_KEY or _DATA_KEY.fullmatch(key):
        return True
    if subject is not None and key.casefold() == subject.casefold():
        return True
    return isinstance(held, dict) and any(value == key for value in held.values() if isinstance(value, str))


def _step(key: str) -> str:
    return key if _PLAIN_KEY.fullmatch(key) else json.dumps(key, ensure_ascii=False)


@dataclass(slots=True)
class _Shape:
    """What the answers of one shape have in one week."""

    answers: int = 0
    root: Node = field(default_factory=Node)
    columns: dict[tuple[str, str], tuple[int, int]] = field(default_factory=dict)

    def fill(self, parsed: Parsed) -> None:
        """Count the values in the columns of what was read; an account that a post only names does not count."""
        self._count("raw_responses", "body", is_filled=parsed.reason is None)
        profiles = [account for account in parsed.accounts if account.is_profile]
        for table, records in (("accounts", profiles), ("content_items", parsed.content_items)):
            for record in records:
                for column in record.__struct_fields__:
                    if column not in _ALWAYS_THERE:
                        self._count(table, column, is_filled=getattr(record, column) not in (None, "", []))

    def _count(self, table: str, column: str, *, is_filled: bool) -> None:
        filled, rows = self.columns.get((table, column), (0, 0))
        self.columns[table, column] = (filled + is_filled, rows + 1)


@dataclass
class _Sample:
    """The sampled answers of one source in one week."""

    item: str
    source: str
    week: str
    ids: list[str] = field(default_factory=list)
    shapes: dict[str, _Shape] = field(default_factory=dict)

    def add(self, answer_id: str, body: str, subject: str | None, fetched_at: datetime) -> None:
        """Count one answer."""
        parsed = parse(body, subject=subject, observed_at=fetched_at)
        if parsed.outcome not in ("ok", "invalid"):
            return
        try:
            value, _ = decode(_ANYTHING, body)
        except (Malformed, msgspec.ValidationError):
            return
        shape = self.shapes.setdefault(parsed.shape or UNKNOWN, _Shape())
        bit = 1 << len(self.ids)
        self.ids.append(answer_id)
        shape.answers |= bit
        shape.root.add(value, bit, subject)
        shape.fill(parsed)

    def paths(self) -> Iterator[Row]:
        """Rows of ``drift``."""
        for name, shape in sorted(self.shapes.items()):
            ordered = sorted(shape.root.paths(), key=lambda found: (found[0], -found[2].answers.bit_count(), found[1]))
            yield self._row(name, shape, "$", shape.root)
            for _, path, node in ordered[:MOST_PATHS]:
                yield self._row(name, shape, path, node)
            if len(ordered) > MOST_PATHS:
                rest = Node()
                for _, _, node in ordered[MOST_PATHS:]:
                    rest.take(Node(node.types))
                yield self._row(name, shape, "…", rest)

    def _row(self, name: str, shape: _Shape, path: str, node: Node) -> Row:
        bits = node.answers
        return {
            "drift_id": f"{self.item}|{name}|{path}",
            "sample_id": self.item,
            "source": self.source,
            "week": self.week,
            "shape": name,
            "path": path,
            "types": json.dumps({kind: node.types[kind].bit_count() for kind in sorted(node.types)}),
            "seen_count": bits.bit_count(),
            "answer_count": shape.answers.bit_count(),
            "example_answer_id": min(answer for place, answer in enumerate(self.ids) if bits >> place & 1),
        }

    def fill(self) -> Iterator[Row]:
        """Rows of ``column_fill``."""
        for name, shape in sorted(self.shapes.items()):
            for (table, column), (filled, rows) in sorted(shape.columns.items()):
                yield {
                    "fill_id": f"{self.item}|{name}|{table}.{column}",
                    "sample_id": self.item,
                    "source": self.source,
                    "week": self.week,
                    "shape": name,
                    "table_name": table,
                    "column_name": column,
                    "filled_count": filled,
                    "row_count": rows,
                }
