"""docs/security.md promises nothing that no test holds."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "security.md").read_text()


def test_every_file_that_is_named_exists() -> None:
    """Tests, checks and pages, from where the page stands."""
    named = set(re.findall(r"`((?:tests|checks)/[\w./]+)`", PAGE))
    assert len(named) > 30
    assert [name for name in named if not (ROOT / name).is_file()] == []
    linked = re.findall(r"\]\(([^)#:]+)\)", PAGE)
    assert [name for name in linked if not (ROOT / "docs" / name).is_file()] == []


def test_every_risk_of_both_lists_has_a_line_with_a_test() -> None:
    """API1 to API10 and LLM01 to LLM10, once each, with four cells, the third of which names a test."""
    for risk in [f"API{n}" for n in range(1, 11)] + [f"LLM{n:02}" for n in range(1, 11)]:
        (line,) = [line for line in PAGE.splitlines() if line.startswith(f"| {risk} ")]
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        assert len(cells) == 4
        assert all(cells)
        assert "tests/test_" in cells[2]


def test_the_way_to_report_is_private() -> None:
    """The page that hosts of repositories show names the private way, and no address of anybody."""
    text = (ROOT / "SECURITY.md").read_text()
    assert "security advisory" in text
    assert "@" not in text
    assert "docs/security.md" in text
