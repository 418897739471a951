"""A changed encoder over a real lake: the old vectors are in use until the new ones are all there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from conftest import NOW

from igtool.embedded import adopt, model_in_use
from igtool.encoders.base import Encoder, Vectors, unit
from igtool.errors import ConfigError, Interrupted
from igtool.journal import Journal
from igtool.lake import Lake
from igtool.progress import Progress
from igtool.runner import Runner
from igtool.stages.base import Context
from igtool.stages.embed import Embed, EmbedOptions, EmbedStyle


class Small(Encoder):
    """A real, small encoder: counts of letters. ``asked`` holds what it embedded."""

    dimension = 26

    def __init__(self, name: str) -> None:
        super().__init__()
        self.model = f"letters/{name}"
        self.asked: list[str] = []

    def embed(self, texts: Sequence[str], *, is_query: bool) -> Vectors:
        """Shares of letters."""
        self.asked += texts
        counts = [[text.lower().count(chr(97 + letter)) + 0.01 for letter in range(26)] for text in texts]
        return unit(np.array(counts))


class Desk:
    """A lake with a runner over it, ``batch_size`` items at a time."""

    def __init__(self, lake: Lake, journal: Journal, folder: Path) -> None:
        self.lake, self.journal, self.folder = lake, journal, folder
        self.batches = 0

    def run(self, encoder: Encoder, stopping: Callable[[], bool] = lambda: False) -> None:
        """Bring the stage up to date; what is complete is taken into use."""

        def counted(_: object) -> None:
            self.batches += 1

        self.batches = 0
        runner = Runner(
            self.lake,
            self.journal,
            Context(lambda: encoder, lambda: NOW),
            Progress(self.folder / "data" / "progress.json", "test", bars=False),
            batch_size=2,
            on_batch=counted,
            stopping=stopping,
            after=lambda _: adopt(self.lake, self.journal, encoder.model),
        )
        runner.run([Embed(EmbedOptions(encoder.model))])

    def shown(self) -> dict[str, str]:
        """Owner and field to model, of what readers see."""
        rows = self.lake.rows("from current_embeddings order by all")
        assert len({(row["owner_id"], row["field"]) for row in rows}) == len(rows)
        return {f"{row['owner_id']}|{row['field']}": row["model"] for row in rows}

    def models(self, table: str) -> set[str]:
        """Models in a table."""
        return {row["model"] for row in self.lake.rows(f"select distinct model from {table}")}


@pytest.fixture
def desk(lake: Lake, journal: Journal, tmp_path: Path) -> Desk:
    """Three accounts, one with items."""
    accounts = [
        {"account_id": f"instagram:{n}", "platform": "instagram", "bio": f"bio {'xyz'[n]}", "answer_id": "a",
         "observed_at": NOW} for n in range(3)
    ]  # fmt: skip
    items = [
        {"content_id": f"instagram:i{n}", "account_id": "instagram:0", "platform": "instagram", "answer_id": "a",
         "title_or_caption": f"caption {'pqr'[n]}", "published_at": datetime(2026, 1, 1 + n, tzinfo=UTC),
         "observed_at": NOW} for n in range(3)
    ]  # fmt: skip
    with lake.transaction():
        lake.merge("accounts", accounts)
        lake.merge("content_items", items)
    return Desk(lake, journal, tmp_path)


def test_the_old_model_stays_until_the_new_one_is_complete(desk: Desk) -> None:
    """Stopped in the middle, readers see the old vectors whole; resumed, all of the new; nothing is encoded twice."""
    old, new = Small("old"), Small("new")
    desk.run(old)
    before = desk.shown()
    assert set(before.values()) == {old.model}
    assert len(before) == 4
    with pytest.raises(Interrupted):
        desk.run(new, stopping=lambda: desk.batches >= 1)
    assert desk.models("embeddings") == {old.model, new.model}
    assert desk.shown() == before
    assert model_in_use(desk.lake) == old.model
    desk.run(new)
    assert desk.shown() == dict.fromkeys(before, new.model)
    assert desk.models("embeddings") == desk.models("text_vectors") == {new.model}
    assert len(new.asked) == len(set(new.asked)) == 7
    assert desk.lake.value("select count(*) from stage_rows where stage = 'embed'") == 4


def test_back_to_the_old_model(desk: Desk) -> None:
    """Going back before the new model is complete takes no encoding, and loses nothing that the new one has made."""
    old, new = Small("old"), Small("new")
    desk.run(old)
    with pytest.raises(Interrupted):
        desk.run(new, stopping=lambda: desk.batches >= 1)
    old.asked.clear()
    desk.run(old)
    assert old.asked == []
    assert set(desk.shown().values()) == {old.model}
    desk.run(new)
    assert set(desk.shown().values()) == {new.model}
    assert len(new.asked) == len(set(new.asked)) == 7


def test_running_again_changes_nothing(desk: Desk) -> None:
    """With nothing new there is no commit, and an account that is gone takes its vectors and texts along."""
    encoder = Small("only")
    desk.run(encoder)
    snapshot = desk.lake.snapshot
    desk.run(encoder)
    assert desk.lake.snapshot == snapshot
    with desk.lake.transaction():
        desk.lake.delete("accounts", "account_id", ["instagram:0"])
    desk.run(encoder)
    assert set(desk.shown()) == {"instagram:1|ig_bio", "instagram:2|ig_bio"}
    assert desk.lake.value("select count(*) from text_vectors") == 2


def test_interrupted_equals_uninterrupted(desk: Desk) -> None:
    """Stopped after each batch and resumed, the tables are those of one run."""
    encoder = Small("only")
    query = "select * exclude (vector), vector::varchar as vector from embeddings order by embedding_id"
    for _ in range(4):
        try:
            desk.run(encoder, stopping=lambda: desk.batches >= 1)
        except Interrupted:
            continue
    parts = desk.lake.rows(query)
    with desk.lake.transaction():
        for table in ("embeddings", "text_vectors", "stage_rows"):
            desk.lake.execute(f"delete from {table}")
    desk.journal.record_stage(desk.lake.lake_id, "embed", "", 0)
    desk.run(encoder)
    assert desk.lake.rows(query) == parts
    assert len(parts) == 4


def test_an_encoder_that_is_not_meant_is_refused(desk: Desk) -> None:
    """Vectors of another encoder than the options name are never stored."""
    stage, other = Embed(EmbedOptions("letters/meant")), Small("other")
    rows = desk.lake.arrow(f"{stage.rows.replace('from batch', 'from (' + stage.keys + ')')}")
    with pytest.raises(ConfigError, match="letters/other"):
        stage.process(rows, Context(lambda: other, lambda: NOW))


def test_styles_are_texts_too(desk: Desk) -> None:
    """Persona, tone and interests of a profile are one vector of the creator, under the same rules."""
    with desk.lake.transaction():
        desk.lake.merge(
            "profiles",
            [{"creator_id": "c1", "user_style": '{"persona": "a baker", "tone": ["warm"], "interests": ["bread"]}'}],
        )
    stage, encoder = EmbedStyle(EmbedOptions("letters/only")), Small("only")
    desk.lake.execute(f"create or replace temp view batch as {stage.keys}")
    output = stage.process(desk.lake.arrow(stage.rows), Context(lambda: encoder, lambda: NOW))
    assert encoder.asked == ["a baker\nwarm\nbread"]
    assert [row["embedding_id"] for row in output.tables["embeddings"]] == ["c1|user_style|letters/only"]
