"""The part of ``benchmarks.search_peers`` that needs lancedb: ``PYTHON lance_peer.py``, with requests as lines of JSON.

``{"build": FILES, "table": FOLDER, "fields": [...]}`` makes a table of Parquet files with the columns ``number``,
``text``, ``followers`` and a vector for each field, a full-text index, an IVF_PQ index for each vector and a B-tree of
the followers; the answer has the seconds of each and the bytes on disk.
``{"search": {"texts": [...], "vectors": FILE, "where": SQL or null}, "probes": n, "refine": n, "threads": n}`` asks
each query of all legs for the best 100, joins the ranks (reciprocal, k = 60), and answers the milliseconds of each and
the rows that each leg found, which go to ``"found"``, a file. One line of JSON answers each.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path
from typing import Any

import lancedb
import numpy as np
import pyarrow.parquet as pq

TOP = 100
_RANK = 60
_DIMENSIONS_A_PART = 4


def build(files: list[str], folder: Path, fields: list[str]) -> dict[str, Any]:
    """The table with all its indexes."""
    seconds = {}

    def timed(name: str, began: float) -> None:
        seconds[name] = round(time.perf_counter() - began, 1)

    began = time.perf_counter()
    schema = pq.read_schema(files[0])
    rows = sum(pq.ParquetFile(file).metadata.num_rows for file in files)
    table = lancedb.connect(folder).create_table(
        "creators", (batch for file in files for batch in pq.ParquetFile(file).iter_batches(20_000)), schema=schema
    )
    timed("rows", began)
    began = time.perf_counter()
    table.create_fts_index("text")
    table.create_scalar_index("followers")
    timed("words", began)
    began = time.perf_counter()
    size = schema.field(fields[0]).type.list_size
    for field in fields:
        table.create_index("cosine", num_sub_vectors=size // _DIMENSIONS_A_PART, vector_column_name=field)
    timed("vectors", began)
    table.optimize()
    return {"count": rows, "seconds": seconds, "mb": round(_size(folder) / 1e6)}


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


class Searches:
    """A table that is open."""

    def __init__(self, folder: Path, fields: list[str]) -> None:
        self.table = lancedb.connect(folder).open_table("creators")
        self.fields = fields

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """Milliseconds of every query; what each leg found goes to a file, -1 where there is nothing."""
        wanted = request["search"]
        vectors = np.load(wanted["vectors"])
        found = np.full((len(vectors), len(self.fields) + 1, TOP), -1, dtype=np.int64)
        taken = []
        with ThreadPoolExecutor(request["threads"]) as pool:
            for place, text in enumerate(wanted["texts"]):
                began = time.perf_counter()
                legs = [lambda text=text: self._words(text, wanted["where"])]
                legs += [
                    lambda field=field, place=place: self._near(field, vectors[place], request) for field in self.fields
                ]
                rows = list(pool.map(lambda leg: leg(), legs))
                joined(rows)
                taken.append(round((time.perf_counter() - began) * 1000, 2))
                for leg, numbers in enumerate(rows):
                    found[place, leg, : len(numbers)] = numbers
        np.save(request["found"], found)
        return {"ms": taken, "resident_mb": _resident_mb()}

    def _words(self, text: str, where: str | None) -> Any:
        return self._ask(self.table.search(text, query_type="fts", fts_columns="text"), where)

    def _near(self, field: str, vector: Any, request: dict[str, Any]) -> Any:
        query = self.table.search(vector, vector_column_name=field).distance_type("cosine")
        return self._ask(query.nprobes(request["probes"]).refine_factor(request["refine"]), request["search"]["where"])

    def _ask(self, query: Any, where: str | None) -> Any:
        if where:
            query = query.where(where, prefilter=True)
        return query.select(["number"]).limit(TOP).to_arrow().column("number").to_numpy()


def joined(legs: list[Any]) -> list[int]:
    """The best ten by reciprocal ranks."""
    scores: dict[int, float] = defaultdict(float)
    for numbers in legs:
        for rank, number in enumerate(numbers.tolist()):
            scores[number] += 1 / (_RANK + rank)
    return sorted(scores, key=scores.__getitem__, reverse=True)[:10]


def _resident_mb() -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("VmRSS"))) // 1024


def main() -> None:
    """Answer requests until there are no more."""
    searches: dict[str, Searches] = {}
    print(json.dumps({"lancedb": version("lancedb"), "cores": os.cpu_count()}), flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        folder, fields = Path(request["table"]), request["fields"]
        if "build" in request:
            answer = build(request["build"], folder, fields)
        else:
            if request["table"] not in searches:
                searches[request["table"]] = Searches(folder, fields)
            answer = searches[request["table"]].answer(request)
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
