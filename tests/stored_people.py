"""A small workspace in which every store holds something: two accounts, everything made of them, what people typed."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from igtool.lake import Lake
from igtool.lake_sql import quote
from igtool.pictures.store import PictureStore
from igtool.pipeline import run_stages
from igtool.session import open_session
from igtool.settings import Settings, load

NOW = datetime(2026, 10, 1, 12, tzinfo=UTC)
PICTURE = b"\xff\xd8\xff" + bytes(range(256)) * 8


def answer_row(number: int, at: datetime = NOW) -> dict[str, Any]:
    """A raw answer about an account with two posts."""
    posts = [
        {
            "node": {
                "id": f"{number}0{n}",
                "edge_media_to_caption": {"edges": [{"node": {"text": f"slow bread {n} with seeds"}}]},
                "edge_media_preview_like": {"count": 10 * n},
                "taken_at_timestamp": int(at.timestamp()) - n * 86_400,
            }
        }
        for n in (1, 2)
    ]
    user = {"id": str(number), "username": f"invented.baker{number}", "biography": f"bread and tea {number}"}
    user |= {"full_name": f"Baker {number}", "edge_followed_by": {"count": 1000 * number}}
    user |= {"edge_owner_to_timeline_media": {"edges": posts}}
    body = json.dumps({"data": {"user": user}})
    summed = hashlib.sha256(body.encode()).hexdigest()
    row = {"answer_id": f"a{number}", "source": "files", "endpoint": "f", "body": body, "sha256": summed}
    return row | {"fetched_at": at, "outcome": "ok"}


def fill(settings: Settings, numbers: range, at: datetime = NOW) -> None:
    """Put answers and words of people into the workspace, and run the stages."""
    with open_session(settings, "test", lambda: False) as session:
        lake = session.lake
        with lake.transaction():
            lake.append_new("raw_responses", [answer_row(number, at + timedelta(hours=number)) for number in numbers])
        with lake.transaction():
            lake.merge("watchlist", [{"watch_id": f"w:{n}", "list_name": "w", "handle": f"h{n}"} for n in range(50)])
        run_stages(session)
        lake.upkeep(least_commits=0)


def make_workspace(folder: Path) -> Settings:
    """The workspace in ``folder``, made; `Settings` of it."""
    (folder / "models").mkdir(parents=True)
    (folder / "igtool.toml").write_text("picture_stills = 0\n")
    settings = load(folder, processes=1)
    fill(settings, range(1, 9))
    PictureStore(folder / "cache" / "images").put(hashlib.sha256(PICTURE).hexdigest(), PICTURE)
    return settings


def copied(settings: Settings, folder: Path) -> Settings:
    """The workspace copied to ``folder`` with all times of change, which seals are known by."""
    shutil.copytree(settings.workspace, folder)
    return load(folder, processes=1)


def state(settings: Settings, tables: tuple[str, ...]) -> dict[str, list[str]]:
    """Rows of ``tables`` as text, sorted."""
    with Lake(settings.data, writable=False) as lake:
        return {name: sorted(map(repr, lake.rows(f"from {quote(name)}"))) for name in tables}


def in_place(path: Path, change: Callable[[bytearray], None]) -> None:
    """Change bytes of a file as a failing disk does: its time of change stays."""
    before = path.stat()
    content = bytearray(path.read_bytes())
    change(content)
    path.write_bytes(content)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def flip_a_bit(content: bytearray) -> None:
    """One bit in the middle."""
    content[len(content) // 2] ^= 8
