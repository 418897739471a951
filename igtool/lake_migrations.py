"""The versions of the lake's tables, and how a lake of an older version becomes one of this version.

Tables and columns that a version brought are made by what `igtool.schema` says; a step tells what else has to happen.
All of an upgrade is one commit, after the catalog was copied: data files never change, so with that copy the lake is
what it was. A step is added at the end with each new `SCHEMA_VERSION`, and never changed.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from igtool.errors import ConfigError, IntegrityError
from igtool.files import fsync, replaced, storage_error
from igtool.journal.sqlite_files import copy_database, sealed_as
from igtool.lake_sql import META, quote
from igtool.lake_tables import LakeTables
from igtool.schema import SCHEMA_VERSION, TABLES
from igtool.views import VIEWS

KEPT = "upgrades"
"""Folder in that of the lake with its catalogs as they were before each upgrade."""

_WITHOUT_CHECKSUM = 2

There = Mapping[str, set[str]]
"""Tables that were there before, with their columns."""


def _nothing(tables: LakeTables, there: There) -> None:
    """New tables and columns are all that it takes."""


def _states_of_accounts(tables: LakeTables, there: There) -> None:
    """What was known before states were kept is one state of each account."""
    if "accounts" in there and "account_states" not in there:
        old = "select * exclude (filled_from, is_profile), true as is_profile from accounts"
        tables.execute(f"insert into account_states by name {old}")


def _models_in_embedding_ids(tables: LakeTables, there: There) -> None:
    """Ids of embeddings tell the model."""
    if "embeddings" in there and "text_vectors" not in there:
        tables.execute("update embeddings set embedding_id = concat_ws('|', owner_id, field, model)")
        tables.execute(
            "update stage_rows s set item_id = e.embedding_id from embeddings e "
            "where s.stage in ('embed', 'embed_style') and s.item_id = concat_ws('|', e.owner_id, e.field)"
        )


_PARTITIONED = f"""
    select count(*) from {META}.ducklake_partition_column c join {META}.ducklake_partition_info p using (partition_id)
    join {META}.ducklake_table t on t.table_id = p.table_id
    where t.table_name = ? and p.end_snapshot is null and t.end_snapshot is null
"""


def _files_by_month(tables: LakeTables, there: There) -> None:
    """Tables that were there take the partitions of today; files that were written before stay as they are."""
    for table in TABLES.values():
        if table.partition and table.name in there and not tables.value(_PARTITIONED, (table.name,)):
            tables.execute(f"alter table {quote(table.name)} set partitioned by ({table.partition})")


@dataclass(frozen=True)
class Step:
    """What a version brought; ``change`` does what new tables and columns alone do not, and may be done again."""

    version: int
    name: str
    change: Callable[[LakeTables, There], None] = _nothing


STEPS = (
    Step(1, "answers, accounts, content items, metrics, creators and what they are about"),
    Step(2, "answers of live platforms, when accounts are looked at"),
    Step(3, "what each answer told of an account, drift of answers", _states_of_accounts),
    Step(4, "answers of language models, descriptions"),
    Step(5, "lists, notes, the search log, pairs of accounts, vectors of texts", _models_in_embedding_ids),
    Step(6, "pictures, reviews, consents, declarations"),
    Step(7, "what was measured in pictures"),
    Step(8, "verdicts about pictures, history of tags"),
    Step(9, "saved searches, the audit log"),
    Step(10, "tombstones of who was forgotten"),
    Step(11, "content items by the month of their observation", _files_by_month),
    Step(12, "accounts that the schedule leaves alone"),
)


def widen(tables: LakeTables, there: There) -> None:
    """Create or widen tables until they match `igtool.schema`, then make the changes of each step; in a transaction."""
    for table in TABLES.values():
        name = quote(table.name)
        if table.name not in there:
            columns = ", ".join(f"{quote(column.name)} {column.type}" for column in table.columns)
            tables.execute(f"create table {name} ({columns})")
            if table.partition:
                tables.execute(f"alter table {name} set partitioned by ({table.partition})")
            continue
        for column in table.columns:
            if column.name not in there[table.name]:
                tables.execute(f"alter table {name} add column {quote(column.name)} {column.type}")
    for step in STEPS:
        step.change(tables, there)
    for view, query in VIEWS.items():
        tables.execute(f"create or replace view {quote(view)} as {query}")


# The marker: which lake this is, and of which version ------------------------------------------------------------


def read_marker(folder: Path) -> dict[str, Any]:
    """``lake_id`` and ``schema_version`` of the lake in ``folder``; those of a new one where there is none.

    Raises IntegrityError where `lake.json` is damaged, ConfigError for a lake of a newer igtool.
    """
    path = folder / "lake.json"
    if not path.exists() and sealed_as(folder / "catalog.sqlite") is None:
        return {"lake_id": uuid.uuid4().hex, "schema_version": 0}
    try:
        known: dict[str, Any] = json.loads(path.read_bytes())
        lake_id, version = str(known["lake_id"]), int(known["schema_version"])
        is_whole = known == {"lake_id": lake_id, "schema_version": version} | (
            {"checksum": _checksum(lake_id)} if len(known) > _WITHOUT_CHECKSUM else {}
        )
    except (ValueError, KeyError, TypeError, OSError, RecursionError) as error:
        raise _damaged(path, str(error)) from error
    if not is_whole:
        raise _damaged(path, "its checksum differs")
    if version > SCHEMA_VERSION:
        newer = f"was written by a newer igtool (schema {version}, this one has {SCHEMA_VERSION})"
        raise ConfigError(f"{folder} {newer}: upgrade igtool")
    return {"lake_id": lake_id, "schema_version": version}


def _damaged(path: Path, why: str) -> IntegrityError:
    return IntegrityError(
        f"{path} is damaged: `igtool verify --repair` makes it anew, or restore it from a backup of data/ ({why})"
    )


def write_marker(path: Path, lake_id: str, version: int) -> None:
    """Note in the file ``path`` which lake this is. Raises StorageError."""
    told = {"lake_id": lake_id, "schema_version": version, "checksum": _checksum(lake_id)}
    with replaced(path) as file:
        file.write(json.dumps(told).encode())


def _checksum(lake_id: str) -> str:
    return hashlib.sha256(lake_id.encode()).hexdigest()


# Before an upgrade -----------------------------------------------------------------------------------------------


def keep_before(folder: Path, version: int) -> None:
    """Copy the catalog and `lake.json` as they are to ``KEPT/schema-VERSION``: whole, or not at all.

    A copy that is there stays: an upgrade that was killed has not changed what it says. Raises StorageError.
    """
    target = folder / KEPT / f"schema-{version}"
    building = folder / KEPT / f".schema-{version}.tmp"
    if target.exists():
        return
    try:
        shutil.rmtree(building, ignore_errors=True)
        building.mkdir(mode=0o700, parents=True)
        copy_database(folder / "catalog.sqlite", building / "catalog.sqlite")
        shutil.copyfile(folder / "lake.json", building / "lake.json")
        fsync(building / "lake.json")
        fsync(building)
        building.rename(target)
        fsync(target.parent)
    except OSError as error:
        raise storage_error(error, target) from error
