"""igtool from Python: ``igtool.open(path)`` and then ``.enrich``, ``.show``, ``.search``, ``.sql``, ``.table``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from igtool import history
from igtool.errors import UsageError
from igtool.lake import Lake
from igtool.lake_sql import quote
from igtool.notes import creators_named
from igtool.schema import TABLES
from igtool.settings import Settings
from igtool.views import VIEWS, engagement_rows_of, growth_windows_of, posting_rows_of

if TYPE_CHECKING:
    import pyarrow as pa

    from igtool.enrich import EnrichOptions, Summary
    from igtool.erase import Forgotten
    from igtool.search.answer import SearchResult
    from igtool.search.filters import Filters
    from igtool.searching import Searcher


class Workspace:
    """One folder with its data, cache and models."""

    def __init__(self, settings: Settings, told: Callable[[str], None] = lambda _: None) -> None:
        self.settings = settings
        self.told = told

    def reader(self) -> Lake:
        """The lake for reading; use it as a context manager. Raises UsageError when there is none yet."""
        return Lake(self.settings.lake, writable=False, offline=self.settings.offline)

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
        """Sentiment and topics of texts, stored in ``insights``; see `igtool.conversations.analyzing`.

        Raises what stopped the asking of a language model, after everything that could be read is stored.
        """
        from igtool.conversations.analyzing import analyze_conversations
        from igtool.session import open_session

        with open_session(self.settings, "analyze_conversations", stopping) as session:
            found = analyze_conversations(session, conversations)
            trouble = session.trouble
        if trouble is not None:
            raise trouble
        return found

    def forget(self, *names: str, platform: str | None = None, account_only: bool = False) -> Forgotten:
        """Remove people (handles, account or creator ids) from everything; what went, by table.

        Raises UsageError (nobody of that name), LockedError; see `igtool.erase.forget`.
        """
        from igtool.erase import Wish, forget

        return forget(self.settings, Wish(names, platform, account_only))

    def search(
        self,
        text: str = "",
        filters: Filters | None = None,
        *,
        limit: int = 10,
        sort: str = "relevance",
        like: str | None = None,
        image: Path | str | None = None,
        literal: bool = False,
    ) -> SearchResult:
        """Creators ranked for ``text``, with the parts of each score, reasons and the age of the data (DESIGN §6).

        See `igtool.search.answer.Query` for what can be asked, and `igtool.search.filters.make_filters` for filters as
        people type them. ``image`` is a picture file: near are creators with pictures in its style. The index is
        brought up to date first; it stays open for the next search.
        """
        from igtool.search.answer import Query
        from igtool.search.filters import Filters

        alike = self.searcher.alike(Path(image)) if image is not None else None
        query = Query(text, filters or Filters(), limit, literal=literal, like=like, sort=sort, alike=alike)
        return self.searcher.search(query)

    @cached_property
    def searcher(self) -> Searcher:
        """What searches this workspace; made once. ``told`` of the workspace hears what it has to say."""
        from igtool.searching import Searcher

        return Searcher(self.settings, self.told)

    def sql(self, query: str, parameters: Sequence[object] = ()) -> pa.Table:
        """The result of a query over the tables and views, which are opened for reading only."""
        with self.reader() as lake:
            return lake.query(query, parameters)

    def table(self, name: str) -> pa.Table:
        """A whole table or view. Raises UsageError for an unknown name."""
        if name not in TABLES and name not in VIEWS:
            raise UsageError(f"there is no table {name!r}; there are: {', '.join([*TABLES, *VIEWS])}")
        return self.sql(f"from {quote(name)}")

    def tags(self, handle: str) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """Tags of the creators with this handle or creator id, and every change of them, the newest first.

        Raises UsageError, with handles that come close, when there is none.
        """
        with self.reader() as lake:
            creators = (creators_named(lake, handle, self.told),)
            named = "t.*, c.canonical_handle as handle from {} t left join creators c using (creator_id) "
            named += "where creator_id in (select unnest(?::varchar[])) order by "
            tags = lake.rows(f"select {named.format('creator_tags')} creator_id, category, tag", creators)
            changed = lake.rows(
                f"select {named.format('creator_tag_history')} changed_at desc, creator_id, category, tag", creators
            )
        return tags, changed

    def show(self, handle: str, as_of: str | date | datetime | None = None) -> list[dict[str, Any]]:
        """Everything about the creators with this handle or creator id, one dict each.

        With ``as_of`` what was known then (`igtool.history`): a date means the end of that day, UTC. Raises UsageError,
        with handles that come close, when there is none; or, with ``as_of``, when nothing was known of it yet.
        """
        if as_of is not None:
            moment = history.moment_of(as_of)
            with self.reader() as lake:
                return history.as_of(lake, handle, moment)
        with self.reader() as lake:
            return [about(lake, creator_id) for creator_id in creators_named(lake, handle, self.told)]


def open_workspace(path: Path | str | None = None) -> Workspace:
    """The workspace in ``path`` (default: the current folder, or ``IGTOOL_WORKSPACE``)."""
    from igtool.settings import load

    return Workspace(load(Path(path) if path is not None else None))


def about(lake: Lake, creator_id: str) -> dict[str, Any]:
    """One creator with accounts, niche, profile, numbers and newest items, each with its source."""
    (creator,) = lake.rows("from creators where creator_id = ?", (creator_id,))
    one = (creator_id,)
    links = {row["account_id"]: row for row in lake.rows(_LINKS, one)}
    accounts = list(links)
    # Constants let the lake pass over most files, and what is measured is measured over these accounts alone; a join
    # would read every account.
    marks = ", ".join("?" for _ in accounts) or "null"
    rows = lake.rows(
        "select a.*, r.source, r.endpoint as answer_path from accounts a left join raw_responses r using (answer_id) "
        f"where a.account_id in ({marks}) order by a.followers_count desc nulls last, account_id",
        accounts,
    )
    creator["accounts"] = [row | links[row["account_id"]] for row in rows]
    creator["tags"] = lake.rows("from creator_tags where creator_id = ? order by category, tag", one)
    for table in ("niches", "profiles"):
        rows = lake.rows(f"from {quote(table)} where creator_id = ?", one)
        creator[table] = rows[0] if rows else None
    (measured,) = lake.rows(_measured(marks), 2 * accounts)
    snapshots = f"(select * from metric_snapshots where subject_id in ({marks}))"
    growth = lake.rows(f"from ({growth_windows_of(snapshots)}) order by all", accounts)
    return creator | {
        "engagement": measured["engagement"] or [],
        "posting": measured["posting"] or [],
        "growth": growth,
        "newest_items": measured["newest_items"] or [],
    }


_LINKS = """
    select account_id, rule, evidence, confidence_score as link_confidence_score, decided_by
    from creator_links where creator_id = ?
"""


def _measured(marks: str) -> str:
    """SQL: engagement, posting and newest items of some accounts as lists; accounts and items are read once."""
    return f"""
        with accounts as materialized (
            select account_id, platform, handle, followers_count from lake.accounts
            where account_id in ({marks})
        ),
        content_items as materialized (
            select account_id, content_id, platform, type, published_at, observed_at, title_or_caption, url,
                   like_count, comment_count, view_count, play_count
            from lake.content_items where account_id in ({marks})
        ),
        newest as (
            select content_id, type, published_at, title_or_caption, like_count, comment_count, view_count, url
            from content_items order by published_at desc nulls last, content_id limit 5
        )
        select (select list(e) from (from ({engagement_rows_of("content_items")}) order by all) e) as engagement,
               (select list(p) from (from ({posting_rows_of("content_items")}) order by all) p) as posting,
               (select list(n) from (from newest order by published_at desc nulls last, content_id) n) as newest_items
    """
