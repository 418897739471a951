"""Counts as people write them."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from igtool.counts import BIGINT, MOST, format_count, parse_count, parse_share


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("72M", 72_000_000),
        ("475.8m", 475_800_000),
        ("1.6M", 1_600_000),
        ("1,6M", 1_600_000),
        ("0.89k", 890),
        ("29.0b", 29_000_000_000),
        ("1,234", 1234),
        ("1.234.567", 1_234_567),
        ("1.234", 1234),
        ("1.234K", 1234),
        ("12,34,567", 1_234_567),
        ("1.234.567,0", 1_234_567),
        ("1,234.0", 1234),
        ("1 234 567", 1_234_567),
        ("1\u202f234\u00a0567", 1_234_567),
        ("1'234'567", 1_234_567),
        ("3.0", 3),
        ('"3.0"', 3),
        ("0", 0),
        ("0.0", 0),
        ("1e+06", 1_000_000),
        ("47 subscribers", 47),
        ("451K views", 451_000),
        ("1,2 millones de suscriptores", 1_200_000),
        ("15 mil seguidores", 15_000),
        ("10K+", 10_000),
        ("1.2M subscribers", 1_200_000),
        ("1,234 views", 1234),
        ("No videos", 0),
        ("sin visualizaciones", 0),
        ("7 lakh", 700_000),
        ("1.2 crore", 12_000_000),
        ("1,5 mil", 1500),
        ("2 mi de seguidores", 2_000_000),
        ("1,2 mi de visualizações", 1_200_000),
        ("1,2 Mio. Abonnenten", 1_200_000),
        ("12 k d’abonnés", 12_000),
        ("12万", 120_000),
        ("1.2만", 12_000),
        (" 5 ", 5),
        ("\uff17\uff12M", 72_000_000),
        ("١٢", 12),
        (str(BIGINT), BIGINT),
        (7, 7),
        (3.0, 3),
        (Decimal("12"), 12),
    ],
)
def test_reads_counts_as_written(text: object, count: int) -> None:
    """Every notation of the real lists and platforms gives its exact number."""
    assert parse_count(text) == count


@pytest.mark.parametrize(
    "text",
    [
        *(None, "", " ", "N/A", "#N/A", "-", "—", "none", "abc", "K", "M views", ".", ",", "1..2", "1,2,3.4.5"),
        *("-5", "−5", -5, -0.5, "3.5", 3.5, "0.123", "7 days ago", "2.67%", "$5", "1/2", "12:30", "1M1"),
        *(True, False, float("nan"), float("inf"), Decimal("sNaN"), b"5", [5], str(BIGINT + 1), BIGINT + 1, 1e30),
        *("99999999999B", "9" * 100_000, "1e99", "²", "5 of 7"),
        *("No", "no data", "sin", "12 parsecs", "d'", "5 de"),
    ],
)
def test_nonsense_is_unknown(text: object) -> None:
    """What is not a whole, storable number is None, never 0 and never an exception."""
    assert parse_count(text) is None


@given(st.integers(min_value=0, max_value=BIGINT))
def test_round_trip(number: int) -> None:
    """A number written plainly or with thousands separators is read back exactly."""
    assert parse_count(str(number)) == number
    assert parse_count(f"{number:,}") == number


@given(st.integers(0, BIGINT), st.sampled_from(["", " views", " seguidores", " subscribers"]))
def test_units_change_nothing(number: int, unit: str) -> None:
    """A number is read back exactly whatever it counts."""
    assert parse_count(f"{number}{unit}") == parse_count(f"{number:,}{unit}") == number


@given(st.integers(1, 999_999), st.sampled_from([("K", 10**3), ("M", 10**6), ("B", 10**9), (" lakh", 10**5)]))
def test_scales_are_exact(thousandths: int, scale: tuple[str, int]) -> None:
    """A number with a scale has no rounding error."""
    assert parse_count(f"{thousandths // 1000}.{thousandths % 1000:03}{scale[0]}") == thousandths * scale[1] // 1000


def test_limits_are_columns() -> None:
    """What is possible can be stored."""
    assert all(0 < most <= BIGINT for most in MOST.values())


@pytest.mark.parametrize(
    ("text", "share"),
    [
        *(("2.67%", 0.0267), (" 2,67 %", 0.0267), ("0.54%", 0.0054), ("0%", 0.0), ("300%", 3.0), ("2.67", None)),
        *(("", None), ("-1%", None), ("x%", None), ("%", None), (None, None), (2.67, None), ("9" * 400 + "%", None)),
    ],
)
def test_shares(text: object, share: float | None) -> None:
    """A percentage is a part of one, and nothing else is."""
    assert parse_share(text) == share


@given(st.integers(0, 10**6))
def test_shares_round_trip(hundredths: int) -> None:
    """A share written as a percentage is read back."""
    assert parse_share(f"{hundredths / 100:.2f}%") == hundredths / 10_000


@given(st.text(max_size=30) | st.text(alphabet="0123456789.,'kKmMbB e+-", max_size=20))
def test_any_text_is_safe(text: str) -> None:
    """Any text gives None or a number that fits the column."""
    count = parse_count(text)
    assert count is None or 0 <= count <= BIGINT
    share = parse_share(text)
    assert share is None or share >= 0


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "–"), (0, "0"), (999, "999"), (1_000, "1k"), (12_345, "12.3k"), (999_499, "999k"), (999_950, "1M"),
     (1_234_567, "1.2M"), (475_800_000, "476M"), (3_000_000_000, "3B")],
)  # fmt: skip
def test_format_count(value: int | None, text: str) -> None:
    """Three digits at most, and never 1000k."""
    assert format_count(value) == text
