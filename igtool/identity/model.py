"""The Splink model of ``model.json`` as one SQL expression, and the thresholds that were tuned with it.

The model is the Fellegi-Sunter model that Splink 5 trains (``benchmarks/identity_train.py``), in the form in which
Splink saves it: comparisons with levels, each a condition over ``column_l`` and ``column_r`` with the share of pairs
of one person (m) and of strangers (u) that it holds for. The weight of a pair is, in bits (Fellegi and Sunter 1969;
https://moj-analytical-services.github.io/splink/topic_guides/theory/fellegi_sunter.html)::

    log2(prior / (1 - prior)) + sum over comparisons of log2(m / u) of the first level that holds

Splink itself is not asked at run time: it blocks on columns and takes no list of candidate pairs, plans its SQL anew
in seconds, and an increment takes fractions of one. ``tests/test_identity_model.py`` holds that both give the same.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from igtool.errors import ConfigError

FILE = Path(__file__).with_name("model.json")


@dataclass(frozen=True)
class Model:
    """Weights and thresholds. ``settings`` is what Splink saves and takes."""

    settings: dict[str, Any]
    link_from: float
    """Pairs of at least so many bits are one creator's, if nothing speaks against it."""
    review_from: float
    """Pairs of at least so many bits are shown to people."""
    intercept: float
    slope: float
    """Confidence is the logistic curve of ``intercept + slope * bits`` (Platt's method)."""

    def weight(self) -> str:
        """SQL: the bits for a row with columns ``…_l`` and ``…_r``."""
        prior = self.settings["probability_two_random_records_match"]
        parts = [_double(math.log2(prior / (1 - prior)))]
        parts += [f"case {_cases(comparison)} end" for comparison in self.settings["comparisons"]]
        return " + ".join(parts)

    def confidence(self, weight: str) -> str:
        """SQL: the probability (0-1) that belongs to a ``weight``."""
        return f"1 / (1 + exp(-({_double(self.intercept)} + {_double(self.slope)} * ({weight}))))"


def _double(value: float) -> str:
    """A literal of type DOUBLE: without an exponent it would be a decimal of few digits."""
    return f"{value!r}::double"


def level_weight(level: dict[str, Any]) -> float:
    """The bits of one level; 0 for the one of unknown values."""
    return 0.0 if level.get("is_null_level") else math.log2(level["m_probability"] / level["u_probability"])


def _cases(comparison: dict[str, Any]) -> str:
    cases = []
    for level in comparison["comparison_levels"]:
        condition = level["sql_condition"]
        test = "else" if condition.strip().upper() == "ELSE" else f"when {condition} then"
        cases.append(f"{test} {_double(level_weight(level))}")
    return " ".join(cases)


@lru_cache(maxsize=1)
def load(path: Path = FILE) -> Model:
    """The model that is shipped. Raises ConfigError when the file is damaged."""
    try:
        read = json.loads(path.read_text(encoding="utf-8"))
        model = Model(read["splink"], *(float(read[name]) for name in ("link_from", "review_from", *_CURVE)))
        model.weight()
    except (OSError, ValueError, KeyError, TypeError, ZeroDivisionError) as error:
        raise ConfigError(f"{path.name}: cannot be read: {error}; reinstall igtool") from error
    return model


_CURVE = ("intercept", "slope")
