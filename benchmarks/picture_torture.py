"""Kill the work on pictures at random moments, and compare its tables with those of an undisturbed run, row for row.

Pictures come from a server on loopback, uncertain tags are asked of a played model there. Models that look at pictures
are the real ones, where `make vision` has brought them; the image encoder is a tiny one, with texts that make many tags
uncertain. Besides the tables it is counted what was asked for again: of pictures and answers that were stored, nothing.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from benchmarks.llm_torture import process, told  # noqa: E402
from igtool.lake import Lake  # noqa: E402
from igtool.lake_sql import quote  # noqa: E402
from igtool.schema import TABLES  # noqa: E402
from igtool.vision.prompts import wanted_prompts  # noqa: E402
from igtool.vocabulary import tags  # noqa: E402
from tests.picture_server import PictureServer, account, item  # noqa: E402
from tests.tiny_tower import DIMENSION, write_tower  # noqa: E402

ACCOUNTS, PICTURES = 12, 6
STAGES = ("images", "picture_facts", "image_vectors", "tag", "image_verdicts")
COMPARED = (
    "media", "image_facts", "image_vectors", "image_tags", "image_verdicts", "creator_tags", "llm_answers",
)  # fmt: skip
_TIMES = ("latency_s", "cached_tokens_count")
"""Columns that tell how long something took and what the played model remembered, besides those of moments."""


def photograph(seed: int) -> bytes:
    """A picture file of soft shapes: not a likeness of any other."""
    from PIL import Image

    small = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    file = BytesIO()
    Image.fromarray(small).resize((360, 450), Image.Resampling.BICUBIC).save(file, "JPEG", quality=90)
    return file.getvalue()


def prepare(workspace: Path, urls: list[str]) -> None:
    """A workspace with accounts that show pictures, their creators, and models."""
    models = workspace / "models"
    models.mkdir(parents=True)
    for file in (ROOT / "models").iterdir():
        if file.suffix in {".onnx", ".tflite"} or file.name == "models.toml":
            (models / file.name).symlink_to(file)
    chance = np.random.default_rng(3)
    write_tower(models, {text: chance.normal(size=DIMENSION) for text in wanted_prompts(tags.shipped())}, scale=4.0)
    with Lake(workspace / "data", writable=True) as lake, lake.transaction():
        people = range(1, ACCOUNTS + 1)
        lake.merge("accounts", [account(number) for number in people])
        lake.merge("content_items", [item(n, n % ACCOUNTS + 1, [url], n) for n, url in enumerate(urls)])
        lake.merge("creators", [{"creator_id": f"c{number}", "canonical_handle": f"c{number}"} for number in people])
        links = [{"account_id": f"instagram:{n}", "creator_id": f"c{n}", "rule": "pinned"} for n in people]
        lake.merge("creator_links", links)


def start(workspace: Path, model: str) -> subprocess.Popen[bytes]:
    """The command as a user starts it."""
    told = {
        "IGTOOL_ALLOW_LOOPBACK": "true",
        "IGTOOL_PICTURE_PROVIDER": "ollama",
        "IGTOOL_PICTURE_MODEL": "eye",
        "IGTOOL_PICTURE_BASE_URL": f"{model}/v1",
        "IGTOOL_PICTURES_PER_SECOND": "100",
        "IGTOOL_STAGE_BATCH_SIZE": "4",
    }
    command = [sys.executable, "-c", "from igtool.cli import main; main()", "--workspace", str(workspace)]
    return subprocess.Popen(
        [*command, "run", *STAGES], env={**os.environ, **told}, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )


def tables(workspace: Path) -> dict[str, list[str]]:
    """Every row of the compared tables without moments and durations, as text, sorted; twice is twice."""
    found = {}
    with Lake(workspace / "data", writable=False) as lake:
        for name in COMPARED:
            moments = {column.name for column in TABLES[name].columns if column.type == "TIMESTAMPTZ"} | set(_TIMES)
            rows = lake.rows(f"from {quote(name)}")
            found[name] = sorted(repr({key: row[key] for key in row if key not in moments}) for row in rows)
    return found


def tells_the_truth(workspace: Path) -> bool:
    """Whether the history of every tag goes from one state to the next without a gap, and ends with what there is.

    It may have more steps than that of an undisturbed run: a killed one leaves what half of the answers say.
    """
    states: dict[tuple[str, ...], dict[str, Any] | None] = {}
    with Lake(workspace / "data", writable=False) as lake:
        for row in lake.rows("from creator_tag_history order by changed_at"):
            key = (row["creator_id"], row["category"], row["tag"])
            before, after = (json.loads(row[name] or "null") for name in ("state_before", "state_after"))
            if states.get(key) != before or before == after:
                return False
            states[key] = after
        now = {(row["creator_id"], row["category"], row["tag"]): row for row in lake.rows("from creator_tags")}
    there = {key: state for key, state in states.items() if state is not None}
    return there.keys() == now.keys() and all(now[key][name] == there[key][name] for key in now for name in there[key])


def whole(workspace: Path) -> bool:
    """Whether every kept file holds the bytes that its name says."""
    files = [path for path in (workspace / "cache" / "images").glob("*/*") if not path.name.startswith(".")]
    return all(hashlib.sha256(path.read_bytes()).hexdigest() == path.name for path in files)


class Campaign:
    """Runs against one server of pictures and one model."""

    def __init__(self, folder: Path, server: PictureServer, model: str, log: Path) -> None:
        self.folder, self.server, self.model, self.log = folder, server, model, log
        photographs = [photograph(seed) for seed in range(ACCOUNTS * PICTURES)]
        self.urls = [server.has(f"/{number}.jpg", one) for number, one in enumerate(photographs)]

    def asked(self) -> int:
        """Questions that the model was asked until now."""
        return len(self.log.read_text().splitlines()) if self.log.exists() else 0

    def finish(self, workspace: Path) -> float:
        """Run to the end; seconds."""
        began = time.monotonic()
        running = start(workspace, self.model)
        _, errors = running.communicate(timeout=600)
        if running.returncode:
            raise SystemExit(f"a run ended with {running.returncode}: {errors.decode()[-2000:]}")
        return time.monotonic() - began

    def killed(self, workspace: Path, moment: float) -> bool:
        """Whether a run was killed before its end."""
        running = start(workspace, self.model)
        try:
            running.communicate(timeout=moment)
        except subprocess.TimeoutExpired:
            running.send_signal(signal.SIGKILL)
            running.communicate()
        return running.returncode == -signal.SIGKILL

    def run(self, kills: int, chance: random.Random) -> dict[str, Any]:
        """Kill ``kills`` times; what it came to."""
        undisturbed = self.folder / "undisturbed"
        prepare(undisturbed, self.urls)
        length = self.finish(undisturbed)
        expected, asked, fetched = tables(undisturbed), self.asked(), self.server.asked.total()
        done = {"kills": 0, "runs": 0, "differing": 0, "fetched_again": 0, "asked_again": 0}
        done |= {"pictures": fetched, "questions": asked, "length_s": round(length, 1)}
        done |= {"rows": sum(map(len, expected.values()))}
        while done["kills"] < kills:
            workspace = self.folder / f"run{done['runs']}"
            prepare(workspace, self.urls)
            before = (self.server.asked.total(), self.asked())
            while done["kills"] < kills and self.killed(workspace, chance.uniform(0.5, 0.6 * length)):
                done["kills"] += 1
            self.finish(workspace)
            done["fetched_again"] += self.server.asked.total() - before[0] - fetched
            done["asked_again"] += self.asked() - before[1] - asked
            still = (self.server.asked.total(), self.asked())
            found = tables(workspace)
            wrong = [name for name in COMPARED if expected[name] != found[name]]
            self.finish(workspace)
            wrong += ["a second run"] if (self.server.asked.total(), self.asked()) != still else []
            wrong += ["files"] if not whole(workspace) else []
            wrong += ["history"] if not tells_the_truth(workspace) else []
            done["runs"] += 1
            done["differing"] += bool(wrong)
            sys.stderr.write(f"run {done['runs']}: {done['kills']} kills so far, differing: {wrong or 'none'}\n")
            shutil.rmtree(workspace)
        return done


def main() -> None:
    """Run the campaign and print what it came to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=20261122)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, PictureServer() as server:
        log = Path(name) / "asked"
        with process("tests.llm_server", "--log", str(log)) as model:
            done = Campaign(Path(name), server, told(model), log).run(given.kills, random.Random(given.seed))
    print(json.dumps({"benchmark": "picture_torture", **done}))
    sys.exit(bool(done["differing"]))


if __name__ == "__main__":
    main()
