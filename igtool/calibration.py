"""How often a label is right, given its score.

The scores of `igtool.zero_shot` order labels well, but are too sure of themselves where many items say the same thing
in other words. Platt's method sets that right for each kind of creator (J. Platt, "Probabilistic Outputs for Support
Vector Machines", 1999)::

    confidence = 1 / (1 + exp(-(intercept + slope * log(score / (1 - score)))))

The constants, and what they were fitted on, are in calibration.toml; ``benchmarks/calibrate_niches.py`` writes it.
"""

from __future__ import annotations

import math
import tomllib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from igtool import vocabulary
from igtool.errors import ConfigError

FILE = Path(vocabulary.__file__).parent / "calibration.toml"
_CLOSEST = 1e-4
"""A score is taken as no nearer to 0 or 1 than this, the digits that are kept of it."""


@dataclass(frozen=True)
class Platt:
    """A logistic curve over the logit of a score; ``slope`` is above 0, so the order of scores stays."""

    intercept: float
    slope: float

    def __call__(self, score: float) -> float:
        """Share of right labels among those with this score, 0-1, four digits."""
        near = min(max(score, _CLOSEST), 1 - _CLOSEST)
        logit = self.intercept + self.slope * math.log(near / (1 - near))
        return round(1 / (1 + math.exp(-logit)), 4)


def niche_confidence(score: float, *, has_items: bool) -> float:
    """Confidence in a primary niche of this score, 0-1.

    ``has_items``: whether content items were read, and not name, biography and category alone. Raises ConfigError.
    """
    return load()["items" if has_items else "profile"](score)


@lru_cache(maxsize=2)
def load(path: Path = FILE) -> dict[str, Platt]:
    """The curves by kind of creator, ``items`` and ``profile``. Raises ConfigError naming the file and the field."""
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
        curves = {
            kind: Platt(float(tables[kind]["intercept"]), float(tables[kind]["slope"])) for kind in ("items", "profile")
        }
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"{path.name}: cannot be read: {error}; reinstall igtool") from error
    for kind, curve in curves.items():
        if not (math.isfinite(curve.intercept) and math.isfinite(curve.slope) and curve.slope > 0):
            raise ConfigError(f"{path.name}: [{kind}] needs finite numbers and a slope above 0; reinstall igtool")
    return curves
