"""What a power cut may leave of a killed process: writes and names that were never synced are lost, in part or whole.

SQLite files are left alone, since SQLite syncs them itself; so are locks, and the file that shows progress, which says
nothing that counts. A file is safe where its last fsync came after its last change, a name where its folder was synced
after it was made. All else may be there, or not: drawn for each.
"""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_THEIRS = (".sqlite", "-wal", "-shm", ".lock")
_KEPT = {"told"}
"""What the campaign itself writes down."""


def lose_unsynced(template: Path, workspace: Path, log: Path, chance: random.Random) -> list[str]:
    """Damage ``workspace``, which was a copy of ``template``; what was done, by file."""
    records = [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
    done = []
    for path in list(_ours(workspace)):
        before = template / path.relative_to(workspace)
        if before.exists() and _is_same(before, path):
            continue
        if not _has_safe_name(path, before, records) and chance.random() < 0.5:
            done.append(f"undone {path.relative_to(workspace)}")
            path.unlink()
            if before.exists():
                shutil.copy2(before, path)
        elif not _is_synced(path, records) and chance.random() < 0.7:
            done.append(f"{_tear(path, chance)} {path.relative_to(workspace)}")
    return done


def _ours(workspace: Path) -> Iterator[Path]:
    for path in sorted(workspace.rglob("*")):
        if path.is_file() and not path.is_symlink() and not path.name.endswith(_THEIRS) and path.name not in _KEPT:
            yield path


def _is_same(before: Path, path: Path) -> bool:
    return before.stat().st_mtime_ns == path.stat().st_mtime_ns and before.stat().st_size == path.stat().st_size


def _is_synced(path: Path, records: list[dict[str, Any]]) -> bool:
    """Whether an fsync of this file saw it as it is now."""
    state = path.stat()
    seen = [one for one in records if one.get("kind") == "fsync" and one["inode"] == state.st_ino]
    return any((one["size"], one["changed_ns"]) == (state.st_size, state.st_mtime_ns) for one in seen)


def _has_safe_name(path: Path, before: Path, records: list[dict[str, Any]]) -> bool:
    """Whether the folder was synced after this name was given. A file that was changed in place had it before."""
    named = [
        place
        for place, one in enumerate(records)
        if one.get("kind") in {"replace", "rename", "link"} and _leads_to(Path(one["path"]), path)
    ]
    if not named and before.exists():
        return True
    last = named[-1] if named else 0
    folders = {str(path.parent), *(str(Path(records[place]["path"]).parent) for place in named)}
    return any(one.get("kind") == "fsync" and one["path"] in folders for one in records[last:])


def _leads_to(given: Path, path: Path) -> bool:
    """Whether a rename to ``given`` gave ``path`` its name: it, or a folder that it is in."""
    return given == path or given in path.parents


def _tear(path: Path, chance: random.Random) -> str:
    """Cut a file, or leave zeros where its end was; how."""
    size = path.stat().st_size
    keep = chance.choice((0, chance.randint(0, size)))
    content = path.read_bytes()[:keep]
    if chance.random() < 0.5:
        path.write_bytes(content + bytes(size - keep))
        return f"{size - keep} zeros in"
    path.write_bytes(content)
    return f"{size - keep} bytes cut of"
