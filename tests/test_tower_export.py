"""Tiny originals become towers that say the same, by the real command; what cannot be exported is told why."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from pathlib import Path
from threading import Thread
from typing import Any, ClassVar
from urllib.parse import urlsplit

import numpy as np
import onnx
import pytest
import tiny_originals
from click.testing import CliRunner
from PIL import Image
from tiny_tower import write_tower

from igtool import cli, models
from igtool.errors import ConfigError, IntegrityError, RateLimitedError
from igtool.tower_export.exporting import export, export_prompts, made_pictures
from igtool.tower_export.source import WEIGHTS, Source, SourceOptions, find_source
from igtool.vision.prompts import wanted_prompts
from igtool.vision.tower import Tower
from igtool.vocabulary import tags

Array = np.ndarray[Any, Any]
HAS_TORCH = find_spec("torch") is not None and find_spec("transformers") is not None
needs_torch = pytest.mark.skipif(not HAS_TORCH, reason="torch and transformers are not here: `make export` brings them")
TEXTS = ["a photo of a Cat", "an e-girl in Tokyo, with red hair", "a picture", "dog " * 100]
OFFLINE = SourceOptions(Path("nowhere"))


@pytest.fixture(scope="module")
def originals(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Folders of tiny originals, each made once."""
    import torch

    torch.set_num_threads(1)  # beside other work, two wait for each other most of the time
    place = tmp_path_factory.mktemp("originals")

    def original(name: str) -> Path:
        folder = place / name
        return folder if folder.exists() else getattr(tiny_originals, name)(folder)

    return original


def source(folder: Path, **how: Any) -> Source:
    """The folder as a source."""
    return find_source(str(folder), SourceOptions(Path("nowhere"), **how))


def pictures() -> list[Array]:
    """Patches of colours in pictures of several sizes."""
    random = np.random.default_rng(2)
    sizes = [(90, 60), (40, 70), (32, 32), (200, 51), (20, 30), (33, 32)]
    cells = random.integers(0, 256, (len(sizes), 5, 5, 3), dtype=np.uint8)
    return [np.asarray(Image.fromarray(cell).resize(size)) for cell, size in zip(cells, sizes, strict=True)]


def originally(folder: Path, shown: Sequence[Array]) -> Array:
    """What transformers makes of pictures, by its own processor and nothing of ours."""
    import torch
    from transformers import AutoImageProcessor, AutoModel

    given = AutoImageProcessor.from_pretrained(folder, backend="pil")(images=list(shown), return_tensors="pt")
    with torch.inference_mode():
        found = AutoModel.from_pretrained(folder).get_image_features(**given).pooler_output.numpy()
    return np.asarray(found / np.linalg.norm(found, axis=1, keepdims=True))


def cosines(first: Array, second: Array) -> Array:
    """Of each row with its like."""
    return np.asarray((first * second).sum(axis=1))


# What comes out is what the original says ------------------------------------------------------------------------


@needs_torch
def test_siglip_by_the_command(originals: Callable[[str], Path], tmp_path: Path) -> None:
    """The tower gives the original's vectors, and its texts are those of the vocabulary, as the original reads them."""
    import torch
    from transformers import AutoModel, AutoTokenizer

    folder = originals("siglip")
    (folder / "README.md").write_text("---\nlicense: apache-2.0\n---\n")
    run = CliRunner().invoke(
        cli.main, ["--workspace", str(tmp_path), "models", "export", str(folder), "--precision", "fp32"]
    )
    assert run.exit_code == 0, run.output
    tower = Tower.open(tmp_path / "models", device="cpu", threads=1)
    found = tower.encode(pictures())
    assert cosines(found, originally(folder, pictures())).min() > 0.9999
    assert (found @ found.T).min() < 0.95  # pictures do not all look alike to it
    wanted = wanted_prompts(tags.shipped())
    texts = [wanted[0], next(text for text in wanted if "e-girl" in text), wanted[-1]]
    model, tokenizer = AutoModel.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    with torch.inference_mode():
        given = tokenizer(texts, padding="max_length", max_length=64, return_tensors="pt")
        expected = model.get_text_features(input_ids=given["input_ids"]).pooler_output
    expected = (expected / expected.norm(dim=1, keepdim=True)).numpy()
    assert cosines(tower.prompts.vectors_of(texts), expected).min() > 0.99999
    tower.prompts.vectors_of(wanted)
    assert (tower.prompts.scale, tower.prompts.bias) == (pytest.approx(np.exp(2.5)), -8)
    noted = models.known(tmp_path / "models")["siglip-fp32"]
    assert (noted.kind, noted.licence) == ("tower", "apache-2.0")
    assert noted.made_from == f"the folder siglip, weights {source(folder).weights}, exported by igtool"
    assert models.state(noted, tmp_path / "models") == "ok"
    assert sorted(path.name for path in (tmp_path / "models").iterdir() if path.suffix != ".lock") == [
        "models.local.toml",
        "siglip-fp32.onnx",
        "siglip-fp32.prompts.npz",
    ]


@needs_torch
def test_clip_cuts_the_middle_out(originals: Callable[[str], Path], tmp_path: Path) -> None:
    """The shorter side is resized and the middle taken, colours have a mean each; a softmax needs no bias."""
    folder = originals("clip")
    done = export(source(folder), tmp_path, TEXTS, precision="fp32")
    tower = Tower.open(tmp_path, device="cpu", threads=1)
    assert cosines(tower.encode(pictures()), originally(folder, pictures())).min() > 0.999
    assert (done.model.name, done.cosine > 0.9999, tower.manifest.fit) == ("clip-fp32", True, "crop")
    assert (tower.prompts.bias, tower.prompts.scale) == (0, pytest.approx(1 / 0.07, rel=1e-3))
    upper = tower.prompts.vectors_of(["a photo of a Cat"])
    assert cosines(upper, tower.prompts.vectors_of(["a picture"]))[0] < 0.9999


@needs_torch
def test_int8_and_half_precision(originals: Callable[[str], Path], tmp_path: Path) -> None:
    """Of SigLIP 2: close to the original, one operation for attention in halves; capitals make no difference."""
    folder = originals("siglip2")
    expected = originally(folder, pictures())
    found = {}
    for precision, least in (("int8", 0.98), ("fp16", 0.9995)):
        texts = ["a Photo OF a cat", "a photo of a cat", "a dog"]
        done = export(source(folder), tmp_path, texts, precision=precision, name=precision)
        tower = found[precision] = Tower.open(tmp_path, precision, device="cpu", threads=1)
        assert cosines(tower.encode(pictures()), expected).min() > least
        assert done.cosine > least
    upper, lower, other = tower.prompts.vectors
    assert np.array_equal(upper, lower)
    assert not np.array_equal(upper, other)
    nodes = {name: {node.op_type for node in onnx.load(tower.session.path).graph.node} for name, tower in found.items()}
    assert "MultiHeadAttention" in nodes["fp16"] - nodes["int8"]
    assert {"MatMulInteger", "DynamicQuantizeLinear"} <= nodes["int8"]
    alone = np.concatenate([found["int8"].encode([picture]) for picture in pictures()])
    assert np.array_equal(found["int8"].encode(pictures()), alone)


@needs_torch
@pytest.mark.parametrize("name", ["siglip", "clip"])
def test_what_sticks_out_is_moved_into_weights(originals: Callable[[str], Path], name: str) -> None:
    """Channels that are 40 times as large as the others go into products smaller; the vectors stay what they are."""
    from igtool.tower_export.original import Original
    from igtool.tower_export.smoothing import smooth

    original = Original(source(originals(name)))
    layer = original.model.vision_model.encoder.layers[0]
    layer.layer_norm1.weight.data[3] *= 40
    shown = np.stack(made_pictures(tiny_originals.SIDE))
    before, weight = original.vectors(shown), float(layer.layer_norm1.weight[3])
    smooth(original, original.model, shown)
    np.testing.assert_allclose(original.vectors(shown), before, atol=1e-5)
    assert 0 < abs(float(layer.layer_norm1.weight[3])) < abs(weight) / 2


@needs_torch
def test_texts_of_a_changed_vocabulary(originals: Callable[[str], Path], tmp_path: Path) -> None:
    """They are written anew beside the tower, and only from the weights it was made of."""
    original = originals("siglip")
    folder = tmp_path / "models"
    write_tower(folder, also=["a photo"])
    with pytest.raises(ConfigError, match="was made from other weights"):
        export_prompts(source(original), folder, TEXTS)
    path = folder / "tiny-tower.onnx"
    path.write_bytes(path.read_bytes().replace(b"5e" * 32, source(original).weights.encode()))
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    models.note(replace(models.known(folder)["tiny-tower"], sha256=digest), folder)
    assert export_prompts(source(original), folder, TEXTS) == folder / "tiny-tower.prompts.npz"


# What cannot be exported -----------------------------------------------------------------------------------------


@pytest.fixture
def copied(originals: Callable[[str], Path], tmp_path: Path) -> Path:
    """A tiny SigLIP to be spoilt."""
    return shutil.copytree(originals("siglip"), tmp_path / "spoilt")


def edited(path: Path, **fields: Any) -> None:
    """A JSON file with other fields."""
    path.write_text(json.dumps({**json.loads(path.read_text()), **fields}))


def refused(folder: Path, models_folder: Path) -> str:
    """What is said; nothing is left behind."""
    with pytest.raises(ConfigError) as told:
        export(source(folder), models_folder, TEXTS, precision="fp32", name="x")
    assert [path.name for path in models_folder.rglob("*") if "x" in path.name] == []
    return str(told.value)


@needs_torch
def test_originals_that_do_not_fit(copied: Path, tmp_path: Path) -> None:
    """Damaged weights, or of another configuration, another kind, other ways with pictures: told with the reason."""
    folder = tmp_path / "models"
    kept = {path: path.read_bytes() for path in copied.iterdir()}
    config = json.loads((copied / "config.json").read_text())
    vision = config["vision_config"]
    cases: list[tuple[str, dict[str, Any], str]] = [
        ("config.json", {"model_type": "bert"}, "of the kind 'bert'; there are: siglip, clip"),
        ("config.json", {"model_type": "siglip2"}, "NaFlex"),
        ("config.json", {"vision_config": {**vision, "num_hidden_layers": 3}}, "parts are missing or of another size"),
        ("config.json", {"vision_config": {**vision, "intermediate_size": 50}}, "cannot be exported"),
        ("config.json", {"vision_config": {**vision, "image_size": 48}}, "cannot be exported"),
        ("preprocessor_config.json", {"resample": 0}, "made ready in a way that is not known"),
        ("preprocessor_config.json", {"do_normalize": False}, "made ready in a way that is not known"),
        ("preprocessor_config.json", {"image_std": [0, 1, 1]}, "made ready in a way that is not known"),
        ("preprocessor_config.json", {"size": {"height": 40, "width": 32}}, "the model takes 32 pixels"),
        ("preprocessor_config.json", {"size": {"shortest_edge": 32}}, "the model takes 32 pixels"),
    ]
    for name, fields, words in cases:
        edited(copied / name, **fields)
        assert words in refused(copied, folder), fields
        (copied / name).write_bytes(kept[copied / name])
    (copied / WEIGHTS).write_bytes(kept[copied / WEIGHTS][:-100])
    assert f"{WEIGHTS} cannot be read" in refused(copied, folder)
    (copied / WEIGHTS).write_bytes(kept[copied / WEIGHTS])
    for name in ("preprocessor_config.json", "spiece.model"):
        (copied / name).unlink()
        assert "cannot be read" in refused(copied, folder)
        (copied / name).write_bytes(kept[copied / name])


@needs_torch
def test_texts_that_cannot_be_compared_with_pictures(tmp_path: Path) -> None:
    """Their vectors have another length."""
    odd = tiny_originals.siglip(tmp_path / "odd", {"hidden_size": 48, "num_attention_heads": 4})
    assert "gives 32 numbers for a text and 48 for a picture" in refused(odd, tmp_path / "models")


@needs_torch
def test_weights_that_are_no_numbers(copied: Path, tmp_path: Path) -> None:
    """NaN in one weight: nothing is exported."""
    from safetensors.torch import load_file, save_file

    weights = load_file(copied / WEIGHTS)
    weights["vision_model.encoder.layers.1.mlp.fc1.weight"][0, 0] = float("nan")
    save_file(weights, copied / WEIGHTS, metadata={"format": "pt"})
    assert "its weights are damaged" in refused(copied, tmp_path / "models")


@needs_torch
def test_a_name_that_is_taken(originals: Callable[[str], Path], tmp_path: Path) -> None:
    """What is there stays; the fix is told before anything is computed."""
    write_tower(tmp_path)
    with pytest.raises(ConfigError, match="give another --name, or `igtool models remove tiny-tower`"):
        export(source(originals("siglip")), tmp_path, TEXTS, name="tiny-tower")
    with pytest.raises(ConfigError, match="cannot be a name"):
        export(source(originals("siglip")), tmp_path, TEXTS, name="../x")


@pytest.mark.skipif(HAS_TORCH, reason="torch is here")
def test_without_torch_the_extra_is_named(tmp_path: Path) -> None:
    """What is missing, and what brings it."""
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / WEIGHTS).write_bytes(b"1")
    with pytest.raises(ConfigError, match=r"`pip install 'igtool\[export\]'` brings it"):
        export(source(tmp_path), tmp_path / "models", TEXTS)


# Where it comes from ---------------------------------------------------------------------------------------------


def test_weights_are_never_pickles(tmp_path: Path) -> None:
    """A folder is told what it lacks; other forms of weights are not touched."""
    with pytest.raises(ConfigError, match=r"config.json and model.safetensors are not there"):
        source(tmp_path)
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "pytorch_model.bin").write_bytes(b"\x80\x04")
    with pytest.raises(ConfigError, match="can run code when they are read, so they never are"):
        source(tmp_path)
    (tmp_path / "model.safetensors.index.json").write_text("{}")
    with pytest.raises(ConfigError, match="lie in several files"):
        source(tmp_path)


def test_weights_are_those_that_were_asked_for(tmp_path: Path) -> None:
    """With --sha256 other weights are refused before they are read."""
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / WEIGHTS).write_bytes(b"weights")
    found = source(tmp_path)
    assert source(tmp_path, sha256=found.weights) == found
    with pytest.raises(IntegrityError, match="instead of 0000"):
        source(tmp_path, sha256="0" * 64)


def test_the_hub_is_not_asked_offline() -> None:
    """A name needs the network: it is said what to do instead; nonsense is told what a source is."""
    with pytest.raises(ConfigError, match=r"set offline = false in igtool.toml \(IGTOOL_OFFLINE=false\)"):
        find_source("google/siglip2-base-patch16-224", OFFLINE)
    for nonsense in ("siglip", "../../etc/passwd", "a/b/c", "https://example.org/x", ""):
        with pytest.raises(ConfigError, match="is no folder, and no name on the hub"):
            find_source(nonsense, OFFLINE)


class Hub(BaseHTTPRequestHandler):
    """A hub with one model; among its files are some that are never wanted."""

    FILES: ClassVar = {"config.json": b"{}", WEIGHTS: b"weights", "README.md": b"---\nlicense: mit\n---\n"}
    FILES |= {"pytorch_model.bin": b"\x80\x04", "modeling.py": b"raise SystemExit", "onnx/config.json": b"{}"}
    COMMIT = "c0" * 20
    seen: ClassVar[list[str]] = []

    def do_HEAD(self) -> None:
        """What a file is."""
        self.do_GET()

    def do_GET(self) -> None:
        """The list of files, or one of them."""
        assert "authorization" not in self.headers
        place = urlsplit(self.path).path
        name = place.partition(f"/resolve/{self.COMMIT}/")[2]
        self.seen.append(name)
        told = [{"type": "file", "path": n, "size": len(c), "oid": "1" * 40} for n, c in self.FILES.items()]
        if place.startswith("/api/models/tiny/siglip/revision/"):
            content = json.dumps({"id": "tiny/siglip", "sha": self.COMMIT, "siblings": []}).encode()
        elif place.startswith("/api/models/tiny/siglip/tree/"):
            content = json.dumps(told).encode()
        elif place.startswith("/tiny/siglip/") and name in self.FILES:
            content = self.FILES[name]
        else:
            self.send_error(404, "not found")
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("ETag", f'"{hashlib.sha256(content).hexdigest()}"')
        self.send_header("X-Repo-Commit", self.COMMIT)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Nothing is said."""


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of a hub on this machine."""
    for name in ("HF_HUB_DISABLE_TELEMETRY", "HF_HUB_DISABLE_XET", "HF_HOME"):
        monkeypatch.setenv(name, "1")  # what the code sets is taken back
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    Hub.seen.clear()
    thread = Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_model_of_the_hub(hub: str, tmp_path: Path) -> None:
    """Only what is needed is got, without a key, under its revision, and only once; no code and no pickles."""
    options = SourceOptions(tmp_path / "hub", offline=False, endpoint=hub)
    found = find_source("tiny/siglip", options)
    assert {path.name for path in found.folder.iterdir()} == {"config.json", WEIGHTS, "README.md"}
    assert not {"pytorch_model.bin", "modeling.py", "onnx/config.json"} & set(Hub.seen)
    assert (found.name, found.licence, found.told) == ("siglip", "mit", f"tiny/siglip@{Hub.COMMIT}")
    assert found.made_from.startswith(f"tiny/siglip at {Hub.COMMIT}, weights {found.weights}")
    Hub.seen.clear()
    assert find_source(found.told, options) == found
    assert WEIGHTS not in Hub.seen


def test_a_hub_that_has_it_not(hub: str, tmp_path: Path) -> None:
    """An unknown model is a matter of configuration; a hub that does not answer is asked again later."""
    options = SourceOptions(tmp_path / "hub", offline=False, endpoint=hub)
    with pytest.raises(ConfigError, match=r"the hub has no tiny/clip .*status 404"):
        find_source("tiny/clip", options)
    with pytest.raises(RateLimitedError, match="could not be got from the hub"):
        find_source("tiny/siglip", replace(options, endpoint="http://127.0.0.1:9"))
