"""How results look: tables for people, one JSON document for programs."""

from __future__ import annotations

import json
import logging
import math
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from igtool.files import storage_error
from igtool.text import harmless, one_line, spelt

if TYPE_CHECKING:
    from rich.console import Console

_WIDTH_WITHOUT_TERMINAL = 160


def print_json(document: Any) -> None:
    """One JSON document on stdout; times as ISO 8601, numbers that JSON lacks as null."""
    text = spelt(json.dumps(plain(document), ensure_ascii=False, indent=2))
    sys.stdout.write(text.encode("utf-8", "replace").decode() + "\n")


def plain(value: Any) -> Any:
    """``value`` in what JSON knows: times as ISO 8601, numbers that JSON lacks as null, anything else as text."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(item) for item in value]
    if isinstance(value, (datetime, date)):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if value is None or isinstance(value, (str, int, float, bool)):
        return value
    return str(value)


def cell(value: Any) -> str:
    """A value as one line for a table cell, with nothing that a terminal would obey."""
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.4g}"
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M}"
    if isinstance(value, (list, tuple)):
        if len(value) > 8 and all(isinstance(item, float) for item in value):
            return f"[{len(value)} numbers]"
        return one_line(", ".join(map(cell, value)), 120)
    return one_line(harmless(str(value)), 120)


def make_console() -> Console:
    """A console on stdout, wide where there is no terminal to fit."""
    from rich.console import Console

    return Console(width=None if sys.stdout.isatty() else _WIDTH_WITHOUT_TERMINAL, highlight=False)


def print_rows(rows: Sequence[Mapping[str, Any]], columns: Iterable[str] | None = None, *, title: str = "") -> None:
    """Rows as a table on stdout; says so when there are none."""
    from rich.markup import escape
    from rich.table import Table
    from rich.text import Text

    console = make_console()
    if not rows:
        console.print(f"{cell(title)}: none" if title else "no rows", markup=False)
        return
    names = list(columns) if columns else list(rows[0])
    table = Table(
        title=escape(cell(title)) or None, title_justify="left", header_style="bold", box=None, pad_edge=False
    )
    for name in names:
        numeric = all(isinstance(row.get(name), (int, float, type(None))) for row in rows)
        table.add_column(Text(cell(name)), justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell(row.get(name))) for name in names))
    console.print(table)


def say(message: str) -> None:
    """A message for the person, on stderr, with nothing that a terminal would obey.

    Where it cannot be written the exit code alone tells, and work goes on.
    """
    with suppress(OSError):
        sys.stderr.write(harmless(message).encode("utf-8", "replace").decode() + "\n")


class _OneLine(logging.Formatter):
    """An entry is a line: what it quotes can neither begin another one nor give orders to a terminal."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        return harmless(super().formatMessage(record)).replace("\n", " ")


@contextmanager
def logging_to(path: Path | None, *, verbose: bool) -> Iterator[None]:
    """Log what igtool commits to ``path`` and, when ``verbose``, to stderr, with UTC times. Raises StorageError."""
    handlers: list[logging.Handler] = [logging.StreamHandler(sys.stderr)] if verbose else []
    if path is not None:
        try:
            handlers.append(logging.FileHandler(path, encoding="utf-8"))
        except OSError as error:
            raise storage_error(error, path) from error
    form = _OneLine("%(asctime)s %(message)s", "%Y-%m-%dT%H:%M:%SZ")
    form.converter = time.gmtime
    log = logging.getLogger("igtool")
    log.setLevel(logging.INFO)
    for handler in handlers:
        handler.setFormatter(form)
        log.addHandler(handler)
    try:
        yield
    finally:
        for handler in handlers:
            log.removeHandler(handler)
            handler.close()
