"""A lake with invented raw answers, as a night of fetching leaves it."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from pyarrow.parquet import read_metadata

from benchmarks.normalize_bodies import NIGHT, Profiles, mean_shares
from igtool.lake import Lake
from igtool.schema import SCHEMA_VERSION

COMMIT = 2_500
"""Answers in one commit, and so in one Parquet file."""
NIGHT_S = 8 * 3600


@dataclass(frozen=True)
class Raw:
    """A lake of raw rows: in ``folder``, the Parquet ``files`` of its raw rows, and how much is in them."""

    folder: Path
    files: list[str]
    profiles: int
    posts: int
    json_bytes: int
    disk_bytes: int
    shares: dict[str, float]

    def copy(self, workspace: Path) -> None:
        """A workspace with this lake; data files are linked, for nothing ever changes them."""
        shutil.copytree(self.folder / "data", workspace / "data", copy_function=_linked)

    def first(self, profiles: int) -> tuple[list[str], int]:
        """As many whole files as hold ``profiles`` rows, at least two, and how many rows they hold."""
        chosen: list[str] = []
        rows = 0
        for name in self.files:
            if rows >= profiles and len(chosen) > 1:
                break
            chosen.append(name)
            rows += read_metadata(name).num_rows
        return chosen, rows

    def described(self) -> dict[str, Any]:
        """The figures for the report."""
        return {
            "profiles": self.profiles,
            "posts": self.posts,
            "json_mb": round(self.json_bytes / 1e6, 1),
            "disk_mb": round(self.disk_bytes / 1e6, 1),
            "mean_body": self.shares,
        }


def _linked(source: str, target: str) -> None:
    (os.link if source.endswith(".parquet") else shutil.copy2)(source, target)


def prepare(folder: Path, profiles: int, body_kb: tuple[float, float], seed: int) -> Raw:
    """The raw lake of that many profiles in ``folder``: the one that is there already, or a new one."""
    place = folder / f"raw{SCHEMA_VERSION}-{profiles}-{body_kb[0]:g}-{body_kb[1]:g}-{seed}"
    known = place / "raw.json"
    if known.exists():
        found = json.loads(known.read_bytes())
        return Raw(**found | {"folder": place, "files": [str(place / "data" / name) for name in found["files"]]})
    shutil.rmtree(place, ignore_errors=True)
    made = _make(place, profiles, Profiles(seed, body_kb))
    known.write_text(json.dumps(asdict(made), default=str))
    return prepare(folder, profiles, body_kb, seed)


def _make(place: Path, profiles: int, bodies: Profiles) -> Raw:
    """Commit after commit of raw rows; of few profiles there are at least four commits, for two processes to share."""
    place.mkdir(parents=True)
    posts = size = 0
    commit = min(COMMIT, -(-profiles // 4))
    with Lake(place / "data", writable=True) as lake:
        for start in range(0, profiles, commit):
            rows = []
            for number in range(start, min(start + commit, profiles)):
                body, count = bodies.body(number)
                rows.append(_row(bodies.handle(number), body, number / profiles))
                posts += count
                size += len(body)
            with lake.transaction():
                lake.append_new("raw_responses", rows)
        files = [name for name in lake.live_files() if "/raw_responses/" in name]
    disk = sum((place / "data" / name).stat().st_size for name in files)
    return Raw(place, files, profiles, posts, size, disk, mean_shares(bodies, min(profiles, 200)))


def _row(handle: str, body: bytes, share_of_night: float) -> dict[str, Any]:
    """A row as the fetcher writes it for an answer of the source instagram_web."""
    digest = hashlib.sha256(body).hexdigest()
    moment = datetime.fromtimestamp(NIGHT, UTC) + timedelta(seconds=share_of_night * NIGHT_S)
    return {
        "answer_id": hashlib.sha256(f"{handle} {moment} {digest}".encode()).hexdigest(),
        "source": "instagram_web",
        "endpoint": "web_profile_info",
        "subject": handle,
        "status": 200,
        "outcome": "ok",
        "body": body.decode(),
        "sha256": digest,
        "fetched_at": moment,
    }
