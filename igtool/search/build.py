"""Makes the search index from the tables, beside the one in use, and switches to it in one step.

::

    <folder>/current            name of the version in use
    <folder>/<version>/         manifest.json, creators.arrow, scopes.arrow, keywords/,
                                <field>.faiss and <field>.rows.npy for each field

The index is derived: it can be deleted at any time and made again.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from igtool.errors import ConfigError, IntegrityError, UsageError
from igtool.files import fsync, replaced, storage_error
from igtool.lake import Reader
from igtool.search.keywords import write_keywords
from igtool.search.score import VECTOR_FIELDS
from igtool.search.vectors import write_vectors

INDEX_FORMAT = 1
"""Raised when the files below change shape; an index of another format is built again."""
RECENT_ITEMS = 20
"""Newest items of each account whose text is searched and whose rhythm is measured."""
_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_CURRENT = "current"
_BUILDING = ".building-"


@dataclass(frozen=True)
class BuildResult:
    """What was built: ``skipped`` when this version was already in use. ``vectors`` counts them by field."""

    version: str
    skipped: bool
    creators: int
    vectors: dict[str, int] = field(default_factory=dict)
    size_bytes: int = 0


# One row a creator; ``row`` is its position in every file of the index, in the order of creator_id.
_ROWS = """
    ordered as (select creator_id, row_number() over (order by creator_id) - 1 as "row" from creators),
    members as (
        select o."row", o.creator_id, a.*
        from ordered o join creator_links l using (creator_id) join accounts a using (account_id)
    ),
    recent as (
        select account_id, title_or_caption, description, published_at, content_id
        from content_items
        qualify row_number() over (partition by account_id order by published_at desc nulls last, content_id)
            <= {recent}
    )
"""

_CREATORS = """
    with {rows},
    texts as (
        select "row", list(handle order by followers_count desc nulls last, account_id)
                   filter (handle is not null) as handles,
               string_agg(distinct display_name, ' · ' order by display_name) as names,
               string_agg(bio, '\n' order by platform, account_id) as bio,
               string_agg(distinct category, ' · ' order by category) as category
        from members group by "row"
    ),
    captions as (
        select m."row", string_agg(concat_ws('\n', r.title_or_caption, left(r.description, 500)), '\n'
                   order by r.published_at desc nulls last, r.content_id) as captions
        from recent r join members m using (account_id) group by m."row"
    )
    select o."row", c.creator_id, c.canonical_handle as handle, c.name, c.platforms,
           c.language, c.country, n.primary_niche, n.secondary_niches, n.content_style, n.llm_summary as summary,
           t.handles, concat_ws(' · ', c.name, t.names) as names, t.bio, t.category, x.captions,
           concat_ws(' ', replace(n.primary_niche, '_', ' '),
               replace(array_to_string(n.secondary_niches, ' '), '_', ' '), replace(n.content_style, '_', ' '),
               array_to_string(p.content_topics, ' '), n.llm_summary) as topics
    from ordered o join creators c using (creator_id)
    left join texts t using ("row") left join captions x using ("row")
    left join niches n using (creator_id) left join profiles p using (creator_id)
    order by o."row"
"""

# One row for all accounts of a creator together (platform NULL) and one for those on each platform.
_SCOPES = """
    with {rows},
    rhythm as (
        select account_id, case when count(published_at) >= 3 and max(published_at) > min(published_at) then
                   (count(published_at) - 1) * 604800.0 / epoch(max(published_at) - min(published_at)) end
                   as posts_per_week
        from recent group by account_id
    ),
    seen as (
        select account_id, max(observed_at) as items_observed_at from content_items group by account_id
    ),
    numbers as (
        select m."row", m.platform, m.account_id, m.followers_count, e.engagement_rate, e.last_published_at,
               greatest(m.observed_at, s.items_observed_at) as observed_at, r.posts_per_week
        from members m left join engagement e using (account_id) left join rhythm r using (account_id)
        left join seen s using (account_id)
    )
    select "row", platform, sum(followers_count)::bigint as followers_count,
           first(engagement_rate order by followers_count desc nulls last, account_id)
               -- by followers; that of YouTube is by views, and the usual rates of score.py are not
               filter (engagement_rate is not null and platform = 'instagram') as engagement_rate,
           max(last_published_at) as last_published_at, max(observed_at) as observed_at,
           min(greatest(epoch(observed_at - last_published_at) / 86400.0, 0))
               filter (last_published_at is not null) as silent_days,
           sum(posts_per_week) as posts_per_week
    from numbers group by grouping sets (("row"), ("row", platform))
    order by "row", platform nulls first
"""

_FIELD_VECTORS = """
    with {rows}
    select m."row", e.vector from current_embeddings e join members m on m.account_id = e.owner_id
    where e.field = ? and e.vector is not null
    qualify row_number() over (
        partition by m."row" order by m.followers_count desc nulls last, m.account_id
    ) = 1
    order by m."row"
"""

_METADATA = [
    "creator_id",
    "handle",
    "name",
    "platforms",
    "language",
    "country",
    "primary_niche",
    "secondary_niches",
    "content_style",
    "summary",
]


def build_index(reader: Reader, folder: Path, *, version: str) -> BuildResult:
    """Build ``folder/<version>`` from the tables and make it the one in use; the one before is kept, older go.

    Nothing happens when that version is in use and whole. Raises UsageError (a version that is no file name),
    ConfigError (vectors of several models), IntegrityError (vectors of several sizes), StorageError.
    """
    if not _VERSION.fullmatch(version) or version == _CURRENT:
        raise UsageError(f"the index version {version!r} is no plain file name: use letters, digits, . _ -")
    if index_is_current(folder, version):
        return _result(checked_manifest(folder / version), skipped=True)
    before = _current_name(folder)
    model = _model(reader)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _remove(folder, keep={version, before})
        building = Path(tempfile.mkdtemp(prefix=_BUILDING, dir=folder))
        try:
            manifest = _write(reader, building, version, model)
            _put_in_place(building, folder / version)
        finally:
            shutil.rmtree(building, ignore_errors=True)
        with replaced(folder / _CURRENT) as file:
            file.write(f"{version}\n".encode())
        _remove(folder, keep={version, before})
    except OSError as error:
        raise storage_error(error, folder) from error
    return _result(manifest, skipped=False)


def _result(manifest: dict[str, Any], *, skipped: bool) -> BuildResult:
    size = sum(entry["bytes"] for entry in manifest["files"].values())
    return BuildResult(manifest["version"], skipped, manifest["creators"], manifest["vectors"], size)


def _model(reader: Reader) -> str | None:
    """The one model of all vectors; None without vectors."""
    models = reader.arrow("select distinct model from current_embeddings where vector is not null order by model")
    names = [str(name) for name in models["model"].to_pylist()]
    if len(names) > 1:
        raise ConfigError(
            f"the embeddings come from {len(names)} models ({', '.join(names)}), whose vectors cannot be "
            "compared: run `igtool run embed --force`"
        )
    return names[0] if names else None


def _write(reader: Reader, folder: Path, version: str, model: str | None) -> dict[str, Any]:
    creators = reader.arrow(_filled(_CREATORS))
    _save(creators.select(_METADATA), folder / "creators.arrow")
    _save(reader.arrow(_filled(_SCOPES)), folder / "scopes.arrow")
    write_keywords(folder / "keywords", _documents(creators))
    counts: dict[str, int] = {}
    dimension: int | None = None
    for name in VECTOR_FIELDS:
        rows, vectors = _vectors(reader.arrow(_filled(_FIELD_VECTORS), (name,)), name)
        if len(rows):
            if dimension not in (None, vectors.shape[1]):
                raise _bad_vectors(name)
            dimension = vectors.shape[1]
            write_vectors(folder, name, rows, vectors)
            counts[name] = len(rows)
    manifest = {
        "format": INDEX_FORMAT,
        "version": version,
        "model": model,
        "dimension": dimension,
        "creators": creators.num_rows,
        "vectors": counts,
        "files": _fingerprints(folder),
    }
    with replaced(folder / "manifest.json") as file:
        file.write(json.dumps({**manifest, "checksum": _checksum(manifest)}, indent=1).encode())
    return manifest


def _filled(query: str) -> str:
    return query.format(rows=_ROWS.format(recent=RECENT_ITEMS))


def _save(table: pa.Table, path: Path) -> None:
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)


def _documents(creators: pa.Table) -> Iterator[dict[str, Any]]:
    """Searched texts of each creator, as the keyword index takes them."""
    texts = creators.select(["row", "handle", "handles", "names", "bio", "category", "captions", "topics"])
    for batch in texts.to_batches(max_chunksize=5_000):
        for creator in batch.to_pylist():
            handle = creator.pop("handle")
            handles = creator["handles"] or ([handle] if handle else [])
            yield {**creator, "handles": list(dict.fromkeys(handles)), "name": creator["names"]}


def _vectors(table: pa.Table, name: str) -> tuple[Any, Any]:
    """Rows and their vectors as a float32 matrix. Raises IntegrityError if they are of several sizes or broken."""
    rows = table["row"].to_numpy().astype(np.int64)
    values = table["vector"].combine_chunks()
    if isinstance(values, pa.ChunkedArray):
        values = pa.concat_arrays(values.chunks) if values.num_chunks else pa.array([], type=values.type)
    flat = values.flatten().to_numpy(zero_copy_only=False).astype(np.float32, copy=False)
    lengths = np.diff(values.offsets.to_numpy())
    if len(rows) and ((lengths != lengths[0]).any() or lengths[0] == 0 or not np.isfinite(flat).all()):
        raise _bad_vectors(name)
    return rows, np.ascontiguousarray(flat.reshape(len(rows), -1) if len(rows) else flat.reshape(0, 0))


def _bad_vectors(name: str) -> IntegrityError:
    return IntegrityError(
        f"the stored vectors of {name} differ in size or are no numbers: run `igtool run embed --force`"
    )


def _files(folder: Path) -> list[Path]:
    """Files of an index, without the locks that a reader may leave."""
    return sorted(path for path in folder.rglob("*") if path.is_file() and path.suffix != ".lock")


def _fingerprints(folder: Path) -> dict[str, dict[str, Any]]:
    return {
        path.relative_to(folder).as_posix(): {"bytes": path.stat().st_size, "sha256": _sha256(path)}
        for path in _files(folder)
    }


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _checksum(manifest: dict[str, Any]) -> str:
    content = {name: value for name, value in manifest.items() if name != "checksum"}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _put_in_place(building: Path, target: Path) -> None:
    """Force all files to disk, then rename the folder. A damaged or unfinished ``target`` is replaced."""
    for path in _files(building):
        fsync(path)
    for path in (building, *(path for path in building.rglob("*") if path.is_dir())):
        fsync(path)
    building.chmod(0o755)
    if target.exists():
        shutil.rmtree(target)
    building.rename(target)
    fsync(target.parent)


def _remove(folder: Path, keep: set[str | None]) -> None:
    """Delete versions that are neither in use nor the one before, and what killed builds left."""
    for path in folder.iterdir():
        ours = path.name.startswith(_BUILDING) or (path / "manifest.json").is_file()
        if path.is_dir() and ours and path.name not in keep:
            shutil.rmtree(path)


def _current_name(folder: Path) -> str | None:
    try:
        name = (folder / _CURRENT).read_text().strip()
    except FileNotFoundError:
        return None
    except UnicodeDecodeError:
        return None
    except OSError as error:
        raise storage_error(error, folder / _CURRENT) from error
    return name if _VERSION.fullmatch(name) else None


def index_is_current(folder: Path, version: str) -> bool:
    """Whether ``version`` is the index in use and every file of it is whole."""
    if _current_name(folder) != version:
        return False
    try:
        checked_manifest(folder / version)
    except IntegrityError:
        return False
    return True


def current_index(folder: Path) -> Path:
    """The folder of the index in use. Raises UsageError when there is none."""
    name = _current_name(folder)
    if name is None:
        raise UsageError(f"there is no search index in {folder}: run `igtool run index`")
    return folder / name


def checked_manifest(path: Path) -> dict[str, Any]:
    """The manifest of the index at ``path``, after reading every file and comparing it with what was built.

    About 1.5 GB/s. Raises IntegrityError when anything is missing, changed or of another format.
    """
    try:
        manifest: dict[str, Any] = json.loads((path / "manifest.json").read_bytes())
        form = manifest["format"]
        wrong = [] if manifest["checksum"] == _checksum(manifest) else ["manifest.json"]
        wrong += [name for name, entry in manifest["files"].items() if _sha256(path / name) != entry["sha256"]]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise IntegrityError(
            f"the search index {path} is damaged or incomplete ({error}): run `igtool run index`"
        ) from error
    if form != INDEX_FORMAT:
        raise IntegrityError(f"the search index {path} has format {form}, not {INDEX_FORMAT}: run `igtool run index`")
    if wrong:
        raise IntegrityError(f"the search index {path} is damaged ({', '.join(wrong)}): run `igtool run index`")
    return manifest
