"""A creator list in the database: the rows that were asked for, and those that could not be used."""

from __future__ import annotations

from igtool.lists.creator_list import CreatorList
from igtool.runner import reject_rows
from igtool.session import Session
from igtool.stages.base import Reject, Row


def store_list(session: Session, creators: CreatorList) -> None:
    """Make the stored list equal ``creators``: usable rows in ``watchlist``, the others in ``rejects``."""
    rows = _rows(creators)
    made = reject_rows("list", _rejects(creators))
    known = _stored(session, creators.name)
    changed = [row for watch_id, row in rows.items() if known.get(watch_id) != row["row"]]
    gone = [watch_id for watch_id in known if watch_id not in rows]
    counts = session.progress.of("list")
    counts.failed = len(made)
    counts.new = sum(watch_id not in known for watch_id in rows)
    counts.updated = len(changed) - counts.new
    counts.skipped = len(rows) - len(changed)
    ours = (f"{creators.name}:",)
    refused = session.lake.rows("from rejects where stage = 'list' and starts_with(item_id, ?)", ours)
    same_refused = sorted(map(str, refused)) == sorted(map(str, made))
    if not changed and not gone and same_refused:
        return
    with session.lake.transaction():
        session.lake.merge("watchlist", changed)
        session.lake.delete("watchlist", "watch_id", gone)
        if not same_refused:
            session.lake.execute("delete from rejects where stage = 'list' and starts_with(item_id, ?)", ours)
            session.lake.merge("rejects", made)


def _rows(creators: CreatorList) -> dict[str, Row]:
    """Rows of ``watchlist`` by id; of rows with the same creator the first counts."""
    rows: dict[str, Row] = {}
    for row in creators.rows:
        if row.reason is None:
            watch_id = f"{creators.name}:{row.platform}:{row.handle}"
            rows.setdefault(
                watch_id,
                {
                    "watch_id": watch_id,
                    "list_name": creators.name,
                    "platform": row.platform,
                    "handle": row.handle,
                    "line": row.line,
                    "row": creators.row_json(row),
                },
            )
    return rows


def _rejects(creators: CreatorList) -> list[Reject]:
    path = str(creators.path) if creators.path else None
    return [
        Reject(f"{creators.name}:{row.number}", row.reason, "; ".join(filter(None, row.cells))[:200], path, row.line)
        for row in creators.rows
        if row.reason is not None
    ]


def _stored(session: Session, name: str) -> dict[str, str]:
    rows = session.lake.rows("select watch_id, row::varchar as row from watchlist where list_name = ?", (name,))
    return {row["watch_id"]: row["row"] for row in rows}
