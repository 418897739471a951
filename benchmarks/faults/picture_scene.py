"""The work on pictures: downloading, measuring, tagging, and asking a model about the uncertain."""

from __future__ import annotations

import hashlib
import json
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from benchmarks.faults.scenes import Scene

ROOT = Path(__file__).parents[2]
LOOKING = ROOT / "models" / "nanodet.onnx"
"""One of the models that look at pictures, which `make vision` brings."""
ACCOUNTS, PICTURES = 3, 3
STAGES = ("images", "image_vectors", "tag", "image_verdicts")
TABLES = (
    "media", "image_facts", "image_vectors", "image_tags", "image_verdicts", "creator_tags", "llm_answers",
)  # fmt: skip


def photographs() -> dict[str, bytes]:
    """Picture files by path: soft shapes, of which none is like any other."""
    import numpy as np
    from PIL import Image

    found = {}
    for seed in range(ACCOUNTS * PICTURES):
        small = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), dtype=np.uint8)
        file = BytesIO()
        Image.fromarray(small).resize((360, 450), Image.Resampling.BICUBIC).save(file, "JPEG", quality=90)
        found[f"/{seed}.jpg"] = file.getvalue()
    return found


def prepare(workspace: Path, world: dict[str, str]) -> None:
    """Accounts that show pictures, their creators, a tiny tower whose texts make many tags uncertain, and models.

    Models that look at pictures are the real ones, where `make vision` has brought them.
    """
    import numpy as np
    from picture_server import account, item
    from tiny_tower import DIMENSION, write_tower

    from igtool.lake import Lake
    from igtool.vision.prompts import wanted_prompts
    from igtool.vocabulary import tags

    models = workspace / "models"
    models.mkdir(parents=True)
    for file in (ROOT / "models").iterdir():
        if file.suffix in {".onnx", ".tflite"} or file.name == "models.toml":
            (models / file.name).symlink_to(file)
    chance = np.random.default_rng(3)
    write_tower(models, {text: chance.normal(size=DIMENSION) for text in wanted_prompts(tags.shipped())}, scale=4.0)
    urls = [world["pictures"] + path for path in photographs()]
    with Lake(workspace / "data", writable=True) as lake, lake.transaction():
        people = range(1, ACCOUNTS + 1)
        lake.merge("accounts", [account(number) for number in people])
        lake.merge("content_items", [item(n, n % ACCOUNTS + 1, [url], n) for n, url in enumerate(urls)])
        lake.merge("creators", [{"creator_id": f"c{number}", "canonical_handle": f"c{number}"} for number in people])
        links = [{"account_id": f"instagram:{n}", "creator_id": f"c{n}", "rule": "pinned"} for n in people]
        lake.merge("creator_links", links)


def check(workspace: Path) -> list[str]:
    """Files whose bytes are not those of their name, and histories of tags with a gap."""
    files = [path for path in (workspace / "cache" / "images").glob("*/*") if not path.name.startswith(".")]
    torn = [path.name for path in files if hashlib.sha256(path.read_bytes()).hexdigest() != path.name]
    wrong = [f"torn pictures: {len(torn)}"] if torn else []
    return wrong + ([] if _tells_the_truth(workspace) else ["the history of a tag has a gap"])


def _tells_the_truth(workspace: Path) -> bool:
    """Whether the history of every tag goes from one state to the next without a gap, and ends with what there is.

    It may have more steps than that of an undisturbed run: a killed one leaves what half of the answers say.
    """
    from igtool.lake import Lake

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


def pictures() -> Scene:
    """The scene."""
    from benchmarks.faults.scenes import ASKED, Scene, command
    from benchmarks.faults.tables import Compared

    return Scene(
        "pictures",
        prepare,
        command("run", *(["picture_facts"] if LOOKING.exists() else []), *STAGES),
        servers=("pictures", "model"),
        environment={
            "IGTOOL_ALLOW_LOOPBACK": "true",
            "IGTOOL_PICTURE_PROVIDER": "ollama",
            "IGTOOL_PICTURE_MODEL": "eye",
            "IGTOOL_PICTURE_BASE_URL": "{model}/v1",
            "IGTOOL_PICTURES_PER_SECOND": "100",
            "IGTOOL_STAGE_BATCH_SIZE": "4",
        },
        compared=Compared(TABLES, ASKED, moments=False),
        in_flight=ACCOUNTS * PICTURES,  # they all fit one batch
        check=check,
    )
