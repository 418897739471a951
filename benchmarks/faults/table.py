"""The result as Markdown: a row for each scene and kind, and where it stands in the docs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

from benchmarks.faults.judge import Tally

PAGE = Path(__file__).parents[2] / "docs" / "reliability.md"
BEGIN, END = "<!-- torture: begin (made by `make torture`) -->", "<!-- torture: end -->"
_COLUMNS = ("injected", "missed", "asked_again", "lost", "doubled", "paid_twice", "silent", "unexpected")


def read(files: Iterable[Path]) -> tuple[list[Tally], list[str]]:
    """What runs have printed: tallies, those of one scene and kind as one, and what each run was made with."""
    found: dict[tuple[str, str], Tally] = {}
    about = []
    for line in (json.loads(line) for file in files for line in file.read_text().splitlines() if line[:1] == "{"):
        if "about" in line:
            about.append(line["about"])
            continue
        one = found.setdefault((line["scene"], line["kind"]), Tally(line["scene"], line["kind"]))
        for name in _COLUMNS:
            setattr(one, name, getattr(one, name) + line[name])
        one.skipped = line["skipped"]
        one.details += line["details"]
    scenes = list(dict.fromkeys(scene for scene, _ in found))
    return sorted(found.values(), key=lambda one: scenes.index(one.scene)), about


def markdown(tallies: Sequence[Tally], about: Sequence[str]) -> str:
    """The table with a line of sums, what was skipped, and what each run is ``about``: the seed and the machine."""
    lines = ["| scene | fault | " + " | ".join(name.replace("_", " ") for name in _COLUMNS) + " |"]
    lines.append("|---|---|" + "---:|" * len(_COLUMNS))
    for one in tallies:
        if not one.skipped:
            numbers = " | ".join(str(getattr(one, name)) for name in _COLUMNS)
            lines.append(f"| {one.scene} | {one.kind} | {numbers} |")
    sums = " | ".join(str(sum(getattr(one, name) for one in tallies)) for name in _COLUMNS)
    lines += [f"| all | | {sums} |", "", *(f"- {one}." for one in about)]
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
