"""Makes the search index from the tables, beside the one in use, and switches to it in one step.

``<version>/`` holds creators.arrow, scopes.arrow and alive.npy (columns), words.* and tokens (texts), tantivy/, and the
files of each vector field. The index is derived: it can be deleted at any time and made again. Where few creators
changed since the index in use, it is copied and those are written again at the end of each file; their old rows are no
longer in use.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from igtool.errors import IgtoolError, IntegrityError, LockedError
from igtool.files import WriterLock
from igtool.lake import Lake, Reader
from igtool.search.columns import Columns, write_columns
from igtool.search.folder import (
    checked_manifest,
    current_index,
    current_name,
    index_is_current,
    write_manifest,
    written,
)
from igtool.search.keywords import Keywords, KeywordWriter
from igtool.search.score import VECTOR_FIELDS
from igtool.search.tables import (
    EVERYBODY,
    READ,
    Chosen,
    creators_of,
    fingerprints,
    model_of,
    scopes_of,
    texts_of,
    vectors_of,
)
from igtool.search.texts import FIELDS
from igtool.search.vectors import add_vectors, write_vectors

MOST_CHANGED = 0.05
"""Up to this share of creators, changed, new or gone, an index is renewed; above, it is built from nothing."""
_MOST_UNUSED = 0.2
_PART = 200_000
"""Creators whose texts are put together at once."""

Rows = NDArray[np.int64]


@dataclass(frozen=True)
class BuildResult:
    """What was built: ``skipped`` when this version was already in use. ``vectors`` counts them by field.

    ``renewed``: how many creators were written, when the others could be taken from the index before.
    """

    version: str
    skipped: bool
    creators: int
    vectors: dict[str, int] = field(default_factory=dict)
    size_bytes: int = 0
    renewed: int | None = None


@dataclass(frozen=True)
class _Change:
    """What became of creators since an index was built; ``gone`` are rows, the others ids."""

    new: list[str]
    changed: list[str]
    unused: Rows


def build_index(
    reader: Reader,
    folder: Path,
    *,
    version: str,
    snapshot: int = 0,
    force: bool = False,
    is_still: Callable[[], bool] = lambda: True,
) -> BuildResult:
    """Build ``folder/<version>`` from the tables and make it the one in use; the one before is kept, older go.

    ``snapshot``: the commit of the lake that is read. Nothing happens when that version is in use and whole. ``force``
    builds from nothing. ``is_still``: whether the tables are what they were at the beginning, on which queries count.
    Raises LockedError (they are not), UsageError (a version that is no file name), ConfigError (vectors of several
    models), IntegrityError (vectors of several sizes), StorageError.
    """
    if index_is_current(folder, version):
        return _result(checked_manifest(folder / version), skipped=True)
    model = model_of(reader)
    known = fingerprints(reader)
    base = None if force else _base(folder, model)
    with written(folder, version) as place:
        contents = _renew(reader, place, base, known) if base else None
        if contents is None:
            contents = _build(reader, place, known)
        if not is_still():
            raise LockedError("the tables changed while the search index was built: run the same command again")
        described = {"version": version, "snapshot": snapshot, "model": model, **contents}
        manifest = write_manifest(place, described)
    return _result(manifest, skipped=False)


def is_fresh(lake: Lake, folder: Path) -> bool:
    """Whether the index in use is whole and no table that it shows has changed since it was built."""
    name = current_name(folder)
    if name is None or not name.startswith(lake.lake_id[:8]) or not index_is_current(folder, name):
        return False
    snapshot = int(checked_manifest(folder / name)["snapshot"])
    return snapshot <= lake.snapshot and not lake.changed_since(snapshot) & set(READ)


def renew_index(lake: Lake, folder: Path, *, label: str, force: bool = False) -> BuildResult:
    """Bring the index of ``folder`` up to the newest commit of ``lake``; ``force`` builds it from nothing.

    ``label`` tells this version from another one of the same commit. Raises LockedError when another process is at it,
    and what ``build_index`` raises.
    """
    lock = WriterLock(folder / "index.lock", "the search index")
    try:
        snapshot = lake.snapshot
        version = f"{lake.lake_id[:8]}-{snapshot}"
        if force or (folder / version).exists():
            version += f"-{label}"
        return build_index(
            lake,
            folder,
            version=version,
            snapshot=snapshot,
            force=force,
            is_still=lambda: not lake.changed_since(snapshot) & set(READ),
        )
    finally:
        lock.release()


def _result(manifest: dict[str, Any], *, skipped: bool) -> BuildResult:
    size = sum(entry["bytes"] for entry in manifest["files"].values())
    return BuildResult(
        manifest["version"], skipped, manifest["creators"], manifest["vectors"], size, manifest.get("renewed")
    )


def _base(folder: Path, model: str | None) -> Path | None:
    """The index in use if it can be renewed: whole, and of the same model."""
    try:
        path = current_index(folder)
        manifest = checked_manifest(path)
    except IgtoolError:
        return None
    return path if manifest["model"] == model else None


def _build(reader: Reader, folder: Path, known: pa.Table) -> dict[str, Any]:
    """All files of an index; what its manifest says of them."""
    creators = creators_of(reader, EVERYBODY)
    ids = creators["creator_id"]
    scopes = _with_rows(scopes_of(reader, EVERYBODY), ids, np.arange(len(ids)))
    write_columns(folder, creators, _fingerprints_of(ids, known), scopes)
    np.save(folder / "alive.npy", np.ones(len(ids), dtype=bool))
    with ThreadPoolExecutor(1) as other:
        vectors = other.submit(_write_all_vectors, reader, folder, len(ids))
        writer = KeywordWriter(folder)
        for start in range(0, len(ids), _PART):
            part = ids[start : start + _PART]
            chosen = Chosen(first=part[0].as_py(), last=part[-1].as_py())
            _add_texts(reader, writer, chosen, start)
        writer.finish(len(ids))
    return {"creators": len(ids), **vectors.result()}


def _write_all_vectors(reader: Reader, folder: Path, count: int) -> dict[str, Any]:
    """The files of every vector field of ``count`` creators; what the manifest says of them."""
    counts: dict[str, int] = {}
    dimension: int | None = None
    for name in VECTOR_FIELDS:
        rows, vectors = vectors_of(reader, name, count, EVERYBODY)
        if len(rows):
            dimension = _one_size(dimension, vectors, name)
            write_vectors(folder, name, rows, vectors)
            counts[name] = len(rows)
    return {"dimension": dimension, "vectors": counts}


def _renew(reader: Reader, folder: Path, base: Path, known: pa.Table) -> dict[str, Any] | None:
    """The index ``base`` with what changed since; None when so much changed that it is to be built from nothing."""
    columns = Columns(base)
    change = _changes(columns, known)
    touched = len(change.new) + len(change.unused)
    unused = int((~columns.alive).sum()) + len(change.unused)
    if touched > MOST_CHANGED * known.num_rows or unused > _MOST_UNUSED * known.num_rows:
        return None
    _copy(base, folder)
    keywords = Keywords(base, columns.alive)
    chosen = Chosen(sorted(change.new + change.changed))
    creators, scopes = creators_of(reader, chosen), scopes_of(reader, chosen)
    rows = columns.count + np.arange(len(creators))
    count = columns.count + len(creators)
    alive = np.ones(count, dtype=bool)
    alive[: columns.count] = columns.alive
    alive[change.unused] = False
    _renew_columns(folder, columns, creators, scopes, rows, known)
    np.save(folder / "alive.npy", alive)
    writer = KeywordWriter(folder, keywords)
    writer.remove(change.unused)
    _add_texts(reader, writer, chosen, columns.count)
    writer.finish(count)
    return {
        "creators": int(alive.sum()),
        "renewed": len(creators),
        **_renew_vectors(reader, folder, checked_manifest(base), chosen, rows, alive),
    }


def _changes(columns: Columns, known: pa.Table) -> _Change:
    rows = np.flatnonzero(columns.alive)
    there = columns.creators["creator_id"].take(pa.array(rows))
    printed = columns.creators["fingerprint"].take(pa.array(rows))
    place = pc.index_in(there, value_set=known["creator_id"])
    now = known["fingerprint"].take(place)
    same = pc.fill_null(pc.equal(printed, now), False).to_numpy(zero_copy_only=False)
    gone = pc.is_null(place).to_numpy(zero_copy_only=False)
    is_new = pc.is_null(pc.index_in(known["creator_id"], value_set=there))
    return _Change(
        new=known["creator_id"].filter(is_new).to_pylist(),
        changed=there.filter(pa.array(~same & ~gone)).to_pylist(),
        unused=rows[~same | gone],
    )


def _copy(base: Path, folder: Path) -> None:
    """The files of ``base`` that are added to; tantivy never changes a file that it has written."""
    (folder / "tantivy").mkdir()
    for path in base.iterdir():
        if path.is_file() and path.name != "manifest.json":
            shutil.copyfile(path, folder / path.name)
    for path in (base / "tantivy").iterdir():
        if path.suffix == ".json":
            shutil.copyfile(path, folder / "tantivy" / path.name)
        elif path.suffix != ".lock":
            os.link(path, folder / "tantivy" / path.name)


def _renew_columns(
    folder: Path, columns: Columns, creators: pa.Table, scopes: pa.Table, rows: Rows, known: pa.Table
) -> None:
    shown = [name for name in columns.creators.column_names if name != "fingerprint"]
    before = columns.creators.select(shown)
    for place, name in enumerate(shown):
        if pa.types.is_dictionary(before[name].type):
            before = before.set_column(place, name, before[name].cast(pa.string()))
    both = pa.concat_tables([before, creators.select(shown).cast(before.schema)])
    ids = creators["creator_id"]
    prints = pa.concat_arrays(
        [columns.creators["fingerprint"].combine_chunks(), _fingerprints_of(ids, known).combine_chunks()]
    )
    added = _with_rows(scopes, ids, rows)
    write_columns(folder, both, prints, pa.concat_tables([columns.scopes, added.cast(columns.scopes.schema)]))


def _renew_vectors(
    reader: Reader, folder: Path, before: dict[str, Any], chosen: Chosen, rows: Rows, alive: NDArray[np.bool_]
) -> dict[str, Any]:
    counts: dict[str, int] = {}
    dimension = before["dimension"]
    for name in VECTOR_FIELDS:
        places, vectors = vectors_of(reader, name, len(rows), chosen)
        if len(places):
            dimension = _one_size(dimension, vectors, name)
            (add_vectors if name in before["vectors"] else write_vectors)(folder, name, rows[places], vectors)
        if (folder / f"{name}.rows.npy").exists():
            stored = np.load(folder / f"{name}.rows.npy")
            counts[name] = int(alive[stored].sum())
    return {"dimension": dimension, "vectors": counts}


def _one_size(dimension: int | None, vectors: NDArray[np.float32], name: str) -> int:
    if dimension not in (None, vectors.shape[1]):
        raise IntegrityError(f"the stored vectors of {name} differ in size: run `igtool run embed --force`")
    return int(vectors.shape[1])


def _add_texts(reader: Reader, writer: KeywordWriter, chosen: Chosen, first: int) -> None:
    """Searched texts of the chosen creators, whose rows begin at ``first``."""
    for batch in texts_of(reader, chosen):
        rows = first + batch.column("place").to_numpy()
        writer.add(rows, batch.column("facts").to_pylist(), {name: batch.column(name) for name in FIELDS})


def _with_rows(scopes: pa.Table, ids: Any, rows: Rows) -> pa.Table:
    """``scopes`` with the column ``row`` in place of the creator's id."""
    places = pc.index_in(scopes["creator_id"], value_set=ids).to_numpy()
    return scopes.drop_columns("creator_id").append_column("row", pa.array(rows[places.astype(np.int64)]))


def _fingerprints_of(ids: Any, known: pa.Table) -> Any:
    return known["fingerprint"].take(pc.index_in(ids, value_set=known["creator_id"]))
