"""``python -m checks.audit``: known vulnerabilities of the pinned packages, as the package index tells them.

Without its answer there is one line that says so. With ``--required`` that is a failure (code 4), else only a
vulnerability is (code 1), unless ``audit.toml`` says why it does not matter here, and until when.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
NOTES = Path(__file__).with_suffix(".toml")


@dataclass(frozen=True)
class Verdict:
    """Lines to print, how many packages were looked at, and whether something has to be done."""

    lines: tuple[str, ...]
    audited: int
    is_bad: bool


def judged(document: Mapping[str, Any], ignored: Iterable[Mapping[str, Any]], today: date) -> Verdict:
    """What pip-audit's JSON means: vulnerabilities that are not ignored, ignored ones that are over or unneeded."""
    packages = document["dependencies"]
    audited = [one for one in packages if "skip_reason" not in one]
    known = {(one["package"].lower(), one["id"]): one for one in ignored}
    lines, met = [], set()
    for package in audited:
        for flaw in package["vulns"]:
            names = {(package["name"].lower(), name) for name in (flaw["id"], *flaw.get("aliases", ()))}
            if any(known[name]["until"] >= today for name in names & known.keys()):
                met |= names
                continue
            fixed = ", ".join(flaw.get("fix_versions") or ()) or "no version yet"
            lines.append(f"audit: {package['name']} {package['version']}: {flaw['id']}, fixed in {fixed}")
    for name, identifier in known.keys() - met if audited else ():
        lines.append(
            f"audit: {identifier} of {name} is ignored in {NOTES.name}, and is over or no longer met: look again"
        )
    return Verdict(tuple(lines), len(audited), bool(lines))


def asked(seconds: float) -> Mapping[str, Any] | str:
    """What pip-audit says of the pinned packages; a sentence where it could not find out."""
    words = ("-r", "constraints.txt", "--disable-pip", "--no-deps", "--format", "json", "--progress-spinner", "off")
    command = [sys.executable, "-m", "pip_audit", *words, "--timeout", "5"]
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=seconds, check=False)
    except subprocess.TimeoutExpired:
        return f"no whole answer within {seconds:g} s"
    try:
        document: dict[str, Any] = json.loads(done.stdout)
    except ValueError:
        return "the source of vulnerabilities cannot be reached"
    return document if "dependencies" in document else "the answer is not understood"


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the verdict; its exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--required", action="store_true", help="not to be able to find out is a failure")
    parser.add_argument("--seconds", type=float, default=15.0, help="how long to wait for answers")
    given = parser.parse_args(arguments)
    answer = asked(given.seconds)
    if not isinstance(answer, str):
        verdict = judged(answer, tomllib.loads(NOTES.read_text())["ignored"], datetime.now(UTC).date())
        for line in verdict.lines:
            print(line)
        if verdict.audited:
            print(f"audit: {verdict.audited} of {len(answer['dependencies'])} packages audited")
            return int(verdict.is_bad)
        answer = "the package index here does not tell vulnerabilities"
    print(f"audit: not audited: {answer}; `make audit` tries again")
    return 4 if given.required else 0


if __name__ == "__main__":
    sys.exit(main())
