"""Single values of payloads: counts with limits, times in every form, addresses and marks in texts."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from conftest import REALDATA, needs_realdata
from hypothesis import given
from hypothesis import strategies as st

from igtool.counts import MOST
from igtool.platforms import values
from igtool.platforms.sponsored import is_marked, marked

NOW = datetime(2026, 10, 15, 12, 34, 56, tzinfo=UTC)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=40)


@pytest.mark.parametrize(
    ("value", "most", "count", "flags"),
    [
        (5, MOST["followers"], 5, []),
        ("29.0b", MOST["followers"], None, ["impossible-count"]),
        ("29.0b", MOST["views"], 29_000_000_000, []),
        (2_000_000_000, MOST["followers"], 2_000_000_000, []),
        (2_000_000_001, MOST["followers"], None, ["impossible-count"]),
        (10**12 + 1, MOST["plays"], None, ["impossible-count"]),
        (2**63, MOST["plays"], None, ["bad-count"]),
        (-1, MOST["likes"], None, ["negative-count"]),
        ("2.67%", MOST["likes"], None, ["bad-count"]),
        ("No videos", MOST["posts"], 0, []),
        ("47 subscribers", MOST["followers"], 47, []),
        (values.MongoNumber(long="5000000000"), MOST["likes"], None, ["impossible-count"]),
        ("", MOST["likes"], None, []),
        ("  ", MOST["likes"], None, []),
    ],
)
def test_counts_that_cannot_be(value: Any, most: int, count: int | None, flags: list[str]) -> None:
    """A count over what its metric can be is NULL with a flag; blank is unknown."""
    found: list[str] = []
    assert (values.count(value, found, most), found) == (count, flags)


@pytest.mark.parametrize(
    ("value", "moment"),
    [
        (1_591_123_310, "2020-06-02T18:41:50+00:00"),
        (1_591_123_310_250, "2020-06-02T18:41:50.250000+00:00"),
        (1_591_123_310_250_001, "2020-06-02T18:41:50.250001+00:00"),
        ("1591123310", "2020-06-02T18:41:50+00:00"),
        ("1591123310250", "2020-06-02T18:41:50.250000+00:00"),
        (1_591_123_310.5, "2020-06-02T18:41:50.500000+00:00"),
        ("1591123310.5", "2020-06-02T18:41:50.500000+00:00"),
        (values.MongoNumber(long="1591123310"), "2020-06-02T18:41:50+00:00"),
        (0, "1970-01-01T00:00:00+00:00"),
        ("2019-03-21T20:37:49.000Z", "2019-03-21T20:37:49+00:00"),
        ("2019-03-21T20:37:49.1Z", "2019-03-21T20:37:49.100000+00:00"),
        ("2019-03-21T20:37:49.123456789Z", "2019-03-21T20:37:49.123456+00:00"),
        ("2019-03-21T20:37:49+0200", "2019-03-21T18:37:49+00:00"),
        ("2019-03-21T20:37:49-03:30", "2019-03-22T00:07:49+00:00"),
        ("2019-03-21 20:37:49", "2019-03-21T20:37:49+00:00"),
        ("2019-03-21 20:37:49 UTC", "2019-03-21T20:37:49+00:00"),
        ("2019-03-21", "2019-03-21T00:00:00+00:00"),
        ("20190321", "2019-03-21T00:00:00+00:00"),
    ],
)
def test_times(value: values.Number, moment: str) -> None:
    """Every absolute form of a time is the same moment in UTC."""
    flags: list[str] = []
    assert values.moment(value, flags) == datetime.fromisoformat(moment)
    assert flags == []


@pytest.mark.parametrize(
    "value",
    [
        *(-1, True, 10**11, 10**13, 10**16, 10**40, 1e300, float("nan"), float("inf"), "soon", "²", "1" * 100_000),
        *("0001-01-01", "2100-01-01", "2019-02-30", "1969-12-31", "9999-12-31T23:59-12:00", "0001-01-01T00:00+12:00"),
    ],
)
def test_no_times(value: values.Number) -> None:
    """What is no time, of no known unit or outside 1970-2100 is NULL with a flag."""
    flags: list[str] = []
    assert values.moment(value, flags) is None
    assert flags == ["bad-time"]


@given(SCALARS, st.integers(0, 10**20))
def test_any_value_is_safe(value: Any, most: int) -> None:
    """No value makes a rule fail, and what comes out fits its column."""
    flags: list[str] = []
    count = values.count(value, flags, most)
    assert count is None or 0 <= count <= most
    text = value if isinstance(value, str) else None
    for moment in (values.moment(value, flags), values.trending_date(text, flags), values.ago(text, NOW, flags)):
        assert moment is None or (1970 <= moment.year < 2100 and moment.tzinfo is UTC)


@given(st.datetimes(datetime(2000, 1, 1), datetime(2099, 12, 31)))  # noqa: DTZ001 (hypothesis takes no zone here)
def test_times_round_trip(moment: datetime) -> None:
    """A time written in any unit or form is read back."""
    there = moment.replace(tzinfo=UTC)
    whole = there.replace(microsecond=0)
    seconds = int(whole.timestamp())
    assert values.moment(there.isoformat(), []) == values.moment(f"{moment}", []) == there
    assert {values.moment(seconds * scale, []) for scale in (1, 10**3, 10**6)} == {whole}
    assert values.trending_date(f"{moment:%y.%d.%m}", []) == there.replace(hour=0, minute=0, second=0, microsecond=0)


def test_trending_dates() -> None:
    """YY.DD.MM is read as such, ISO dates too, and a date that is none is flagged."""
    flags: list[str] = []
    assert values.trending_date("17.14.11", flags) == datetime(2017, 11, 14, tzinfo=UTC)
    assert values.trending_date("2022-08-20", flags) == datetime(2022, 8, 20, tzinfo=UTC)
    assert values.trending_date(None, flags) is None
    assert flags == []
    assert values.trending_date("17.11.14", flags) is None
    assert flags == ["bad-time"]


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("7 days ago", "2026-10-08"),
        ("1 day ago", "2026-10-14"),
        ("hace 3 semanas", "2026-09-24"),
        ("Emitido hace 1 día", "2026-10-14"),
        ("Streamed 2 weeks ago", "2026-10-01"),
        ("Premiered 5 hours ago", "2026-10-15T07:00"),
        ("40 minutes ago", "2026-10-15T11:54"),
        ("an hour ago", "2026-10-15T11:00"),
        ("há 2 anos", "2024-10-15"),
        ("il y a 1 an", "2025-10-15"),
        ("vor einem Jahr", "2025-10-15"),
        ("vor 2 Monaten", "2026-08-15"),
        ("2 settimane fa", "2026-10-01"),
        ("3 years ago", "2023-10-15"),
    ],
)
def test_displayed_times(text: str, moment: str) -> None:
    """A displayed age is a time before the observation, cut to its unit and flagged as approximate."""
    flags: list[str] = []
    assert values.ago(text, NOW, flags) == datetime.fromisoformat(moment).replace(tzinfo=UTC)
    assert flags == ["approximate-time"]


def test_texts_that_are_no_age() -> None:
    """Any other text is flagged; a missing one is unknown."""
    flags: list[str] = []
    assert values.ago("days ago", NOW, flags) is None
    assert values.ago("7 parsecs ago", NOW, flags) is None
    assert flags == ["bad-time", "bad-time"]
    assert values.ago("", NOW, flags) is values.ago(None, NOW, flags) is None
    assert len(flags) == 2
    assert values.ago("9999 years ago", NOW, flags) == datetime(1976, 10, 27, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "links"),
    [
        ("linktr.ee/ana | mitienda.es", ["https://linktr.ee/ana", "https://mitienda.es"]),
        ("See http://X.Example/Path?q=1). Then www.Foo.com/a,", ["http://x.example/Path?q=1", "https://www.foo.com/a"]),
        ("https://t.example/abcを見て 👉shop.com👈", ["https://t.example/abc", "https://shop.com"]),
        ("(https://a.example/x_(y)) and [b.com]", ["https://a.example/x_(y)", "https://b.com"]),
        ("me@mail.com ana.com@x.org a_b.com", []),
        ("amigos.es verdad. The end.Next e.g. node.js and/or 1.5", []),
        ("t.me/x youtu.be/y bit.ly/3", ["https://t.me/x", "https://youtu.be/y", "https://bit.ly/3"]),
        ("foo.co.uk! bar.com.br/x", ["https://foo.co.uk", "https://bar.com.br/x"]),
        ("a.com A.com https://a.com", ["https://a.com"]),
        ("日本example.com", ["https://example.com"]),
        ("a..com .com -.com http:// www. http://www man.meets.world today", []),
        (None, []),
    ],
)  # fmt: skip
def test_links(text: str | None, links: list[str]) -> None:
    """Addresses are found with and without a scheme, without the punctuation around them; e-mail hosts are none."""
    assert values.links(text) == links


@pytest.mark.parametrize(
    ("text", "emails", "left"),
    [
        ("Ana@Mail.Example.com, b@c.io.", ["ana@mail.example.com", "b@c.io"], "[], []."),
        ("name (at) domain dot com", ["name@domain.com"], "[]"),
        ("📧name[at]domain[dot]co.uk 📞", ["name@domain.co.uk"], "📧[] 📞"),
        ("a@b.co c (at) d.com a@b.co", ["a@b.co", "c@d.com"], "[] [] []"),
        ("logo@2x.png look (at) me. @ana a@b hi@@x.com", [], "logo@2x.png look (at) me. @ana a@b hi@@x.com"),
    ],
)
def test_emails(text: str, emails: list[str], left: str) -> None:
    """E-mail addresses are found, spelled out too, and all of them can be taken out of the text."""
    assert values.emails(text) == emails
    assert values.without_emails(text, "[]") == left


@given(st.text(max_size=60) | st.text(alphabet="ab@.() [at]dotcom", max_size=60))
def test_no_email_stays(text: str) -> None:
    """What is taken out of a text is found in it no more."""
    assert values.emails(values.without_emails(text, "|")) == []


@pytest.mark.parametrize(
    "text",
    [
        *("[AD] new drop", "(ad) new", "*ad* x", "AD | new", "Ad: this", "Ad\nnew", "✨ AD – new", "ad"),
        *("Publicidad: nuevo", "PUBLI | hola", "Werbung | neu", "Anzeige\nNeu", "WERBUNG: x", "Publicité : x"),
        *("【PR】新作", "広告 | 新作", "[광고] 새", "Pubblicità | x", "Реклама. erid: 2VtzqwXyZ"),
        *("Hi! Paid partnership with @brand", "Colaboración pagada con @x", "Enthält bezahlte Werbung"),
        *("PARTENARIAT RÉMUNÉRÉ", "Oi, parceria paga com @x", "Płatna współpraca z @x", "Betaalde samenwerking met"),
        *("Betalt samarbete med", "this video is sponsored by X"),
        *("유료 광고 포함", "本動画は有料プロモーションを含みます"),
    ],
)  # fmt: skip
def test_marks_in_words(text: str) -> None:
    """Labels at the beginning and phrases anywhere declare advertising, in many languages, alone and in a batch."""
    assert is_marked(text)
    assert marked([None, "x", text]) == [False, False, True]
    assert values.is_sponsored(None, [], text) is True


@pytest.mark.parametrize(
    "text",
    [
        *("Adventure: go", "ad-free zone", "Ad astra", "I add | you", "Publicly: no", "Madrid | Spain", "PR: 100 kg"),
        *("Werbung | unbezahlt", "unbezahlte Partnerschaft", "Werbung (unbezahlt) wegen Markierung"),
        *("I paid | you paid", "Werbungen sehe ich nie", "sponsors of the team", "unpaid partnership"),
        *("?referrerid=7aP80", "soy publicista", "Anzeigen", "pagada la cuenta"),
    ],
)  # fmt: skip
def test_no_marks_in_words(text: str) -> None:
    """Parts of words, unpaid mentions and talk about money declare nothing."""
    assert not is_marked(text)
    assert values.is_sponsored(None, ["adventure", "adidas", "pr"], text) is False


def test_sponsored_batch() -> None:
    """A batch has the answers of single items: a declaration, a tag or words; None where nothing is known."""
    declared = [True, None, None, None, False, None]
    tags = [[], ["ad"], [], [], [], ["x"]]
    texts = [None, "new #ad", "[AD] x", None, None, "x"]
    assert values.are_sponsored(declared, tags, texts) == [True, True, True, None, False, False]
    assert values.are_sponsored(declared, tags, texts) == list(map(values.is_sponsored, declared, tags, texts))
    assert values.are_sponsored([], [], []) == []


@given(st.lists(st.text(max_size=30) | st.sampled_from(["[AD] ", "Werbung", "paid promotion", "reklam |"]), max_size=6))
def test_batches_lose_no_mark(texts: list[str]) -> None:
    """The fast first look at a batch passes on everything that is marked."""
    joined = [" ".join(texts), *texts]
    assert marked(joined) == [is_marked(text) for text in joined]


@pytest.mark.parametrize("unit", ["#", "@", ".", "a@a.", "a.com", "#a", "ww.", "http://", "a (at) ", "[[ ", "www.a",
                                  "[ad", "paid ", "é™", "(", "((at)", "a.com/", "1,", "/", "-"])  # fmt: skip
@pytest.mark.parametrize(
    "rule",
    [values.hashtags, values.mentions, values.links, values.emails, is_marked, lambda text: values.moment(text, [])],
)
def test_hostile_texts_take_no_time(rule: Callable[[str], object], unit: str) -> None:
    """100 KB of any sign come to an end: a rule with a catastrophic search would not."""
    found = rule(unit * (100_000 // len(unit)))
    assert isinstance(found, list | bool | None)


@needs_realdata
def test_real_displays() -> None:
    """Every displayed count and age of a real channel page is read."""
    flags: list[str] = []
    videos = json.loads((REALDATA / "youtube" / "innertube_parsed" / "channel_videos.json").read_bytes())
    assert len(videos) == 60
    for video in videos:
        assert values.count(video["viewCount"], flags, MOST["views"])
        assert values.ago(video["publishedTime"], NOW, flags)
    assert set(flags) == {"approximate-time"}


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("PT1M3S", 63),
        ("P1DT2H", 93600),
        ("PT0.5S", 0.5),
        ("P2W", 1209600),
        ("PT", None),
        ("1:03", None),
        ("PT" + "9" * 400 + "S", None),
    ],
)
def test_durations(text: str, seconds: float | None) -> None:
    """ISO 8601 durations in seconds; what is none, or longer than any number holds, is unknown and flagged."""
    flags: list[str] = []
    assert values.duration_s(text, flags) == seconds
    assert flags == ([] if seconds is not None else ["bad-duration"])
