"""What goes to the terminal is readable, on one line, and obeys nobody."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from igtool.console import cell, print_json


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, ""),
        (11420.0, "11420"),
        (0.123456, "0.1235"),
        (datetime(2026, 10, 1, 8, 15, tzinfo=UTC), "2026-10-01 08:15"),
        (["a", "b\nc"], "a, b c"),
        ([0.1] * 384, "[384 numbers]"),
        ("red \x1b[31m text\x07", "red [31m text"),
    ],
)
def test_a_cell_is_one_harmless_line(value: object, shown: str) -> None:
    """Numbers without exponents, lists joined, control characters gone."""
    assert cell(value) == shown


def test_json_can_hold_every_value_of_the_database(capsys: pytest.CaptureFixture[str]) -> None:
    """Times are ISO 8601, what JSON lacks is null, and a lone surrogate does not break the document."""
    print_json(
        {
            "at": datetime(2026, 10, 1, tzinfo=UTC),
            "took": timedelta(seconds=90),
            "nan": float("nan"),
            "exact": Decimal("12345678901234567890"),
            "bytes": b"\x01",
            "cut": "\ud83d",
        }
    )
    document = json.loads(capsys.readouterr().out)
    assert document == {
        "at": "2026-10-01T00:00:00+00:00",
        "took": 90.0,
        "nan": None,
        "exact": 12345678901234567890,
        "bytes": "01",
        "cut": "?",
    }
