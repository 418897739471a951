"""Invented answers by week, as the stage drift and the lake get them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pyarrow as pa

from igtool.stages.base import Context, Output
from igtool.stages.drift import Drift

SHAPE = "instagram/web_profile_info"
Body = dict[str, Any]
Changed = Callable[[Body], None]


def monday(week: str) -> datetime:
    """The start of ``2026-W40``."""
    return datetime.combine(date.fromisocalendar(int(week[:4]), int(week[6:]), 1), datetime.min.time(), UTC)


def user(number: int, change: Changed = lambda user: None) -> Body:
    """An invented answer with a profile and two posts; ``change`` gets its user."""
    posts = [
        {
            "node": {
                "id": f"{number}{post}",
                "shortcode": f"C{number}x{post}",
                "taken_at_timestamp": 1_770_000_000 + number,
                "edge_media_preview_like": {"count": number},
                "edge_media_to_comment": {"count": 2},
                "edge_media_to_caption": {"edges": [{"node": {"text": f"caption {number}"}}]},
            }
        }
        for post in range(2)
    ]
    made = {
        "id": str(1000 + number),
        "username": f"person.{number}",
        "full_name": f"Person {number}",
        "biography": "I cook",
        "category_name": "Chef",
        "edge_followed_by": {"count": 10 * number},
        "edge_follow": {"count": 5},
        "is_verified": False,
        "fbid": number,
        "edge_owner_to_timeline_media": {"count": 2, "edges": posts},
    }
    change(made)
    return {"data": {"user": made}}


def many(count: int, change: Changed = lambda user: None) -> list[Body]:
    """So many answers, all of them changed."""
    return [user(number, change) for number in range(count)]


def table(bodies: Mapping[str, Sequence[Body | str]], source: str = "instagram_web") -> pa.Table:
    """What the runner hands over for those bodies by week."""
    rows = [
        {
            "item_id": f"{source}|{week}",
            "source": source,
            "week": week,
            "answer_id": hashlib.sha256(f"{week}{number}".encode()).hexdigest(),
            "body": body if isinstance(body, str) else json.dumps(body),
            "subject": None,
            "fetched_at": monday(week),
        }
        for week, given in bodies.items()
        for number, body in enumerate(given)
    ]
    types = {"subject": pa.string(), "fetched_at": pa.timestamp("us", tz="UTC")}
    return pa.table({name: pa.array([row[name] for row in rows], types.get(name)) for name in rows[0]})


def run(bodies: pa.Table) -> Output:
    """What the stage makes of them."""
    return Drift().process(bodies, context())


def context() -> Context:
    """A context whose parts must not be used."""

    def unused() -> Any:
        raise AssertionError("drift is a pure function of its batch")

    return Context(encoder=unused, clock=unused)


def raw(bodies: Iterable[Body | str], week: str, source: str = "instagram_web", **columns: Any) -> list[dict[str, Any]]:
    """Rows of ``raw_responses``."""
    texts = [body if isinstance(body, str) else json.dumps(body) for body in bodies]
    return [
        {
            "answer_id": hashlib.sha256(f"{source}{week}{number}{text}{columns}".encode()).hexdigest(),
            "source": source,
            "endpoint": "web_profile_info",
            "outcome": "ok",
            "body": text,
            "fetched_at": monday(week) + timedelta(hours=number % 100),
            **columns,
        }
        for number, text in enumerate(texts)
    ]
