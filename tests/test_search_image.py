"""Creators whose pictures are in the style of one: what is compared, and how it adds to a score."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from conftest import REALDATA, needs_realdata
from tag_world import BLUE, GREEN, RED, TagWorld
from test_picture_facts import MODELS, needs_models
from tiny_tower import colour, write_tower

from igtool.errors import UsageError
from igtool.given_style import style_of
from igtool.journal import Journal
from igtool.lake import Lake
from igtool.search.alike import creators_alike
from igtool.settings import Settings


@pytest.fixture
def world(tmp_path: Path, lake: Lake, journal: Journal) -> TagWorld:
    """Ana shows red and blue, Bea blue, Cleo a close-up of red; Dora nothing."""
    world = TagWorld(tmp_path, lake, journal, "ana", "bea", "cleo", "dora")
    world.sees({})
    world.shows("ana", RED, RED, RED, RED, BLUE)
    world.shows("bea", BLUE, GREEN, size=64)
    world.shows("cleo", RED, size=96, framing="close_up")
    world.run()
    return world


def test_the_three_nearest_pictures_of_a_creator_count(world: TagWorld) -> None:
    """One that shows much besides is as near as one that shows nothing else; faces are not compared."""
    near = creators_alike(world.lake, colour(*RED), world.tower.model)
    assert near["c_ana"] == pytest.approx(1.0, abs=0.01)
    expected = np.clip([colour(*RED) @ colour(*BLUE), colour(*RED) @ colour(*GREEN)], -1, 1).mean()
    assert near["c_bea"] == pytest.approx(max(0.0, expected), abs=0.01)
    assert set(near) == {"c_ana", "c_bea"}


def test_without_vectors_of_the_model_nothing_is_compared(world: TagWorld) -> None:
    """Those of another one lie elsewhere."""
    with pytest.raises(UsageError, match="igtool run image_vectors"):
        creators_alike(world.lake, colour(*RED), "another+0")


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("none.jpg", None, "there is no file"),
        ("page.jpg", b"<html><body>no</body></html>", "cannot be used as a picture"),
    ],
)
def test_what_is_no_picture_is_refused(tmp_path: Path, name: str, content: bytes | None, says: str) -> None:
    """Before any model is opened."""
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(UsageError, match=says):
        style_of(tmp_path / name, Settings(workspace=tmp_path), print)


@needs_realdata
@needs_models
def test_a_picture_that_a_face_fills_is_not_compared(tmp_path: Path) -> None:
    """With the real detectors: a portrait's face cut out is refused, a cup of coffee has a vector."""
    from PIL import Image

    folder = tmp_path / "models"
    folder.mkdir()
    for file in MODELS.iterdir():
        (folder / file.name).symlink_to(file)
    (folder / "models.local.toml").unlink(missing_ok=True)
    write_tower(folder, {"a photo": colour(*RED)})
    settings = Settings(workspace=tmp_path, picture_device="cpu")
    images = Path(REALDATA) / "images"
    face = Image.open(images / "people" / "obama.jpg")
    wide, high = face.size
    face.crop((wide // 4, high // 10, wide * 3 // 4, high // 2)).save(tmp_path / "face.png")
    with pytest.raises(UsageError, match="compares no faces"):
        style_of(tmp_path / "face.png", settings, print)
    vector, _ = style_of(images / "negatives" / "coffee.png", settings, print)
    assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-3)
