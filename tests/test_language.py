"""Languages of texts: one at a time, many at once, from several threads."""

from __future__ import annotations

import random
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from py3langid.langid import MODEL_FILE, LanguageIdentifier

from igtool import language

SENTENCES = {
    "ca": "Aquest cap de setmana obrim el mercat amb productes de proximitat i música en directe",
    "de": "Heute zeige ich euch, wie man aus alten Kisten ein schönes Regal für den Balkon baut",
    "en": "I share honest reviews of the books that nobody else in my street has ever read",
    "es": "Esta semana hemos vuelto a la huerta de mi abuela para recoger los primeros tomates",
    "fr": "Je vous emmène découvrir les plus belles plages de la région avec mes enfants",
    "it": "Oggi prepariamo insieme la pasta fresca come la faceva mia nonna ogni domenica",
    "ja": "毎日のお弁当と簡単なレシピを紹介しています。よろしくお願いします",
    "ko": "오늘은 집에서 간단하게 만들 수 있는 건강한 저녁 식사를 소개합니다",
    "nl": "Vandaag laat ik jullie zien hoe je zelf een houten kast voor de keuken maakt",
    "pl": "Dzisiaj pokażę wam, jak upiec chleb na zakwasie bez specjalnego sprzętu",
    "pt": "Hoje vou mostrar como eu faço o pão de queijo da minha avó aqui em casa",
    "ru": "Сегодня я покажу вам, как приготовить домашний хлеб без специальной печи",
    "sv": "Idag visar jag hur man bygger en egen bokhylla av gamla lådor från trädgården",
    "tr": "Bugün sizlere evde kolayca yapabileceğiniz sağlıklı bir akşam yemeği gösteriyorum",
    "zh": "今天给大家介绍一道简单又健康的家常菜，希望你们喜欢这个视频，欢迎订阅",
}

PIECES = [*" ".join(SENTENCES.values()).split(), "#love", "@someone", "https://a.example/x", "🌍✈️", "MADRID", "\n"]


def captions(count: int) -> list[str]:
    """Invented captions of one language each, of all lengths."""
    draw = random.Random(7)
    made = []
    for number in range(count):
        words = draw.choice(list(SENTENCES.values())).split(" ")
        draw.shuffle(words)
        made.append(f"{' '.join(words[: draw.randint(1, len(words))])} {number}")
    return made


@pytest.mark.parametrize("code", sorted(SENTENCES))
def test_languages(code: str) -> None:
    """A sentence of each language gets its code, in lower and upper case alike."""
    text = SENTENCES[code]
    assert language.identify_all([text, text.upper()]) == [code, code]


def test_many_are_as_one() -> None:
    """Many texts at once, in any order and company, get what each gets alone."""
    texts = captions(600)
    alone = dict(zip(texts, map(language.identify, texts), strict=True))
    assert language.identify_all(texts) == list(alone.values())
    random.Random(3).shuffle(texts)
    assert language.identify_all(texts) == [alone[text] for text in texts]
    assert len(set(alone.values())) > len(SENTENCES) / 2


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.text(max_size=200) | st.lists(st.sampled_from(PIECES), max_size=30).map(" ".join), max_size=70))
def test_any_texts(texts: list[str]) -> None:
    """No text breaks the identifier, and its company never changes its answer."""
    assert language.identify_all(texts) == [language.identify(text) for text in texts]


def test_answers_are_those_of_py3langid() -> None:
    """The model walked in step says what py3langid says of the same texts, but where a handicap or doubt decides."""
    model = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    identifier = language._identifier()
    model.set_languages({*filter(None, identifier.codes), "zxx"} - language._RARER)
    texts = [text.encode() for text in captions(400) if len(text) > 30]
    said = {text: model.classify(text) for text in texts}
    sure = {text: code for text, (code, confidence) in said.items() if confidence > 2 * language.MIN_CONFIDENCE}
    answers = identifier.codes_of(texts)
    assert len(sure) > 250
    assert [code for text, code in sure.items() if answers[text] not in (code, *language._RARER)] == []
    assert sum(answers[text] != code for text, code in sure.items()) < len(sure) / 100


def test_both_ways_meet_the_same_features() -> None:
    """Texts walked in step meet the features that they meet one by one."""
    identifier = language._identifier()
    texts = sorted((text.encode() for text in captions(90)), key=len, reverse=True)
    one_by_one, in_step = identifier._met_one_by_one(texts), identifier._met_in_step(texts)
    assert sorted(one_by_one) == sorted(in_step)
    assert len(in_step) > len(texts)


def test_sums_are_exact() -> None:
    """The largest sum that a text can have is a whole number that a 32-bit float holds."""
    identifier = language._identifier()
    weights = identifier.weight_of
    assert (weights[1:] / range(1, len(weights))).max() * language._MAX_BYTES * 255 < 2**24
    assert (weights % 1 == 0).all()
    assert len(identifier.moves) > len(identifier.row_of) > len(identifier.table)
    assert language._TEXTS_AT_ONCE * 2**language._STATE_BITS < 2**31
    assert len(identifier.row_of) < 2**language._STATE_BITS


@pytest.mark.parametrize(
    "text",
    [
        "\x00" * 500,
        "\ud800" * 200,
        "𝅗𝅥" * 300,  # grows to twelve bytes a character in normal form C
        "ﷺ" * 300,
        "a" * 100_000,
        "é" * 159 + "👨‍👩‍👧‍👦",
        "=cmd|' /C calc'!A0 " * 9,
        "İ" * 400,
    ],
    ids=["nul", "surrogates", "growing", "ligatures", "long", "accents", "formula", "dotted"],
)
def test_hostile_texts(text: str) -> None:
    """Texts that no person wrote are answered, alike alone and among others."""
    assert language.identify_all([*captions(60), text])[-1] == language.identify(text)


def test_texts_without_letters_load_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a text to identify the model is not even loaded."""
    monkeypatch.setattr(language, "_identifier", lambda: pytest.fail("loaded"))
    assert (
        language.identify_all([None, "", "Madrid", "🌍 123", "@someone https://a.example/long/path/of/words"])
        == [None] * 5
    )
    assert language.identify_all([]) == []


def test_equal_texts_are_prepared_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A caption that a creator repeats costs once."""
    prepared: list[str] = []
    prepare = language._telling_bytes
    monkeypatch.setattr(language, "_telling_bytes", lambda text: prepared.append(text) or prepare(text))
    text = SENTENCES["es"]
    assert language.identify_all([text, None, text, text]) == ["es", None, "es", "es"]
    assert prepared == [text]


def test_titles() -> None:
    """A Title With Capitals is of its language although the model knows sentences only."""
    titles = ["Wildest Cooking Disasters: Top 10, Nov. 11", "Best Kitchen Fails (Official Video) ft. My Sister"]
    assert language.identify_all(titles) == ["en", "en"]


def test_neighbours() -> None:
    """Galician is found where it is sure and does not claim Spanish words; Aragonese is never found."""
    texts = [
        "A miña avoa ensinoume a facer este pan na casa, e hoxe quérovos amosar como se fai",
        "Un paseo entre montañas verdes",
    ]
    assert language.identify_all(texts) == ["gl", "es"]
    assert not {"an", "la", "oc"} & set(language._identifier().codes)


def test_threads_agree() -> None:
    """Threads that ask at the same time get the same answers, also while the model loads."""
    language._identifier.cache_clear()
    texts = captions(200)
    with ThreadPoolExecutor(4) as threads:
        answers = list(threads.map(language.identify_all, [texts] * 4))
    assert answers == [[language.identify(text) for text in texts]] * 4


def test_loading_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    """The model is loaded before the first text asks for it."""
    loaded = threading.Event()
    monkeypatch.setattr(language, "_identifier", loaded.set)
    language.load_ahead()
    assert loaded.wait(timeout=30)


def test_import_is_cheap() -> None:
    """Importing the module loads neither numpy nor the model's library."""
    code = "import sys, igtool.language; print(sorted({'numpy', 'py3langid'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
