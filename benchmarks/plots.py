"""Plots as SVG without a script: bars of ratios, and curves on two logarithmic axes. Every text is escaped.

Colours are CSS classes, light and dark (`STYLE`), so that a plot fits its page; `standing_alone` adds them to a file.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape

STYLE = """
:root { --ink: #1c1e21; --faint: #6a7078; --line: #d8dce1; --ground: #ffffff; --panel: #f5f6f8;
  --c0: #0b62c4; --c1: #b3500a; --c2: #1d7a3e; --c3: #8a2be2; --c4: #a8123e; --c5: #4d6570; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e8eaed; --faint: #a0a7b0; --line: #3a3f46; --ground: #16181b; --panel: #202327;
    --c0: #6db1ff; --c1: #ffa45c; --c2: #6fd08c; --c3: #c9a2ff; --c4: #ff8aa5; --c5: #a9c0cb; } }
svg text { font: 12px system-ui, sans-serif; fill: var(--ink); }
svg .faint { fill: var(--faint); }
svg .grid { stroke: var(--line); stroke-width: 1; }
svg .even { stroke: var(--faint); stroke-width: 1.5; }
svg .better { fill: var(--c0); }
svg .worse { fill: var(--c1); }
"""
COLOURS = 6
_ROW, _LABEL, _BARS = 36, 600, 420
_LETTERS = 88
"""Of a label, at most."""
_WIDTH, _HEIGHT, _LEFT, _BOTTOM, _TOP, _RIGHT = 560, 250, 62, 36, 34, 12

Points = Sequence[tuple[float, float]]


def times(ratio: float) -> str:
    """A ratio in words of two digits, as in 3.4 ×."""
    return f"{ratio:,.0f} ×" if ratio >= 100 else f"{ratio:.2g} ×"


def ratios(rows: Sequence[tuple[str, str, float]]) -> str:
    """Bars for (label, what it was on, ratio) from the line at 1: to the right where igtool is better, logarithmic."""
    reach = max([abs(math.log10(ratio)) for _, _, ratio in rows], default=1) or 1
    height = len(rows) * _ROW + 24
    middle, unit = _LABEL + _BARS * 0.42, _BARS * 0.4 / reach
    parts = [f'<line class="even" x1="{middle:.1f}" x2="{middle:.1f}" y1="0" y2="{height - 18}"/>']
    for place, (label, data, ratio) in enumerate(rows):
        length, top = math.log10(ratio) * unit, place * _ROW
        kind = "better" if ratio >= 1 else "worse"
        parts += [
            f'<text x="0" y="{top + 14}">{escape(_short(label, _LETTERS))}</text>',
            f'<text class="faint" x="0" y="{top + 29}">{escape(_short(data, _LETTERS))}</text>',
            f'<rect class="{kind}" x="{min(middle, middle + length):.1f}" y="{top + 8}" '
            f'width="{max(abs(length), 1):.1f}" height="{_ROW - 18}"/>',
            f'<text x="{_LABEL + _BARS - 2}" y="{top + 21}" text-anchor="end">{times(ratio)}</text>',
        ]
    parts.append(
        f'<text class="faint" x="{middle:.1f}" y="{height - 4}" text-anchor="middle">as good as the peer</text>'
    )
    return _svg(_LABEL + _BARS, height, "How many times better igtool is than each peer", parts)


def curves(title: str, unit: str, lines: Mapping[str, Points]) -> str:
    """Lines over sizes, both axes logarithmic, with a dashed line that grows as the size does."""
    kept = {name: sorted(points) for name, points in lines.items() if points}
    xs = [x for points in kept.values() for x, y in points if x > 0 and y > 0]
    ys = [y for points in kept.values() for x, y in points if x > 0 and y > 0]
    if not xs:
        return ""
    across, down = _Axis(xs, _LEFT, _WIDTH - _RIGHT), _Axis(ys, _HEIGHT - _BOTTOM, _TOP)
    parts = [
        f'<text x="8" y="18" font-weight="600">{escape(title)}, {escape(unit)}</text>',
        f'<text class="faint" x="{_WIDTH - _RIGHT}" y="18" text-anchor="end">by creators; dashed: in proportion</text>',
    ]
    for value in across.ticks:
        x = across.at(value)
        parts.append(f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{_TOP}" y2="{_HEIGHT - _BOTTOM}"/>')
        parts.append(f'<text class="faint" x="{x:.1f}" y="{_HEIGHT - 16}" text-anchor="middle">{shown(value)}</text>')
    for value in down.ticks:
        y = down.at(value)
        parts.append(f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text class="faint" x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{shown(value)}</text>')
    parts.append(_straight(across, down))
    for number, (name, points) in enumerate(kept.items()):
        parts += _line(number % COLOURS, name, [(across.at(x), down.at(y)) for x, y in points if x > 0 and y > 0])
    parts += _key(list(kept))
    return _svg(_WIDTH, _HEIGHT + 16, f"{title}, {unit}", parts)


def _straight(across: _Axis, down: _Axis) -> str:
    """The dashed line through the middle of a plot on which what is measured grows as the sizes do."""
    half = min(across.high - across.low, down.high - down.low) / 2
    (x1, y1), (x2, y2) = (
        (across.at(10 ** (across.middle + step)), down.at(10 ** (down.middle + step))) for step in (-half, half)
    )
    return f'<line class="even" stroke-dasharray="4 4" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def _line(colour: int, name: str, points: Points) -> list[str]:
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    paint = f"var(--c{colour})"
    dots = [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" style="fill: {paint}"/>' for x, y in points]
    return [
        f'<polyline points="{path}" style="fill: none; stroke: {paint}; stroke-width: 2"><title>{escape(name)}</title>'
        "</polyline>",
        *dots,
    ]


def _key(names: Sequence[str]) -> list[str]:
    if len(names) < 2:
        return []
    parts, x = [], float(_LEFT)
    for number, name in enumerate(names):
        parts.append(
            f'<rect x="{x:.0f}" y="{_HEIGHT - 2}" width="10" height="10" style="fill: var(--c{number % COLOURS})"/>'
        )
        parts.append(f'<text x="{x + 14:.0f}" y="{_HEIGHT + 7}">{escape(name)}</text>')
        x += 28 + 6.6 * len(name)
    return parts


class _Axis:
    """From values to places, by their logarithms, which go from ``low`` to ``high``.

    ``ticks`` are powers of ten, with steps between them where these are few.
    """

    def __init__(self, values: Sequence[float], start: float, end: float) -> None:
        low, high = math.log10(min(values)), math.log10(max(values))
        room = max((high - low) * 0.06, 0.08)
        self.low, self.high, self._start, self._end = low - room, high + room, start, end
        self.middle = (self.low + self.high) / 2
        tens = [10.0**power for power in range(math.floor(low) - 1, math.ceil(high) + 2)]
        self.ticks: list[float] = []
        for steps in ((1,), (1, 2, 5), range(1, 10)):
            if len(self.ticks) < 3:
                finer = [value * step for value in tens for step in steps]
                self.ticks = [value for value in finer if self.low <= math.log10(value) <= self.high]

    def at(self, value: float) -> float:
        share = (math.log10(value) - self.low) / (self.high - self.low)
        return self._start + share * (self._end - self._start)


def shown(value: float) -> str:
    """A number of an axis: 10k, 1M, 0.01."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:g}{letter}"
    return f"{value:g}"


def _short(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _svg(width: float, height: float, title: str, parts: Sequence[str]) -> str:
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" role="img"'
    return f'{head} width="{width:.0f}"><title>{escape(title)}</title>{"".join(parts)}</svg>'


def standing_alone(plots: Sequence[str], columns: int = 2) -> str:
    """One SVG file of several plots of `curves`, side by side, with its own colours and ground."""
    cell_w, cell_h = _WIDTH + 20, _HEIGHT + 30
    width, height = columns * cell_w, -(-len(plots) // columns) * cell_h
    parts = [f"<style>{STYLE} .ground {{ fill: var(--ground); }}</style>"]
    parts.append(f'<rect class="ground" width="{width}" height="{height}"/>')
    for place, plot in enumerate(plots):
        row, column = divmod(place, columns)
        inner = plot.replace("<svg ", f'<svg x="{column * cell_w + 10}" y="{row * cell_h + 10}" ', 1)
        parts.append(inner.replace(' role="img"', f' height="{_HEIGHT + 16}"', 1))
    return _svg(width, height, "Time, memory and disk by the number of creators", parts) + "\n"
