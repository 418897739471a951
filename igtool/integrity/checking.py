"""Everything that ``igtool verify`` looks at, each thing that is wrong with its name and what to type."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from igtool import auditing, models
from igtool.errors import ConfigError, IgtoolError, IntegrityError, LockedError, StorageError, UsageError
from igtool.files import held
from igtool.integrity.catalog import (
    CatalogFile,
    catalog_files,
    catalog_snapshot,
    changed_tables,
    data_path_of,
    files_of,
    scheduled,
)
from igtool.integrity.files import Checked, check_files
from igtool.integrity.mending import BEGUN
from igtool.integrity.references import broken
from igtool.journal import Journal, LakeFile
from igtool.journal.sqlite_files import problems_of, rows_of, seal_state, sealed_as
from igtool.lake import Lake
from igtool.lake_catalogs import CATALOG, COPY
from igtool.lake_files import FILES_LOCK
from igtool.lake_migrations import read_marker
from igtool.lake_stores import FolderStore, Store, check_data_path
from igtool.search.folder import checked_manifest, current_index
from igtool.settings import Settings

REPAIR = "igtool verify --repair"
_SAMPLE = 200
_PATIENCE_S = 30.0


@dataclass(frozen=True)
class Finding:
    """One thing: in which store, what of it, what is wrong, what to type. ``is_damage`` false: good to know."""

    store: str
    name: str
    problem: str
    fix: str = REPAIR
    is_damage: bool = True


@dataclass
class Report:
    """What was found, and how much was looked at, by kind; ``files`` are those of the lake that are damaged."""

    findings: list[Finding] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    files: list[Checked] = field(default_factory=list)

    @property
    def damage(self) -> list[Finding]:
        """What is wrong."""
        return [finding for finding in self.findings if finding.is_damage]

    def stores(self) -> set[str]:
        """The stores in which something is wrong."""
        return {finding.store for finding in self.damage}


def verify(settings: Settings, *, quick: bool = False) -> Report:
    """Look at everything that is stored; ``quick``: sizes and footers instead of every byte, some of the pictures.

    Nothing is changed but that checksums which a crash lost are noted. Raises UsageError where there is nothing yet,
    ConfigError for a lake of another version, StorageError.
    """
    folder = settings.data.resolve()
    if not settings.lake.is_made and not (folder / CATALOG).exists():
        raise UsageError(f"there is no creator database in {folder.parent}: make one with `igtool enrich CSV`")
    report = Report()
    with held(folder / FILES_LOCK, shared=True, patience_s=_PATIENCE_S):
        if (folder / BEGUN).exists():
            report.findings.append(Finding("repair", BEGUN, "a repair was killed before it was done"))
        report.findings += _journal(settings.cache / "journal.sqlite", quick=quick)
        if settings.lake.catalog is None:
            report.findings += _catalog(folder, quick=quick)
        if not report.stores() & {"catalog", "marker"}:
            _lake(settings, report, quick=quick)
    for look in (_index, _models, _images):
        report.findings += look(settings, report, quick)
    return report


def _journal(path: Path, *, quick: bool) -> Iterator[Finding]:
    if not path.exists():
        if sealed_as(path) is not None:
            yield Finding("journal", path.name, "is missing")
        return
    state = seal_state(path)
    if state == "damaged":
        yield Finding("journal", path.name, "differs from what its last writer left (SHA-256)")
        return
    if state == "unsealed" and path.stat().st_size == 0:
        yield Finding("journal", path.name, "is empty")
        return
    if problems := problems_of(path, quick=quick):
        yield Finding("journal", path.name, f"SQLite finds: {'; '.join(problems)}")
        return
    try:
        with Journal(path.parent, writable=False):
            answers = rows_of(path, "select answer_id, body, sha256 from answers")
    except LockedError:
        yield Finding("journal", path.name, "is locked by another process and was not read", "", is_damage=False)
        return
    except IgtoolError as error:
        yield Finding("journal", path.name, str(error))
        return
    for answer_id, body, told in answers:
        if hashlib.sha256(body).hexdigest() != told:
            yield Finding("journal", f"answer {answer_id}", "the body is not what came: its SHA-256 differs")


def _catalog(folder: Path, *, quick: bool) -> Iterator[Finding]:
    """The marker, the seal, what SQLite says, and whether the catalog is an older one."""
    path = folder / CATALOG
    try:
        read_marker(folder)
    except IntegrityError as error:
        yield Finding("marker", "lake.json", str(error))
    if not (folder / "lake.json").exists() and sealed_as(path) is None:
        yield Finding("marker", "lake.json", "is missing")
    if not path.exists():
        yield Finding("catalog", CATALOG, "is missing")
        return
    state = seal_state(path)
    if state == "damaged":
        yield Finding("catalog", CATALOG, "differs from what its last writer left (SHA-256)")
        return
    if problems := problems_of(path, quick=quick):
        yield Finding("catalog", CATALOG, f"SQLite finds: {'; '.join(problems)}")
        return
    try:
        snapshot = catalog_snapshot(path)
        catalog_files(folder)
        changed = [] if state == "sealed" or (folder / BEGUN).exists() else _changed(path)  # a repair changes rows
    except LockedError:
        yield Finding("catalog", CATALOG, "is locked by another process and was not read", "", is_damage=False)
        return
    except IgtoolError as error:
        yield Finding("catalog", CATALOG, str(error))
        return
    newest = (sealed_as(path) or {}).get("snapshot", snapshot)
    if snapshot < newest:
        yield Finding("catalog", CATALOG, f"is an older one: it knows commit {snapshot} of {newest}")
    elif changed:
        yield Finding("catalog", CATALOG, f"rows that no commit changed differ from its copy: {', '.join(changed)}")
    elif state != "sealed":
        yield Finding(
            "catalog",
            CATALOG,
            "is in use, or its last writer was killed: there is no SHA-256 of it, only its structure was checked",
            "igtool run",
            is_damage=False,
        )


def _changed(path: Path) -> list[str]:
    """`changed_tables` against the copy beside the catalog; nothing where that is not the one that was sealed."""
    copy, told = path.with_name(COPY), sealed_as(path)
    if told is None or not copy.is_file():
        return []
    with copy.open("rb") as file:
        is_sealed = hashlib.file_digest(file, "sha256").hexdigest() == told["sha256"]
    return changed_tables(path, copy) if is_sealed else []


def _lake(settings: Settings, report: Report, *, quick: bool) -> None:
    """Files first; what is all here is looked at before it is opened."""
    if settings.lake.is_usual:
        folder = settings.data.resolve()
        check_data_path(data_path_of(folder))
        _files(settings, report, str(read_marker(folder)["lake_id"]), FolderStore(folder), catalog_files(folder), quick)
        report.findings += _orphans(folder)
    with ExitStack() as opened:
        if not settings.lake.is_usual:
            lake = opened.enter_context(Lake(settings.lake, writable=False, offline=settings.offline))
            _files(settings, report, lake.lake_id, lake.store, files_of(lake), quick)
            report.findings += _lost(lake.orphans())
        if report.files:
            return
        if settings.lake.is_usual:
            lake = opened.enter_context(Lake(settings.lake, writable=False, offline=settings.offline))
        report.findings += _tables(lake, quick=quick)
        if not quick and not report.stores() & {"journal", "tables"}:
            report.findings += _audit_log(lake, settings)


def _files(
    settings: Settings, report: Report, lake_id: str, store: Store, listed: list[CatalogFile], quick: bool
) -> None:
    files = [file for file in listed if file.is_live]
    recorded = {} if "journal" in report.stores() else _recorded(settings, lake_id)
    checked = check_files(store, files, recorded, quick=quick)
    report.counts["lake files"] = len(files)
    report.files = [one for one in checked if one.problem]
    report.findings += [
        Finding("lake", one.file.path, f"{one.problem} ({one.file.table}, {one.file.rows} rows)")
        for one in report.files
    ]
    adopted = [one.adopted for one in checked if one.adopted is not None]
    if adopted and "journal" not in report.stores():
        with suppress(LockedError), Journal(settings.cache, writable=True) as journal:
            journal.record_lake_files(lake_id, adopted)


def _tables(lake: Lake, *, quick: bool) -> Iterator[Finding]:
    try:
        for one in broken(lake, quick=quick):
            problem = f"{one.rows} rows: {one.what}"
            yield Finding("tables", one.table, problem, REPAIR if one.is_damage else "", one.is_damage)
    except IntegrityError as error:
        yield Finding("tables", "reading", str(error))


def _audit_log(lake: Lake, settings: Settings) -> Iterator[Finding]:
    """What the chain of hashes tells beyond damage, which is found elsewhere: that somebody changed the log."""
    try:
        with Journal(settings.cache, writable=False) as journal:
            found = auditing.verify(lake, journal)
    except IntegrityError as error:
        yield Finding("tables", "audit_log", str(error))
        return
    if found.problem is not None:
        yield Finding("audit log", f"entry {found.entry_number}", found.problem, "igtool audit verify", is_damage=False)


def _recorded(settings: Settings, lake_id: str) -> dict[str, LakeFile]:
    with Journal(settings.cache, writable=False) as journal:
        return journal.lake_files(lake_id)


def _orphans(folder: Path) -> Iterator[Finding]:
    """Files that no catalog names: of what was never committed, or of a run that is under way."""
    known = {file.path for file in catalog_files(folder)} | scheduled(folder)
    there = {path.relative_to(folder).as_posix() for path in (folder / "main").rglob("*.parquet")}
    yield from _lost(there - known)


def _lost(names: Iterable[str]) -> Iterator[Finding]:
    if lost := sorted(names):
        problem = f"{len(lost)} files that nothing names, of commits that never were"
        yield Finding("lake", lost[0], problem, "igtool gc", is_damage=False)


def _index(settings: Settings, report: Report, quick: bool) -> Iterator[Finding]:
    folder = settings.data / "index"
    try:
        index = current_index(folder)
    except UsageError:
        if any(path.is_dir() for path in folder.glob("*")):
            yield Finding("index", "current", "does not name an index", "igtool run index")
        return
    try:
        manifest = checked_manifest(index, thoroughly=not quick)
    except IntegrityError as error:
        yield Finding("index", index.name, str(error), "igtool run index")
        return
    report.counts["index files"] = len(manifest["files"])
    if report.stores() & {"catalog", "marker"}:
        return
    if int(manifest["snapshot"]) > _snapshot(settings):
        yield Finding("index", index.name, "is of a newer commit than the tables", "igtool run index")


def _snapshot(settings: Settings) -> int:
    if settings.lake.catalog is None:
        return catalog_snapshot(settings.data / CATALOG)
    with Lake(settings.lake, writable=False, offline=settings.offline) as lake:
        return lake.snapshot


def _models(settings: Settings, report: Report, quick: bool) -> Iterator[Finding]:
    folder = settings.workspace / "models"
    try:
        known = models.known(folder)
    except (ConfigError, StorageError) as error:
        yield Finding("models", models.LOCAL, str(error), "mend the file, or delete it and add its models again")
        return
    for model in known.values():
        path = model.path(folder)
        if not path.is_file():
            continue
        report.counts["models"] += 1
        is_wrong = model.size not in (None, path.stat().st_size) if quick else models.state(model, folder) == "damaged"
        if is_wrong:
            fix = f"igtool models add {model.name}"
            yield Finding("models", model.name, f"{path.name} is not what models.toml says", fix)


def _images(settings: Settings, report: Report, quick: bool) -> Iterator[Finding]:
    """Pictures are named by their SHA-256; of a sample the one with the smallest names is as good as any."""
    paths = (path for path in sorted((settings.cache / "images").glob("??/*")) if not path.name.startswith("."))
    for path in islice(paths, _SAMPLE) if quick else paths:
        report.counts["pictures"] += 1
        with path.open("rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() != path.name:
                yield Finding("pictures", path.name, "is not the picture that it was (SHA-256)")
