"""The checks besides the code: which licences pass, what an audit says, and that both say when they cannot know."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import date
from email.message import Message
from pathlib import Path
from typing import Any

import pytest

from checks import audit, licences

TODAY = date(2026, 10, 1)


@pytest.mark.parametrize(
    "said",
    [
        *(
            "MIT",
            "MIT License",
            "Apache-2.0",
            "Apache License, Version 2.0",
            "Apache 2.0",
            "BSD 3-Clause License",
            "PSFL",
        ),
        *("Apache-2.0 OR GPL-3.0-only", "BSD-3-Clause AND MIT AND Zlib", "MIT AND (Apache-2.0 OR BSD-2-Clause)", "ISC"),
        "Mozilla Public License 2.0 (MPL 2.0)",
    ],
)
def test_free_licences_pass(said: str) -> None:
    """As SPDX writes them and as packages do; of a choice one is enough."""
    assert licences.is_free(said)


@pytest.mark.parametrize(
    "said",
    [
        *("", "UNKNOWN", "Other/Proprietary License", "GPL-3.0-or-later", "LGPL-2.1-only", "MIT AND GPL-2.0-only"),
        *("AGPL-3.0", "MIT OR AGPL-3.0-only", "GNU Affero General Public License v3", "CC-BY-NC-4.0", "SSPL-1.0"),
        *("MIT with Commons Clause", "BUSL-1.1", "free for non-commercial use", "MIT AND (Apache-2.0 OR GPL-3.0-only)"),
    ],
)
def test_other_licences_do_not_pass(said: str) -> None:
    """Unknown, copyleft, and those against some uses."""
    assert not licences.is_free(said)


def told(**fields: str) -> Message:
    """Metadata of a package."""
    message = Message()
    for name, value in fields.items():
        message[name.replace("_", "-")] = value
    return message


def test_where_a_licence_is_said() -> None:
    """The expression goes before classifiers and those before the free text; a note about use is not lost."""
    both = told(License="GPL", Classifier="License :: OSI Approved :: MIT License")
    assert licences.said_by(both) == "MIT License"
    both["License-Expression"] = "Apache-2.0"
    assert licences.said_by(both) == "Apache-2.0"
    text = "MIT License\n\nPermission is hereby granted, free of charge, to any person obtaining a copy"
    assert licences.said_by(told(License=text)) == "MIT"
    odd = told(License="free for non-commercial use", Classifier="License :: OSI Approved :: MIT License")
    assert not licences.is_free(licences.said_by(odd))
    assert licences.said_by(told()) == ""


def test_what_is_pinned_passes_and_exceptions_have_reasons() -> None:
    """The real packages and models of this version: nothing to say; without its exception one is found."""
    pinned = licences.pins((licences.ROOT / "constraints.txt").read_text())
    notes = licences.tomllib.loads(licences.NOTES.read_text())
    assert list(licences.package_findings(pinned, notes)) == []
    assert list(licences.note_findings(pinned, notes)) == []
    bare: dict[str, Any] = {"accepted": {}, "not_installed": {}, "read": {}}
    found = {
        one.name: one.problem for one in licences.package_findings({"av": "18.1.0", "no-such": "1", "mypy": "1"}, bare)
    }
    assert found.keys() == {"av", "no-such"}
    assert "libx264" in found["av"]
    assert "not installed" in found["no-such"]


def test_models_need_a_free_licence() -> None:
    """Without one, or with one against some uses, a model of models.toml is found."""
    models = {"a": {"licence": "MIT"}, "b": {}, "c": {"licence": "CC-BY-NC-4.0"}, "d": {"licence": "AGPL-3.0"}}
    assert [one.name for one in licences.model_findings(models)] == ["model b", "model c", "model d"]


def answer(*flaws: dict[str, Any]) -> dict[str, Any]:
    """What pip-audit prints of two packages, one of which it did not find."""
    packages = [
        {"name": "Thing", "version": "1.0", "vulns": list(flaws)},
        {"name": "other", "skip_reason": "not found"},
    ]
    return {"dependencies": packages, "fixes": []}


FLAW = {"id": "PYSEC-1", "aliases": ["GHSA-1"], "fix_versions": ["1.1"], "description": "bad"}


def test_a_known_vulnerability_fails_unless_there_is_a_reason() -> None:
    """It names package, id and fix; an ignored one passes by any of its names until its day, and is told when over."""
    assert audit.judged(answer(FLAW), (), TODAY) == audit.Verdict(
        ("audit: Thing 1.0: PYSEC-1, fixed in 1.1",), audited=1, is_bad=True
    )
    ignored = {"package": "thing", "id": "GHSA-1", "until": TODAY, "reason": "not reached"}
    assert audit.judged(answer(FLAW), [ignored], TODAY) == audit.Verdict((), audited=1, is_bad=False)
    late = audit.judged(answer(FLAW), [ignored], date(2026, 10, 2))
    assert late.is_bad
    assert len(late.lines) == 2
    assert audit.judged(answer(), [ignored], TODAY).is_bad
    assert audit.judged(answer(), (), TODAY) == audit.Verdict((), audited=1, is_bad=False)


@pytest.mark.slow
def test_an_audit_without_network_says_so() -> None:
    """The real program with no way out: one clear line; a failure only where it was required."""
    closed = dict.fromkeys(("HTTPS_PROXY", "HTTP_PROXY", "https_proxy", "http_proxy"), "http://127.0.0.1:9")
    for words, code in (((), 0), (("--required",), 4)):
        command = [sys.executable, "-m", "checks.audit", "--seconds", "20", *words]
        place = Path(__file__).parents[1]
        done = subprocess.run(command, env=os.environ | closed, cwd=place, capture_output=True, text=True, check=False)
        assert done.returncode == code, done.stderr
        assert done.stdout.startswith("audit: not audited: ")
        assert done.stdout.count("\n") == 1
