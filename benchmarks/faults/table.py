"""The result as Markdown: a row for each scene and kind, and where it stands in the docs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchmarks.faults.judge import Tally

PAGE = Path(__file__).parents[2] / "docs" / "reliability.md"
BEGIN, END = "<!-- torture: begin (made by `make torture`) -->", "<!-- torture: end -->"
_COLUMNS = ("injected", "missed", "asked_again", "lost", "doubled", "paid_twice", "silent", "unexpected")


def markdown(tallies: Sequence[Tally], about: str) -> str:
    """The table with a line of sums, what was skipped, and ``about``: the seed and the machine."""
    lines = ["| scene | fault | " + " | ".join(name.replace("_", " ") for name in _COLUMNS) + " |"]
    lines.append("|---|---|" + "---:|" * len(_COLUMNS))
    for one in tallies:
        if not one.skipped:
            numbers = " | ".join(str(getattr(one, name)) for name in _COLUMNS)
            lines.append(f"| {one.scene} | {one.kind} | {numbers} |")
    sums = " | ".join(str(sum(getattr(one, name) for one in tallies)) for name in _COLUMNS)
    lines += [f"| all | | {sums} |", "", about]
    left_out: dict[tuple[str, str], list[str]] = {}
    for one in tallies:
        if one.skipped:
            left_out.setdefault((one.kind, one.skipped), []).append(one.scene)
    lines += [f"- Left out: {kind} in {', '.join(scenes)}: {why}." for (kind, why), scenes in left_out.items()]
    return "\n".join(lines)


def write(table: str, page: Path = PAGE) -> None:
    """Put the table between its markers. Raises ValueError where there are none."""
    text = page.read_text(encoding="utf-8")
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{page} has no place for the table")
    page.write_text(f"{before}{BEGIN}\n\n{table}\n\n{END}{after}", encoding="utf-8")
