"""How a creator posts, in words, from `profiles.posting_pattern`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from igtool.charts import percent
from igtool.report import texts

_BASIS = {"engagement": "the best reactions", "frequency": "posts most"}


def rhythm_of(pattern: dict[str, Any]) -> list[tuple[str, str]]:
    """Label and text of what is known: posts a week, gaps, best time and hours with their time zone, formats, kinds."""
    return list(_told(pattern))


def _told(pattern: dict[str, Any]) -> Iterator[tuple[str, str]]:
    zone = str(pattern.get("time_zone") or "UTC")
    if (weekly := pattern.get("frequency")) is not None:
        yield "posts a week", f"{weekly:.1f}"
    if (gap := pattern.get("median_gap_days")) is not None:
        yield "days between two", f"{gap:.1f} (median)"
    if best := pattern.get("best_time_to_post"):
        by = _BASIS.get(best.get("basis"), best.get("basis"))
        when = f"{texts.words(str(best.get('weekday')))} {int(best.get('hour') or 0):02d}:00"
        yield "best time", f"{when} {zone}: {by}, {best.get('items')} posts"
    if hours := pattern.get("best_hours"):
        yield "best hours", ", ".join(f"{int(hour):02d}:00" for hour in hours) + f" {zone}"
    for name, label in (("content_mix", "formats"), ("content_kinds", "kinds of content")):
        if shares := pattern.get(name):
            yield label, _shares(shares)


def _shares(shares: dict[str, Any]) -> str:
    ordered = sorted(shares.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{texts.words(name).lower()} {percent(share)}" for name, share in ordered)
