"""The tables of schema.py in memory, and invented people to search among."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from igtool.arrow import arrow_schema
from igtool.encoders.base import Encoder, Vectors
from igtool.schema import TABLES
from igtool.search.answer import Query
from igtool.search.build import build_index
from igtool.search.query import Index
from igtool.views import VIEWS

NOW = datetime(2026, 6, 1, tzinfo=UTC)
SEEN = datetime(2026, 5, 20, 12, tzinfo=UTC)

_PEOPLE = """
creator|handle|name|platform|followers|niche|secondary|style|language|country|silent|bio
c01|luna.viaja|Luna Prado|instagram|412000|travel||vlog|es|ES|2|Viajes baratos por el mundo, mochila y trenes
c02|northtrails|Ewan Hollis|instagram|9500|outdoors|travel|diary|en|GB|50|Hiking in the hills, travelling slowly
c03|cocinaconrita|Rita Olmedo|youtube|1250000|food|family|tutorial|es|MX|5|Recetas fáciles para toda la familia
c04|bakedbyjune|June Abbot|instagram|88000|food||tutorial|en|US|200|Sourdough bread and cake recipes
c05|pixelgrotto|Pixel Grotto|youtube|640000|gaming||review|en|US|1|Video game reviews, speedruns and live streams
c06|marco.fit|Marco Iriarte|instagram|51000|fitness|sports|tutorial|es|ES|9|Entrenador personal. Fuerza en casa
c07|liftwithdana|Dana Verlin|instagram|230000|fitness||tutorial|en|US|20|Strength coach, home workouts
c08|telaslentas|Telas Lentas|instagram|15300|fashion||aesthetic|es|ES|88|Moda sostenible hecha en Barcelona
"""
CAPTIONS = {
    "travel": "Sunset over the old town",
    "outdoors": "Tent up before the rain",
    "food": "Nueva receta / new recipe today",
    "gaming": "Boss fight without damage",
    "fitness": "Twenty minutes, no equipment",
    "fashion": "Algodón orgánico para el verano",
}
Person = dict[str, Any]


def _person(cells: list[str], line: str) -> Person:
    person: Person = dict(zip(cells, line.split("|"), strict=True))
    person.update(followers=int(person["followers"]), silent=int(person["silent"]))
    person["secondary"] = person["secondary"].split()
    return person


_NAMES, *_LINES = _PEOPLE.strip().splitlines()
PEOPLE = [_person(_NAMES.split("|"), line) for line in _LINES]
"""Creators; ``silent`` is days without a post when the account was seen."""


class Tables:
    """The tables of schema.py in memory, with the one method the builder needs."""

    def __init__(self) -> None:
        self.connection = duckdb.connect()
        self.connection.execute("set timezone = 'UTC'")
        for table in TABLES.values():
            columns = ", ".join(f'"{column.name}" {column.type}' for column in table.columns)
            self.connection.execute(f'create table "{table.name}" ({columns})')
        for name, query in VIEWS.items():
            self.connection.execute(f'create view "{name}" as {query}')

    def add(self, name: str, rows: Sequence[dict[str, Any]]) -> None:
        """Insert rows; columns that are not named are NULL."""
        self.connection.register("incoming", pa.Table.from_pylist(list(rows), schema=arrow_schema(TABLES[name])))
        self.connection.execute(f'insert into "{name}" from incoming')
        self.connection.unregister("incoming")

    def arrow(self, query: str, parameters: Sequence[object] = ()) -> pa.Table:
        """The result as an Arrow table."""
        return self.connection.execute(query, list(parameters)).to_arrow_table()

    def batches(self, query: str, parameters: Sequence[object] = ()) -> Iterator[pa.RecordBatch]:
        """The same part by part."""
        yield from self.connection.cursor().execute(query, list(parameters)).to_arrow_table().to_batches(1_000)


def add_person(tables: Tables, person: Person, encoder: Encoder | None = None, **changed: Any) -> None:
    """One creator with one account, three items, a niche, and with an encoder the vectors of bio and content."""
    person = {**person, **changed}
    creator, platform, followers = person["creator"], person["platform"], person["followers"]
    account = f"{platform}:{person['handle']}"
    add_account(tables, creator, account, person["handle"], followers, display_name=person["name"], bio=person["bio"])
    shared = {"creator_id": creator, "country": person["country"], "language": person["language"]}
    named = {"name": person["name"], "canonical_handle": person["handle"], "platforms": [platform]}
    tables.add("creators", [{**shared, **named, "total_followers_count": followers}])
    niche = {"primary_niche": person["niche"], "secondary_niches": person["secondary"]}
    tables.add("niches", [{"creator_id": creator, **niche, "content_style": person["style"]}])
    last = SEEN - timedelta(days=person["silent"])
    caption = CAPTIONS[person["niche"]]
    counts = {"like_count": followers // 50, "comment_count": 10, "observed_at": SEEN}
    items = [
        {"content_id": f"{account}/{n}", "account_id": account, "title_or_caption": caption, **counts}
        | {"published_at": last - timedelta(days=3 * n)}
        for n in range(3)
    ]
    tables.add("content_items", items)
    if encoder is not None:
        fields = ("ig_bio", "ig_captions") if platform == "instagram" else ("yt_bio", "yt_content")
        for field, vector in zip(fields, encoder.encode([person["bio"], caption]), strict=True):
            add_vector(tables, account, field, encoder.model, vector.tolist())


def add_account(tables: Tables, creator: str, account: str, handle: str, followers: int, **cells: object) -> None:
    """An account and its link to the creator; the account id begins with its platform."""
    tables.add("creator_links", [{"account_id": account, "creator_id": creator, "rule": "only_account"}])
    row = {"account_id": account, "platform": account.split(":")[0], "handle": handle, "observed_at": SEEN}
    tables.add("accounts", [{**row, "followers_count": followers, **cells}])


def add_vector(tables: Tables, account: str, field: str, model: str, vector: list[float]) -> None:
    """The vector of one field of an account."""
    row = {"embedding_id": f"{account}|{field}", "owner_id": account, "field": field}
    tables.add("embeddings", [{**row, "model": model, "vector": vector}])


def people_index(folder: Path, encoder: Encoder) -> Path:
    """``folder`` with an index over all invented people."""
    tables = Tables()
    for person in PEOPLE:
        add_person(tables, person, encoder)
    build_index(tables, folder, version="v1")
    return folder


class Given(Encoder):
    """An encoder of numbers: a text of numbers is its vector."""

    model = "numbers"
    dimension = 8

    def embed(self, texts: Sequence[str], *, is_query: bool) -> Vectors:
        """The numbers of each text."""
        return np.asarray([[float(cell) for cell in text.split()] for text in texts], dtype=np.float32)


def find(index: Index, text: str = "", *, encoder: Encoder | None = None, now: datetime = NOW, **asked: Any) -> Any:
    """What ``index`` answers."""
    return index.search(Query(text, **asked), encoder=encoder, now=now)


def search(folder: Path, text: str, **asked: Any) -> Any:
    """What the index of ``folder`` answers."""
    return find(Index(folder), text, **asked)


def handles(result: Any) -> list[str]:
    """Handles of the results in order."""
    return [hit.handle for hit in result.results]


_KILLED = """
    import os, signal, sys
    from pathlib import Path
    from igtool.search import build, folder

    step = sys.argv[2]
    place = folder if hasattr(folder, step) else build
    victim = getattr(place, step)
    def die(*given, **named):
        if step == "replaced" and given[0].name != "current":
            return victim(*given, **named)
        os.kill(os.getpid(), signal.SIGKILL)
    setattr(place, step, die)
    exec(sys.argv[3])
    build.build_index(tables, Path(sys.argv[1]), version="v2")
"""


def killed_build(folder: Path, step: str, making: str) -> None:
    """Build ``v2`` in a process that is killed when it calls the function ``step``; ``making``: code for ``tables``."""
    arguments = [sys.executable, "-c", textwrap.dedent(_KILLED), str(folder), step, making]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path])}
    died = subprocess.run(arguments, env=environment, check=False, capture_output=True, text=True)
    assert died.returncode == -signal.SIGKILL, died.stderr
