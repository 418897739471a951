"""The report: right numbers, hostile texts kept harmless, every empty state told in words."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import search_tables

import igtool
from igtool import charts
from igtool.errors import StorageError
from igtool.fill import Cell
from igtool.progress import StageCounts
from igtool.report import (
    ColumnCoverage,
    ListSummary,
    Oddity,
    ReportData,
    RunInfo,
    ValueOrigin,
    collect,
    render_report,
    value_origins,
)
from igtool.report.page import initials, render, safe_url
from igtool.report.rhythm import rhythm_of
from igtool.report.texts import REASONS

MONDAY = datetime(2026, 9, 28, 18, 30, tzinfo=UTC)
RUN = RunInfo("20261001T120000-7", datetime(2026, 10, 1, 12, tzinfo=UTC), 3.25, versions={"igtool": "0.1.0"})
HOSTILE = '<script>alert(1)</script>"><img src=x onerror=alert(1)> javascript:alert(1) {{ 7*7 }} &'


class Tables(search_tables.Tables):
    """The same with people."""

    def add(self, name: str, rows: Sequence[dict[str, Any]] = (), /, **row: Any) -> None:
        """One row; what is not named is NULL."""
        super().add(name, [*rows, row] if row else rows)

    def creator(self, number: int, followers: int | None, *, accounts: int = 1, **niche: Any) -> None:
        """A creator with an Instagram account, and a channel of the same handle if it has two accounts."""
        handle = niche.pop("handle", f"person{number}")
        name = niche.pop("name", f"Person {number}")
        site = niche.pop("external_url", None)
        key = f"c_{number}"
        self.add(
            "creators", creator_id=key, name=name, canonical_handle=handle, account_count=accounts,
            total_followers_count=followers, language="es", country="ES",
        )  # fmt: skip
        for platform in ("instagram", "youtube")[:accounts]:
            self.add(
                "accounts", account_id=f"{platform}:{number}", platform=platform, platform_user_id=str(number),
                handle=handle, followers_count=followers, external_url=site, is_private=number == 1,
            )  # fmt: skip
            self.add(
                "creator_links", account_id=f"{platform}:{number}", creator_id=key,
                rule="same_handle" if accounts > 1 else "only_account", evidence=handle if accounts > 1 else None,
            )  # fmt: skip
        niche = {"primary_niche": "vegan_cooking", "confidence_score": 0.42, **niche}
        self.add("niches", creator_id=key, **niche)

    def post(self, number: int, at: datetime, likes: int) -> None:
        """One post of the Instagram account of a creator."""
        count = self.arrow("select count(*) as n from content_items").to_pylist()[0]["n"]
        self.add(
            "content_items", content_id=f"instagram:p{count}", platform="instagram", published_at=at,
            account_id=f"instagram:{number}", like_count=likes, comment_count=0,
        )  # fmt: skip


@pytest.fixture
def tables() -> Iterator[Tables]:
    """Empty tables."""
    opened = Tables()
    yield opened
    opened.connection.close()


class Page(HTMLParser):
    """What a browser would make of a page: elements with their attributes, and visible text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.shown: list[str] = []
        self.feed(html)
        self.text = re.sub(r"\s+", " ", " ".join(self.shown))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep the element."""
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        """Keep the text."""
        self.shown.append(data)


def test_hostile_texts_stay_texts(tables: Tables) -> None:
    """Markup in any text of a profile, list or reject adds no element, no handler and no link to the page."""
    tables.creator(2, 5_000, accounts=2, name=HOSTILE, handle='x"/onmouseover=1',
                   external_url="javascript:alert(1)", primary_niche=HOSTILE,
                   content_style=HOSTILE, llm_summary=HOSTILE)  # fmt: skip
    tables.add("rejects", stage=HOSTILE, item_id="i", reason=HOSTILE, detail=HOSTILE, path=HOSTILE, line=3)
    tables.connection.execute("update accounts set category = 'Public figure'")
    summary = ListSummary(HOSTILE, HOSTILE, HOSTILE, 1, {HOSTILE: 1}, (Oddity(HOSTILE, 1, (2,)),))
    run = replace(
        RUN, run_id=HOSTILE, output=HOSTILE, notes=[HOSTILE], versions={HOSTILE: HOSTILE},
        stages=[StageCounts(HOSTILE)], generic_categories=["public figure"],
        coverage=[ColumnCoverage(HOSTILE, HOSTILE, 0, 1, 1)], origins=[ValueOrigin(HOSTILE, HOSTILE, HOSTILE, 1)],
    )  # fmt: skip
    page = Page(render(collect(tables, run, summary)))
    tags = {tag for tag, _ in page.elements}
    assert not tags & {"script", "img", "iframe", "object", "embed", "link", "form", "base", "audio", "video"}
    assert not [name for _, attrs in page.elements for name in attrs if name.startswith("on") or name == "src"]
    assert "alert(1)</script>" in page.text
    assert "{{ 7*7 }}" in page.text
    links = [attrs for tag, attrs in page.elements if tag == "a"]
    assert {str(attrs["href"]).split("/")[2] for attrs in links} == {"www.instagram.com", "www.youtube.com"}
    assert all({"noopener", "noreferrer"} <= set(str(attrs["rel"]).split()) for attrs in links)


def test_the_page_loads_nothing(tables: Tables) -> None:
    """No style, picture or script comes from elsewhere, and the content security policy forbids it."""
    tables.creator(1, 500)
    html = render(collect(tables, RUN))
    assert "default-src 'none'" in html
    assert not re.search(r"url\(|@import|<link|<script|\ssrc=", html)


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "JaVaScRiPt:alert(1)",
        " data:text/html,x",
        "//host.example",
        "ftp://host.example",
        "http://",
        "https://a b",
        "http://[",
        "vbscript:x",
        "java\nscript:x",
        "",
        None,
    ],
)
def test_only_http_addresses_become_links(url: str | None) -> None:
    """Whatever is no plain http or https address stays a text."""
    assert safe_url(url) is None


def test_plain_addresses_become_links() -> None:
    """Any spelling of http and https with a host, spaces around left out."""
    assert safe_url(" HTTPS://Lucia.example/a?b=c ") == "HTTPS://Lucia.example/a?b=c"
    assert safe_url("http://lucia.example") == "http://lucia.example"


def test_numbers_come_from_the_tables(tables: Tables) -> None:
    """Bands, niches, private accounts and confidence steps are counted as defined, at their edges too."""
    for number, followers in enumerate([9_999, 10_000, 49_999, 50_000, 499_999, 500_000, 1_000_000, 1_000_001, None]):
        tables.creator(number, followers, confidence_score=number / 10)
    tables.creator(20, 70_000, primary_niche="dogs", confidence_score=1.0)
    data = collect(tables, RUN)
    assert {band.name: band.count for band in data.bands} == {
        "nano": 1, "micro": 2, "mid": 3, "macro": 2, "mega": 1, "unknown": 1,
    }  # fmt: skip
    assert [(niche.name, niche.count) for niche in data.niches] == [("vegan_cooking", 9), ("dogs", 1)]
    assert (data.totals.creators, data.totals.accounts, data.totals.private) == (10, 10, 1)
    assert data.confidence == (1, 1, 1, 1, 1, 1, 1, 1, 1, 1)
    assert [creator.followers for creator in data.top[:2]] == [1_000_001, 1_000_000]


def test_many_niches_end_in_other(tables: Tables) -> None:
    """The chart stays readable, and no creator is left out of its sum."""
    for number in range(40):
        tables.creator(number, 100, primary_niche=f"niche_{number}")
    niches = collect(tables, RUN).niches
    assert niches[-1].name == "other"
    assert sum(niche.count for niche in niches) == 40


def test_engagement_has_quartiles_per_band(tables: Tables) -> None:
    """Rates of 1, 2, 3, 4 and 5 per cent in a band give 2, 3 and 4."""
    for number in range(1, 6):
        tables.creator(number, 1_000)
        tables.post(number, MONDAY, number * 10)
    (spread,) = collect(tables, RUN).engagement
    assert (spread.platform, spread.band, spread.accounts) == ("instagram", "nano", 5)
    assert (spread.low, spread.median, spread.high) == pytest.approx((0.02, 0.03, 0.04))


def test_hours_are_utc_and_weeks_begin_on_monday(tables: Tables) -> None:
    """Monday 18:30 UTC is (0, 18) and Sunday 23:59 UTC is (6, 23), whatever the session's time zone."""
    tables.connection.execute("set timezone = 'Asia/Tokyo'")
    tables.creator(1, 1_000)
    tables.post(1, MONDAY, 1)
    tables.post(1, MONDAY + timedelta(days=6, hours=5, minutes=29), 1)
    data = collect(tables, RUN)
    assert data.hours == {(0, 18): 1, (6, 23): 1}


def test_generic_categories_are_flagged(tables: Tables) -> None:
    """Case and accents do not matter; a category that says something is not flagged."""
    for number, category in enumerate(["Public figure", "FIGURA PUBLICA", "Photographer", None]):
        tables.add("accounts", account_id=str(number), platform="instagram", category=category)
    data = collect(tables, replace(RUN, generic_categories=["public Figure", "Figura pública"]))
    assert {item.name for item in data.generic} == {"Public figure", "FIGURA PUBLICA"}


def test_methods_are_counted_by_field(tables: Tables) -> None:
    """Which method decided a field is told for each field."""
    for number, method in enumerate(["zero-shot", "zero-shot", "words"]):
        methods = json.dumps({"primary_niche": method, "llm_summary": "extraction"})
        tables.add("niches", creator_id=str(number), methods=methods)
    assert collect(tables, RUN).methods == (
        ("llm_summary", "extraction", 3),
        ("primary_niche", "zero-shot", 2),
        ("primary_niche", "words", 1),
    )


def test_people_on_several_platforms_show_rule_and_evidence(tables: Tables) -> None:
    """The page names both accounts, the rule and what it rests on."""
    tables.creator(3, 2_000, accounts=2, handle="lucia.vindel")
    tables.creator(4, 1_000)
    data = collect(tables, RUN)
    assert data.linked_total == 1
    (creator,) = data.linked
    assert [(a.platform, a.rule, a.evidence) for a in creator.accounts] == [
        ("instagram", "same_handle", "lucia.vindel"),
        ("youtube", "same_handle", "lucia.vindel"),
    ]
    text = Page(render(data)).text
    assert "Same handle" in text
    assert "@lucia.vindel" in text


def test_rejects_are_grouped_with_their_first_examples(tables: Tables) -> None:
    """Counted by stage and reason, most first, with three examples and what to do."""
    for number in range(5):
        tables.add("rejects", stage="import", item_id=str(number), reason="broken-json", path=f"f{number}.json")
    tables.add("rejects", stage="list", item_id="x", reason="no-handle", path="creators.csv", line=12, detail="#N/A")
    data = collect(tables, RUN)
    assert [(g.stage, g.reason, g.count, len(g.examples)) for g in data.rejects] == [
        ("import", "broken-json", 5, 3),
        ("list", "no-handle", 1, 1),
    ]
    text = Page(render(data)).text
    assert REASONS["broken-json"] in text
    assert re.search(r"creators\.csv ?, line 12 ?: ?#N/A", text)
    assert "and 2 more" in text


def test_every_reason_has_an_explanation() -> None:
    """A slug that igtool gives to a reject is explained in the report."""
    given = re.compile(
        r'(?:Refused|Malformed|NoAccount)\(\s*"([a-z0-9-]+)"|reason="([a-z0-9-]+)"|Reject\(item, "([a-z-]+)"'
    )
    root = Path(igtool.__file__).parent
    slugs = {"".join(found) for path in root.rglob("*.py") for found in given.findall(path.read_text())}
    assert len(slugs) > 5
    assert slugs - set(REASONS) == set()


def test_coverage_shows_before_after_and_gain(tables: Tables) -> None:
    """The table beside the chart holds the exact numbers, and the chart is labelled for a screen reader."""
    run = replace(RUN, coverage=[ColumnCoverage("GENRE", "category", 18, 1_069, 1_080)],
                  origins=[ValueOrigin("GENRE", "category", "platform", 1_051)])  # fmt: skip
    page = Page(render(collect(tables, run, ListSummary("a.csv", "utf-8", ",", 1_080, {"enriched": 1_051}))))
    assert "GENRE Category 18 1,069 +1,051" in page.text
    assert "GENRE Category platform 1,051" in page.text
    chart = next(attrs for tag, attrs in page.elements if tag == "svg")
    names = {attrs.get("id") for tag, attrs in page.elements if tag in {"title", "desc"}}
    assert set(str(chart["aria-labelledby"]).split()) <= names


def test_empty_tables_read_well(tables: Tables) -> None:
    """Without accounts, posts, links and rejects each section says so; nothing is drawn from nothing."""
    page = Page(render(collect(tables, RUN, ListSummary("a.csv", "utf-8", ",", 3, {"no_answer": 3}))))
    for words in (
        "No creator is stored yet", "No posts with a time of publishing", "Everything made it",
        "No creator has a niche yet", "No account is stored", "No two accounts were found", "No cell was filled",
        "Nothing about it was odd", "Nothing was pending", "No answer stored 3",
    ):  # fmt: skip
        assert words in page.text
    assert "svg" not in {tag for tag, _ in page.elements}
    assert "None" not in page.text
    assert "nan" not in page.text


def test_without_a_list_the_list_is_left_out(tables: Tables) -> None:
    """A run over stored answers only has no list to tell about."""
    tables.creator(1, 100)
    assert "The list" not in Page(render(collect(tables, RUN))).text


def test_the_file_is_replaced(tables: Tables, tmp_path: Path) -> None:
    """The report takes the place of the last one as a whole, lone surrogates and all."""
    path = tmp_path / "export" / "report.html"
    tables.creator(1, 100)
    data = collect(tables, RUN)
    render_report(data, path)
    render_report(replace(data, run=replace(RUN, notes=["half \ud83d of an emoji"])), path)
    assert "half ? of an emoji" in path.read_text(encoding="utf-8")
    assert [entry.name for entry in path.parent.iterdir()] == ["report.html"]


def test_a_report_that_cannot_be_written_says_so(tables: Tables, tmp_path: Path) -> None:
    """A folder where the file should be is an error of storage, with its name, and leaves nothing behind."""
    (tmp_path / "report.html").mkdir()
    with pytest.raises(StorageError, match=r"report\.html"):
        render_report(collect(tables, RUN), tmp_path / "report.html")
    assert [entry.name for entry in tmp_path.iterdir()] == ["report.html"]


def test_commands_are_safe_to_paste(tables: Tables) -> None:
    """A handle with characters of the shell is quoted in the command that shows it."""
    tables.creator(1, 100, handle="x; rm -rf $HOME")
    data: ReportData = collect(tables, RUN)
    assert ("igtool show 'x; rm -rf $HOME'", "everything known about one creator") in data.commands


def test_origins_are_counted_per_column_and_method() -> None:
    """Filled cells become one line for each column, field and method."""
    cells = [Cell("GENRE", "category", "x", "files", method, "") for method in ("platform", "words", "platform")]
    assert value_origins(cells) == (
        ValueOrigin("GENRE", "category", "platform", 2),
        ValueOrigin("GENRE", "category", "words", 1),
    )


@pytest.mark.parametrize(
    ("share", "text"),
    [(None, "–"), (float("nan"), "–"), (0, "0 %"), (0.0344, "3.4 %"), (0.099, "9.9 %"), (0.5, "50 %")],
)
def test_percentages(share: float | None, text: str) -> None:
    """One digit below ten per cent, none above."""
    assert charts.percent(share).replace("\u202f", " ") == text


def test_charts_escape_their_labels() -> None:
    """A label is text, never markup, wherever a chart puts it."""
    drawn = [
        charts.bars("a", "<b>", [charts.Bar("<i>&", 3)]),
        charts.columns("b", "<b>", [charts.Bar("<i>&", 3)]),
        charts.spread("c", "<b>", [charts.Quartiles("<i>&", 0.1, 0.2, 0.3, 4)]),
    ]
    for chart in drawn:
        assert "<i>" not in chart
        assert "<b>" not in chart
        assert "&lt;i&gt;&amp;" in chart


def test_bars_keep_their_proportions() -> None:
    """The widest bar fills the room, half the value is half as wide, and zero draws nothing."""
    drawn = charts.bars("a", "t", [charts.Bar("x", 8), charts.Bar("y", 4), charts.Bar("z", 0)])
    widths = [float(width) for width in re.findall(r'<rect class="bar"[^>]* width="([\d.]+)%"', drawn)]
    assert len(widths) == 2
    assert widths[0] == pytest.approx(2 * widths[1], abs=0.02)


def test_the_heatmap_names_the_busiest_hours() -> None:
    """Its description says in words what the colours say."""
    drawn = charts.heatmap("h", "t", {(0, 9): 2, (6, 20): 5})
    assert "Most at Sun 20:00 (5), Mon 09:00 (2)" in drawn
    assert drawn.count("<rect") == 7 * 24


@pytest.mark.parametrize(
    ("name", "letters"),
    [
        ("Zoraida Quelmar", "ZQ"),
        ("lía", "L"),
        ("✨ Candela Mirzal ✨", "CM"),
        ("🎾", "·"),
        ("", "·"),
        ("<b> x", "BX"),
    ],
)
def test_initials_stand_for_pictures(name: str, letters: str) -> None:
    """First and last word, letters and digits only."""
    assert initials(name) == letters


def test_a_column_that_gained_nothing_is_not_drawn_as_filled() -> None:
    """What was there before keeps its own colour also when the run filled nothing."""
    drawn = str(charts.bars("coverage", "t", [charts.Bar("GENRE", 8, part=0, total=10)]))
    assert 'class="bar muted"' in drawn
    assert 'class="bar"' not in drawn


def test_how_a_creator_posts_is_told_in_words() -> None:
    """Numbers, the clock they are of, and shares with the largest first; what is not known has no line."""
    pattern = {
        "frequency": 2.04,
        "best_time_to_post": {"basis": "engagement", "hour": 9, "items": 4, "weekday": "monday"},
        "best_hours": [9, 18],
        "time_zone": "Europe/Madrid",
        "content_mix": {"post": 0.25, "reel": 0.75},
        "content_kinds": {},
    }
    assert rhythm_of(pattern) == [
        ("posts a week", "2.0"),
        ("best time", "Monday 09:00 Europe/Madrid: the best reactions, 4 posts"),
        ("best hours", "09:00, 18:00 Europe/Madrid"),
        ("formats", "reel 75\u202f%, post 25\u202f%"),
    ]
    assert rhythm_of({}) == []
