"""One contestant of ``benchmarks.normalize`` in a process of its own: ``python normalize_peers.py NAME JOB``.

JOB is JSON: ``files`` (Parquet files of raw rows), ``profiles`` (how many of their rows), ``processes``, ``out`` (an
empty folder) and ``workspace`` (for igtool). The last line of the output is JSON: ``work_s``, from the end of the
imports until everything is written, and what was read and made. Nothing is imported that the contestant does not
need: pandas and dlt run under another interpreter.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import sys
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

Job = dict[str, Any]
Result = dict[str, Any]
TIMELINES = ("edge_owner_to_timeline_media", "edge_felix_video_timeline")
CHUNK = 500


def igtool(job: Job) -> Result:
    """Raw rows to committed tables, as ``igtool run normalize`` does it."""
    from igtool.session import open_session
    from igtool.settings import load
    from igtool.stages.normalize import Normalize

    began = time.perf_counter()
    with open_session(load(Path(job["workspace"])), "benchmark", lambda: False) as session:
        session.runner().run([Normalize()])
    return {"work_s": time.perf_counter() - began, "profiles": job["profiles"]}


def views(job: Job) -> Iterator[list[memoryview]]:
    """The bodies, some at a time, without a copy: views of the Arrow buffers they were read into."""
    from pyarrow.parquet import ParquetFile

    limit = job["profiles"]
    for path in job["files"]:
        with ParquetFile(path) as file:
            for batch in file.iter_batches(CHUNK, columns=["body"]):
                column = batch.column(0)
                _, offsets, data = column.buffers()
                ends = memoryview(offsets).cast("i")[column.offset : column.offset + len(column) + 1]
                whole = memoryview(data)
                found = [whole[start:end] for start, end in pairwise(ends)][:limit]
                yield found
                limit -= len(found)
                if limit <= 0:
                    return


def msgspec_decode(job: Job) -> Result:
    """Raw rows read and decoded into igtool's own types, and forgotten: nothing is made of them."""
    import msgspec
    import pyarrow.parquet  # noqa: F401 - views() uses it, and importing it takes longer than 1,000 profiles

    from igtool.platforms.shapes import instagram_user as shape

    answer = msgspec.defstruct("answer", [("data", shape._Envelope[shape._Edge])], gc=False)
    decode = msgspec.json.Decoder(answer).decode
    began = time.perf_counter()
    profiles = size = 0
    for bodies in views(job):
        for body in bodies:
            decode(body)
            size += len(body)
        profiles += len(bodies)
    return {"work_s": time.perf_counter() - began, "profiles": profiles, "bytes": size}


def json_loads(job: Job) -> Result:
    """Raw rows decoded by Python's own json into dictionaries, and forgotten."""
    return _loads(job, json.loads)


def orjson_loads(job: Job) -> Result:
    """Raw rows decoded by orjson into dictionaries, and forgotten."""
    import orjson

    return _loads(job, orjson.loads)


def _loads(job: Job, loads: Callable[[bytes], Any]) -> Result:
    import pyarrow.parquet  # noqa: F401 - see msgspec_decode

    began = time.perf_counter()
    profiles = size = 0
    for bodies in views(job):
        for body in bodies:
            loads(bytes(body))
            size += len(body)
        profiles += len(bodies)
    return {"work_s": time.perf_counter() - began, "profiles": profiles, "bytes": size}


def pandas_normalize(job: Job) -> Result:
    """``json.loads``, ``json_normalize`` of profiles and of both lists of posts, a Parquet file per 500 profiles."""
    import pandas as pd
    import pyarrow.parquet  # noqa: F401 - see msgspec_decode

    began = time.perf_counter()
    profiles = size = 0
    for number, bodies in enumerate(views(job)):
        users = [json.loads(bytes(body))["data"]["user"] for body in bodies]
        for name in TIMELINES:
            posts = pd.json_normalize(users, [name, "edges"], meta="id", meta_prefix="user.", sep="_")
            posts.to_parquet(Path(job["out"], f"{name}-{os.getpid()}-{number}.parquet"))
            for user in users:
                del user[name]["edges"]
        pd.json_normalize(users, sep="_").to_parquet(Path(job["out"], f"accounts-{os.getpid()}-{number}.parquet"))
        profiles += len(users)
        size += sum(map(len, bodies))
    return {"work_s": time.perf_counter() - began, "profiles": profiles, "bytes": size}


def dlt_payloads(job: Job) -> Result:
    """A dlt pipeline of the payloads as they are: dlt makes the tables, of every list one."""
    return _dlt(job, {"accounts": lambda user: [user]})


def dlt_selected(job: Job) -> Result:
    """A dlt pipeline of flat rows with the fields that igtool keeps, picked in Python: a light load for dlt."""
    return _dlt(job, {"accounts": lambda user: [_account(user)], "content_items": _content_items})


def _dlt(job: Job, tables: dict[str, Callable[[dict[str, Any]], list[dict[str, Any]]]]) -> Result:
    os.environ |= {
        "RUNTIME__DLTHUB_TELEMETRY": "false",
        "RUNTIME__LOG_LEVEL": "ERROR",
        "NORMALIZE__WORKERS": str(job["processes"]),
        "SOURCES__DATA_WRITER__FILE_MAX_ITEMS": str(CHUNK),  # several files, so that there is work for both workers
    }
    import dlt
    import pyarrow.parquet  # noqa: F401 - see msgspec_decode
    from dlt.destinations import filesystem

    began = time.perf_counter()
    read = {"profiles": 0, "bytes": 0}

    @dlt.source(name="payloads")
    def source() -> Any:
        def rows() -> Iterator[Any]:
            for bodies in views(job):
                users = [json.loads(bytes(body))["data"]["user"] for body in bodies]
                read["profiles"] += len(users)
                read["bytes"] += sum(map(len, bodies))
                for name, made in tables.items():
                    yield dlt.mark.with_table_name([row for user in users for row in made(user)], name)

        return dlt.resource(rows, name="rows")

    pipeline = dlt.pipeline(
        "payloads",
        pipelines_dir=f"{job['out']}/pipelines",
        destination=filesystem(f"{job['out']}/files"),
        dataset_name="payloads",
    )
    pipeline.run(source(), loader_file_format="parquet")
    return {"work_s": time.perf_counter() - began, **read}


def _account(user: dict[str, Any]) -> dict[str, Any]:
    names = ("id", "username", "full_name", "biography", "category_name", "profile_pic_url_hd", "external_url")
    counts = ("edge_followed_by", "edge_follow", TIMELINES[0])
    flags = ("is_verified", "is_private", "is_business_account")
    return {name: user[name] for name in names + flags} | {name: user[name]["count"] for name in counts}


def _content_items(user: dict[str, Any]) -> list[dict[str, Any]]:
    nodes = {edge["node"]["id"]: edge["node"] for name in TIMELINES for edge in user[name]["edges"]}
    names = ("id", "__typename", "shortcode", "display_url", "is_video", "taken_at_timestamp")
    counts = ("edge_media_preview_like", "edge_media_to_comment")
    return [
        {name: node[name] for name in names}
        | {name: node[name]["count"] for name in counts}
        | {name: node.get(name) for name in ("video_view_count", "video_duration", "product_type")}
        | {"user_id": user["id"], "caption": "".join(e["node"]["text"] for e in node["edge_media_to_caption"]["edges"])}
        for node in nodes.values()
    ]


def duckdb_json(job: Job) -> Result:
    """DuckDB's JSON functions: each body parsed once into a typed structure, the tables written from it as Parquet."""
    from benchmarks.normalize_sql import STRUCTURE

    return _duckdb(job, STRUCTURE)


def duckdb_paths(job: Job) -> Result:
    """DuckDB's JSON functions as one writes them first: a path for each column."""
    from benchmarks.normalize_sql import PATHS

    return _duckdb(job, PATHS)


def _duckdb(job: Job, steps: tuple[str, ...]) -> Result:
    """As many files at once as there are threads, each of which reads one: all in one go takes 13 GB for 100,000."""
    import duckdb

    began = time.perf_counter()
    for table in ("accounts", "content_items", "metric_snapshots"):
        Path(job["out"], table).mkdir()
    threads = job["processes"]
    with duckdb.connect() as connection:
        connection.execute(f"set threads = {threads}")
        connection.execute("set preserve_insertion_order = false; set timezone = 'UTC'")
        connection.execute(f"set temp_directory = '{job['out']}/spill'")
        for part in range(0, len(job["files"]), threads):
            for step in steps:
                text = step.replace("{out}", job["out"]).replace("{part}", str(part))
                connection.execute(text, [job["files"][part : part + threads]] if "$1" in text else [])
    return {"work_s": time.perf_counter() - began, "profiles": job["profiles"]}


CONTESTANTS: dict[str, Callable[[Job], Result]] = {
    "igtool": igtool,
    "msgspec_decode": msgspec_decode,
    "json_loads": json_loads,
    "orjson_loads": orjson_loads,
    "duckdb_json": duckdb_json,
    "duckdb_paths": duckdb_paths,
    "pandas_json_normalize": pandas_normalize,
    "dlt_payloads": dlt_payloads,
    "dlt_selected": dlt_selected,
}
SPLIT = {"msgspec_decode", "json_loads", "orjson_loads", "pandas_json_normalize"}
"""Those that use one core; with ``processes`` above 1 each process takes every so many-th file."""


def split(name: str, job: Job) -> Result:
    """The contestant in several processes; ``work_s`` is that of the slowest, what was read is added up."""
    count = job["processes"]
    jobs = [
        job | {"files": job["files"][part::count], "profiles": len(range(part, job["profiles"], count))}
        for part in range(count)
    ]
    with multiprocessing.get_context("fork").Pool(count) as pool:
        results = pool.map(CONTESTANTS[name], jobs, chunksize=1)
    total = {key: sum(result[key] for result in results) for key in ("profiles", "bytes")}
    return {"work_s": max(result["work_s"] for result in results), **total}


def main() -> None:
    """Run one contestant."""
    name, job = sys.argv[1], json.loads(sys.argv[2])
    result = split(name, job) if name in SPLIT and job["processes"] > 1 else CONTESTANTS[name](job)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
