"""Shards: every name falls into exactly one, in Python and in SQL, and stages do their part and no more."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from conftest import contents
from hypothesis import given
from hypothesis import strategies as st
from streamed_stage import Capitals
from test_runner import Shout
from test_workers import CONTEXT, store

from igtool.errors import UsageError
from igtool.journal import Journal
from igtool.lake import Lake
from igtool.progress import Progress
from igtool.runner import Runner
from igtool.shards import MOST, Shard, shard_number
from igtool.stages.analyze import Analyze
from igtool.stages.base import Stage
from igtool.stages.embed import Embed, EmbedOptions
from igtool.stages.normalize import Normalize


@given(st.text(), st.integers(1, 50))
def test_every_name_falls_into_exactly_one_shard(name: str, count: int) -> None:
    """The union of all shards is everything, and they are disjoint."""
    assert [Shard(number, count).has(name) for number in range(1, count + 1)].count(True) == 1


def test_the_function_is_the_documented_one() -> None:
    """The first 15 hexadecimal digits of the SHA-256, modulo the count, plus 1: other programs may rely on it."""
    digits = hashlib.sha256(b"instagram:1").hexdigest()[:15]
    assert shard_number("instagram:1", 8) == int(digits, 16) % 8 + 1 == 4


def test_sql_tells_the_same(lake: Lake) -> None:
    """Also for other letters than those of English; NULL falls into no shard."""
    names = ["", "a", "instagram:1", "Ünïcødé", "创作者", "😀", "a'b", *map(str, range(500))]
    for number in (1, 2, 7):
        shard = Shard(number, 7)
        query = f"select name from (select unnest(?::varchar[]) as name) where {shard.condition('name')}"
        assert [row["name"] for row in lake.rows(query, (names,))] == [name for name in names if shard.has(name)]
    assert lake.value(f"select {Shard(1, 1).condition('null::varchar')}") is None


@pytest.mark.parametrize("text", ["", "0/8", "9/8", "1", "1/0", "-1/8", "1/8/2", "a/b", f"1/{MOST + 1}", "١/٨x"])
def test_what_is_no_shard_is_refused(text: str) -> None:
    """The message shows what one looks like."""
    with pytest.raises(UsageError, match="give 1/8, 2/8"):
        Shard.parse(text)


def test_a_shard_is_written_as_it_is_read() -> None:
    """``2/8`` and back."""
    assert str(Shard.parse(" 2/8 ")) == "2/8"


def runner(lake: Lake, journal: Journal, folder: Path, shard: Shard | None) -> Runner:
    """A runner of that shard."""
    return Runner(lake, journal, CONTEXT, Progress(folder / "progress.json", "test", bars=False), shard=shard)


def test_shards_together_make_what_one_run_makes(lake: Lake, journal: Journal, tmp_path: Path) -> None:
    """Each in its turn does its own items, whoever begins; only the last of them finds the stage up to date."""
    store(lake, [f"text {number}" for number in range(60)])
    finished: list[str] = []
    for number in (2, 3, 1):
        shard = Shard(number, 3)
        one = runner(lake, journal, tmp_path, shard)
        one.after = lambda stage: finished.append(stage.name)
        one.run([Capitals()])
        assert one.progress.of("capitals").new == sum(shard.has(f"{item:04}") for item in range(60)) > 10
    assert finished == ["capitals"]
    made = contents(lake)
    assert len(made["creators"]) == 60
    whole = runner(lake, journal, tmp_path, None)
    whole.run([Capitals()])
    assert (whole.progress.of("capitals").new, contents(lake)) == (0, made)


def test_what_is_gone_is_removed_by_one_shard(lake: Lake, journal: Journal, tmp_path: Path) -> None:
    """Rows of an answer that is gone stay until its shard is run, and those of other shards stay."""
    store(lake, ["a"] * 10)
    runner(lake, journal, tmp_path, None).run([Capitals()])
    with lake.transaction():
        lake.delete("raw_responses", "answer_id", ["0003"])
    mine = shard_number("0003", 2)
    for number, left in ((3 - mine, 10), (mine, 9)):
        runner(lake, journal, tmp_path, Shard(number, 2)).run([Capitals()])
        assert lake.value("select count(*) from creators") == left


def test_force_stays_in_the_shard(lake: Lake, journal: Journal, tmp_path: Path) -> None:
    """Work that is done again is that of the shard alone."""
    names = [str(number) for number in range(20)]
    with lake.transaction():
        rows = [
            {"account_id": name, "display_name": name, "observed_at": CONTEXT.clock(), "answer_id": "x"}
            for name in names
        ]
        lake.merge("accounts", rows)
    runner(lake, journal, tmp_path, None).run([Shout()])
    shard = Shard(2, 4)
    forced = runner(lake, journal, tmp_path, shard)
    forced.run([Shout()], force=True)
    assert forced.progress.of("shout").updated == sum(shard.has(name) for name in names)


@pytest.mark.parametrize("stage", [Normalize(), Embed(EmbedOptions("model")), Analyze()])
def test_every_stage_tells_of_whom_an_item_is(lake: Lake, stage: Stage) -> None:
    """The SQL that shards go by fits the columns of the stage's items."""
    shard = Shard(1, 2)
    assert lake.rows(f"select item_id from ({stage.keys}) where {shard.condition(stage.subject)}") == []


def test_answers_about_one_account_stay_together(lake: Lake) -> None:
    """Raw answers go by the handle that was asked for, so that two machines do not write one account."""
    rows = [
        {"answer_id": str(number), "source": "test", "body": "{}", "subject": subject, "fetched_at": CONTEXT.clock()}
        for number, subject in enumerate(["Ana", "ana", None])
    ]
    with lake.transaction():
        lake.append("raw_responses", rows)
    subjects = lake.rows(f"select {Normalize.subject} as subject from ({Normalize.keys}) order by item_id")
    assert [row["subject"] for row in subjects] == ["ana", "ana", "2"]
