"""Which share of the columns that a shape can fill is filled; prints one JSON line.

    .venv/bin/python -m benchmarks.shape_fill [FOLDER …] [--record]

Read are the payloads of tests/payloads, or of the folders. The columns of a shape are those that its reader takes a
field for (docs/shapes.md). ``--record`` writes the shares of tests/payloads to tests/shape_fields.toml, below which
a test lets no shape fall.
"""

from __future__ import annotations

import argparse
import json
import runpy
import tomllib
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from igtool.platforms.base import _declared, parse
from igtool.platforms.files import Document, read_documents

ROOT = Path(__file__).parents[1]
PAYLOADS = ROOT / "tests" / "payloads"
RECORDED = ROOT / "tests" / "shape_fields.toml"
WHEN = datetime(2026, 1, 2, tzinfo=UTC)

Shares = dict[str, dict[str, float]]
"""Shape to column, ``accounts.bio``, to the share of its rows in which that is known; with ``rows``, their number."""


def shares(folders: Iterable[Path]) -> Shares:
    """How much of what the shapes can fill is filled in the rows of the payloads of ``folders``."""
    columns = documented()
    found: dict[str, dict[str, list[bool]]] = {name: {} for name in columns}
    for document in (one for folder in folders for one in read_documents(folder)):
        if not isinstance(document, Document) or ".rows.json" in document.path:
            continue
        parsed = parse(document.body, subject=document.subject, observed_at=WHEN)
        if parsed.shape is None:
            continue
        for table, rows in (("accounts", parsed.accounts), ("content_items", parsed.content_items)):
            for column in columns[parsed.shape].get(table, ()):
                known = [getattr(row, column) not in (None, []) for row in rows]
                found[parsed.shape].setdefault(f"{table}.{column}", []).extend(known)
    return {
        name: {column: round(sum(known) / len(known), 3) for column, known in own.items() if known}
        for name, own in found.items()
        if any(own.values())
    }


def documented() -> dict[str, dict[str, tuple[str, ...]]]:
    """Shape to table to the columns that its reader takes fields for."""
    filled = runpy.run_path(str(ROOT / "docs" / "generate_shapes.py"))["filled"]
    return {
        shape.name: {
            table: tuple(column for column, names in own.items() if names) for table, own in filled(shape).items()
        }
        for shape in _declared()[0]
    }


def recorded() -> Shares:
    """The shares that were written down."""
    return tomllib.loads(RECORDED.read_text(encoding="utf-8"))


def record(found: Shares) -> None:
    """Write the shares down."""
    lines = [
        "# Of what a shape can fill, the share that its payloads in tests/payloads do: `benchmarks/shape_fill.py`."
    ]
    for name, own in sorted(found.items()):
        lines += ["", f'["{name}"]', *(f'"{column}" = {share}' for column, share in own.items())]
    RECORDED.write_text("\n".join(lines) + "\n", encoding="utf-8")


def summary(found: Shares) -> dict[str, dict[str, Any]]:
    """For each shape how many of its columns are ever filled, and the mean share of all."""
    return {
        name: {
            "columns": len(own),
            "ever filled": sum(share > 0 for share in own.values()),
            "mean share": round(sum(own.values()) / len(own), 2),
        }
        for name, own in sorted(found.items())
    }


def main() -> None:
    """Print, and write down on demand."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folders", nargs="*", type=Path, default=[PAYLOADS])
    parser.add_argument("--record", action="store_true", help="write tests/shape_fields.toml")
    options = parser.parse_args()
    found = shares(options.folders)
    if options.record:
        record(shares([PAYLOADS]))
    print(json.dumps({"benchmark": "shape_fill", "summary": summary(found), "shares": found}))


if __name__ == "__main__":
    main()
