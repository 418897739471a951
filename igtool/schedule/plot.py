"""A simulation as one picture: who is fresh and who waits, by tier, over the days. SVG without script or fonts."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from igtool.charts import grouped, percent
from igtool.counts import format_count
from igtool.schedule.scenario import Simulated

_WIDTH, _HEIGHT = 900, 600
_LEFT, _RIGHT = 76, 750
_LABEL_GAP = 16.0
_NAMES = {"active": "active", "semi_active": "semi-active", "long_tail": "long tail", "backfill": "backfill"}
_STYLE = """
svg { font: 13px system-ui, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
.page { fill: #ffffff; } .title { font-size: 18px; font-weight: 600; fill: #1b232c; }
.soft, .tick { fill: #5b6673; } .tick { font-size: 12px; } .panel { font-weight: 600; fill: #1b232c; }
.grid { stroke: #e6eaee; } .axis { stroke: #b4bdc6; }
.line { fill: none; stroke-width: 2.2; stroke-linejoin: round; }
.active { stroke: #0f766e; } .semi_active { stroke: #c2680c; } .long_tail { stroke: #4f6bb0; }
.backfill { stroke: #8c8f96; stroke-dasharray: 5 4; }
.end { font-size: 12px; font-weight: 600; stroke: none; }
.end.active { fill: #0f766e; } .end.semi_active { fill: #a85a08; } .end.long_tail { fill: #4f6bb0; }
.end.backfill { fill: #6b6e75; }
"""


@dataclass(frozen=True)
class _Panel:
    """One diagram between the heights ``top`` and ``bottom``; its scale goes from 0 to the last of ``ticks``."""

    title: str
    top: float
    bottom: float
    ticks: Sequence[float]
    is_share: bool

    def y(self, value: float) -> float:
        """Where ``value`` is drawn."""
        return self.bottom - (self.bottom - self.top) * value / self.ticks[-1]

    def text(self, value: float) -> str:
        """``value`` as it is written beside the axis and at the end of a line."""
        return percent(value) if self.is_share else format_count(value)


def plot(result: Simulated) -> str:
    """An SVG of 900 by 600: the share looked at within its cadence above, the accounts that wait below."""
    scenario = result.scenario
    waiting = {kind: values for kind, values in result.waiting.items() if any(values)}
    highest = max((max(values) for values in waiting.values()), default=0)
    share = _Panel("Looked at within the cadence, share of the accounts", 120, 320, (0, 0.25, 0.5, 0.75, 1), True)
    depth = _Panel("Waiting for their next look, accounts", 385, 555, _ticks(highest), False)
    title = f"{grouped(scenario.creators)} creators over {scenario.days} days"
    sources = ", ".join(f"{s.name} ({s.keys} keys)" if s.keys > 1 else s.name for s in scenario.sources)
    described = "; ".join(
        f"{_NAMES[tier]}: {percent(values[-1])} fresh and {grouped(result.waiting[tier][-1])} waiting at the end"
        for tier, values in result.fresh_share.items()
    )
    parts = [
        Markup('<rect class="page" width="{}" height="{}"/>').format(_WIDTH, _HEIGHT),
        _text("title", 30, 40, title),
        _text(
            "soft", 30, 62, f"Sources: {sources}. Above, tiers as they truly are; below, as the schedule knows them."
        ),
        *_panel(share, result.at_days, result.fresh_share),
        *_panel(depth, result.at_days, waiting),
        _text("tick", (_LEFT + _RIGHT) / 2, depth.bottom + 36, "days", "middle"),
    ]
    return str(
        Markup(
            '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
            'role="img" aria-labelledby="t d"><title id="t">{title}</title><desc id="d">{described}</desc>'
            "<style>{style}</style>\n{parts}\n</svg>\n"
        ).format(
            width=_WIDTH,
            height=_HEIGHT,
            title=title,
            described=described,
            style=Markup(_STYLE),  # noqa: S704 - a constant of this file
            parts=Markup("\n").join(parts),
        )
    )


def _panel(panel: _Panel, days: Sequence[float], series: Mapping[str, Sequence[float]]) -> list[Markup]:
    """Title, grid, axes, lines and the last value of each line."""
    parts = [_text("panel", 30, panel.top - 18, panel.title)]
    for tick in panel.ticks:
        y = panel.y(tick)
        parts.append(_line("axis" if tick == 0 else "grid", _LEFT, y, _RIGHT, y))
        parts.append(_text("tick", _LEFT - 10, y + 4, panel.text(tick), "end"))
    last = days[-1] or 1
    step = next(step for step in (1, 2, 5, 10, 30, 90, 365, math.inf) if last / step <= 10)
    for number in range(int(last / step) + 1):
        x = _x(number * step, last)
        parts.append(_line("axis", x, panel.bottom, x, panel.bottom + 4))
        parts.append(_text("tick", x, panel.bottom + 19, f"{number * step:g}", "middle"))
    for name, values in series.items():
        points = " ".join(f"{_x(day, last):.1f},{panel.y(value):.1f}" for day, value in zip(days, values, strict=True))
        told = f"{_NAMES[name]}: {panel.text(values[-1])} at the end"
        parts.append(
            Markup('<polyline class="line {}" points="{}"><title>{}</title></polyline>').format(name, points, told)
        )
    return parts + _ends(panel, series)


def _ends(panel: _Panel, series: Mapping[str, Sequence[float]]) -> list[Markup]:
    """Names and last values at the right, moved apart where the lines end close together."""
    order = sorted(series, key=lambda name: series[name][-1])
    placed: list[float] = []
    for name in order:  # from the bottom upwards
        wanted = panel.y(series[name][-1])
        placed.append(min(wanted, placed[-1] - _LABEL_GAP) if placed else wanted)
    return [
        _text(f"end {name}", _RIGHT + 8, y + 4, f"{_NAMES[name]} {panel.text(series[name][-1])}")
        for name, y in zip(order, placed, strict=True)
    ]


def _ticks(highest: float) -> list[float]:
    """Round numbers from 0 to at least ``highest``, three to six of them."""
    rough = max(highest, 4) / 4
    power = math.pow(10, math.floor(math.log10(rough)))
    step = next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor >= rough * 0.999)
    return [step * number for number in range(math.ceil(max(highest, 4) / step - 1e-9) + 1)]


def _x(day: float, last: float) -> float:
    return _LEFT + (_RIGHT - _LEFT) * day / last


def _line(kind: str, x1: float, y1: float, x2: float, y2: float) -> Markup:
    return Markup('<line class="{}" x1="{:.1f}" y1="{:.1f}" x2="{:.1f}" y2="{:.1f}"/>').format(kind, x1, y1, x2, y2)


def _text(kind: str, x: float, y: float, text: str, anchor: str = "start") -> Markup:
    return Markup('<text class="{}" x="{:.1f}" y="{:.1f}" text-anchor="{}">{}</text>').format(kind, x, y, anchor, text)
