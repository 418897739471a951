"""How long rows of a table are kept, where that may be set: ``retention = { raw_responses = "180d" }``."""

from __future__ import annotations

import re
from collections.abc import Mapping

TIMES = {
    "raw_responses": "fetched_at",
    "llm_answers": "answered_at",
    "metric_snapshots": "observed_at",
    "conversations": "said_at",
    "search_log": "searched_at",
    "creator_tag_history": "changed_at",
    "runs": "started_at",
}
"""Table to the column that tells its age. What people typed, what is derived from what stays, and logs that prove
something (consents, decisions, the audit log) have no age."""
SNAPSHOTS = "snapshots"
"""Older states of the whole lake."""
SNAPSHOT_DAYS = 30

_DURATION = re.compile(r"\s*(\d{1,5})\s*([dwy])\s*")
_DAYS = {"d": 1, "w": 7, "y": 365}


def days_of(text: str) -> int:
    """The days of ``180d``, ``26w`` or ``1y``. Raises ValueError."""
    found = _DURATION.fullmatch(text)
    if found is None or not int(found[1]):
        raise ValueError(f"{text!r} is no time to keep something: write 180d, 26w or 1y")
    return int(found[1]) * _DAYS[found[2]]


def checked(retention: Mapping[str, str]) -> dict[str, str]:
    """``retention`` if every name and time in it can be used. Raises ValueError."""
    for name, text in retention.items():
        if name not in (*TIMES, SNAPSHOTS):
            raise ValueError(f"{name!r} is always kept; a time may be set for: {', '.join((*TIMES, SNAPSHOTS))}")
        days_of(text)
    return dict(retention)


def snapshot_days(retention: Mapping[str, str]) -> int:
    """Days for which older states of the lake stay."""
    return days_of(retention[SNAPSHOTS]) if SNAPSHOTS in retention else SNAPSHOT_DAYS
