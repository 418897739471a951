"""A search over a workspace: the index brought up to date, own lists and hidden creators, and a note of the search."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from igtool.asking.encoding import open_encoder
from igtool.encoders.base import Encoder
from igtool.errors import ConfigError, IgtoolError, IntegrityError, LockedError, UsageError
from igtool.files import is_locked
from igtool.journal import Journal
from igtool.lake import Lake
from igtool.notes import LOCAL, kept, noted
from igtool.search.answer import Query, SearchResult
from igtool.search.build import is_fresh, renew_index
from igtool.search.folder import current_name
from igtool.search.log import row_of
from igtool.search.query import Index
from igtool.search.score import Weights
from igtool.settings import Settings


class Searcher:
    """Searches over one workspace; keeps the lake and the index open between them.

    ``told`` hears what a user should know: that the index was stale, and what was done about it. ``tenant``: whose
    lists, notes and hidden creators count.
    """

    def __init__(
        self, settings: Settings, told: Callable[[str], None] = lambda _: None, *, tenant: str = LOCAL
    ) -> None:
        """Raises UsageError when there is no lake yet."""
        self._settings = settings
        self._folder = settings.data / "index"
        self._told = told
        self._tenant = tenant
        self.lake = Lake(settings.lake, writable=False, offline=settings.offline)
        self._index: Index | None = None
        self._seen: tuple[int, str | None] | None = None

    def close(self) -> None:
        """Release the lake."""
        self.lake.close()

    def __enter__(self) -> Searcher:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def search(self, query: Query) -> SearchResult:
        """The best creators for ``query``; weights of the settings go in where the query has the defaults.

        Raises UsageError (no creators, unknown filter value), ConfigError, IntegrityError, StorageError.
        """
        index = self.fresh_index()
        asked = self._completed(query)
        now = datetime.now(UTC)
        result = index.search(asked, encoder=self.encoder_for(index), now=now)
        if self._settings.search_log:
            self.remember([noted_as(asked, result, now, self._tenant)])
        return result

    def alike(self, picture: Path) -> dict[str, float]:
        """How near the pictures of every creator are in style to the file ``picture``, for `Query.alike`.

        Raises UsageError for what is no picture, or of a face; ConfigError for missing models.
        """
        from igtool.given_style import style_of
        from igtool.search.alike import creators_alike

        vector, model = style_of(picture, self._settings, self._told)
        return creators_alike(self.lake, vector, model)

    def inputs(self, query: Query, judged: Sequence[str]) -> tuple[list[str], dict[str, NDArray[np.float64]]]:
        """The candidates of ``query`` and the ``judged`` creators, with every part of each on 0-1; nothing is noted."""
        index = self.fresh_index()
        return index.inputs(self._completed(query), self.encoder_for(index), judged)

    def encoder_for(self, index: Index) -> Encoder | None:
        """The encoder of the settings; None, which is said, while the index holds vectors of another model."""
        encoder = open_encoder(self._settings)
        if index.model in (None, encoder.model):
            return encoder
        self._told(
            f"the index holds vectors of {index.model} and the settings name {encoder.model}: this answer goes by "
            "words alone; `igtool run embed index` embeds everything anew"
        )
        return None

    def _completed(self, query: Query) -> Query:
        """``query`` with what this workspace knows: weights, hidden creators, lists and notes."""
        own = kept(self.lake, self._tenant, with_lists=bool(query.filters.lists))
        note = query.filters.note
        return replace(
            query,
            weights=self.weights() if query.weights == Weights() else query.weights,
            hidden=own.hidden,
            members=own.lists,
            noted=noted(self.lake, note, self._tenant) if note is not None else (),
        )

    def weights(self) -> Weights:
        """The weights of the settings. Raises ConfigError."""
        try:
            return Weights(**self._settings.search_weights)
        except TypeError as error:
            raise ConfigError(
                f"search_weights names a part that there is not ({error}); there are: {', '.join(asdict(Weights()))}"
            ) from error

    def fresh_index(self) -> Index:
        """The index in use, renewed first if the tables went on or it is damaged, unless a run is about to do that.

        Raises UsageError (no creators), LockedError (another process makes the first one), StorageError.
        """
        seen = (self.lake.snapshot, current_name(self._folder))
        if self._index is None or seen != self._seen:
            self._bring_up_to_date()
            if self._index is None or self._index.version != current_name(self._folder):
                self._index = Index(self._folder)
            is_done = is_fresh(self.lake, self._folder)
            self._seen = (self.lake.snapshot, self._index.version) if is_done else None
        return self._index

    def _bring_up_to_date(self) -> None:
        if is_fresh(self.lake, self._folder):
            return
        if not self.lake.value("select count(*) from creators"):
            raise UsageError(
                "there are no creators to search yet: `igtool enrich CSV` or `igtool import PATH` brings some"
            )
        why = self._why_not()
        if is_locked(self._settings.data / "lake.lock") and why == "is older than the tables":
            self._told("the search index is older than the tables: the run that is going on renews it at its end")
            return
        self._told(f"the search index {why}: it is made anew")
        try:
            label = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%f")
            renew_index(self.lake, self._folder, label=label)
        except LockedError:
            if why != "is older than the tables":
                raise
            self._told("another process is renewing the search index: this answer is from the one before")

    def _why_not(self) -> str:
        if current_name(self._folder) is None:
            return "is missing"
        try:
            Index(self._folder)
        except IntegrityError as error:
            return f"is of no use ({error})"
        return "is older than the tables"

    def remember(self, searches: Sequence[str]) -> None:
        """Keep ``searches`` (`noted_as`) for the next run; a failure is said, and no reason to withhold an answer."""
        try:
            with Journal(self._settings.cache, writable=False, shared=True) as journal:
                journal.note_searches(searches)
        except IgtoolError as error:
            self._told(f"this search is not noted: {error}")


def noted_as(query: Query, result: SearchResult, now: datetime, tenant: str = LOCAL) -> str:
    """A search and its best candidates as JSON, from which weights can be learnt later."""
    request = {"limit": query.limit, "sort": query.sort, "like": query.like, "literal": query.literal}
    request |= {"with_image": query.alike is not None}
    return json.dumps(row_of(result.document(explain=True), result.ranked, now, tenant_id=tenant, **request))
