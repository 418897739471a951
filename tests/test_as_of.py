"""What `igtool show --as-of` says: only what was observed by then, each number with its snapshot."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import igtool
from igtool.cli import main
from igtool.errors import UsageError
from igtool.history import as_of, moment_of
from igtool.journal import Journal
from igtool.lake import Lake

DAY = timedelta(days=1)
START = datetime(2026, 1, 1, 9, tzinfo=UTC)
METRICS = {"likes": "like_count", "comments": "comment_count", "views": "view_count"}
Rows = dict[str, list[dict[str, Any]]]


def answer(
    day: float, *, account: str = "instagram:1", handle: str | None = "lena", followers: int | None = 1000, **more: Any
) -> Rows:
    """The rows of one answer on a day: a profile and its posts, ``(number, day of publication, likes, comments)``."""
    at, items = START + day * DAY, more.pop("items", ())
    platform = account.split(":")[0]
    seen = {"answer_id": f"{account}@{day}", "observed_at": at}
    state = {"account_id": account, "platform": platform, "handle": handle, "is_profile": True, "shape": "user"}
    rows: Rows = {
        "accounts": [state | seen | {"followers_count": followers, "platform_user_id": account.split(":")[1]} | more],
        "content_items": [],
        "metric_snapshots": [],
    }
    counts: list[tuple[str, str, str, int | None]] = [("account", account, "followers", followers)]
    for number, published, likes, comments in items:
        content = f"{platform}:{account}-{number}"
        item = {"content_id": content, "platform": platform, "account_id": account, "type": "post"}
        when = None if published is None else START + published * DAY
        told = {"published_at": when, "like_count": likes, "comment_count": comments, "title_or_caption": str(number)}
        rows["content_items"].append(item | told | seen)
        counts += [("content", content, "likes", likes), ("content", content, "comments", comments)]
    for kind, subject, metric, value in counts:
        if value is not None:
            snapshot = {"subject_id": subject, "subject_type": kind, "metric": metric, "value": value}
            rows["metric_snapshots"].append(snapshot | seen)
    return rows


@pytest.fixture
def keep(lake: Lake) -> Callable[..., None]:
    """Stores answers, and links every account to one creator unless told which account has which."""

    def store(*answers: Rows, links: dict[str, str] | None = None) -> None:
        everything: Rows = {}
        for one in answers:
            for name, rows in one.items():
                everything.setdefault(name, []).extend(rows)
        accounts = {row["account_id"] for row in everything["accounts"]}
        chosen = links or dict.fromkeys(sorted(accounts), "c1")
        everything["creator_links"] = [{"account_id": a, "creator_id": c, "rule": "test"} for a, c in chosen.items()]
        everything["creators"] = [{"creator_id": creator, "name": "Now"} for creator in set(chosen.values())]
        with lake.transaction():
            for name, rows in everything.items():
                lake.merge(name, rows)

    return store


def on(day: float) -> datetime:
    """A moment so many days after the first answer."""
    return START + day * DAY


def test_each_number_is_of_the_newest_snapshot_by_then(lake: Lake, keep: Callable[..., None]) -> None:
    """Followers, likes and biography are those of the last answer before, with its time and its id."""
    keep(
        answer(0, followers=1000, bio="first", items=[(1, -5, 90, 10)]),
        answer(10, followers=2000, bio="second", items=[(1, -5, 290, 10), (2, 6, 100, 0)]),
    )
    (then,) = as_of(lake, "lena", on(9.9))
    (account,) = then["accounts"]
    assert (account["followers_count"], account["bio"]) == (1000, "first")
    assert account["snapshots"]["followers"]["observed_at"] == START
    assert account["snapshots"]["followers"]["answer_id"] == "instagram:1@0"
    assert then["engagement"][0]["engagement_rate"] == pytest.approx(100 / 1000)
    assert then["item_count"] == 2
    assert [(i["like_count"], i["observed_at"]) for i in then["newest_items"]] == [(None, None), (90, START)]
    (later,) = as_of(lake, "lena", on(10))
    assert later["total_followers_count"] == 2000
    assert later["engagement"][0]["engagement_rate"] == pytest.approx((300 / 2000 + 100 / 2000) / 2)
    assert later["accounts"][0]["bio"] == "second"


def test_at_the_newest_snapshot_and_after_it_is_now(lake: Lake, keep: Callable[..., None]) -> None:
    """From the last answer on, in the future too, numbers are those of the tables and views."""
    items = [(n, -n, 10 * n, n) for n in range(20)]
    keep(answer(0, items=items), answer(3, followers=1300, items=[(n, -n, 12 * n, n) for n in range(20)]))
    now = lake.rows("from engagement")[0]
    for moment in (on(3), on(4000)):
        (then,) = as_of(lake, "lena", moment)
        assert {name: then["engagement"][0][name] for name in now} == now
        posting = lake.rows("from posting")[0]
        assert {name: then["posting"][0][name] for name in posting} == posting
        mix = lake.rows("from content_mix")[0]
        assert {name: then["content_mix"][0][name] for name in mix} == mix
        growth = lake.rows("from growth_windows where subject_id = 'instagram:1' order by all")
        assert then["growth"] == growth


def _oracle(snapshots: list[dict[str, Any]], moment: datetime) -> dict[tuple[str, str], int]:
    """The newest value of each series at or before the moment, read one by one."""
    newest: dict[tuple[str, str], tuple[datetime, int]] = {}
    for row in snapshots:
        key = (row["subject_id"], row["metric"])
        if row["observed_at"] <= moment and (key not in newest or row["observed_at"] > newest[key][0]):
            newest[key] = (row["observed_at"], row["value"])
    return {key: value for key, (_, value) in newest.items()}


def _invented(seed: int) -> list[Rows]:
    """Forty answers of two accounts, some without followers or likes, posts appearing over time."""
    chance = random.Random(seed)
    answers = []
    for number in range(40):
        day, account = number * 0.7, chance.choice(["instagram:1", "youtube:a"])
        items = [
            (n, n * 2 - 10, chance.choice([None, chance.randrange(500)]), chance.randrange(50))
            for n in range(12)
            if n * 2 - 10 <= day and chance.random() < 0.6
        ]
        followers = chance.choice([None, 1000 + number])
        answers.append(answer(day, account=account, followers=followers, items=items))
    return answers


def test_every_moment_agrees_with_reading_the_snapshots_one_by_one(lake: Lake, keep: Callable[..., None]) -> None:
    """Over a month of answers each count is that of a plain loop, and items and known counts only grow."""
    answers = _invented(4)
    keep(*answers)
    snapshots = [row for one in answers for row in one["metric_snapshots"]]
    before = (0, 0)
    for day in (0, 2.2, 9, 17.5, 40):
        (then,) = as_of(lake, "lena", on(day))
        expected = _oracle(snapshots, on(day))
        found = {
            (account["account_id"], metric): row["value"]
            for account in then["accounts"]
            for metric, row in account["snapshots"].items()
        }
        assert found == {key: value for key, value in expected.items() if key[1] == "followers"}
        for item in then["newest_items"]:
            for metric in ("likes", "comments"):
                assert item[METRICS[metric]] == expected.get((item["content_id"], metric))
        size = (then["item_count"], len(found))
        assert size >= before
        before = size


def test_the_order_of_answers_does_not_matter(tmp_path: Path) -> None:
    """The same answers stored in another order, in one commit or in many, give the same past."""
    seen = []
    for run in range(2):
        answers = _invented(7)
        random.Random(run).shuffle(answers)
        folder = tmp_path / str(run)
        with (
            Journal(folder / "cache", writable=True) as journal,
            Lake(folder / "data", writable=True, on_files=journal.record_lake_files) as lake,
        ):
            links = [{"account_id": a, "creator_id": "c1"} for a in ("instagram:1", "youtube:a")]
            for part in (answers,) if run == 0 else (answers[:13], answers[13:]):
                with lake.transaction():
                    for name in ("accounts", "content_items", "metric_snapshots"):
                        lake.merge(name, [row for one in part for row in one[name]])
                    lake.merge("creator_links", links)
            seen.append([as_of(lake, "lena", on(day)) for day in (1, 30)])
    assert seen[0] == seen[1]


def test_a_handle_of_then_finds_the_account(lake: Lake, keep: Callable[..., None]) -> None:
    """Who had the handle then is meant; who has it now, when nobody had it then; a platform's id always."""
    keep(
        answer(0, account="instagram:1", handle="lena"),
        answer(20, account="instagram:1", handle="lena.old"),
        answer(10, account="instagram:2", handle="lena.fan"),
        answer(30, account="instagram:2", handle="lena"),
        links={"instagram:1": "c1", "instagram:2": "c2"},
    )

    def who(name: str, day: float) -> list[tuple[str, str]]:
        return [(c["creator_id"], c["accounts"][0]["handle"]) for c in as_of(lake, name, on(day))]

    assert who("@Lena", 15) == [("c1", "lena")]
    assert who("lena", 35) == [("c2", "lena")]
    assert who("lena.fan", 15) == [("c2", "lena.fan")]
    assert who("lena.fan", 35) == [("c2", "lena")]
    assert who("lena.old", 1) == [("c1", "lena")]
    assert who("lena", 25) == [("c1", "lena.old"), ("c2", "lena.fan")]
    assert who("2", 15) == [("c2", "lena.fan")]
    assert who("c1", 25) == [("c1", "lena.old")]


def test_an_account_that_came_later_is_left_out(lake: Lake, keep: Callable[..., None]) -> None:
    """A second account counts from its first answer on; the total is that of the accounts known then."""
    keep(answer(0, followers=100), answer(10, account="youtube:a", followers=50))
    (early,), (late,) = as_of(lake, "lena", on(5)), as_of(lake, "lena", on(10))
    assert [a["account_id"] for a in early["accounts"]] == ["instagram:1"]
    assert (early["total_followers_count"], late["total_followers_count"]) == (100, 150)


def test_unknown_counts_stay_unknown(lake: Lake, keep: Callable[..., None]) -> None:
    """Without followers by then there is neither a count nor a rate, and no total; 0 is not made up."""
    keep(answer(0, followers=None, items=[(1, -5, 10, 1)]), answer(9, followers=500))
    (then,) = as_of(lake, "lena", on(1))
    assert (then["total_followers_count"], then["accounts"][0]["followers_count"]) == (None, None)
    assert then["engagement"][0]["engagement_rate"] is None
    assert then["engagement"][0]["median_likes"] == 10


def test_an_item_without_a_date_counts_from_its_first_snapshot(lake: Lake, keep: Callable[..., None]) -> None:
    """When nobody knows the day of publication, an item is there once an answer showed it."""
    keep(answer(0), answer(5, items=[(1, None, 10, 1)]))
    assert as_of(lake, "lena", on(4))[0]["item_count"] == 0
    assert as_of(lake, "lena", on(5))[0]["item_count"] == 1


def test_a_column_that_an_answer_lacks_is_that_of_an_earlier_shape(lake: Lake, keep: Callable[..., None]) -> None:
    """A shape without biographies does not take the biography away, as in the table of accounts."""
    keep(answer(0, bio="told", shape="user"), answer(5, bio=None, shape="feed"), answer(9, bio=None, shape="user"))
    assert as_of(lake, "lena", on(6))[0]["accounts"][0]["bio"] == "told"
    assert as_of(lake, "lena", on(9))[0]["accounts"][0]["bio"] is None
    assert lake.value("select bio from accounts") is None


def test_before_the_first_snapshot_the_error_names_it(lake: Lake, keep: Callable[..., None]) -> None:
    """Too early is a usage error with the first date, and with the time on that very day."""
    keep(answer(0))
    with pytest.raises(UsageError, match=r"first snapshot is of 2026-01-01 09:00 UTC; use --as-of 2026-01-01 or"):
        as_of(lake, "lena", moment_of("2025-12-31"))
    with pytest.raises(UsageError, match=r"use --as-of 2026-01-01T09:00:00\+00:00 or later"):
        as_of(lake, "lena", moment_of("2026-01-01T08:59"))
    assert as_of(lake, "lena", moment_of("2026-01-01"))
    with pytest.raises(UsageError, match="no creator 'lenka', now or earlier; close are: lena"):
        as_of(lake, "lenka", on(0))


@pytest.mark.parametrize(
    ("given", "moment"),
    [
        ("2026-01-31", datetime(2026, 1, 31, 23, 59, 59, 999999, UTC)),
        (date(2026, 1, 31), datetime(2026, 1, 31, 23, 59, 59, 999999, UTC)),
        ("2026-01-31T18:00", datetime(2026, 1, 31, 18, tzinfo=UTC)),
        (" 2026-01-31 18:00:00+02:00 ", datetime(2026, 1, 31, 16, tzinfo=UTC)),
        ("2026-01-31T18:00Z", datetime(2026, 1, 31, 18, tzinfo=UTC)),
        (datetime(2026, 1, 31, 1, tzinfo=timezone(timedelta(hours=2))), datetime(2026, 1, 30, 23, tzinfo=UTC)),
    ],
)
def test_a_date_is_the_end_of_its_day(given: Any, moment: datetime) -> None:
    """Dates mean the whole UTC day, times are UTC unless they say otherwise."""
    assert moment_of(given) == moment


@pytest.mark.parametrize(
    "text", ["", "yesterday", "31/01/2026", "2026-02-30", "2026-13-01", "0001-01-01T00:00+05:00", "2026-01-31T25:00"]
)
def test_what_is_no_date_is_refused(text: str) -> None:
    """A text that is no date, or one outside of all calendars, says how to write one."""
    with pytest.raises(UsageError, match="2026-01-31"):
        moment_of(text)


def test_the_command_shows_it_and_refuses_with_exit_code_2(
    tmp_path: Path, lake: Lake, keep: Callable[..., None]
) -> None:
    """On a terminal, as JSON and from Python: counts with their snapshots; too early and no date end with 2."""
    keep(answer(0, bio="[bold]hi\x1b[31m", items=[(1, -5, 90, 10)]), answer(10, followers=2000))
    lake.close()

    def call(*arguments: str) -> tuple[int, str]:
        result = CliRunner().invoke(main, ["--workspace", str(tmp_path), "show", "lena", *arguments])
        return result.exit_code, result.output

    code, shown = call("--as-of", "2026-01-02")
    assert code == 0
    assert "10.00% of followers, median of 1 items" in shown
    assert "2026-01-01 09:00" in shown
    assert "[bold]hi" in shown
    assert "\x1b" not in shown
    code, shown = call("--as-of", "2026-01-12", "--json")
    (row,) = json.loads(shown)["rows"]
    assert (code, row["total_followers_count"], row["as_of"]) == (0, 2000, "2026-01-12T23:59:59.999999+00:00")
    assert row["accounts"][0]["snapshots"]["followers"]["observed_at"] == "2026-01-11T09:00:00+00:00"
    assert igtool.open(tmp_path).show("lena", as_of=date(2026, 1, 12))[0]["total_followers_count"] == 2000
    assert call("--as-of", "2025-01-01")[0] == 2
    assert call("--as-of", "soon")[0] == 2
