"""The versions of the journal, and how one of an older version becomes one of this version.

Each step makes what its version brought, where it is missing: two lines of work once had the number 4, so of a journal
of that version the step is made again. A step is added at the end, and never changed.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from igtool.errors import IntegrityError
from igtool.files import fsync, make_file, make_folder, storage_error

STEPS: tuple[tuple[int, str, str], ...] = (
    (
        1,
        "files, finished stages and checksums",
        """
create table if not exists source_files (
    lake_id text not null, source text not null, path text not null, size integer not null,
    mtime_ns integer not null, primary key (lake_id, source, path)
) strict, without rowid;
create table if not exists stage_states (
    lake_id text not null, stage text not null, signature text not null, snapshot integer not null,
    primary key (lake_id, stage)
) strict, without rowid;
create table if not exists lake_files (
    lake_id text not null, path text not null, size integer not null, sha256 text not null,
    primary key (lake_id, path)
) strict, without rowid;
""",
    ),
    (
        2,
        "requests, queue and answers of live platforms",
        """
create table if not exists requests (
    request_id integer primary key, source text not null, key text not null, endpoint text not null,
    at real not null, units integer not null, cost_usd real not null, run text not null, owner text not null,
    outcome text, status integer
) strict;
create index if not exists requests_by_time on requests (source, key, at);
create index if not exists requests_by_run on requests (run, cost_usd);
create table if not exists paces (
    source text not null, key text not null, pace text not null, primary key (source, key)
) strict, without rowid;
create table if not exists jobs (
    job_id integer primary key, platform text not null, handle text not null, kind text not null,
    priority integer not null, source text not null, state text not null, due_at real not null,
    target text, progress text not null, rounds integer not null, run text not null, owner text, leased_until real,
    reason text not null, added_at real not null, ended_at real, unique (platform, handle, kind)
) strict;
create index if not exists jobs_by_run on jobs (run, source, state, priority desc, job_id);
create table if not exists answers (
    answer_id text primary key, platform text not null, source text not null, endpoint text not null, subject text,
    status integer not null, outcome text not null, body blob not null, sha256 text not null, fetched_at real not null
) strict;
""",
    ),
    (
        3,
        "calls to language models",
        """
create table if not exists llm_calls (
    call_id integer primary key, provider text not null, model text not null, at real not null,
    tokens integer not null, cost_usd real not null, run text not null, outcome text
) strict;
create index if not exists llm_calls_by_time on llm_calls (provider, at);
create index if not exists llm_calls_by_run on llm_calls (run, cost_usd);
create table if not exists llm_answers (answer_id text primary key, row text not null) strict;
create table if not exists llm_batches (
    label text primary key, provider text not null, model text not null, batch_id text, asked text not null,
    submitted_at real not null
) strict;
""",
    ),
    (
        4,
        "searches and vectors of texts, until they are in the lake",
        """
create table if not exists searches (search_number integer primary key, row text not null) strict;
create table if not exists text_vectors (
    model text not null, text_sha256 text not null, vector blob not null, primary key (model, text_sha256)
) strict;
""",
    ),
    (
        5,
        "calls under way, conversations",
        """
create table if not exists llm_under_way (
    call_id integer primary key, answer_id text not null, item_id text not null, owner text not null
) strict;
create index if not exists llm_under_way_by_item on llm_under_way (item_id);
create table if not exists conversations (
    number integer primary key, conversation_id text not null unique, tenant_id text not null, said_at integer not null,
    row text not null, state text not null, due_at real not null, owner text, crashes integer not null default 0,
    tries integer not null default 0, reason text not null default '', accepted_at real not null, ended_at real,
    sentiment text, confidence real, result text
) strict;
create index if not exists conversations_by_state on conversations (state, number);
create index if not exists conversations_by_time on conversations (tenant_id, said_at);
create table if not exists conversation_keys (
    key_sha256 blob primary key, body_sha256 blob not null, conversation_id text not null, used_at real not null
) strict, without rowid;
create index if not exists conversation_keys_by_id on conversation_keys (conversation_id);
create table if not exists conversation_deletions (
    conversation_id text primary key, asked_at real not null
) strict, without rowid;
create table if not exists conversation_counters (name text primary key, count integer not null) strict, without rowid;
""",
    ),
    (
        6,
        "what people say through the server, tenants, keys, the audit log",
        """
create table if not exists said (
    number integer primary key autoincrement, tenant_id text not null, said_at real not null, table_name text not null,
    is_gone integer not null, rows text not null
) strict;
create table if not exists tenants (
    tenant_id text primary key, rights text not null, added_at real not null
) strict, without rowid;
create table if not exists tenant_keys (
    key_id text primary key, tenant_id text not null references tenants (tenant_id), sha256 blob not null,
    added_at real not null, expires_at real, revoked_at real
) strict, without rowid;
create table if not exists audit (
    number integer primary key, logged_at integer not null, tenant_id text not null, actor text not null,
    action text not null, detail text, salt blob, detail_sha256 blob not null, chain_sha256 blob not null,
    is_moved integer not null default 0
) strict;
""",
    ),
    (
        7,
        "how long requests took",
        """
create table if not exists request_times (request_id integer primary key, seconds real not null) strict;
""",
    ),
    (
        8,
        "whom it takes to forget still",
        """
create table if not exists forgetting (number integer primary key, person text not null, state text not null) strict;
""",
    ),
)
"""Version, what it brought, and the statements that make it."""
VERSION = STEPS[-1][0]
_TOLD_APART = 4
KEPT = "upgrades"
"""Folder beside the journal with copies of it as it was before each upgrade."""


def upgrade(connection: sqlite3.Connection, path: Path) -> None:
    """Bring the journal to this version in one transaction, after a copy was kept in `KEPT`.

    Killed at any time, it is of the old version or of the new one. Raises IntegrityError for a newer one.
    """
    (version,) = connection.execute("pragma user_version").fetchone()
    if version > VERSION:
        raise IntegrityError(f"{path} was written by a newer igtool: upgrade igtool")
    if version == VERSION:
        return
    if version:
        _keep(connection, path, version)
    connection.execute("begin immediate")
    try:
        for number, _, statements in STEPS:
            if number > version or number >= _TOLD_APART:
                for statement in statements.split(";\n"):
                    connection.execute(statement)
        connection.execute(f"pragma user_version = {VERSION}")
    except BaseException:
        connection.rollback()
        raise
    connection.commit()


def _keep(connection: sqlite3.Connection, path: Path, version: int) -> None:
    """A copy of the journal as it is, whole or not there."""
    target = path.parent / KEPT / f"journal-{version}.sqlite"
    temporary = target.with_suffix(".tmp")
    try:
        make_folder(target.parent)
        temporary.unlink(missing_ok=True)
        make_file(temporary)
        with closing(sqlite3.connect(temporary)) as copy:
            connection.backup(copy)
        fsync(temporary)
        temporary.replace(target)
        fsync(target.parent)
    except OSError as error:
        raise storage_error(error, target) from error
