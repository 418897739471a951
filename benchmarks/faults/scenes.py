"""What is broken: every main path of igtool on a handful of invented creators."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.faults.tables import Compared, State, state_of

ROOT = Path(__file__).parents[2]
TESTS = ROOT / "tests"
if str(TESTS) not in sys.path:
    sys.path[:0] = [str(ROOT), str(TESTS)]

World = dict[str, str]
"""Addresses of the scripted servers by name, where the fast clock begins (``epoch``), and ``shared``."""

ASKED = frozenset({"answer_id", "llm_answer_id", "latency_s", "cached_tokens_count", "cost_usd"})
"""Columns of who asked when, and of what the scripted server remembered and took less for."""
TOMBSTONES = frozenset({"tombstones"})
"""Hashes under a key of their own."""
CONCURRENCY = 4
MODEL = {
    "IGTOOL_PROVIDER": "openai",
    "IGTOOL_CHAT_MODEL": "gpt-4o-mini",
    "IGTOOL_OPENAI_API_KEY": "invented-key",
    "IGTOOL_LLM_CONCURRENCY": str(CONCURRENCY),
}
HANDLES, CONVERSATIONS = 8, 12


@dataclass(frozen=True)
class Scene:
    """A command on a prepared workspace.

    ``prepare``: makes the workspace; ``given``: what its ``program`` is given; ``servers``: those it needs;
    ``in_flight``: questions that may be under way at a kill, and are asked again then; ``exits``: codes of a run that
    ended well; ``check``: what must hold besides, told in words; ``knows_no_clock``: the date changes nothing of it.
    """

    name: str
    prepare: Callable[[Path, World], None]
    given: Callable[[Path, World], dict[str, Any]]
    program: str = "igtool"
    servers: tuple[str, ...] = ()
    environment: dict[str, str] = field(default_factory=dict)
    compared: Compared = field(default_factory=Compared)
    in_flight: int = 0
    asks_model: bool = False
    exits: frozenset[int] = frozenset({0, 8})
    knows_no_clock: bool = True
    check: Callable[[Path], list[str]] = lambda _: []

    def state(self, workspace: Path) -> State:
        """What the workspace holds."""
        found = state_of(workspace, self.compared)
        found["wrong"] += self.check(workspace)
        return found

    def variables(self, world: World) -> dict[str, str]:
        """The environment of its processes."""
        usual = {"IGTOOL_PROCESSES": "1", "IGTOOL_PICTURE_STILLS": "0", "IGTOOL_STAGE_BATCH_SIZE": "3"}
        return usual | {name: value.format(**world) for name, value in self.environment.items()}


def command(*arguments: str) -> Callable[[Path, World], dict[str, Any]]:
    """What the command line is given; ``{w}`` is the workspace."""
    return lambda workspace, _: {
        "workspace": str(workspace),
        "arguments": [one.replace("{w}", str(workspace)) for one in arguments],
    }


# --- workspaces ----------------------------------------------------------------------------------------------------


def only_inputs(workspace: Path, _: World) -> None:
    """A list and raw dumps of four people; nothing is done yet."""
    from forget_world import write_inputs

    write_inputs(workspace)


def enriched(workspace: Path, world: World) -> None:
    """A workspace in which everything is done once, with a note and a list of its user; made once for all scenes."""
    import shutil

    from igtool.files import held

    shared = Path(world["shared"])
    with held(shared.with_name("enriched.lock"), shared=False, patience_s=300.0):
        if not shared.exists():
            made = shared.with_name("enriched.made")
            _enrich(made, world)
            made.rename(shared)
    shutil.copytree(shared, workspace, dirs_exist_ok=True)


def _enrich(workspace: Path, world: World) -> None:
    from click.testing import CliRunner

    from igtool.cli import main

    workspace.mkdir()
    only_inputs(workspace, world)
    base = ["--workspace", str(workspace)]
    for arguments in (["enrich", str(workspace / "list.csv"), "--source", str(workspace / "raw")], _note(), _listed()):
        result = CliRunner().invoke(main, [*base, *arguments])
        if result.exit_code not in {0, 8}:
            raise RuntimeError(f"igtool {arguments[0]} ended with {result.exit_code}: {result.output}")


def _note() -> list[str]:
    from forget_world import others

    return ["note", others()[1].handle, "sent a parcel"]


def _listed() -> list[str]:
    from forget_world import others

    return ["list", "add", "spring", others()[1].handle]


def without_index(workspace: Path, world: World) -> None:
    """Everything but a search index, which is made anew."""
    import shutil

    enriched(workspace, world)
    shutil.rmtree(workspace / "data" / "index")


def backed_up(workspace: Path, world: World) -> None:
    """A workspace with a backup of it, and a change since."""
    from click.testing import CliRunner

    from igtool.cli import main

    enriched(workspace, world)
    for arguments in (["backup", str(workspace / "backup")], ["list", "add", "later", _listed()[-1]]):
        result = CliRunner().invoke(main, ["--workspace", str(workspace), *arguments])
        if result.exit_code:
            raise RuntimeError(f"igtool {arguments[0]} ended with {result.exit_code}: {result.output}")


def with_garbage(workspace: Path, world: World) -> None:
    """A workspace of which much is older than it is to be kept, with leftovers of killed processes."""
    enriched(workspace, world)
    (workspace / "igtool.toml").write_text('retention = { raw_responses = "1d", runs = "1d", snapshots = "1d" }\n')
    for name in ("accounts/ducklake-left.parquet", "niches/ducklake-left.parquet"):
        (workspace / "data" / "main" / name).write_bytes(b"left by a commit that never was")


def damaged(workspace: Path, world: World) -> None:
    """A workspace with damage that can be mended: a data file of what stages made, and the index."""
    from igtool.integrity.catalog import catalog_files
    from igtool.session import open_session
    from igtool.settings import load

    enriched(workspace, world)
    with open_session(load(workspace), "prepare", lambda: False) as session:
        session.lake.upkeep(least_commits=0)
    files = [file.path for file in catalog_files((workspace / "data").resolve()) if file.is_live]
    for name in ("niches", "embeddings"):
        path = workspace / "data" / next(one for one in sorted(files) if f"/{name}/" in one)
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 8
        path.write_bytes(bytes(content))
    (workspace / "data" / "index" / "current").write_text("torn")


def older(workspace: Path, _: World) -> None:
    """A lake of an older schema."""
    from test_lake_upgrade import grow_older

    grow_older(workspace / "data")


def described(workspace: Path, _: World) -> None:
    """Creators with their vectors, about whom a language model has not been asked yet."""
    from igtool.lake import Lake
    from tests.llm_people import Cheap, creators, store, vector_row

    people, cheap = creators(9), Cheap()
    vectors = cheap.encode([one.bio for one in people]).tolist()
    with Lake(workspace / "data", writable=True) as lake:
        store(lake, people)
        with lake.transaction():
            rows = zip(people, vectors, strict=True)
            lake.merge("embeddings", [vector_row(one.account_id, vector) for one, vector in rows])


def empty(workspace: Path, _: World) -> None:
    """An empty lake."""
    from igtool.lake import Lake

    Lake(workspace / "data", writable=True).close()


# --- what must hold besides ----------------------------------------------------------------------------------------


def nobody_left(workspace: Path) -> list[str]:
    """Files in which something of the forgotten person is."""
    from forget_world import holders

    return [f"still named in {one}" for one in holders(workspace)]


def told_is_kept(workspace: Path) -> list[str]:
    """Conversations that were accepted and are not in the lake, or were read never or twice; work left over.

    What was read is not compared: of a question that was under way at a kill nobody knows whether it was paid for, so
    it is not asked again, and the conversation is read without the model.
    """
    from igtool.conversations.reception import Reception
    from igtool.lake import Lake
    from igtool.settings import load

    path = workspace / "told"
    told = set(path.read_text().splitlines()) if path.exists() else set()
    with Lake(workspace / "data", writable=False) as lake:
        kept = {row["conversation_id"] for row in lake.rows("select conversation_id from conversations")}
        insights = [row["conversation_id"] for row in lake.rows("select conversation_id from insights")]
    with Reception(load(workspace)) as reception:
        counts = reception.counts()
    wrong = [f"accepted and lost: {len(told - kept)}"] if told - kept else []
    wrong += [f"without insight: {len(kept.difference(insights))}"] if kept.difference(insights) else []
    wrong += (
        [f"insights made twice: {len(insights) - len(set(insights))}"] if len(insights) > len(set(insights)) else []
    )
    left = {name: counts[name] for name in ("waiting", "unsure", "done", "moving", "dead") if counts[name]}
    return wrong + ([f"left in the journal: {left}"] if left else [])


def paced(workspace: Path) -> list[str]:
    """Requests that came faster than allowed, by the ledger: 11 within a minute."""
    from igtool.journal.sqlite_files import rows_of

    times = sorted(at for (at,) in rows_of(workspace / "cache" / "journal.sqlite", "select at from requests"))
    tightest = min((b - a for a, b in zip(times, times[10:], strict=False)), default=60.0)
    return [f"11 requests within {tightest:.1f} s"] if tightest < 59.999 else []


def _fetched(workspace: Path, world: World) -> dict[str, Any]:
    return {
        "workspace": str(workspace),
        "url": world["platform"],
        "handles": HANDLES,
        "epoch": float(world.get("epoch", time.time())),
    }


def _talked(workspace: Path, _: World) -> dict[str, Any]:
    return {"workspace": str(workspace), "count": CONVERSATIONS}


_CONVERSATION = frozenset({"conversation_id", *ASKED})
_TALK = {
    "servers": ("model",),
    "environment": {
        **MODEL,
        "IGTOOL_OPENAI_BASE_URL": "{model}/v1",
        "IGTOOL_CONVERSATION_CALLS_PER_SECOND": "1000",
    },
    "compared": Compared(("conversations",), _CONVERSATION, moments=False),
    "check": told_is_kept,
    "exits": frozenset({0}),
}
_DESCRIBED = {
    "prepare": described,
    "given": command("run", "describe"),
    "servers": ("people",),
    "asks_model": True,
    "compared": Compared(("descriptions", "llm_answers"), ASKED | {"batch_id"}, moments=False),
}
_PEOPLE = {**MODEL, "IGTOOL_OPENAI_BASE_URL": "{people}/v1"}


def _scenes() -> dict[str, Scene]:
    from benchmarks.faults.picture_scene import pictures

    enrich = command("enrich", "{w}/list.csv", "--source", "{w}/raw")
    made = (
        Scene("enrich", only_inputs, enrich),
        Scene(
            "fetch",
            empty,
            _fetched,
            program="fetch",
            servers=("platform",),
            compared=Compared(
                ("raw_responses", "accounts", "content_items", "metric_snapshots", "rejects"),
                frozenset({"answer_id", "item_id", "snapshot_id", "body"}),
                moments=False,
            ),
            in_flight=1,
            check=paced,
        ),
        Scene("llm", environment=_PEOPLE, in_flight=CONCURRENCY, **_DESCRIBED),  # type: ignore[arg-type]
        Scene("llm-batch", environment=_PEOPLE | {"IGTOOL_LLM_BATCH": "true"}, **_DESCRIBED),  # type: ignore[arg-type]
        pictures(),
        Scene(
            "conversations",
            empty,
            _talked,
            program="conversations",
            **_TALK,  # type: ignore[arg-type]
        ),
        Scene(
            "serve",
            empty,
            _talked,
            program="serve",
            **_TALK,  # type: ignore[arg-type]
        ),
        Scene("index", without_index, command("run", "index")),
        Scene(
            "forget",
            enriched,
            command("forget", _handle(), "--yes"),
            compared=Compared(left_out_tables=TOMBSTONES),
            check=nobody_left,
        ),
        Scene("restore", backed_up, command("restore", "{w}/backup", "--yes")),
        Scene("gc", with_garbage, command("gc"), knows_no_clock=False),
        Scene("repair", damaged, command("verify", "--repair")),
        Scene("upgrade", older, command("run", "normalize", "drift")),
    )
    return {scene.name: scene for scene in made}


def _handle() -> str:
    from forget_world import HANDLE

    return str(HANDLE)


SCENES = _scenes()


def world_text(world: World) -> str:
    """As JSON."""
    return json.dumps(world)
