"""What a creator's page tells besides the rows of the tables: topics with their posts, numbers over time, rhythm."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from markupsafe import Markup

from igtool import charts
from igtool.charts import DAYS, grouped
from igtool.lake import Lake
from igtool.report import texts
from igtool.serve.pages.values import Row, parsed

_READ_ITEMS = 300
_OF_A_TOPIC = 3
_MOST_POINTS = 60
_DESCRIBED = 2_000


@dataclass(frozen=True)
class Topic:
    """What the content is about, with the newest posts that speak of it, and words of others that name it."""

    name: str
    posts: Sequence[Row] = ()
    quotes: Sequence[str] = ()


@dataclass(frozen=True)
class Course:
    """Followers of one account over time; no chart of fewer than two looks."""

    account: str
    chart: Markup | None
    points: Sequence[tuple[datetime, int]]
    windows: Sequence[Row] = field(default_factory=tuple)


def items_of(lake: Lake, creator_id: str) -> list[Row]:
    """The newest posts of a creator, with the texts that topics were found in."""
    return lake.rows(
        "select c.content_id, c.account_id, c.type, c.url, c.published_at, c.title_or_caption, "
        f"left(c.description, {_DESCRIBED}) as description, c.hashtags "
        "from content_items c join creator_links l using (account_id) where l.creator_id = ? "
        f"order by c.published_at desc nulls last, c.content_id limit {_READ_ITEMS}",
        (creator_id,),
    )


def topics_of(profile: Row, items: Sequence[Row]) -> list[Topic]:
    """The topics of ``profile``, each with posts whose words or hashtags name it: those of its evidence first."""
    evidence = parsed(profile.get("evidence")).get("content_topics") or {}
    first = {one: place for place, one in enumerate(evidence.get("content_ids") or [])}
    ordered = sorted(items, key=lambda item: first.get(item["content_id"], len(first)))
    said = [(item, _words(item)) for item in ordered]
    quotes = evidence.get("quotes") or []
    found = []
    for name in profile.get("content_topics") or []:
        low = name.lower()
        posts = [item for item, (text, tags) in said if low in text or low.replace(" ", "") in tags]
        named = [quote for quote in quotes if low in str(quote).lower()]
        found.append(Topic(name, posts[:_OF_A_TOPIC], named))
    return found


def _words(item: Row) -> tuple[str, set[str]]:
    text = f"{item['title_or_caption'] or ''}\n{item['description'] or ''}".lower()
    return text, {str(tag).lower() for tag in item["hashtags"] or ()}


def courses_of(lake: Lake, creator: Row) -> list[Course]:
    """Followers of each account over time, with how they changed over 7, 30 and 90 days."""
    found = []
    for number, account in enumerate(creator["accounts"]):
        rows = lake.rows(
            "select observed_at, max(value) as value from metric_snapshots "
            "where subject_id = ? and metric = 'followers' and value is not null and observed_at is not null "
            "group by observed_at order by observed_at",
            (account["account_id"],),
        )
        points = _thinned([(row["observed_at"], row["value"]) for row in rows])
        known_as = account["handle"] or account["platform_user_id"] or account["account_id"]
        name = f"{texts.words(account['platform'])} @{known_as}"
        chart = charts.course(f"growth-{number}", f"Followers of {name}", points) if len(points) > 1 else None
        windows = [
            row
            for row in creator["growth"]
            if row["subject_id"] == account["account_id"] and row["metric"] == "followers" and row["change"] is not None
        ]
        if points:
            found.append(Course(name, chart, points, windows))
    return found


def _thinned(points: list[tuple[datetime, int]]) -> list[tuple[datetime, int]]:
    """At most so many of ``points``, evenly taken, the first and the last among them."""
    if len(points) <= _MOST_POINTS:
        return points
    step = (len(points) - 1) / (_MOST_POINTS - 1)
    return [points[round(step * place)] for place in range(_MOST_POINTS)]


def hours_of(lake: Lake, creator_id: str) -> dict[tuple[int, int], int]:
    """How many posts by (weekday from 0 = Monday, hour), in UTC."""
    rows = lake.rows(
        "select isodow(at_utc) - 1 as day, hour(at_utc) as hour, count(*) as items from ("
        "select published_at at time zone 'UTC' as at_utc from content_items join creator_links using (account_id) "
        "where creator_id = ? and published_at is not null) group by all",
        (creator_id,),
    )
    return {(row["day"], row["hour"]): row["items"] for row in rows}


def hour_rows(hours: dict[tuple[int, int], int]) -> list[tuple[str, str, str]]:
    """The same as a table: each weekday with its posts and its fullest hours."""
    rows = []
    for place, name in enumerate(DAYS):
        of_day = {hour: count for (day, hour), count in hours.items() if day == place}
        fullest = sorted(of_day, key=lambda hour: (-of_day[hour], hour))[:3]
        rows.append((name, grouped(sum(of_day.values())), ", ".join(f"{hour:02d}:00" for hour in fullest) or "–"))
    return rows
