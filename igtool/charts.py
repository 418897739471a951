"""Charts as inline SVG: no script, no colour but CSS classes, readable at any width and by a screen reader.

Positions across are percentages and positions down are pixels, so text keeps its size when the page is narrow.
Every text is escaped. Each chart carries a ``<title>`` and a ``<desc>``; the page puts a table of the numbers
beside it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise

from markupsafe import Markup, escape

_THIN = "\u202f"
_LABEL = 36.0
"""Width of the labels of a horizontal chart in per cent."""
_VALUE, _LONG_VALUE = 13.0, 27.0
"""Width of the numbers at its right end in per cent, short ones and long ones."""
_SHORT = 6
"""Characters of a short number."""
_ROW = 26
_LONGEST_LABEL = 26
DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def grouped(value: float | None) -> str:
    """``value`` with its thousands apart, as in 12,345; a dash when unknown."""
    return "–" if value is None else f"{round(value):,}"


def percent(share: float | None) -> str:
    """A share of 1 as in 3.4 %, with one digit below ten per cent; a dash when unknown."""
    if share is None or math.isnan(share):
        return "–"
    value = share * 100
    if value == 0:
        return f"0{_THIN}%"
    return f"{value:.{1 if abs(value) < 9.95 else 0}f}{_THIN}%"


@dataclass(frozen=True)
class Bar:
    """A labelled number. ``part``: how much of it is new, drawn at its end; ``total``: the full width."""

    label: str
    value: float
    part: float | None = None
    total: float | None = None


@dataclass(frozen=True)
class Quartiles:
    """The spread of a measure over ``count`` things: the middle half lies between ``low`` and ``high``."""

    label: str
    low: float
    median: float
    high: float
    count: int


@dataclass(frozen=True)
class Stack:
    """Numbers that make up one column, by kind (a CSS class ``part-KIND``), and what is written below it."""

    label: str
    parts: Mapping[str, float]
    tick: str = ""


def bars(name: str, title: str, items: Sequence[Bar], show: Callable[[Bar], str] | None = None) -> Markup:
    """Horizontal bars in the given order. ``show`` makes the text at the right, by default the grouped number."""
    text = show or (lambda bar: grouped(bar.value))
    widest = max([bar.total or bar.value for bar in items], default=1) or 1
    room = 100 - _LABEL - (_LONG_VALUE if any(len(text(bar)) > _SHORT for bar in items) else _VALUE)
    rows = []
    for number, bar in enumerate(items):
        y = number * _ROW
        width, part = (room * min(1.0, share / widest) for share in (bar.value, bar.part or 0.0))
        parts = [_label(bar.label, y), _rect("rail", _LABEL, y + 7, room, 12) if bar.total else Markup("")]
        parts.append(_rect("bar" if bar.part is None else "bar muted", _LABEL, y + 7, width - part, 12))
        parts.append(_rect("bar", _LABEL + width - part, y + 7, part, 12))
        parts.append(_text("number", 100, y + 17, text(bar), "end"))
        rows.append(Markup("<g>{}{}</g>").format(_title(f"{bar.label}: {text(bar)}"), Markup("").join(parts)))
    described = "; ".join(f"{bar.label} {text(bar)}" for bar in items[:6])
    return _svg(name, title, described, len(items) * _ROW, rows)


def columns(name: str, title: str, items: Sequence[Bar]) -> Markup:
    """Vertical columns in the given order, the number above each."""
    height, base = 150, 122
    highest = max([bar.value for bar in items], default=1) or 1
    step = 100 / max(1, len(items))
    rows = [_line("axis", 0, base, 100, base)]
    for number, bar in enumerate(items):
        x, tall = number * step, (base - 22) * bar.value / highest
        middle = x + step / 2
        parts = [_rect("bar", x + step * 0.1, base - tall, step * 0.8, tall)]
        if bar.value:
            parts.append(_text("number small", middle, base - tall - 5, grouped(bar.value), "middle"))
        parts.append(_text("tick", middle, base + 17, bar.label, "middle"))
        rows.append(Markup("<g>{}{}</g>").format(_title(f"{bar.label}: {grouped(bar.value)}"), Markup("").join(parts)))
    described = "; ".join(f"{bar.label} {grouped(bar.value)}" for bar in items if bar.value)
    return _svg(name, title, described, height, rows)


def timeline(name: str, title: str, items: Sequence[Stack]) -> Markup:
    """Stacked columns side by side, many of them; the highest sum stands at the line of its height."""
    top, base = 18, 122
    sums = [sum(item.parts.values()) for item in items]
    highest = max(sums, default=1) or 1
    step = 100 / max(1, len(items))
    rows = [_line("grid", 0, top, 100, top), _text("number small", 0, top - 5, grouped(highest), "start")]
    rows.append(_line("axis", 0, base, 100, base))
    for number, item in enumerate(items):
        x, y, parts = number * step, float(base), []
        for kind, value in item.parts.items():
            tall = (base - top) * value / highest
            y -= tall
            parts.append(_rect(f"part-{kind}", x + step * 0.1, y, step * 0.8, tall))
        if item.tick:
            is_first = number == 0
            parts.append(
                _text("tick", x if is_first else x + step / 2, base + 17, item.tick, "start" if is_first else "middle")
            )
        said = ", ".join(f"{kind} {grouped(value)}" for kind, value in item.parts.items() if value)
        told = _title(f"{item.label}: {said or 'none'}")
        rows.append(Markup("<g>{}{}</g>").format(told, Markup("").join(parts)))
    most = items[sums.index(max(sums))].label if items else ""
    return _svg(name, title, f"{grouped(sum(sums))} in all, most at {most}: {grouped(highest)}", 146, rows)


def spread(name: str, title: str, items: Sequence[Quartiles]) -> Markup:
    """Median (line) and middle half (box) of a share, one row each, over a common scale in per cent."""
    left, room = 30.0, 56.0
    ticks = _ticks(max([item.high for item in items], default=0.01) or 0.01)
    scale = room / ticks[-1]
    bottom = len(items) * _ROW + 4
    rows = []
    for tick in ticks:
        rows.append(_line("grid", left + tick * scale, 0, left + tick * scale, bottom))
        rows.append(_text("tick", left + tick * scale, bottom + 15, percent(tick), "middle"))
    for number, item in enumerate(items):
        y = number * _ROW
        low, middle, high = (left + value * scale for value in (item.low, item.median, item.high))
        parts = [_label(item.label, y), _rect("bar muted", low, y + 6, max(high - low, 0.4), 14)]
        parts.append(_line("median", middle, y + 3, middle, y + 23))
        parts.append(_text("number", 100, y + 17, percent(item.median), "end"))
        half = f"half between {percent(item.low)} and {percent(item.high)}"
        told = f"{item.label}: median {percent(item.median)}, {half}"
        rows.append(Markup("<g>{}{}</g>").format(_title(told), Markup("").join(parts)))
    described = "; ".join(f"{item.label} median {percent(item.median)} of {item.count}" for item in items)
    return _svg(name, title, described, bottom + 22, rows)


def heatmap(name: str, title: str, counts: Mapping[tuple[int, int], int]) -> Markup:
    """Weekday by hour; ``counts`` by (weekday from 0 = Monday, hour 0-23). A stronger colour is more."""
    left, step, height = 9.0, 91 / 24, 24
    highest = max(counts.values(), default=0) or 1
    rows = []
    for day, day_name in enumerate(DAYS):
        y = day * height
        rows.append(_text("tick", 0, y + 15, day_name, "start"))
        for hour in range(24):
            count = counts.get((day, hour), 0)
            cell = _rect("heat" if count else "rail", left + hour * step, y + 1, step * 0.9, height - 3)
            if count:
                shade = 0.18 + 0.82 * math.sqrt(count / highest)
                cell = Markup('<g fill-opacity="{}">{}</g>').format(f"{shade:.2f}", cell)
            told = f"{day_name} {hour:02d}:00 UTC: {grouped(count)}"
            rows.append(Markup("<g>{}{}</g>").format(_title(told), cell))
    rows.extend(
        _text("tick", left + (hour + 0.45) * step, 7 * height + 14, f"{hour:02d}", "middle") for hour in range(0, 24, 3)
    )
    busiest = sorted(counts, key=lambda at: (-counts[at], at))[:3]
    described = "Most at " + ", ".join(f"{DAYS[day]} {hour:02d}:00 ({counts[day, hour]})" for day, hour in busiest)
    return _svg(name, title, described, 7 * height + 20, rows)


def course(name: str, title: str, points: Sequence[tuple[datetime, float]]) -> Markup:
    """A number over time, from the first of ``points`` to the last, two at least; the scale need not begin at 0."""
    height, top, left, right = 118, 12, 1.5, 98.5
    times = [when.timestamp() for when, _ in points]
    low, high = min(value for _, value in points), max(value for _, value in points)
    span, rise = (times[-1] - times[0]) or 1.0, (high - low) or 1.0
    places = [
        (left + (right - left) * (at - times[0]) / span, top + (height - top) * (high - value) / rise)
        for at, (_, value) in zip(times, points, strict=True)
    ]
    rows = [_line("axis", 0, height + 6, 100, height + 6)]
    rows += [_line("course", *one, *other) for one, other in pairwise(places)]
    for (x, y), (when, value) in zip(places, points, strict=True):
        told = _title(f"{_date(when)}: {grouped(value)}")
        rows.append(Markup('<circle class="dot" cx="{:.2f}%" cy="{:.1f}" r="3">{}</circle>').format(x, y, told))
    (first_at, first), (last_at, last) = points[0], points[-1]
    rows.append(_text("tick", 0, height + 22, f"{_date(first_at)}: {grouped(first)}", "start"))
    rows.append(_text("tick", 100, height + 22, f"{_date(last_at)}: {grouped(last)}", "end"))
    described = f"From {grouped(first)} on {_date(first_at)} to {grouped(last)} on {_date(last_at)}"
    return _svg(name, title, described, height + 28, rows)


def _date(when: datetime) -> str:
    utc = when.astimezone(UTC)
    return f"{utc.day} {utc:%b %Y}"


def _ticks(highest: float) -> list[float]:
    """Round numbers from 0 to at least ``highest``, three to six of them."""
    rough = highest / 4
    power = math.pow(10, math.floor(math.log10(rough)))
    step = next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor >= rough * 0.999)
    return [step * number for number in range(math.ceil(highest / step - 1e-9) + 1)]


def _svg(name: str, title: str, described: str, height: float, rows: Sequence[Markup]) -> Markup:
    return Markup(
        '<svg class="chart" role="img" width="100%" height="{height}" aria-labelledby="{name}-t {name}-d">'
        '<title id="{name}-t">{title}</title><desc id="{name}-d">{described}</desc>{rows}</svg>'
    ).format(name=name, title=title, described=described, height=round(height), rows=Markup("\n").join(rows))


def _title(text: str) -> Markup:
    return Markup("<title>{}</title>").format(text)


def _label(text: str, y: float) -> Markup:
    short = text if len(text) <= _LONGEST_LABEL else text[: _LONGEST_LABEL - 1].rstrip() + "…"
    return _text("label", 0, y + 17, short, "start")


def _rect(kind: str, x: float, y: float, width: float, height: float) -> Markup:
    if width <= 0 or height <= 0:
        return Markup("")
    return Markup('<rect class="{}" x="{:.2f}%" y="{:.1f}" width="{:.2f}%" height="{:.1f}" rx="2"/>').format(
        kind, x, y, width, height
    )


def _line(kind: str, x1: float, y1: float, x2: float, y2: float) -> Markup:
    return Markup('<line class="{}" x1="{:.2f}%" y1="{:.1f}" x2="{:.2f}%" y2="{:.1f}"/>').format(kind, x1, y1, x2, y2)


def _text(kind: str, x: float, y: float, text: str, anchor: str) -> Markup:
    return Markup('<text class="{}" x="{:.2f}%" y="{:.1f}" text-anchor="{}">{}</text>').format(
        kind, x, y, anchor, escape(text)
    )
