"""igtool from Python: ``igtool.open(path)`` and then ``.enrich``, ``.show``, ``.search``, ``.sql``, ``.table``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from igtool import history
from igtool.errors import UsageError
from igtool.lake import Lake
from igtool.lake_sql import quote
from igtool.schema import TABLES
from igtool.settings import Settings
from igtool.views import VIEWS

if TYPE_CHECKING:
    import pyarrow as pa

    from igtool.enrich import EnrichOptions, Summary
    from igtool.search.filters import Filters
    from igtool.search.query import SearchResult


class Workspace:
    """One folder with its data, cache and models."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def reader(self) -> Lake:
        """The lake for reading; use it as a context manager. Raises UsageError when there is none yet."""
        return Lake(self.settings.data, writable=False, offline=self.settings.offline)

    def enrich(
        self,
        creators: Path | str | Sequence[str],
        options: EnrichOptions | None = None,
        *,
        platform: str | None = None,
        stopping: Callable[[], bool] = lambda: False,
    ) -> Summary:
        """The main job over a list file or over handles. Raises what ``igtool.enrich.enrich`` raises."""
        from igtool.enrich import EnrichOptions, enrich
        from igtool.lists.creator_list import from_handles, read_list
        from igtool.session import open_session

        if isinstance(creators, (str, Path)):
            chosen = read_list(Path(creators), platform=platform)
        else:
            chosen = from_handles(creators, platform=platform)
        with open_session(self.settings, f"enrich {chosen.name}", stopping) as session:
            return enrich(session, chosen, options or EnrichOptions())

    def analyze_conversations(
        self, conversations: Sequence[str | Mapping[str, Any]], *, stopping: Callable[[], bool] = lambda: False
    ) -> list[dict[str, Any]]:
        """Sentiment and topics of texts, stored in ``insights``; see `igtool.conversations.analyze_conversations`.

        Raises what stopped the asking of a language model, after everything that could be read is stored.
        """
        from igtool.conversations import analyze_conversations
        from igtool.session import open_session

        with open_session(self.settings, "analyze_conversations", stopping) as session:
            found = analyze_conversations(session, conversations)
            trouble = session.trouble
        if trouble is not None:
            raise trouble
        return found

    def search(self, text: str, filters: Filters | None = None, *, limit: int = 10) -> SearchResult:
        """Creators ranked for ``text``, with the parts of each score and the reasons (DESIGN §6)."""
        from igtool import registry
        from igtool.search.filters import Filters
        from igtool.search.query import search

        encoder = registry.encoder(self.settings.encoder)
        folder = self.settings.data / "index"
        return search(folder, text, filters=filters or Filters(), limit=limit, encoder=encoder, now=datetime.now(UTC))

    def sql(self, query: str, parameters: Sequence[object] = ()) -> pa.Table:
        """The result of a query over the tables and views, which are opened for reading only."""
        with self.reader() as lake:
            return lake.query(query, parameters)

    def table(self, name: str) -> pa.Table:
        """A whole table or view. Raises UsageError for an unknown name."""
        if name not in TABLES and name not in VIEWS:
            raise UsageError(f"there is no table {name!r}; there are: {', '.join([*TABLES, *VIEWS])}")
        return self.sql(f"from {quote(name)}")

    def show(self, handle: str, as_of: str | date | datetime | None = None) -> list[dict[str, Any]]:
        """Everything about the creators with this handle or creator id, one dict each.

        With ``as_of`` what was known then (`igtool.history`): a date means the end of that day, UTC. Raises UsageError,
        with handles that come close, when there is none; or, with ``as_of``, when nothing was known of it yet.
        """
        if as_of is not None:
            moment = history.moment_of(as_of)
            with self.reader() as lake:
                return history.as_of(lake, handle, moment)
        name = handle.strip().removeprefix("@").lower()
        with self.reader() as lake:
            found = lake.rows(
                "select distinct l.creator_id from accounts a join creator_links l using (account_id) "
                "where a.handle = ? or lower(a.platform_user_id) = ? or l.creator_id = ? or l.creator_id in "
                "(select survivor_id from creator_forwards where creator_id = ?) order by 1",
                (name, name, name, name),
            )
            if not found:
                raise UsageError(f"there is no creator {handle!r}{history.close_to(lake, name)}")
            return [_about(lake, row["creator_id"]) for row in found]


def open_workspace(path: Path | str | None = None) -> Workspace:
    """The workspace in ``path`` (default: the current folder, or ``IGTOOL_WORKSPACE``)."""
    from igtool.settings import load

    return Workspace(load(Path(path) if path is not None else None))


def _about(lake: Lake, creator_id: str) -> dict[str, Any]:
    """One creator with accounts, niche, profile, numbers and newest items, each with its source."""
    (creator,) = lake.rows("from creators where creator_id = ?", (creator_id,))
    one = (creator_id,)
    creator["accounts"] = lake.rows(
        "select a.*, l.rule, l.evidence, r.source, r.endpoint as answer_path from creator_links l "
        "join accounts a using (account_id) left join raw_responses r using (answer_id) "
        "where l.creator_id = ? order by a.followers_count desc nulls last, account_id",
        one,
    )
    for table in ("niches", "profiles"):
        rows = lake.rows(f"from {quote(table)} where creator_id = ?", one)
        creator[table] = rows[0] if rows else None
    accounts = [account["account_id"] for account in creator["accounts"]]
    for view, key in (("engagement", "account_id"), ("posting", "account_id"), ("growth_windows", "subject_id")):
        # A list in the query, unlike a join, reaches through the windows of a view: only these accounts are read.
        marks = ", ".join("?" for _ in accounts)
        query = f"from {view} where {key} in ({marks}) order by all"
        creator[view.removesuffix("_windows")] = lake.rows(query, accounts) if accounts else []
    creator["newest_items"] = lake.rows(
        "select c.content_id, c.type, c.published_at, c.title_or_caption, c.like_count, c.comment_count, "
        "c.view_count, c.url from content_items c join creator_links l using (account_id) where l.creator_id = ? "
        "order by c.published_at desc nulls last, content_id limit 5",
        one,
    )
    return creator
