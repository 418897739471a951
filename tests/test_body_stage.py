"""The stage body as a security property: who did not agree is not measured, not decoded and not told of."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import numpy as np
import onnx
import pytest
from click.testing import CliRunner
from conftest import NOW
from consent_world import agree, link, people, say_adult
from invented_people import Body as Invented
from invented_people import head
from onnx import TensorProto, helper
from picture_server import photo
from test_picture_facts import MODELS, needs_models

from igtool.cli import main
from igtool.consent.removal import Stores, TakenBack, keep_swept, revoke
from igtool.journal import Journal
from igtool.lake import Lake
from igtool.pictures.fetching import Missed
from igtool.pictures.gathering import Gathered, PictureDesk
from igtool.pictures.store import PictureStore
from igtool.progress import Progress
from igtool.runner import Runner
from igtool.stages.base import Context
from igtool.stages.body import Body, BodyOptions
from igtool.vision.age import AgeCheck, picture_verdict
from igtool.vision.body import BodyFacts, body_facts
from igtool.vision.boxes import Box, Pixels
from igtool.vision.looking import Eyes
from igtool.vision.sessions import open_session
from igtool.vocabulary import tags

WORDS = tags.shipped()
RATIOS = ("shoulder_to_hip", "waist_to_hip", "leg_to_torso")


class CountingStore(PictureStore):
    """Remembers which files were opened."""

    opened: list[str] = []  # noqa: RUF012 - of one world: emptied where it is made

    def read(self, sha256: str) -> bytes:
        """As ever."""
        self.opened.append(sha256)
        return super().read(sha256)


class Onlooker(Eyes):
    """Real decoding; instead of the models that find people and poses, one invented body in every picture."""

    def __init__(self) -> None:
        self.models, self._pool = ["invented+0"], ThreadPoolExecutor(1)

    def bodies(self, pictures: Sequence[Pixels], *, allowed: bool) -> list[BodyFacts]:
        """The real measurement."""
        picture = np.zeros((512, 512, 3), np.uint8)
        return [body_facts(picture, Invented().pose(), allowed=allowed) for _ in pictures]


class World:
    """Anna, Bea and Cleo with an account each, pictures, and the stage."""

    def __init__(self, folder: Path, lake: Lake, journal: Journal) -> None:
        self.lake, self.journal, self.folder = lake, journal, folder
        self.store = CountingStore(folder / "images")
        self.store.opened.clear()
        self.desk = PictureDesk(self.store, lambda _: Missed("refused", "no", "no"))
        self.eyes_opened = 0
        people(lake, anna=["instagram:anna"], bea=["instagram:bea"], cleo=["instagram:cleo"])

    def shows(self, account: str, seed: int, minor: bool | None = False, persons: int = 1) -> str:
        """A picture of an account with the verdict on it; its SHA-256."""
        row = Gathered(self.desk, NOW, ()).give(photo(seed), f"instagram:{account}")
        assert row is not None
        with self.lake.transaction():
            self.lake.merge("media", [row])
            seen = {"sha256": row["sha256"], "persons_count": persons, "may_be_minor": minor}
            self.lake.merge("image_facts", [seen])
        return str(row["sha256"])

    def run(self) -> list[tuple[str, str]]:
        """Bring ``body_facts`` up to date; creator and picture of its rows."""

        def eyes() -> Eyes:
            self.eyes_opened += 1
            return Onlooker()

        context = Context(encoder=lambda: pytest.fail("no encoder"), clock=lambda: NOW, pictures=self.desk, eyes=eyes)
        runner = Runner(self.lake, self.journal, context, Progress(self.folder / "progress.json", "r"))
        runner.run([Body(BodyOptions("invented+0"), WORDS.categories.values())])
        rows = self.lake.rows("select creator_id, sha256 from body_facts order by all")
        return [(row["creator_id"], row["sha256"]) for row in rows]

    def revoke(self) -> None:
        """Anna takes back what she said."""
        stores = Stores(self.lake, self.journal, self.folder / "index")
        revoke(stores, WORDS, "anna", TakenBack(("build",)), NOW + timedelta(days=1))


@pytest.fixture
def world(tmp_path: Path, lake: Lake, journal: Journal) -> World:
    """Without pictures yet."""
    return World(tmp_path, lake, journal)


def test_who_agreed_is_measured(world: World) -> None:
    """Every picture that may be has a row with ratios and errors, or why not; nobody else's file is opened.

    A missing file is no reject: a revocation leaves those as they are.
    """
    agree(world.lake, "instagram:anna")
    mine = [world.shows("anna", 1), world.shows("anna", 2)]
    world.shows("bea", 3)
    world.store.remove(mine[1])
    assert world.run() == sorted(("c_anna", sha256) for sha256 in mine)
    assert sorted(world.store.opened) == sorted(mine)
    row, lost = world.lake.rows("from body_facts order by reason nulls first")
    assert all(row[name] > row[f"{name}_error"] > 0 for name in RATIOS)
    assert (row["reason"], row["models"], row["analysis_version"]) == (None, ["invented+0"], 1)
    assert (lost["reason"], lost["waist_to_hip"], lost["silhouette"]) == ("file_missing", None, None)
    assert world.lake.rows("from rejects") == []
    world.store.opened.clear()
    assert len(world.run()) == 2
    assert world.store.opened == []


def test_without_standing_consent_nothing_happens(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """No row, no reject, no file opened, no model loaded, not a word in a log.

    Anna said nothing, Bea is an adult and agreed to nothing, Cleo agreed to something else, Dora takes back to be an
    adult, and with Eve an account was merged that nobody spoke for.
    """
    caplog.set_level(logging.DEBUG)
    people(world.lake, dora=["instagram:dora"], eve=["instagram:eve"])
    say_adult(world.lake, "instagram:bea")
    agree(world.lake, "instagram:cleo", "age_band")
    agree(world.lake, "instagram:dora")
    withdrawn = "update declarations set withdrawn_at = ?::timestamptz where account_id = 'instagram:dora'"
    world.lake.execute(withdrawn, (NOW + timedelta(days=1),))
    agree(world.lake, "instagram:eve")
    people(world.lake, frida=["instagram:frida"])
    link(world.lake, "c_eve", ["instagram:frida"])
    names = ("anna", "bea", "cleo", "dora", "eve")
    shown = [world.shows(name, seed) for seed, name in enumerate(names)]
    assert world.run() == []
    assert (world.store.opened, world.eyes_opened) == ([], 0)
    assert world.lake.rows("from rejects") == []
    assert world.lake.rows("from stage_rows where stage = 'body'") == []
    assert not any(word in caplog.text for word in (*names, *shown))


def test_a_picture_that_somebody_else_shows_too_is_nobodys(world: World) -> None:
    """Who of two it is about is never inferred, not where both agreed, nor where the other is no creator yet."""
    agree(world.lake, "instagram:anna")
    agree(world.lake, "instagram:bea")
    mine = world.shows("anna", 1)
    for seed, other in ((2, "bea"), (3, "stranger")):
        world.shows("anna", seed)
        world.shows(other, seed)
    assert world.run() == [("c_anna", mine)]
    assert world.store.opened == [mine]


def test_revoking_removes_and_agreeing_again_measures_again(world: World) -> None:
    """At once, without a run; and no run brings it back until she agrees anew."""
    agree(world.lake, "instagram:anna")
    agree(world.lake, "instagram:bea")
    mine, other = world.shows("anna", 1), world.shows("bea", 2)
    assert len(world.run()) == 2
    world.revoke()
    assert [row["creator_id"] for row in world.lake.rows("from body_facts")] == ["c_bea"]
    assert [row["item_id"] for row in world.lake.rows("from stage_rows where stage = 'body'")] == ["c_bea"]
    world.store.opened.clear()
    agree(world.lake, "instagram:anna", days=2)
    assert world.run() == [("c_anna", mine), ("c_bea", other)]
    assert world.store.opened == [mine]


def test_a_later_verdict_removes_the_row(world: World) -> None:
    """By the sweep before the stage runs again, and by the stage."""
    agree(world.lake, "instagram:anna")
    young, kept = world.shows("anna", 1), world.shows("anna", 2)
    assert len(world.run()) == 2
    with world.lake.transaction():
        seen = {"sha256": young, "persons_count": 1, "may_be_minor": True}
        world.lake.merge("image_facts", [seen])
    keep_swept(world.lake, world.journal, WORDS)
    assert [row["sha256"] for row in world.lake.rows("from body_facts")] == [kept]
    world.store.opened.clear()
    assert world.run() == [("c_anna", kept)]
    assert young not in world.store.opened


def estimator(path: Path, years: float) -> Path:
    """An ONNX file that takes a face and says that it is of so many years."""
    graph = helper.make_graph(
        [
            helper.make_node("ReduceMean", ["face"], ["mean"], keepdims=0),
            helper.make_node("Mul", ["mean", "zero"], ["nothing"]),
            helper.make_node("Add", ["nothing", "years"], ["age"]),
        ],
        "age",
        [helper.make_tensor_value_info("face", TensorProto.FLOAT, [1, 3, 64, 64])],
        [helper.make_tensor_value_info("age", TensorProto.FLOAT, [1])],
        [
            helper.make_tensor("zero", TensorProto.FLOAT, [1], [0.0]),
            helper.make_tensor("years", TensorProto.FLOAT, [1], [years]),
        ],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)
    return path


def test_the_verdict_of_a_real_estimator_decides(world: World, tmp_path: Path) -> None:
    """Whom the estimator does not find clearly adult is not measured, whatever was declared and agreed to.

    Nor is a picture without a verdict, or with nobody in it.
    """
    pixels, face, _ = head((90, 60, 40))
    shown = {}
    for seed, (name, years) in enumerate((("anna", 50), ("bea", 30))):
        check = AgeCheck(open_session(estimator(tmp_path / f"{name}.onnx", years), device="cpu"), error_years=10)
        agree(world.lake, f"instagram:{name}")
        shown[name] = world.shows(name, seed, picture_verdict([check.may_be_minor(pixels, face)], 1))
    world.shows("anna", 3, None)
    world.shows("anna", 4, persons=0)
    assert world.run() == [("c_anna", shown["anna"])]
    assert world.store.opened == [shown["anna"]]


# The models, the command, and what else there is -------------------------------------------------------------------


@needs_models
def test_only_the_one_subject_is_measured_and_only_if_allowed() -> None:
    """Real models: nobody, and two of one size, have no subject; without permission nothing is detected."""
    eyes = Eyes(MODELS, device="cpu")
    blank = np.full((256, 256, 3), 128, np.uint8)
    assert [one.unmeasured for one in eyes.bodies([blank], allowed=True)] == ["no_subject"]
    two = [Box(10, 10, 100, 200, 0.9), Box(120, 10, 210, 200, 0.9)]
    assert eyes._body(blank, two).unmeasured == "no_subject"
    eyes._detector = None  # type: ignore[assignment]
    assert [one.unmeasured for one in eyes.bodies([blank], allowed=False)] == ["not_allowed"]


def test_the_stage_is_off_until_it_is_turned_on(tmp_path: Path) -> None:
    """Named while it is off: exit 3, with what the setting means."""
    result = CliRunner().invoke(main, ["--workspace", str(tmp_path), "run", "body"])
    assert result.exit_code == 3
    assert "body_measurements = true" in result.stderr
    assert "agreed" in result.stderr


@needs_models
def test_without_an_estimator_it_is_said_once_why_nobody_is_measured(tmp_path: Path) -> None:
    """One line; the run is done."""
    (tmp_path / "models").symlink_to(MODELS)
    (tmp_path / "igtool.toml").write_text("body_measurements = true\n")
    result = CliRunner().invoke(main, ["--workspace", str(tmp_path), "run", "body"])
    assert result.exit_code == 0
    assert result.stderr.count("no estimator of age") == 1


def test_nothing_else_reads_the_measurements() -> None:
    """No search, export, report or page names the table: consent covers the user's own queries."""
    package = Path(tags.__file__).parents[1]
    allowed = {"body.py", "rules.py", "removal.py", "pictures.py", "tags.py", "tags.toml", "looking.py"}
    allowed |= {"origins.py", "references.py"}  # which check and mend tables, whatever they hold
    files = [path for path in package.rglob("*") if path.suffix in (".py", ".toml", ".html", ".j2", ".sql")]
    naming = {path.name for path in files if "body_facts" in path.read_text()}
    assert naming <= allowed
