"""Searches for many threads at once: an index that a thread beside them keeps up to date.

The thread looks once a second whether the tables went on or another index was put in use, and renews it as a search of
the command line does. Requests take what it has: no query of the lake, unless they ask for lists or notes, or are the
first of a tenant after a commit, which asks for the creators that the tenant has hidden.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import islice

from igtool.encoders.remembered import Remembered
from igtool.errors import IgtoolError, UsageError
from igtool.journal.said import Said
from igtool.notes import LOCAL, kept, noted
from igtool.search.answer import Query, SearchResult
from igtool.search.query import Index
from igtool.searching import Searcher, noted_as
from igtool.serve.errors import LOG, Unavailable
from igtool.serve.metrics import Meter
from igtool.serve.readers import Readers
from igtool.serve.saying import Saying
from igtool.settings import Settings

EVERY_S = 1.0
_MOST_NOTED = 5_000
"""Searches that wait to be noted; of more, the oldest are dropped."""
_AT_ONCE = 500
_MOST_TENANTS = 256
"""Tenants whose hidden creators are kept; of more the one that was kept first is read anew."""
_SAID_AGAIN_S = 600.0


@dataclass(frozen=True)
class Standing:
    """What searches use now: the ``index``, of which ``snapshot`` the tables are, and who is ``gone`` since."""

    index: Index | None = None
    snapshot: int | None = None
    gone: tuple[str, ...] = ()
    trouble: IgtoolError | None = None
    searcher: Searcher | None = None


class Desk:
    """Answers searches over one workspace, from any thread. `refresh` is for one thread."""

    def __init__(self, settings: Settings, readers: Readers, saying: Saying, meter: Meter) -> None:
        self.standing = Standing()
        self._settings = settings
        self._readers = readers
        self._saying = saying
        self._meter = meter
        self._remembered = Remembered()
        self._at_once = threading.BoundedSemaphore(settings.processes)
        self._searcher: Searcher | None = None
        self._tombstones = 0
        self._opened_as: object = None
        self._hidden: OrderedDict[str, tuple[int | None, list[str]]] = OrderedDict()
        self._waiting: deque[str] = deque(maxlen=_MOST_NOTED)
        self._said: dict[str, float] = {}
        self._refreshing = threading.Lock()
        self._keeping = threading.Lock()
        self._is_ending = threading.Event()
        self._thread: threading.Thread | None = None

    def search(self, query: Query, tenant: str = LOCAL) -> SearchResult:
        """The best creators for ``query`` of a tenant, as ``igtool search`` gives them, from the index in use.

        Raises Unavailable (no index yet), UsageError, ConfigError.
        """
        standing = self.standing
        if standing.index is None or standing.searcher is None:
            raise self.no_index()
        asked = self._completed(query, standing, standing.searcher, tenant)
        now = datetime.now(UTC)
        encoder = standing.searcher.encoder_for(standing.index)
        timed = self._remembered.of(self._meter.timed(encoder)) if encoder is not None else None
        with self._at_once:  # more searches than cores only wait for each other, and all of them longer
            began = time.perf_counter()
            result = standing.index.search(asked, encoder=timed, now=now)
            self._meter.searched(time.perf_counter() - began)
        if self._settings.search_log:
            self._waiting.append(noted_as(asked, result, now, tenant))
        notes = [*result.notes, *self._warnings(standing, without_vectors=encoder is None)]
        return replace(result, notes=notes)

    def _completed(self, query: Query, standing: Standing, searcher: Searcher, tenant: str) -> Query:
        waiting, note, lists = self._saying.waiting, query.filters.note, {}
        if query.filters.lists:
            lists = self._readers.read(lambda lake: kept(lake, tenant, waiting=waiting)).lists
        return replace(
            query,
            weights=searcher.weights(),
            hidden=[*self._hidden_by(tenant, standing.snapshot, waiting), *standing.gone],
            members=lists,
            noted=self._readers.read(lambda lake: noted(lake, note, tenant, waiting)) if note is not None else (),
        )

    def _hidden_by(self, tenant: str, snapshot: int | None, waiting: Sequence[Said]) -> list[str]:
        """Creators that a tenant has hidden; read once for every commit, unless something about them waits."""
        if any(one.change.table == "tenant_hidden" and one.tenant_id == tenant for one in waiting):
            return self._readers.read(lambda lake: kept(lake, tenant, with_lists=False, waiting=waiting)).hidden
        known = self._hidden.get(tenant)
        if known is None or known[0] != snapshot:
            found = self._readers.read(lambda lake: kept(lake, tenant, with_lists=False)).hidden
            known = (snapshot, found)
            with self._keeping:
                self._hidden[tenant] = known
                self._hidden.move_to_end(tenant)
                while len(self._hidden) > _MOST_TENANTS:
                    self._hidden.popitem(last=False)
        return known[1]

    def _warnings(self, standing: Standing, *, without_vectors: bool) -> list[str]:
        found = []
        if without_vectors:
            found.append("the index holds vectors of another model than the settings name: found by words alone")
        if standing.trouble is not None:
            found.append("the search index could not be renewed: this answer is from the one before")
        return found

    def no_index(self) -> Unavailable:
        """Why there is nothing to search yet."""
        trouble = self.standing.trouble
        if isinstance(trouble, Unavailable):
            return trouble
        why = f" ({trouble})" if trouble is not None else ": it is being made, ask again"
        return Unavailable("no_index", f"there is no search index yet{why}")

    def refresh(self) -> None:
        """Bring the index up to date, and note the searches that wait; what goes wrong is kept as ``trouble``."""
        with self._refreshing:
            self._note_searches()
            try:
                self.standing = self._renewed()
            except IgtoolError as error:
                self.standing = replace(self.standing, trouble=error)
                self._say(str(error))

    def _renewed(self) -> Standing:
        searcher = self._current_searcher()
        self._leave_out_the_forgotten(searcher)
        before = self.standing
        try:
            index = searcher.fresh_index()
            snapshot = searcher.lake.snapshot
        except UsageError:
            raise  # no creators yet: nothing is wrong with the lake
        except IgtoolError:
            self._release()
            raise
        if index is not before.index:
            self._meter.watch(index)
        return Standing(index, snapshot, searcher=searcher)

    def _leave_out_the_forgotten(self, searcher: Searcher) -> None:
        """Let no search find who was forgotten while the index is made anew, which may take minutes."""
        standing, lake = self.standing, searcher.lake
        if standing.index is None or lake.snapshot == standing.snapshot:
            return
        count = int(lake.value("select count(*) from tombstones"))
        if count != self._tombstones:
            there = set(lake.arrow("select creator_id from creators").column(0).to_pylist())
            indexed = standing.index.columns.creators["creator_id"].to_pylist()
            self.standing = replace(standing, gone=tuple(one for one in indexed if one not in there))
            self._tombstones = count

    def _current_searcher(self) -> Searcher:
        """What reads lake and index in the thread; opened anew where a backup took the place of the lake."""
        identity = self._readers.identity()
        if self._searcher is not None and identity != self._opened_as:
            self._release()
        if self._searcher is None:
            self._readers.warm()
            self._searcher, self._opened_as = Searcher(self._settings, self._say), identity
        return self._searcher

    def _release(self) -> None:
        if self._searcher is not None:
            self._searcher.close()
        self._searcher = None

    def _note_searches(self) -> None:
        while self.standing.searcher is not None and self._waiting:
            some = list(islice(self._waiting, _AT_ONCE))
            self.standing.searcher.remember(some)
            for _ in some:
                self._waiting.popleft()

    def _say(self, text: str) -> None:
        """Log ``text``, the same one not again for ten minutes."""
        now = time.monotonic()
        if now - self._said.get(text, -_SAID_AGAIN_S) >= _SAID_AGAIN_S:
            self._said = {one: at for one, at in self._said.items() if now - at < _SAID_AGAIN_S} | {text: now}
            LOG.warning("%s", text)

    def start(self) -> None:
        """Refresh once a second in a thread, until `close`."""
        self._thread = threading.Thread(target=self._go_on, name="index", daemon=True)
        self._thread.start()

    def _go_on(self) -> None:
        while True:
            self._attempt(self.refresh)
            if self._is_ending.wait(EVERY_S):
                return

    def _attempt(self, work: Callable[[], None]) -> None:
        """``work``; a bug in it is logged and must not end the thread, which would freeze the index unsaid."""
        try:
            work()
        except Exception:  # noqa: BLE001 - the boundary of the thread
            LOG.exception("keeping the search index up to date failed, a bug")

    def close(self) -> None:
        """End the thread, note what waits, release the lake."""
        self._is_ending.set()
        if self._thread is not None:
            self._thread.join(timeout=5)
        with suppress(IgtoolError):
            self._note_searches()
        self._release()
