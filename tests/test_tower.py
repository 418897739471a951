"""Pictures to vectors: what a tower gives, and every file that is none is refused with what to do."""

from __future__ import annotations

import io
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto
from PIL import Image
from tiny_tower import DIMENSION, WEIGHTS, colour, halves, tiny_tower, write_prompts, write_tower

from igtool import models
from igtool.errors import ConfigError, IntegrityError
from igtool.vision.prompts import NEUTRAL, PromptVectors, wanted_prompts
from igtool.vision.sessions import open_session
from igtool.vision.tower import Manifest, Tower, middle, prompts_path, towers_model
from igtool.vocabulary import tags

Array = np.ndarray[Any, Any]


def plain(red: int, green: int, blue: int, width: int = 40, height: int = 30) -> Array:
    """A picture of one colour."""
    return np.full((height, width, 3), (red, green, blue), dtype=np.uint8)


def opened(path: Path, **how: Any) -> Tower:
    """A tower that is not listed."""
    return Tower(open_session(tiny_tower(path / "my.onnx", **how), device="cpu", threads=1))


# Vectors ---------------------------------------------------------------------------------------------------------


def test_pictures_get_the_vectors_that_their_colours_have(tmp_path: Path) -> None:
    """Sizes differ; vectors have length 1 and the place of their picture."""
    model = write_tower(tmp_path)
    tower = Tower.open(tmp_path, device="cpu")
    colours = [(255, 0, 0), (0, 255, 0), (0, 0, 255), (10, 20, 30), (127, 127, 127)]
    pictures = [plain(*one, width=20 + 30 * place) for place, one in enumerate(colours)]
    found = tower.encode(pictures)
    assert (tower.model, tower.dimension, tower.fallback) == (model, DIMENSION, None)
    assert (found.dtype, found.shape) == (np.float32, (5, DIMENSION))
    np.testing.assert_allclose(found, [colour(*one) for one in colours], atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-6)
    assert tower.encode([]).shape == (0, DIMENSION)


def test_company_changes_no_vector(tmp_path: Path) -> None:
    """Bit for bit the same alone, among others, backwards, with one thread and with four."""
    write_tower(tmp_path)
    random = np.random.default_rng(4)
    pictures = [random.integers(0, 256, (30 + 5 * n, 90 - 3 * n, 3), dtype=np.uint8) for n in range(9)]
    one, four = (Tower.open(tmp_path, device="cpu", threads=threads) for threads in (1, 4))
    together = one.encode(pictures)
    assert np.array_equal(four.encode(pictures[::-1])[::-1], together)
    assert np.array_equal(np.concatenate([four.encode([picture]) for picture in pictures]), together)


def test_pictures_run_in_batches_on_a_card(tmp_path: Path) -> None:
    """Where a card is told to be there, runs have as many pictures as were asked for, and the order stays."""
    session = open_session(tiny_tower(tmp_path / "my.onnx"), device="cpu", threads=1)
    counts: list[int] = []

    class Counting:
        def get_modelmeta(self) -> Any:
            return session.engine.get_modelmeta()

        def run(self, names: list[str], given: dict[str, Array]) -> Any:
            counts.append(len(given["pictures"]))
            return session.engine.run(names, given)

    tower = Tower(replace(session, engine=Counting(), device="cuda"), batch=2)
    colours = [(250, 0, 0), (0, 250, 0), (0, 0, 250), (9, 20, 30), (70, 80, 90)]
    found = tower.encode([plain(*one) for one in colours])
    np.testing.assert_allclose(found, [colour(*one) for one in colours], atol=1e-5)
    assert (counts, tower.encode([]).shape) == ([2, 2, 1], (0, DIMENSION))


def test_the_middle_is_cut_out_as_pillow_would() -> None:
    """Only the part that is wanted is computed, and it is what resizing the whole and cutting gives, to a rounding."""
    random = np.random.default_rng(3)
    manifest = Manifest(size=16, dimension=2, weights="", fit="crop", shorter=20)
    for width, height in ((90, 61), (61, 90), (50, 50), (17, 300), (20, 20)):
        blocks = random.integers(40, 216, (4, 4, 3), dtype=np.uint8)
        pixels = Image.fromarray(blocks).resize((width, height), Image.Resampling.BILINEAR)
        least = min(width, height)
        whole = pixels.resize((int(20 * width / least), int(20 * height / least)), Image.Resampling.BICUBIC)
        left, top = (whole.width - 16) // 2, (whole.height - 16) // 2
        expected = np.asarray(whole.crop((left, top, left + 16, top + 16)), dtype=int)
        found = pixels.resize((16, 16), Image.Resampling.BICUBIC, box=middle(width, height, manifest))
        assert np.abs(np.asarray(found, dtype=int) - expected).max() <= 1


def test_a_long_thin_picture_needs_no_memory(tmp_path: Path) -> None:
    """One pixel high and 19,999 wide: made 16 high as a whole it would have 5 million pixels; its middle has few."""
    tower = opened(tmp_path, fields={"fit": "crop", "shorter": 16})
    pixels = plain(0, 0, 0, 19_999, 1)
    pixels[:, 9_990:10_010] = (255, 0, 0)
    np.testing.assert_allclose(tower.encode([pixels]), [colour(255, 0, 0)], atol=1e-5)


# Which tower -----------------------------------------------------------------------------------------------------


def test_no_tower_is_told_with_the_command(tmp_path: Path) -> None:
    """Its name is None, and opening says what makes one."""
    assert towers_model(tmp_path) is None
    with pytest.raises(ConfigError, match=r"`igtool models export SOURCE` makes one"):
        Tower.open(tmp_path)
    with pytest.raises(ConfigError, match="there is no model 'mine'"):
        Tower.open(tmp_path, "mine")


def test_a_tower_is_called_by_its_bytes(tmp_path: Path) -> None:
    """The name is that of the list with the beginning of the SHA-256; of two the wanted one is opened."""
    first, second = write_tower(tmp_path), write_tower(tmp_path, name="other")
    digest = models.known(tmp_path)["other"].sha256
    assert second == f"other+{str(digest)[:12]}"
    assert (towers_model(tmp_path), towers_model(tmp_path, "other")) == (first, second)
    assert Tower.open(tmp_path, "other", device="cpu").model == second


def test_texts_go_with_their_tower(tmp_path: Path) -> None:
    """Removing a tower leaves nothing of it behind, whatever its name."""
    write_tower(tmp_path, also=["a"], name="siglip-v1.5")
    write_tower(tmp_path, also=["a"], name="siglip-v1.6")
    assert models.remove("siglip-v1.5", tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "models.local.toml",
        "siglip-v1.6.onnx",
        "siglip-v1.6.prompts.npz",
    ]


def test_a_graphics_card_that_is_not_there_is_told(tmp_path: Path) -> None:
    """The processor is used."""
    write_tower(tmp_path)
    tower = Tower.open(tmp_path, device="cuda")
    assert "tiny-tower.onnx runs on the processor" in str(tower.fallback)
    assert tower.encode([plain(255, 0, 0)]).shape == (1, DIMENSION)


def test_damaged_files_of_towers(tmp_path: Path) -> None:
    """Another byte, half of the bytes: told with the fix, before anything runs."""
    write_tower(tmp_path)
    path = tmp_path / "tiny-tower.onnx"
    content = path.read_bytes()
    for damaged in (content[: len(content) // 2], content[:-1] + b"\0", b""):
        path.write_bytes(damaged)
        with pytest.raises(IntegrityError, match="`igtool models remove tiny-tower`"):
            Tower.open(tmp_path, device="cpu")


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ({"noted": None}, "do not tell how pictures go into it"),
        ({"noted": "{"}, "metadata cannot be read"),
        ({"noted": '{"size": 16, "dimension": 13}'}, "missing required field `weights`"),
        ({"noted": '{"size": "16", "dimension": 13, "weights": ""}'}, "Expected `int`"),
        ({"fields": {"size": 100_000}}, "pictures of 100000 pixels"),
        ({"fields": {"dimension": 10**9}}, "vectors of 1000000000 numbers"),
        ({"fields": {"dimension": 12}}, "12 numbers are to come out"),
        ({"fields": {"size": 32}}, "32 pixels of 8 bits are to go in"),
        ({"fields": {"fit": "crop", "shorter": 8}}, "16 pixels cannot be cut out of 8"),
        ({"taken": TensorProto.FLOAT}, "16 pixels of 8 bits are to go in"),
        ({"rank": 3}, "13 numbers are to come out"),
    ],
)
def test_files_that_are_no_tower(tmp_path: Path, how: dict[str, Any], words: str) -> None:
    """What the file says of itself has to be there, possible, and true."""
    with pytest.raises(ConfigError, match=words):
        opened(tmp_path, **how)


@pytest.mark.parametrize("factor", [0, np.nan, np.inf, 3])
def test_vectors_that_are_none(tmp_path: Path, factor: float) -> None:
    """Without length, no numbers, or not of length 1: nothing of it gets out."""
    with pytest.raises(ConfigError, match="no numbers \\(NaN\\) or not of length 1"):
        opened(tmp_path, factor=factor).encode([plain(255, 0, 0)])


# Prompts ---------------------------------------------------------------------------------------------------------


def test_prompts_find_the_picture_they_describe(tmp_path: Path) -> None:
    """A text fits the picture of its colours best, by the scale and the bias of the file."""
    upper = halves((255, 0, 0), (0, 0, 255))
    write_tower(tmp_path, {"a red picture": colour(255, 0, 0), "red over blue": upper}, also=["a cat"], bias=-10)
    tower = Tower.open(tmp_path, device="cpu")
    texts = ["a cat", "a red picture", "red over blue"]
    logits = tower.encode([plain(250, 5, 5)]) @ tower.prompts.vectors_of(texts).T * tower.prompts.scale
    assert texts[int(logits.argmax())] == "a red picture"
    assert (tower.prompts.bias, tower.prompts.scale, tower.prompts.dimension) == (-10, 50, DIMENSION)


def test_missing_prompts_are_told_with_the_command(tmp_path: Path) -> None:
    """One by its words, how many, and what adds them."""
    write_tower(tmp_path, {"a photo": colour(1, 1, 1)})
    prompts = Tower.open(tmp_path, device="cpu").prompts
    with pytest.raises(ConfigError, match=r"no vector of 'a cat' and lacks 2 texts.*models prompts tiny --name tiny-"):
        prompts.vectors_of(["a photo", "a cat", "a dog", "a cat"])


def test_no_file_of_prompts(tmp_path: Path) -> None:
    """Vectors of pictures need none; asking for texts says what writes it."""
    write_tower(tmp_path)
    tower = Tower.open(tmp_path, device="cpu")
    with pytest.raises(ConfigError, match=r"there is no file .*tiny-tower.prompts.npz.*models prompts SOURCE --name"):
        _ = tower.prompts


def test_prompts_of_another_model(tmp_path: Path) -> None:
    """They are never compared with pictures of this one."""
    write_tower(tmp_path)
    write_prompts(tmp_path / "tiny-tower.onnx", {"a photo": colour(1, 1, 1)}, weights="00" * 32)
    with pytest.raises(ConfigError, match="holds texts of another model"):
        _ = Tower.open(tmp_path, device="cpu").prompts


def changed(path: Path, **arrays: Any) -> None:
    """The file of prompts with other arrays; None takes one away."""
    good = {"format": 1, "texts": np.array(["a", "b"]), "vectors": np.eye(2, DIMENSION, dtype=np.float32)}
    good |= {"scale": 10.0, "bias": 0.0, "weights": WEIGHTS, "source": "tiny", **arrays}
    np.savez(path, **{name: array for name, array in good.items() if array is not None})


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"bias": None}, "no file of prompts"),
        ({"more": np.ones(2)}, "no file of prompts"),
        ({"format": 2}, "format 2"),
        ({"texts": np.array(["a"])}, "1 texts"),
        ({"texts": np.array(["a", "a"])}, "not all different"),
        ({"texts": np.array(["a", {}], dtype=object)}, "pickle|allow_pickle"),
        ({"texts": np.array(["a" * 2000, "b"])}, "too long"),
        ({"vectors": np.eye(2, DIMENSION)}, "float64"),
        ({"vectors": np.ones(DIMENSION, dtype=np.float32)}, "holds as vectors is not of the form"),
        ({"vectors": np.full((2, DIMENSION), np.nan, dtype=np.float32)}, "NaN"),
        ({"vectors": np.ones((2, DIMENSION), dtype=np.float32)}, "not of length 1"),
        ({"vectors": np.zeros((2, 0), dtype=np.float32)}, "0 numbers"),
        ({"scale": np.nan}, "a scale of nan"),
        ({"scale": -1.0}, "a scale of -1"),
        ({"bias": np.inf}, "a bias of inf"),
    ],
)
def test_files_that_hold_no_prompts(tmp_path: Path, arrays: dict[str, Any], words: str) -> None:
    """Each told with what is wrong and what writes them anew."""
    path = tmp_path / f"x{models.PROMPTS}"
    changed(path, **arrays)
    with pytest.raises(ConfigError, match=words) as told:
        PromptVectors.read(path)
    assert "`igtool models prompts SOURCE --name x` writes it" in str(told.value)


def test_damaged_prompts(tmp_path: Path) -> None:
    """Cut off at any place, with a changed byte, empty, swollen: refused."""
    path = tmp_path / f"x{models.PROMPTS}"
    changed(path)
    content = path.read_bytes()
    assert PromptVectors.read(path).vectors_of(["b"]).tolist() == np.eye(2, DIMENSION)[1:].tolist()
    at = content.index(np.eye(2, DIMENSION, dtype=np.float32).tobytes())
    swollen = io.BytesIO()
    with zipfile.ZipFile(swollen, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("format", "texts", "scale", "bias", "weights", "source"):
            archive.writestr(f"{name}.npy", b"")
        archive.writestr("vectors.npy", bytes(300 << 20))
    assert len(swollen.getvalue()) < 1 << 20
    damaged = [content[:size] for size in range(0, len(content), 97)]
    for data in [*damaged, content[:at] + b"\1" + content[at + 1 :], swollen.getvalue()]:
        path.write_bytes(data)
        with pytest.raises(ConfigError, match="cannot be used"):
            PromptVectors.read(path)


def test_written_prompts_are_read_again(tmp_path: Path) -> None:
    """Bit for bit, and the same prompts give the same file."""
    write_tower(tmp_path, {"ärmel": colour(1, 2, 3)}, also=["b"])
    path = prompts_path(tmp_path / "tiny-tower.onnx")
    first = PromptVectors.read(path)
    data = path.read_bytes()
    first.write(path)
    assert (path.read_bytes(), list(first.texts)) == (data, ["b", "ärmel"])


def test_every_text_of_the_vocabulary_is_wanted() -> None:
    """Prompts of open and of consent categories, backgrounds, and those that are always true; each once."""
    vocabulary = tags.shipped()
    texts = wanted_prompts(vocabulary)
    assert len(set(texts)) == len(texts)
    assert set(NEUTRAL) < set(texts)
    assert {prompt for tag in vocabulary.tags.values() for prompt in tag.prompts} < set(texts)
    assert {prompt for category in vocabulary.categories.values() for prompt in category.background} < set(texts)
