"""``python -m checks.licences``: every pinned package and every known model is under a licence that may be here.

Free to combine are permissive licences, and MPL-2.0, whose duty ends at its own files. LGPL and GPL need a reason in
``licences.toml``. Nothing opens the door to AGPL, to licences against some uses (non-commercial, SSPL, BUSL), or to a
package that says nothing. What counts is what is installed; of a pinned package that is not, what was noted.
"""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
NOTES = Path(__file__).with_suffix(".toml")

_FREE = {
    *("0bsd", "apache-2.0", "bsd", "bsd-2-clause", "bsd-3-clause", "bsl-1.0", "cc0-1.0", "cnri-python", "isc", "mit"),
    *("mit-0", "mit-cmu", "mpl-2.0", "psf-2.0", "python-2.0", "unlicense", "zlib"),
}
_NEVER = re.compile(
    r"agpl|affero|sspl|server side public|busl|business source|commons.clause|\bnc\b|non-?\s?commercial", re.IGNORECASE
)
# What packages call these licences besides the names of SPDX; the first that fits counts.
_SPOKEN = (
    (r"apache(?: software)?(?: license)?[,\s]*(?:version )?(?:2(?:\.0)?)?", "apache-2.0"),
    (r"(?:the )?mit(?: license)?(?: \(mit\))?", "mit"),
    (r"(?:new |modified )?bsd(?: license)?", "bsd"),
    (r"(?:3-clause bsd|bsd 3-clause)(?: license)?", "bsd-3-clause"),
    (r"isc(?: licen[cs]e)?(?: \(iscl\))?", "isc"),
    (r"mozilla public license 2\.0 \(mpl 2\.0\)", "mpl-2.0"),
    (r"(?:python software foundation license|psfl)", "psf-2.0"),
)
_TEXTS = ("permission is hereby granted, free of charge, to any person", "redistribution and use in source and binary")
_COPYLEFT_FILES = re.compile(r"(libx26[45]|libxvidcore|libpostproc|libqt\d|libreadline)[-.]", re.IGNORECASE)


@dataclass(frozen=True)
class Finding:
    """What is wrong with one package or model."""

    name: str
    problem: str


def pins(text: str) -> dict[str, str]:
    """Name to version of the lines of a constraints file."""
    parts = (line.partition("==") for line in text.split())
    return {name: version for name, _, version in parts}


def is_free(expression: str) -> bool:
    """Whether what ``expression`` names (SPDX, or words that packages use) may be combined with anything."""
    if not expression.strip() or _NEVER.search(expression):
        return False
    if _name(expression):
        return True
    if re.search(r"\(.*\s(?:and|or)\s", expression, re.IGNORECASE):  # nested: every one of them has to be free
        names = re.split(r"\s+(?:and|or)\s+", re.sub(r"[()]", " ", expression), flags=re.IGNORECASE)
        return all(map(_name, names))
    choices = re.split(r"\s+or\s+", expression.strip(), flags=re.IGNORECASE)
    return any(all(_name(part) for part in re.split(r"\s+and\s+", one, flags=re.IGNORECASE)) for one in choices)


def _name(text: str) -> str | None:
    """The licence of _FREE that ``text`` means."""
    lowered = text.strip().lower()
    if lowered in _FREE:
        return lowered
    return next((name for pattern, name in _SPOKEN if re.fullmatch(pattern, lowered)), None)


def said_by(told: Any) -> str:
    """The licence as an installed package states it: expression, else classifiers, else the free text; or nothing."""
    if expression := told.get("License-Expression"):
        return str(expression)
    classified = [
        str(one).rpartition(" :: ")[2] for one in told.get_all("Classifier") or () if "License ::" in str(one)
    ]
    named = " OR ".join(classified)  # several of them are a choice, where the package does not say otherwise
    free = " ".join(str(told.get("License") or "").split())
    if _NEVER.search(f"{named} {free[:500]}"):
        return f"{named} {free[:500]}".strip()
    if named:
        return named
    is_text = any(start in free.lower() for start in _TEXTS)
    return ("MIT" if "free of charge" in free.lower() else "BSD") if is_text else free[:200]


def package_findings(pinned: Mapping[str, str], notes: Mapping[str, Any]) -> Iterator[Finding]:
    """What is wrong with pinned packages."""
    accepted, noted, read = notes["accepted"], notes["not_installed"], notes["read"]
    for name, version in pinned.items():
        try:
            found = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            if noted.get(name, {}).get("version") != version:
                yield Finding(name, f"{version} is not installed: note its licence in {NOTES.name}")
            elif not is_free(noted[name]["licence"]) and name not in accepted:
                yield Finding(name, f"is under {noted[name]['licence']}")
            continue
        yield from _problems(name, read.get(name) or said_by(found.metadata), found, is_accepted=name in accepted)


def _problems(name: str, said: str, found: metadata.Distribution, *, is_accepted: bool) -> Iterator[Finding]:
    brought = sorted({file.name for file in found.files or () if _COPYLEFT_FILES.match(file.name)})
    if _NEVER.search(said):
        yield Finding(name, f"is under {said[:80]}, which is never taken")
    elif not is_accepted and not is_free(said):
        yield Finding(name, f"is under {said[:80]!r}" if said else "does not say its licence")
    elif not is_accepted and brought:
        yield Finding(name, f"brings {', '.join(brought)}")


def model_findings(models: Mapping[str, Any]) -> Iterator[Finding]:
    """What is wrong with models of ``models.toml``."""
    for name, model in models.items():
        said = str(model.get("licence", ""))
        if not is_free(said):
            yield Finding(f"model {name}", f"is under {said[:80]!r}" if said else "does not say its licence")


def note_findings(pinned: Mapping[str, str], notes: Mapping[str, Any]) -> Iterator[Finding]:
    """Notes about packages that are not pinned any more, and acceptances without a reason."""
    for kind in ("read", "not_installed", "accepted"):
        yield from (Finding(name, f"is in {NOTES.name} and not pinned") for name in notes[kind] if name not in pinned)
    yield from (
        Finding(name, "is accepted without a reason") for name, why in notes["accepted"].items() if len(why) < 20
    )


def main() -> None:
    """Print what is wrong and end with 1, or say what was looked at."""
    pinned = pins((ROOT / "constraints.txt").read_text())
    notes = tomllib.loads(NOTES.read_text())
    models = tomllib.loads((ROOT / "models" / "models.toml").read_text())
    found = [*package_findings(pinned, notes), *model_findings(models), *note_findings(pinned, notes)]
    for one in found:
        print(f"licences: {one.name} {one.problem}")
    if not found:
        print(
            f"licences: {len(pinned)} packages and {len(models)} models; by exception: {', '.join(notes['accepted'])}"
        )
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
