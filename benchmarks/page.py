"""A results file as one HTML page: ratios to peers, all figures, curves. No script, nothing from a network."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path

from benchmarks.plots import STYLE, curves, ratios, times
from benchmarks.results import Change, Measurement, Skipped

_STYLE = """
body { margin: 2rem auto; max-width: 68rem; padding: 0 1rem; background: var(--ground); color: var(--ink);
  font: 15px/1.45 system-ui, sans-serif; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin-top: 2.2rem; }
p, .faint { color: var(--faint); }
table { border-collapse: collapse; width: 100%; font-size: 14px; }
th, td { text-align: left; padding: .3rem .6rem .3rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.flag { color: var(--c1); font-weight: 600; }
svg { max-width: 100%; height: auto; }
.plots { display: grid; grid-template-columns: repeat(auto-fit, minmax(26rem, 1fr)); gap: 1rem; }
.plots svg { background: var(--panel); border-radius: 6px; }
"""


def write_page(path: Path, lines: Sequence[Measurement | Skipped], changes: Sequence[Change] = ()) -> None:
    """The page of a results file, beside a comparison with an earlier one where there is any."""
    path.write_text(page(lines, changes), encoding="utf-8")


def page(lines: Sequence[Measurement | Skipped], changes: Sequence[Change] = ()) -> str:
    """The page as text."""
    figures = [line for line in lines if isinstance(line, Measurement)]
    body = [
        "<h1>igtool, measured</h1>",
        _machine(figures),
        _compared(figures),
        _changed(changes),
        _curves([one for one in figures if one.size is not None]),
        _tables(figures),
        _left_out([line for line in lines if isinstance(line, Skipped)]),
    ]
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>igtool, measured</title>'
        '<meta name="viewport" content="width=device-width"><meta name="color-scheme" content="light dark">'
        f"<style>{STYLE}{_STYLE}</style></head><body>{''.join(body)}</body></html>\n"
    )


def _machine(figures: Sequence[Measurement]) -> str:
    if not figures:
        return "<p>No figures.</p>"
    one = figures[0].machine
    known: dict[str, str] = {}
    for figure in figures:
        known |= figure.versions
    loads = sorted(float(figure.machine.get("load", 0)) for figure in figures)
    versions = ", ".join(f"{name} {number}" for name, number in known.items())
    told = (
        f"{one.get('cpu')}, {one.get('cores')} cores, {one.get('memory_gb')} GB, {one.get('os')}. Load of the system "
        f"as the parts began: {loads[0]:g} to {loads[-1]:g}. {figures[0].time} to {figures[-1].time}."
    )
    return f"<p>{escape(told)}</p><p>{escape(versions)}</p>"


def _compared(figures: Iterable[Measurement]) -> str:
    rows = [
        (f"{one.name}, {one.unit}, beside {one.peer.name} {one.peer.version}".rstrip(), one.data, one.ratio)
        for one in figures
        if one.peer is not None and one.ratio is not None
    ]
    if not rows:
        return ""
    return (
        "<h2>Beside others</h2><p>How many times better igtool is than somebody else at the same work, measured in the "
        "same run. To the right of the line igtool is better. Read what each comparison leaves out in "
        f"benchmarks/README.md.</p>{ratios(rows)}"
    )


def _changed(changes: Sequence[Change]) -> str:
    if not changes:
        return ""
    flagged = [one for one in changes if one.is_flagged]
    rows = "".join(
        f"<tr><td>{escape(one.now.name)}<br><span class=faint>{escape(one.now.data)}</span></td>"
        f"<td class=number>{_value(one.before)}</td><td class=number>{_value(one.now)}</td>"
        f'<td class="number{" flag" if one.is_flagged else ""}">{times(one.times)}</td></tr>'
        for one in changes
    )
    return (
        f"<h2>Since the earlier file</h2><p>{len(flagged)} of {len(changes)} figures changed by more than a fifth; "
        "above 1 is better than before.</p><table><tr><th>figure<th class=number>before<th class=number>now"
        f"<th class=number>times better</tr>{rows}</table>"
    )


def _curves(figures: Sequence[Measurement]) -> str:
    kinds: dict[tuple[str, str], dict[str, list[tuple[float, float]]]] = {}
    for one in figures:
        stage, _, what = one.name.partition(", ")
        lines = kinds.setdefault((stage, one.unit), {})
        lines.setdefault(what or one.name, []).append((float(one.size or 0), one.value))
    plots = [curves(stage, unit, lines) for (stage, unit), lines in kinds.items()]
    several = [plot for plot in plots if plot]
    return f"<h2>By size</h2><div class=plots>{''.join(several)}</div>" if several else ""


def _tables(figures: Sequence[Measurement]) -> str:
    parts = ["<h2>All figures</h2>"]
    for entry in dict.fromkeys(one.entry for one in figures):
        rows = "".join(
            f"<tr><td>{escape(one.name)}{f', {one.size:,}' if one.size else ''}<br>"
            f"<span class=faint>{escape(one.data)}</span></td>"
            f"<td class=number>{_value(one)}</td><td class=number>{one.n:,}</td><td>{_peer(one)}</td></tr>"
            for one in figures
            if one.entry == entry
        )
        head = "<tr><th>figure<th class=number>value<th class=number>n<th>beside</tr>"
        parts.append(f"<h3>{escape(entry)}</h3><table>{head}{rows}</table>")
    return "".join(parts)


def _value(one: Measurement) -> str:
    return f"{number(one.value)} {escape(one.unit)}"


def _peer(one: Measurement) -> str:
    if one.peer is None or one.ratio is None:
        return ""
    name = f"{one.peer.name} {one.peer.version}".rstrip()
    return f"{escape(name)}: {number(one.peer.value)} {escape(one.unit)} ({times(one.ratio)})"


def number(value: float) -> str:
    """Three digits, thousands apart."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def _left_out(lines: Sequence[Skipped]) -> str:
    if not lines:
        return ""
    told = "".join(
        f"<li>{escape(line.entry)}: {'failed' if line.failed else 'skipped'}: {escape(line.why)}</li>" for line in lines
    )
    return f"<h2>Not measured</h2><ul>{told}</ul>"
