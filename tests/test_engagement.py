"""Engagement rate, posting rhythm and best hours, by hand and against a plain loop; all accounts are invented."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from search_tables import Tables

from igtool.engagement import RATED_POSTS, RATED_VIDEOS
from igtool.errors import ConfigError
from igtool.posting import read_time_zones, slots_of, time_zones

SEEN = datetime(2026, 6, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
Post = dict[str, Any]


@pytest.fixture
def tables() -> Iterator[Tables]:
    """Empty tables with their views."""
    opened = Tables()
    yield opened
    opened.connection.close()


def put(tables: Tables, posts: list[Post], followers: int | None = 1000, account: str = "instagram:1") -> None:
    """An account with posts, published a day apart before it was seen unless they say when."""
    platform = account.split(":")[0]
    tables.add("accounts", [{"account_id": account, "platform": platform, "followers_count": followers}])
    rows = []
    for number, post in enumerate(posts):
        when = {"published_at": SEEN - (number + 1) * 24 * HOUR, "observed_at": SEEN}
        rows.append({"content_id": f"{account}/{number:03}", "account_id": account, "type": "post"} | when | post)
    tables.add("content_items", rows)


def one(tables: Tables, view: str) -> dict[str, Any]:
    """The only row of a view."""
    (row,) = tables.arrow(f"from {view}").to_pylist()
    return row  # type: ignore[no-any-return]


def test_a_rate_is_likes_and_comments_by_followers_in_the_middle(tables: Tables) -> None:
    """Rates of 1 %, 2 % and 30 % give 2 %, which a mean would not; the medians of counts go alike."""
    put(tables, [{"like_count": n * 9, "comment_count": n} for n in (1, 2, 30)])
    row = one(tables, "engagement")
    assert row["engagement_rate"] == pytest.approx(0.02)
    assert (row["median_likes"], row["median_comments"], row["rated_items"], row["items"]) == (18, 2, 3, 3)


def test_on_youtube_a_rate_is_by_views(tables: Tables) -> None:
    """(90 + 10) / 2,000 views is 5 % whatever the subscribers, and known where they are hidden."""
    put(tables, [{"like_count": 90, "comment_count": 10, "view_count": 2000}], None, "youtube:a")
    assert one(tables, "engagement")["engagement_rate"] == pytest.approx(0.05)


@pytest.mark.parametrize(
    ("followers", "post"),
    [
        (None, {"like_count": 5, "comment_count": 1}),
        (0, {"like_count": 5, "comment_count": 1}),
        (1000, {"like_count": None, "comment_count": 7}),
        (1000, {"like_count": 50, "comment_count": None}),
        (1000, {}),
        (1000, {"view_count": 90_000}),
    ],
)
def test_what_is_unknown_is_not_zero(tables: Tables, followers: int | None, post: Post) -> None:
    """Without followers, likes or comments there is no rate, not a low one."""
    put(tables, [post], followers)
    row = one(tables, "engagement")
    assert (row["engagement_rate"], row["rated_items"], row["items"]) == (None, 0, 1)


@pytest.mark.parametrize("views", [None, 0])
def test_a_video_without_views_has_no_rate(tables: Tables, views: int | None) -> None:
    """Views that are unknown or 0 divide nothing."""
    put(tables, [{"like_count": 5, "comment_count": 1, "view_count": views}], 10, "youtube:a")
    assert one(tables, "engagement")["engagement_rate"] is None


def test_hidden_likes_do_not_pull_the_rate_down(tables: Tables) -> None:
    """Posts of which only comments are known are left out of the rate, and older ones take their place."""
    hidden = [{"comment_count": 3}] * 20
    put(tables, [*hidden, *[{"like_count": 40, "comment_count": 10}] * 3])
    row = one(tables, "engagement")
    assert (row["engagement_rate"], row["rated_items"]) == (pytest.approx(0.05), 3)
    assert (row["median_likes"], row["median_comments"]) == (40, 3)


def test_real_zeros_count(tables: Tables) -> None:
    """Nobody liked it is known: the rate is 0 and not NULL."""
    put(tables, [{"like_count": 0, "comment_count": 0}])
    assert one(tables, "engagement")["engagement_rate"] == 0


@pytest.mark.parametrize(("account", "most"), [("instagram:1", RATED_POSTS), ("youtube:a", RATED_VIDEOS)])
def test_only_the_newest_speak(tables: Tables, account: str, most: int) -> None:
    """Of 60 items the newest 12 posts or 30 videos count; what was before does not."""
    counts = {"comment_count": 0, "view_count": 1000}
    put(tables, [{"like_count": 10 if n < most else 900} | counts for n in range(60)], 1000, account)
    row = one(tables, "engagement")
    assert (row["engagement_rate"], row["rated_items"]) == (pytest.approx(0.01), most)
    assert (row["median_likes"], row["items"]) == (10, 60)


@pytest.mark.parametrize(("hours", "counts"), [(23.99, False), (24, True), (None, True)])
def test_counts_that_still_grow_say_nothing(tables: Tables, hours: float | None, counts: bool) -> None:
    """Counts read within a day of publication are left out; where the day is unknown they are taken."""
    published = None if hours is None else SEEN - hours * HOUR
    put(tables, [{"like_count": 50, "comment_count": 0, "published_at": published}])
    row = one(tables, "engagement")
    assert (row["rated_items"] == 1, row["median_likes"] == 50) == (counts, counts)


def test_views_and_plays_are_kept_apart(tables: Tables) -> None:
    """Plays, which count far more often, never fill in for views."""
    put(tables, [{"view_count": 100, "play_count": 900}, {"play_count": 1000}])
    row = one(tables, "engagement")
    assert (row["median_views"], row["median_plays"]) == (100, 950)


def test_rates_agree_with_a_plain_loop_in_any_order(tables: Tables) -> None:
    """Thirty invented accounts with holes in their counts: the view says what a loop over them says."""
    chance, expected = random.Random(5), {}
    for number in range(30):
        platform = chance.choice(["instagram", "youtube"])
        posts = [
            {
                "like_count": chance.choice([None, chance.randrange(900)]),
                "comment_count": chance.choice([None, chance.randrange(90)]),
                "view_count": chance.choice([None, 0, chance.randrange(1, 9000)]),
                "published_at": SEEN - chance.randrange(5000) * HOUR / 10,
            }
            for _ in range(chance.randrange(80))
        ]
        account, followers = f"{platform}:{number}", chance.choice([None, 0, 1000])
        by_age = sorted(posts, key=lambda post: post["published_at"], reverse=True)
        rates = []
        for post in by_age:
            basis = post["view_count"] if platform == "youtube" else followers
            settled = SEEN - post["published_at"] >= 24 * HOUR
            if settled and basis and None not in (post["like_count"], post["comment_count"]):
                rates.append((post["like_count"] + post["comment_count"]) / basis)
        expected[account] = rates[: RATED_VIDEOS if platform == "youtube" else RATED_POSTS]
        chance.shuffle(posts)
        put(tables, posts, followers, account)
    found = {row["account_id"]: row for row in tables.arrow("from engagement").to_pylist()}
    for account, rates in expected.items():
        row = found.get(account, {"engagement_rate": None, "rated_items": 0})
        assert row["rated_items"] == len(rates)
        assert row["engagement_rate"] == (pytest.approx(median(rates)) if rates else None)


def test_posting_by_hand(tables: Tables) -> None:
    """Items 1, 2 and 11 days apart are 3 gaps in two weeks, the middle one of 2 days; one without a time is none."""
    days = [0, 1, 3, 14]
    put(tables, [*({"published_at": SEEN - n * 24 * HOUR} for n in days), {"published_at": None}])
    row = one(tables, "posting")
    assert (row["dated_items"], row["items_per_week"], row["median_gap_days"]) == (4, pytest.approx(1.5), 2)
    assert (row["first_published_at"], row["last_published_at"]) == (SEEN - 14 * 24 * HOUR, SEEN)


@pytest.mark.parametrize("hours", [[1], [1, 1]])
def test_no_rhythm_in_a_single_moment(tables: Tables, hours: list[int]) -> None:
    """One item, or two at once, are no frequency."""
    put(tables, [{"published_at": SEEN - n * HOUR} for n in hours])
    assert one(tables, "posting")["items_per_week"] is None


def test_content_mix_is_shares_of_known_formats(tables: Tables) -> None:
    """Two reels and a post are two thirds and one third; an item of no known format is in neither."""
    put(tables, [{"type": kind} for kind in ("reel", "reel", "post", None)])
    rows = tables.arrow("select type, items, share from content_mix order by type").to_pylist()
    assert [(r["type"], r["items"], r["share"]) for r in rows] == [
        ("post", 1, pytest.approx(1 / 3)),
        ("reel", 2, pytest.approx(2 / 3)),
    ]


def slots(tables: Tables, zone: str) -> tuple[dict[str, Any] | None, list[int] | None]:
    """The best slot and the best hours of the only account, on the clock of ``zone``."""
    items = f"(select *, timezone('{zone}', published_at) as local_at from content_items)"
    (row,) = tables.arrow(slots_of(items, "account_id")).to_pylist() or [{"slot": None, "best_hours": None}]
    return row["slot"], row["best_hours"]


def test_hours_follow_daylight_saving(tables: Tables) -> None:
    """Posts at 20 h in Madrid on Fridays of winter and summer are 19 h and 18 h UTC, and one slot."""
    madrid = ZoneInfo("Europe/Madrid")
    fridays = [datetime(2026, 1, 9, 20, 5, tzinfo=madrid), datetime(2026, 7, 10, 20, 5, tzinfo=madrid)]
    assert [friday.astimezone(UTC).hour for friday in fridays] == [19, 18]
    put(tables, [{"published_at": friday.astimezone(UTC)} for friday in fridays])
    assert slots(tables, "Europe/Madrid")[0] == {"weekday": "friday", "hour": 20, "items": 2, "basis": "frequency"}
    assert slots(tables, "UTC")[0] is None


@pytest.mark.parametrize(
    ("utc", "hour"), [("00:59:59", 1), ("01:00:00", 3)], ids=["before the clock is set", "after it is"]
)
def test_the_hour_that_there_is_not(tables: Tables, utc: str, hour: int) -> None:
    """On the last Sunday of March clocks in Spain go from 2 to 3 h at 1 h UTC."""
    moment = datetime.fromisoformat(f"2026-03-29T{utc}+00:00")
    put(tables, [{"published_at": moment}] * 2)
    slot, _ = slots(tables, "Europe/Madrid")
    assert slot is not None
    assert (slot["weekday"], slot["hour"]) == ("sunday", hour)


def test_a_weekday_is_that_of_the_clock(tables: Tables) -> None:
    """Late on Sunday in UTC is Monday in Tokyo; the zone of the session changes nothing."""
    tables.connection.execute("set timezone = 'America/New_York'")
    put(tables, [{"published_at": datetime(2026, 5, 3, 22, 0, tzinfo=UTC) - 7 * n * 24 * HOUR} for n in range(2)])
    slot, _ = slots(tables, "Asia/Tokyo")
    assert slot is not None
    assert (slot["weekday"], slot["hour"]) == ("monday", 7)


def test_hours_are_judged_by_the_middle_of_what_posts_did(tables: Tables) -> None:
    """Three good evenings beat five poor mornings and one outburst at noon; two posts are too few to judge."""
    spring = datetime(2026, 3, 2, tzinfo=UTC)
    plan = [(8, 10)] * 5 + [(12, 5)] * 2 + [(12, 9000)] + [(20, 100)] * 3 + [(22, 500)] * 2
    posts = [
        {"published_at": spring + timedelta(days=day, hours=hour), "like_count": likes, "comment_count": 0}
        for day, (hour, likes) in enumerate(plan)
    ]
    put(tables, posts)
    assert slots(tables, "UTC")[1] == [20, 8, 12]


def test_every_zone_is_one_and_spain_has_that_of_the_mainland() -> None:
    """Over 200 countries, each with a zone that there is; those with several clocks are left out."""
    zones = time_zones()
    assert len(zones) > 200
    assert (zones["ES"], zones["AR"], zones["GB"]) == (
        "Europe/Madrid",
        "America/Argentina/Buenos_Aires",
        "Europe/London",
    )
    assert not zones.keys() & {"US", "MX", "CA", "RU", "ID", "AU"}
    tables = Tables()
    known = {row["name"] for row in tables.arrow("select name from pg_timezone_names()").to_pylist()}
    tables.connection.close()
    assert set(zones.values()) <= known


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('[single]\nES = "Europe/Madriz"', "ES: there is no time zone 'Europe/Madriz'"),
        ('[single]\nES = "../../etc/passwd"', "ES: there is no time zone"),
        ("[single]\nES = 1", "ES: there is no time zone 1"),
        ('[single]\nes = "Europe/Madrid"', "'es' is no ISO 3166-1"),
        ('ES = "Europe/Madrid"', "ES stands in no table"),
        ("[single", "cannot be read as TOML"),
    ],
)
def test_a_spoilt_list_of_zones_is_refused(tmp_path: Path, text: str, told: str) -> None:
    """Whoever edits the file learns which line is wrong."""
    path = tmp_path / "time_zones.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=told):
        read_time_zones(path)
