"""The stage picture_facts: what it stores of what was seen, and whom it describes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from conftest import NOW, REALDATA, needs_realdata
from picture_server import account, photo

from igtool.errors import ConfigError
from igtool.journal import Journal
from igtool.lake import Lake
from igtool.model_entries import RECOMMENDED
from igtool.models import usable
from igtool.pictures.fetching import Missed
from igtool.pictures.gathering import Gathered, PictureDesk
from igtool.pictures.store import PictureStore
from igtool.progress import Progress
from igtool.runner import Runner
from igtool.stages.base import Context
from igtool.stages.picture_facts import PictureFacts, PictureFactsOptions
from igtool.vision.boxes import Pixels
from igtool.vision.cielab import Colour
from igtool.vision.facts import Facts
from igtool.vision.looking import NEEDED, Eyes, Look, installed

MODELS = Path(__file__).parents[1] / "models"


def are_installed() -> bool:
    """Whether the real models are in the folder of this checkout."""
    try:
        return bool(usable(RECOMMENDED, MODELS, "detector") and [usable(n, MODELS, k) for n, k in NEEDED.items()])
    except ConfigError:
        return False


needs_models = pytest.mark.skipif(not are_installed(), reason="the models of pictures are not here: `make vision`")


class Onlooker(Eyes):
    """Real decoding, but instead of models what the test says; remembers whom it was allowed to describe."""

    def __init__(self, folder: Path) -> None:
        from concurrent.futures import ThreadPoolExecutor

        self.models, self._pool = ["invented+0"], ThreadPoolExecutor(1)
        self.asked: list[bool] = []

    def look(self, pictures: Sequence[Pixels], are_adults: Sequence[bool]) -> list[Look]:
        """One person each, with brown hair where that may be told."""
        self.asked += are_adults
        return [Look(_facts(is_told=is_adult), None) for is_adult in are_adults]


def _facts(*, is_told: bool) -> Facts:
    hair = Colour(20.0, 8.0, 9.0, 0.5, 1.0) if is_told else None
    scores: Any = {"brunette": 0.7} if is_told else {}
    return Facts(1, 1, "portrait", 0.9, 0.5, 20.0, hair, scores, None, None)


class World:
    """A lake with pictures of two accounts, each of a creator of its own."""

    def __init__(self, folder: Path, lake: Lake, journal: Journal) -> None:
        self.lake, self.journal, self.folder = lake, journal, folder
        self.desk = PictureDesk(PictureStore(folder / "images"), lambda _: Missed("refused", "no", "no"))
        with lake.transaction():
            lake.merge("accounts", [account(1), account(2)])
            links = [{"account_id": f"instagram:{n}", "creator_id": f"c{n}", "linked_at": NOW} for n in (1, 2)]
            lake.merge("creator_links", links)

    def has(self, number: int, *files: bytes) -> list[str]:
        """Pictures of an account; their SHA-256."""
        gathered = Gathered(self.desk, NOW, ())
        rows = [row for data in files if (row := gathered.give(data, f"instagram:{number}"))]
        with self.lake.transaction():
            self.lake.merge("media", rows)
        return [row["sha256"] for row in rows]

    def adult(self, number: int) -> None:
        """The owner of an account says that they are."""
        account_id = f"instagram:{number}"
        told = {"creator_id": f"c{number}", "account_id": account_id, "account_ids": [account_id], "field": "adult"}
        with self.lake.transaction():
            self.lake.merge("declarations", [{"declaration_id": account_id, "text": "yes", "declared_at": NOW} | told])

    def run(self, eyes: Eyes) -> dict[str, dict[str, Any]]:
        """Bring ``image_facts`` up to date; its rows by SHA-256."""
        context = Context(
            encoder=lambda: pytest.fail("no encoder"), clock=lambda: NOW, pictures=self.desk, eyes=lambda: eyes
        )
        runner = Runner(self.lake, self.journal, context, Progress(self.folder / "progress.json", "r"))
        runner.run([PictureFacts(PictureFactsOptions(" ".join(eyes.models)))])
        return {row["sha256"]: row for row in self.lake.rows("from image_facts")}


@pytest.fixture
def world(tmp_path: Path, lake: Lake, journal: Journal) -> World:
    """Without pictures yet."""
    return World(tmp_path, lake, journal)


def test_who_did_not_declare_to_be_adult_is_not_described(world: World, tmp_path: Path) -> None:
    """And who declares it later is looked at again; everybody else is not."""
    eyes = Onlooker(tmp_path)
    (one,), (other,) = world.has(1, photo(1)), world.has(2, photo(2))
    rows = world.run(eyes)
    assert [rows[sha256]["hair"] for sha256 in (one, other)] == [None, None]
    assert rows[one]["persons_count"] == 1
    world.adult(1)
    rows = world.run(eyes)
    assert rows[one]["hair"] == [20, 8, 9]
    assert json.loads(rows[one]["hair_scores"]) == {"brunette": 0.7}
    assert rows[other]["hair"] is None
    assert eyes.asked == [False, False, True]


def test_a_picture_that_two_show_needs_the_word_of_both(world: World, tmp_path: Path) -> None:
    """One of them may be somebody else, who said nothing."""
    (shared,) = world.has(1, photo(1))
    world.has(2, photo(1))
    world.adult(1)
    assert world.run(Onlooker(tmp_path))[shared]["hair"] is None
    world.adult(2)
    assert world.run(Onlooker(tmp_path))[shared]["hair"] is not None


def test_a_missing_file_is_a_reject_and_the_others_are_looked_at(world: World, tmp_path: Path) -> None:
    """With the reason file-missing."""
    lost, kept = world.has(1, photo(1), photo(2))
    world.desk.store.remove(lost)
    assert list(world.run(Onlooker(tmp_path))) == [kept]
    assert [(row["item_id"], row["reason"]) for row in world.lake.rows("from rejects")] == [(lost, "file-missing")]


def test_missing_models_are_named_with_the_commands(tmp_path: Path) -> None:
    """All of them at once."""
    with pytest.raises(ConfigError) as caught:
        installed(tmp_path)
    assert all(f"igtool models add {name}" in str(caught.value) for name in ("nanodet", *NEEDED))


@needs_realdata
@needs_models
def test_real_photographs(world: World) -> None:
    """People are counted where there are some, and nothing is told of anybody without their word."""
    folder = REALDATA / "images"
    (astronaut,) = world.has(1, (folder / "people" / "astronaut.png").read_bytes())
    (cat,) = world.has(2, (folder / "negatives" / "chelsea.png").read_bytes())
    rows = world.run(Eyes(MODELS, device="cpu"))
    assert (rows[astronaut]["persons_count"], rows[astronaut]["faces_count"], rows[astronaut]["hair"]) == (1, 1, None)
    assert (rows[cat]["persons_count"], rows[cat]["faces_count"], rows[cat]["framing"]) == (0, 0, "none")
    assert len(rows[cat]["models"]) == len(NEEDED) + 1
