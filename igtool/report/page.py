"""``data/export/report.html``: what a run found, in one file that loads nothing and runs nothing.

The texts of profiles are hostile until shown otherwise: all are escaped, only ``http`` and ``https`` addresses
become links, no picture is loaded, and a content security policy forbids scripts and requests in any case.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from igtool.counts import format_count
from igtool.files import replaced
from igtool.report import texts
from igtool.report.data import Counted, ReportData, Spread

if TYPE_CHECKING:
    from igtool.charts import Bar

_TONES = 6
_MEDIAN_NEEDS = 3
"""Below so many accounts a band has no quartiles worth drawing; the table still tells them."""


def render_report(data: ReportData, path: Path) -> None:
    """Replace the HTML file at ``path`` by the report of ``data``; raises StorageError."""
    with replaced(path) as file:
        file.write(render(data).encode("utf-8", "replace"))


def render(data: ReportData) -> str:
    """The report as one HTML document."""
    from jinja2 import Environment, FunctionLoader, StrictUndefined

    from igtool import charts

    folder = files("igtool") / "templates"
    environment = Environment(
        loader=FunctionLoader(lambda name: (folder / name).read_text(encoding="utf-8")),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        grouped=charts.grouped,
        compact=format_count,
        percent=charts.percent,
        words=texts.words,
        initials=initials,
        day=_day,
        moment=_moment,
    )
    environment.globals.update(
        safe_url=safe_url,
        host=_host,
        tone=tone,
        reason=texts.reason,
        odd=texts.odd,
        rules=texts.RULES,
        bands=texts.BAND_RANGES,
        delimiters={",": "comma", ";": "semicolon", "\t": "tab", "|": "bar", " ": "space"},
        days=charts.DAYS,
    )
    template = environment.get_template("report.html.j2")
    return template.render(data=data, run=data.run, list=data.creator_list, charts=_charts(data), **_derived(data))


def safe_url(text: str | None) -> str | None:
    """``text`` if it is an ``http`` or ``https`` address with a host, which alone may become a link; else None."""
    if not text:
        return None
    cleaned = text.strip()
    try:
        parts = urlsplit(cleaned)
        usable = parts.scheme.lower() in {"http", "https"} and bool(parts.hostname)
    except ValueError:
        return None
    return cleaned if usable and not any(c.isspace() or ord(c) < 32 for c in cleaned) else None


def initials(name: str) -> str:
    """One or two letters for the place of a picture; a dot for a name without letters and digits."""
    starts = [next((c for c in word if c.isalnum()), "") for word in name.split()]
    letters = [letter.upper() for letter in starts if letter]
    return "".join(letters[:1] + letters[-1:] if len(letters) > 1 else letters) or "·"


def _host(url: str) -> str:
    return (urlsplit(url).hostname or url).removeprefix("www.")


def _day(moment: datetime) -> str:
    utc = moment.astimezone(UTC)
    return f"{utc.day} {utc:%b %Y}"


def _moment(moment: datetime) -> str:
    utc = moment.astimezone(UTC)
    return f"{utc.day} {utc:%B %Y, %H:%M} UTC"


def tone(name: str) -> int:
    """One of a few quiet background colours, always the same for a name."""
    return hashlib.sha256(name.encode("utf-8", "replace")).digest()[0] % _TONES


def _derived(data: ReportData) -> dict[str, Any]:
    """Numbers that the page shows and that follow from ``data``."""
    status = dict(data.creator_list.status) if data.creator_list else {}
    ordered = [key for key in texts.STATUSES if key in status] + sorted(set(status) - set(texts.STATUSES))
    gained = sum(column.after - column.before for column in data.run.coverage)
    answered = sum(status.get(key, 0) for key in ("enriched", "complete", "private"))
    return {
        "statuses": [(texts.STATUSES.get(key, texts.words(key).lower()), status[key]) for key in ordered],
        "answered": answered,
        "not_found": status.get("not_found", 0),
        "filled_cells": gained,
        "niched": sum(item.count for item in data.niches),
        "items_timed": sum(data.hours.values()),
        **_number_tables(data),
    }


def _number_tables(data: ReportData) -> dict[str, Any]:
    """Rows of the tables beside the charts."""
    from igtool.charts import DAYS, grouped

    hours = [[data.hours.get((day, hour), 0) for hour in range(24)] for day in range(len(DAYS))]
    platforms = list(dict.fromkeys(spread.platform for spread in data.engagement))
    return {
        "niche_rows": _bar_rows(data.niches),
        "language_rows": _bar_rows(data.languages, texts.language),
        "country_rows": _bar_rows(data.countries, texts.country),
        "platform_rows": _bar_rows(data.platforms),
        "band_rows": [(_band(band.name), grouped(band.count)) for band in data.bands],
        "confidence_rows": [
            (f"{step / 10:.1f}–{(step + 1) / 10:.1f}", grouped(count)) for step, count in enumerate(data.confidence)
        ],
        "day_rows": [
            (DAYS[day], grouped(sum(row)), f"{row.index(max(row)):02d}:00" if any(row) else "–")
            for day, row in enumerate(hours)
        ],
        "engagement_platforms": platforms,
        "engagement_rows": {platform: _spread_rows(data, platform) for platform in platforms},
    }


def _bar_rows(items: Sequence[Counted], named: Callable[[str], str] = texts.words) -> list[tuple[str, str]]:
    from igtool.charts import grouped

    return [(bar.label, grouped(bar.value)) for bar in _bars(items, named)]


def _spread_rows(data: ReportData, platform: str) -> list[tuple[str, ...]]:
    from igtool.charts import grouped, percent

    return [
        (_band(s.band), grouped(s.accounts), percent(s.low), percent(s.median), percent(s.high))
        for s in data.engagement
        if s.platform == platform
    ]


def _band(slug: str) -> str:
    return f"{texts.words(slug)} · {texts.BAND_RANGES[slug]}"


def _charts(data: ReportData) -> dict[str, Any]:
    """Name to chart, for those that have something to show."""
    from igtool import charts
    from igtool.charts import Bar

    drawn: dict[str, Any] = {}
    if data.run.coverage:
        drawn["coverage"] = charts.bars(
            "coverage",
            "Filled cells per column, before and after",
            [Bar(column.column.strip(), column.after, column.after - column.before, column.total)
             for column in data.run.coverage],
            _coverage_text,
        )  # fmt: skip
    for name, title, items in (
        ("niches", "Creators by primary niche", _bars(data.niches)),
        ("languages", "Creators by language", _bars(data.languages, texts.language)),
        ("countries", "Creators by country", _bars(data.countries, texts.country)),
        ("platforms", "Accounts by platform", _bars(data.platforms)),
    ):
        if items:
            drawn[name] = charts.bars(name, title, items)
    if any(band.count for band in data.bands):
        bands = [Bar(_band(b.name), b.count) for b in data.bands]
        drawn["bands"] = charts.bars("bands", "Creators by follower band", bands)
    for platform in dict.fromkeys(spread.platform for spread in data.engagement):
        rows = [s for s in data.engagement if s.platform == platform and s.accounts >= _MEDIAN_NEEDS]
        if rows:
            title = f"Engagement rate by follower band on {texts.words(platform)}"
            spreads = [_quartiles(row) for row in rows]
            drawn[f"engagement-{platform}"] = charts.spread(f"engagement-{_slug(platform)}", title, spreads)
    if data.hours:
        drawn["hours"] = charts.heatmap("hours", "Content items by weekday and hour (UTC)", data.hours)
    if any(data.confidence):
        steps = [Bar(f".{step}" if step else "0", count) for step, count in enumerate(data.confidence)]
        drawn["confidence"] = charts.columns("confidence", "Creators by confidence of the niche", steps)
    return drawn


def _bars(items: Sequence[Counted], named: Callable[[str], str] = texts.words) -> list[Bar]:
    from igtool.charts import Bar

    return [Bar(named(item.name) if item.name != "other" else "Other", item.count) for item in items]


def _coverage_text(bar: Bar) -> str:
    from igtool.charts import grouped, percent

    return f"{grouped(bar.value)} · {percent(bar.value / bar.total if bar.total else None)}"


def _quartiles(spread: Spread) -> Any:
    from igtool.charts import Quartiles

    return Quartiles(
        f"{texts.words(spread.band)} ({spread.accounts})", spread.low, spread.median, spread.high, spread.accounts
    )


def _slug(text: str) -> str:
    return "".join(c if c.isalnum() else "-" for c in text)
