"""``igtool drift``: what changed in the answers of the platforms."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import asdict
from datetime import date
from typing import TYPE_CHECKING, Any

import rich_click as click

from igtool.commands.base import JSON, command, workspace_of
from igtool.console import print_json, print_rows, say

if TYPE_CHECKING:
    from igtool.drift.compare import Change
    from igtool.drift.history import History

_RATES = frozenset({"rarer", "more frequent"})


class Week(click.ParamType[str]):
    """An ISO week, or a day of it."""

    name = "week"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The week as it is stored: ``2026-W40``."""
        match = re.fullmatch(r"(\d{4})-?[Ww](\d{1,2})", str(value).strip())
        with suppress(ValueError):
            day = date.fromisocalendar(int(match[1]), int(match[2]), 1) if match else date.fromisoformat(str(value))
            year, week, _ = day.isocalendar()
            return f"{year:04}-W{week:02}"
        return self.fail(f"{value!r} is no week: give one (2026-W40) or a day of it (2026-10-01)", param, ctx)


@command("drift")
@click.option("--source", help="Only answers from there: files, or the name of a live source.")
@click.option("--since", type=Week(), metavar="WEEK|DATE", help="Every week from this one on [only the newest].")
@click.option(
    "--all", "is_all", is_flag=True, help="Also fields igtool does not read that became rarer or more frequent."
)
@JSON
@click.pass_context
def drift_command(context: click.Context, source: str | None, since: str | None, is_all: bool, as_json: bool) -> None:
    """Fields of the platforms' answers that vanished, are new, or changed their type.

    The newest week of each shape of answer is compared with the eight before it, by samples.
    """
    from igtool.drift.history import history
    from igtool.lake import Lake

    settings = workspace_of(context).settings
    with Lake(settings.lake, writable=False, offline=settings.offline) as lake:
        found = history(lake, source=source, since=since)
    changes = [change for change in found.changes if is_all or change.matters or change.change not in _RATES]
    changes.sort(key=lambda change: (not change.matters, change.source, change.shape, change.week, change.path))
    if as_json:
        print_json({"command": "drift", "rows": [asdict(change) for change in changes], **_looked_at(found)})
    elif changes:
        print_rows([_line(change) for change in changes])
        say(_summary(found))
    else:
        say(f"nothing changed: {_summary(found)}" if found.answers else _summary(found))


def _looked_at(found: History) -> dict[str, Any]:
    return {"answers": found.answers, "shapes": len(found.shapes), "weeks": sorted(found.weeks)}


def _summary(found: History) -> str:
    """What was looked at, in words."""
    from igtool.drift.compare import span

    if not found.answers:
        return "no answers are sampled: `igtool run normalize drift` does it, once there are some"
    weeks = span(found.weeks)
    text = f"{found.answers} answers of {_counted(len(found.shapes))} in week{'s' * (' ' in weeks)} {weeks}"
    if found.alone:
        are = "is" if len(found.alone) == 1 else "are"
        text += f"; {_counted(len(found.alone))} {are} of one week only, with nothing to compare to"
    return text


def _counted(shapes: int) -> str:
    return "1 shape" if shapes == 1 else f"{shapes} shapes"


def _line(change: Change) -> dict[str, str]:
    return {
        "source": change.source,
        "shape": change.shape,
        "week": change.week,
        "field": "" if change.path == "$" else change.path,
        "what": _words(change),
        "compared with": change.weeks,
        "igtool reads it": "yes" if change.matters else "no",
    }


def _words(change: Change) -> str:
    """The change as a person would say it."""
    with_it = f", with {change.below} fields below it" if change.below else ""
    return {
        "vanished": f"vanished (was in {change.before} of the answers){with_it}",
        "new": f"new, in {change.after} of the answers{with_it}",
        "emptied": f"always null or empty now (was filled in {change.before})",
        "type": f"was {change.before}, is {change.after}",
        "unread": f"{change.after} of the answers cannot be read (was {change.before}): see `igtool rejects`",
    }.get(change.change, f"{change.change}: in {change.after} of the answers (was {change.before})")
