"""What ``igtool verify`` prints, and its repair."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from igtool.commands.base import Stop
from igtool.console import print_json, print_rows, say
from igtool.errors import IntegrityError
from igtool.integrity.checking import Report, verify
from igtool.settings import Settings


def run_verify(settings: Settings, *, quick: bool, as_json: bool) -> None:
    """Print what is found. Raises IntegrityError where anything is damaged."""
    _print(verify(settings, quick=quick), "verify", as_json=as_json)


def run_repair(settings: Settings, source: Path | None, *, quick: bool, as_json: bool) -> None:
    """Repair what is found, print what was done and what is left. Raises IntegrityError where anything is."""
    from igtool.integrity.repair import repair

    stop = Stop()
    with stop.listening():
        done = repair(settings, verify(settings, quick=quick), source, stopping=stop, told=say)
    rows = [asdict(one) for one in done]
    if not as_json:
        print_rows(rows, title="repaired")
    _print(verify(settings, quick=quick), "verify", as_json=as_json, repaired=rows)
    if lost := [one for one in done if one.is_lost]:
        say(f"{len(lost)} things are not recoverable: {'; '.join(f'{one.name}: {one.detail}' for one in lost)}")


def _print(report: Report, name: str, *, as_json: bool, repaired: list[dict[str, object]] | None = None) -> None:
    rows = [asdict(finding) for finding in report.findings]
    if as_json:
        done = {} if repaired is None else {"repaired": repaired}
        print_json(
            {
                "command": name,
                "checked": dict(report.counts),
                "files": report.counts["lake files"],
                "rows": rows,
                **done,
            }
        )
    else:
        counted = ", ".join(f"{count} {what}" for what, count in report.counts.items()) or "nothing"
        shown = [{"": "FAIL" if f.is_damage else "note", **asdict(f)} for f in report.findings]
        print_rows(shown, ("", "store", "name", "problem", "fix"), title=f"{counted} checked; findings")
    if damage := report.damage:
        named = ", ".join(dict.fromkeys(f"{one.store} {one.name}" for one in damage[:5]))
        fixes = ", ".join(f"`{fix}`" for fix in dict.fromkeys(one.fix for one in damage if one.fix))
        more = f" and {len(damage) - 5} more" if len(damage) > 5 else ""
        raise IntegrityError(f"damaged: {named}{more}. What to type: {fixes}")
