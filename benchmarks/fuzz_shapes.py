"""Whether any payload breaks a reader of shapes; prints one JSON line, and each finding on a line of its own.

    .venv/bin/python -m benchmarks.fuzz_shapes [--inputs 100000] [--shape NAME] [--seed 1] [--processes 2]
    PYTHONPATH=.:.venv/lib/python3.11/site-packages python -m benchmarks.fuzz_shapes --atheris 1000000

Payloads of tests/payloads, cut short, are changed at random: that many for each shape that reads them.
With ``--atheris`` (a package of its own environment) the changes that reach new branches of the readers are kept and
changed further, all shapes together. Looked for: an exception out of ``parse`` or ``rows.tables``, a row that the
columns do not take, an empty id, a count below zero, a time outside 1970-2100, and posts that are neither rows nor
``lost`` while the payload was read. It ends with 1 when there are findings.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import FunctionType
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from benchmarks.shape_entities import unaccounted
from benchmarks.shape_mutations import Seed, mutated, smaller, words_of
from igtool.arrow import arrow_schema
from igtool.platforms.base import Parsed, parse
from igtool.platforms.files import Document, read_documents
from igtool.platforms.rows import tables
from igtool.schema import TABLES

PAYLOADS = Path(__file__).parents[1] / "tests" / "payloads"
WHEN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
TYPES = pa.array(["post", "carousel", "reel", "video", "short"])
_BATCH = 200
_ID = r"(?s)^[a-z0-9][a-z0-9_.-]*:(@?\S.*)$"


@dataclass(frozen=True)
class Finding:
    """An input that broke a rule."""

    shape: str
    rule: str
    body: bytes

    def line(self) -> str:
        """The finding as one JSON line, with the beginning of the input."""
        return json.dumps({"shape": self.shape, "rule": self.rule, "body": self.body[:4000].decode("latin-1")})


def seeds() -> dict[str, list[Seed]]:
    """The payloads of each shape, cut short; those that give no rows are under the name of what refused them."""
    found: dict[str, dict[bytes, Seed]] = {}
    for document in read_documents(PAYLOADS):
        if not isinstance(document, Document) or ".rows.json" in document.path:
            continue
        body = json.dumps(smaller(json.loads(document.body))).encode()
        parsed = parse(body, subject=document.subject, observed_at=WHEN)
        own = found.setdefault(parsed.shape or "errors", {})
        if len(own) < 40:
            own[body] = Seed(body, document.subject or (None if len(own) % 2 else "some.one"))
    return {name: list(bodies.values()) for name, bodies in sorted(found.items())}


def checked(inputs: Iterable[tuple[bytes, str | None]], shape: str) -> tuple[Counter[str], list[Finding]]:
    """How many inputs had which outcome, and what broke a rule."""
    outcomes: Counter[str] = Counter()
    findings: list[Finding] = []
    batch: list[tuple[bytes, Parsed]] = []
    for body, subject in inputs:
        try:
            parsed = parse(body, subject=subject, observed_at=WHEN)
            uneven = _uneven(body, parsed)
        except Exception:  # noqa: BLE001 - that none escapes is what is tested
            findings.append(Finding(shape, f"parse: {_last_line()}", body))
            continue
        if uneven is not None:
            findings.append(Finding(parsed.shape or shape, uneven, body))
        outcomes[parsed.reason or parsed.outcome] += 1
        batch.append((body, parsed))
        if len(batch) == _BATCH:
            findings += _broken(batch, shape)
            batch = []
    return outcomes, findings + _broken(batch, shape)


def _uneven(body: bytes, parsed: Parsed) -> str | None:
    """Why what was read does not add up to what is in ``body``."""
    if parsed.shape is None or parsed.reason is not None:
        return None
    payload = json.loads(body.decode("utf-8", "replace"))  # texts that no reader looks at need not be UTF-8
    return unaccounted(parsed.shape, payload, parsed)


def _last_line() -> str:
    error, place = sys.exc_info()[1], traceback.extract_tb(sys.exc_info()[2])[-1]
    return f"{type(error).__name__}: {str(error)[:200]} in {Path(place.filename).name}:{place.lineno}"


def _broken(batch: Sequence[tuple[bytes, Parsed]], shape: str) -> list[Finding]:
    """The inputs of which rows break a rule, found by halving."""
    trouble = _trouble([parsed for _, parsed in batch])
    if trouble is None:
        return []
    if len(batch) == 1:
        return [Finding(batch[0][1].shape or shape, trouble, batch[0][0])]
    half = len(batch) // 2
    return _broken(batch[:half], shape) + _broken(batch[half:], shape)


def _trouble(batch: Sequence[Parsed]) -> str | None:
    """What is wrong with the rows of ``batch``; None when nothing is."""
    if not batch:
        return None
    try:
        made = tables(
            batch,
            pa.array([f"answer {place}" for place in range(len(batch))]),
            pa.array([WHEN] * len(batch), type=pa.timestamp("us", tz="UTC")),
        )
        if made["accounts"].num_rows != sum(len(parsed.accounts) for parsed in batch):
            return "an account is no row"
        if made["content_items"].num_rows != sum(len(parsed.content_items) for parsed in batch):
            return "a post is no row"
        return next((wrong for name, rows in made.items() for wrong in _wrong(name, rows)), None)
    except Exception:  # noqa: BLE001 - that none escapes is what is tested
        return f"tables: {_last_line()}"


def _wrong(name: str, rows: pa.Table) -> Iterator[str]:
    """The columns of a table with a value that may not be."""
    types = arrow_schema(TABLES[name])
    yield from (f"{name}.{field.name} is {field.type}" for field in rows.schema if types.field(field.name) != field)
    rows.validate(full=True)
    for column, field in zip(rows.columns, rows.schema, strict=True):
        known = column.drop_null()
        if column.null_count and field.name in (*TABLES[name].key, "platform", "account_id", "flags"):
            yield f"{name}.{field.name} is NULL"
        if field.name in ("account_id", "content_id", "subject_id") and not _all(pc.match_substring_regex(known, _ID)):
            yield f"{name}.{field.name} is no id"
        if field.type == pa.int64() and not _all(pc.greater_equal(known, 0)):
            yield f"{name}.{field.name} is negative"
        if pa.types.is_floating(field.type) and not _all(pc.and_(pc.is_finite(known), pc.greater_equal(known, 0.0))):
            yield f"{name}.{field.name} is no length of time"
        if pa.types.is_timestamp(field.type) and not _all(_in_range(known)):
            yield f"{name}.{field.name} is outside 1970-2100"
        if field.name == "type" and not _all(pc.is_in(known, TYPES)):
            yield f"{name}.type is none of the five"
        if (
            pa.types.is_string(field.type)
            and field.name in ("handle", "platform_user_id", "url")
            and "" in set(known.to_pylist())
        ):
            yield f"{name}.{field.name} is an empty text"


def _in_range(times: pa.ChunkedArray) -> pa.ChunkedArray:
    years = pc.year(times)
    return pc.and_(pc.greater_equal(years, 1970), pc.less(years, 2100))


def _all(flags: Any) -> bool:
    return bool(pc.all(flags, min_count=0).as_py())


def run(
    name: str, own: Sequence[Seed], words: Sequence[str], inputs: int, seed: int
) -> tuple[Counter[str], list[Finding]]:
    """``inputs`` changed payloads of one shape, checked; the same for the same ``seed``."""
    rng = random.Random(f"{seed} {name}")
    chosen = (own[place % len(own)] for place in range(inputs))
    return checked(((mutated(one, words, rng), one.subject) for one in chosen), name)


def guided(runs: int, found: dict[str, list[Seed]], words: Sequence[str]) -> None:
    """``runs`` changed payloads of all shapes, those first that reach new branches; does not return."""
    import atheris  # an environment of its own has it: see the top

    for name in [name for name in sys.modules if name.startswith("igtool.platforms")]:
        for function in vars(sys.modules[name]).values():
            if isinstance(function, FunctionType) and function.__module__ == name:
                atheris.instrument_func(function)
    waiting: list[tuple[bytes, str | None]] = []
    outcomes: Counter[str] = Counter()
    rules: Counter[str] = Counter()
    start = time.perf_counter()

    def look(data: bytes) -> None:
        waiting.append((data, "some.one"))
        parse(data, subject="some.one", observed_at=WHEN)
        if len(waiting) == _BATCH:
            counted, findings = checked(waiting, "guided")
            outcomes.update(counted)
            rules.update(f"{finding.shape}: {finding.rule}" for finding in findings)
            waiting.clear()
            if outcomes.total() % (runs // 10 // _BATCH * _BATCH or _BATCH) == 0:
                seconds = round(time.perf_counter() - start, 1)
                print(json.dumps({"inputs": outcomes.total(), "seconds": seconds, "findings": rules}), flush=True)

    def change(data: bytes, most: int, seed: int) -> bytes:
        try:
            return mutated(Seed(data, None), words, random.Random(seed))[:most]
        except (ValueError, TypeError, RecursionError):
            return bytes(atheris.Mutate(data, most))

    with tempfile.TemporaryDirectory() as folder:
        for place, seed in enumerate(seed for own in found.values() for seed in own):
            (Path(folder) / str(place)).write_bytes(seed.body)
        atheris.Setup([sys.argv[0], f"-runs={runs}", "-max_len=8000", folder], look, custom_mutator=change)
        atheris.Fuzz()


def main() -> None:
    """Fuzz every shape, or one, and print what was found."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--inputs", type=int, default=100_000, help="for each shape")
    parser.add_argument("--shape", help="only this one")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--atheris", type=int, metavar="INPUTS", help="guided by coverage, all shapes together")
    options = parser.parse_args()
    start = time.perf_counter()
    found = seeds()
    if options.shape is not None and options.shape not in found:
        parser.error(f"there is no shape {options.shape!r}; there are: {', '.join(sorted(found))}")
    words = words_of([seed for own in found.values() for seed in own])
    if options.atheris:
        guided(options.atheris, found, words)
    chosen = {name: own for name, own in found.items() if options.shape in (None, name)}
    counts: dict[str, Counter[str]] = {}
    rules: Counter[str] = Counter()
    part = min(options.inputs, 5_000)
    with ProcessPoolExecutor(options.processes) as pool:
        jobs = [
            (name, pool.submit(run, name, own, words, min(part, options.inputs - done), options.seed + done))
            for name, own in chosen.items()
            for done in range(0, options.inputs, part)
        ]
        for name, job in jobs:
            outcomes, findings = job.result()
            counts.setdefault(name, Counter()).update(outcomes)
            for finding in findings:
                rule = f"{finding.shape}: {finding.rule}"
                rules[rule] += 1
                if rules[rule] <= 2:
                    print(finding.line(), file=sys.stderr)
    print(
        json.dumps(
            {
                "benchmark": "fuzz_shapes",
                "seconds": round(time.perf_counter() - start, 1),
                "inputs": dict.fromkeys(chosen, options.inputs),
                "read": {name: count["ok"] for name, count in counts.items()},
                "findings": dict(rules.most_common()),
            }
        )
    )
    sys.exit(1 if rules else 0)


if __name__ == "__main__":
    main()
