"""What the pages of the server hold: searches, chips, cards that add up, a creator, a comparison, refusals."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import httpx2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from paged_people import ATTACKS, HOSTILE, make_paged_workspace
from serving import Serving, serving

import igtool
from igtool.search.filters import Filters, make_filters
from igtool.search.grammar import parse_query
from igtool.serve.app import PAGES
from igtool.serve.guarding import HEADERS
from igtool.serve.pages.frame import environment
from igtool.serve.pages.links import parts_in_thousandths, typed
from igtool.serve.pages.static import STATIC, address_of

BROWSER = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


class Read(HTMLParser):
    """Links, forms and text of a page; void of what a browser would do."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep the tag."""
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        """Keep the text, with single spaces."""
        self.text += f" {' '.join(data.split())}"

    def all(self, tag: str, **wanted: str) -> list[dict[str, str | None]]:
        """Attributes of every ``tag`` that has the ``wanted`` ones."""
        return [found for name, found in self.tags if name == tag and wanted.items() <= found.items()]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, empty_lake: Path) -> Iterator[Serving]:
    """A workspace with hostile people, served."""
    place = make_paged_workspace(tmp_path_factory.mktemp("paged"), empty_lake)
    with serving(place, serve_requests_per_second=10_000) as opened:
        yield opened


def get(served: Serving, path: str, **parameters: Any) -> httpx2.Response:
    """The answer that a browser gets."""
    return served.client.get(path, params=parameters or None, headers=BROWSER)


def read(served: Serving, path: str, **parameters: Any) -> Read:
    """A page that is fine."""
    answer = get(served, path, **parameters)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    return Read(answer.text)


def test_files_of_the_pages_belong_to_the_package() -> None:
    """Templates and static files are found, pyproject.toml names their folders, and htmx has its licence beside it."""
    project = Path(igtool.__file__).parents[1] / "pyproject.toml"
    assert all(f'"serve/{folder}/*"' in project.read_text() for folder in ("static", "templates"))
    folder = files("igtool.serve")
    assert {one.name for one in (folder / "static").iterdir()} == {*STATIC, "htmx.LICENSE"}
    assert "Zero-Clause BSD" in (folder / "static" / "htmx.LICENSE").read_text()
    assert 'version:"2.' in (folder / "static" / "htmx.min.js").read_text()
    assert environment().autoescape is True


def test_static_files_are_kept_by_their_content(served: Serving) -> None:
    """An address names the content and never changes its meaning; nothing beside the list is served."""
    for name in STATIC:
        answer = get(served, address_of(name))
        assert "immutable" in answer.headers["cache-control"]
        again = served.client.get(address_of(name), headers={"if-none-match": answer.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
    digest = address_of("pages.css").split("/")[2]
    for path in ("/static/", f"/static/{digest}/", f"/static/{digest}/pages.js", f"/static/{digest}/htmx.LICENSE",
                 f"/static/{digest}/..%2f..%2fapp.py", f"/static/{digest}/%2e%2e/__init__.py"):  # fmt: skip
        assert get(served, path).status_code == 404, path


def test_the_home_is_a_page_for_people_and_json_for_programs(served: Serving) -> None:
    """By the Accept header, which caches are told."""
    assert "Search for creators" in read(served, "/").text
    assert served.get("/").json()["openapi"] == "/openapi.json"
    assert get(served, "/").headers["vary"] == "Accept, HX-Request"
    assert "Search for creators" in served.client.get("/", headers={"hx-request": "true"}).text


def test_a_search_is_that_of_the_api(served: Serving) -> None:
    """The same creators in the same order, each leading to its page, with the points of its score."""
    found = served.get("/api/v1/search", query="trains").json()["results"]
    page = read(served, "/", query="trains")
    assert [one["href"] for one in page.all("a", **{"class": "open"})] == [
        f"/creator/{one['creator_id']}" for one in found
    ]
    assert f"{found[0]['final_score']:.3f}" in page.text
    assert "; ".join(found[0]["reasons"]) in page.text


def test_points_add_up_as_they_are_shown(served: Serving) -> None:
    """Thousandths of every table add up to the score above it."""
    answer = get(served, "/", query="night trains and hats").text
    for table in re.findall(r"<table>.*?</table>", answer, re.DOTALL):
        *parts, total = [float(one) for one in re.findall(r">(\d\.\d{3})<", table)]
        assert round(sum(parts), 3) == total
    assert answer.count('<svg class="score"') == answer.count('<details class="why">') > 1


@given(st.lists(st.floats(0, 0.2), min_size=1, max_size=5))
def test_rounding_keeps_the_sum(values: list[float]) -> None:
    """Parts in thousandths add up to the rounded whole, and none is off by more than one."""
    parts = {str(place): value for place, value in enumerate(values)}
    whole = parts_in_thousandths(parts, sum(values))
    assert sum(whole.values()) == round(sum(values) * 1_000)
    assert all(abs(whole[name] - parts[name] * 1_000) <= 1 for name in parts)


FILTERS = st.builds(
    Filters,
    min_followers=st.none() | st.integers(0, 10**9),
    max_followers=st.none() | st.integers(0, 10**9),
    min_engagement=st.none() | st.integers(0, 1000).map(lambda one: one / 1000),
    platform=st.none() | st.sampled_from(["instagram", "youtube"]),
    niche=st.lists(st.sampled_from(["travel", "food"]), unique=True).map(tuple),
    verified=st.booleans(),
    match=st.sampled_from(["all", "any"]),
)


@given(FILTERS)
def test_filters_as_typed_mean_the_same(filters: Filters) -> None:
    """What a chip's address says is read back as the filters that it came from."""
    cells = {name: cells if name == "niche" else cells[0] for name, cells in typed(filters).items()}
    back = make_filters(**{name: value == "true" if name == "verified" else value for name, value in cells.items()})
    assert back == filters


def test_chips_can_be_taken_away(served: Serving) -> None:
    """One for each filter, read or chosen; its link asks the same without it."""
    page = read(served, "/", query="trains in Spain under 80k followers", niche="Travel,fashion", verified="false")
    chips = [one["href"] or "" for one in page.all("a", **{"class": "remove"})]
    asked = [parse_qs(urlsplit(one).query) for one in chips]
    everything = {"query": ["trains in Spain under 80k followers"], "niche": ["travel", "fashion"]}
    assert asked == [
        {**everything, "query": ["trains under 80k followers"]},
        {**everything, "query": ["trains in Spain"]},
        {**everything, "niche": ["fashion"]},
        {**everything, "niche": ["travel"]},
    ]
    assert "read from “in Spain”" in page.text
    for one in chips:
        assert len(read(served, one).all("a", **{"class": "remove"})) == 3
    assert [one["value"] for one in page.all("input", type="hidden", name="niche")] == ["travel", "fashion"]


def test_what_is_read_out_of_a_text_can_be_taken_out_of_it(served: Serving) -> None:
    """Without each of its pieces the text holds the filters of the others."""
    text = "verified travel on YouTube from Spain"
    page = read(served, "/", query=text)
    for one in page.all("a", **{"class": "remove"}):
        rest = parse_qs(urlsplit(one["href"] or "").query)["query"][0]
        assert len(parse_query(rest)[2]) == len(parse_query(text)[2]) - 1


def test_an_empty_form_asks_for_everybody(served: Serving) -> None:
    """Fields that were left empty are no filters, and chosen values are shown in the form."""
    names = (
        "platform",
        "followers",
        "niche",
        "style",
        "country",
        "language",
        "engagement",
        "growth",
        "activity",
        "tags",
    )
    empty = read(served, "/", query="", sort="relevance", **dict.fromkeys(names, ""))
    assert len(empty.all("a", **{"class": "open"})) == 8
    assert empty.all("a", **{"class": "remove"}) == []
    chosen = read(served, "/", followers="10000..500000", platform="yt", sort="followers")
    assert chosen.all("input", name="followers")[0]["value"] == "10k..500k"
    assert [one["value"] for one in chosen.all("option") if "selected" in one] == ["youtube", "followers"]


def test_what_cannot_be_searched_is_not_lost(served: Serving) -> None:
    """The box and the fields hold what was typed, and each piece of it can be taken away."""
    answer = get(served, "/", query="hats", followers="many", niche="travle,food")
    page = Read(answer.text)
    assert answer.status_code == 400
    assert page.all("input", name="followers")[0]["value"] == "many"
    links = [parse_qs(urlsplit(one["href"] or "").query) for one in page.all("a", **{"class": "remove"})]
    assert {"query": ["hats"], "niche": ["travle", "food"]} in links
    assert {"query": ["hats"], "followers": ["many"], "niche": ["food"]} in links


def test_more_goes_on(served: Serving) -> None:
    """A plain link that shows as many again; the first new one gets the focus, and the last page has no such link."""
    first = read(served, "/", limit=3)
    (more,) = [one for one in first.all("a") if "hx-get" in one]
    assert more["href"] == more["hx-get"] == "/?limit=13"
    second = read(served, more["href"] or "")
    opened = second.all("a", **{"class": "open"})
    assert [one["href"] for one in opened[:3]] == [one["href"] for one in first.all("a", **{"class": "open"})]
    assert ["autofocus" in one for one in opened] == [place == 3 for place in range(8)]
    assert not [one for one in second.all("a") if "hx-get" in one]


@pytest.mark.parametrize(
    ("asked", "status", "words"),
    [
        ({"followers": "many"}, 400, "10k..500k"),
        ({"niche": "travle"}, 400, "did you mean travel"),
        ({"sort": "size"}, 400, "relevance, quality"),
        ({"limit": "0"}, 400, "greater than or equal to 1"),
        ({"colour": "red"}, 400, "no field 'colour'"),
        ({"query": "tranis"}, 200, "searched for “trains”"),
        ({"niche": "travel", "followers": "900M.."}, 200, "Nobody was found"),
    ],
)
def test_a_search_that_finds_nothing_says_why(served: Serving, asked: dict[str, str], status: int, words: str) -> None:
    """In words on a page, with the status that the API has."""
    answer = get(served, "/", **asked)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "text/html; charset=utf-8")
    assert words in Read(answer.text).text
    if status == 400:
        assert served.client.get("/api/v1/search", params=asked).status_code == 400


def test_a_creator_in_full(served: Serving) -> None:
    """Bio, accounts with their links, topics with posts, charts, tags, sources with confidence and age."""
    page = read(served, "/creator/gretaholmqvist")
    for words in (
        "Greta Holmqvist-Ardal", "41.2k", "Night trains, slow food", "same website", "0.97", "Travel (0.83)",
        "setting:travel", "Growth", "+200 (+1.0%) in 7 days", "zero-shot", "posts a week 2.5", "2026-10-01 12:00",
    ):  # fmt: skip
        assert words in page.text, words
    outside = [one for one in page.all("a") if (one["href"] or "").startswith("http")]
    assert {one["rel"] for one in outside} == {"noreferrer noopener nofollow"}
    assert "https://www.instagram.com/p/one/" in [one["href"] for one in outside]
    assert len(page.all("svg", role="img")) == 2
    assert read(served, "/creator/c_greta").text == page.text


def test_several_creators_of_a_name_and_none(served: Serving) -> None:
    """300 with links to each, 404 with links to names that come close; both as pages."""
    several = get(served, "/creator/anna")
    assert several.status_code == 300
    assert {"/creator/c_yo_anna", "/creator/c_in_anna"} <= {one["href"] for one in Read(several.text).all("a")}
    assert get(served, "/creator/anna", platform="youtube").status_code == 200
    nobody = get(served, "/creator/gretaholmquist")
    assert nobody.status_code == 404
    assert "/creator/gretaholmqvist" in [one["href"] for one in Read(nobody.text).all("a")]


def test_creators_side_by_side(served: Serving) -> None:
    """By id or handle, each once and four at most; who is not there is told, and each can be taken away."""
    page = read(served, "/compare", creator=["gretaholmqvist", "c_in_bea", "@bea", "nobody_of_this_name", "anna"])
    assert [one["data-label"] for one in page.all("td")][:2] == ["Greta Holmqvist-Ardal", "Bea"]
    assert "41.2k (YouTube 20k, Instagram 20k)" in page.text
    assert "There is no creator 'nobody_of_this_name'" in page.text
    assert "2 creators are called 'anna'" in page.text
    assert [one["href"] for one in page.all("a", **{"class": "less"})] == [
        "/compare?creator=c_in_bea",
        "/compare?creator=c_greta",
    ]
    many = read(served, "/compare", creator="c_in_bea,c_in_cleo,c_in_dora,c_in_eva,c_greta")
    assert len(many.all("a", **{"class": "less"})) == 4
    assert "these are the first of 5" in many.text
    assert "Tick two to four" in read(served, "/compare").text


def test_how_the_workspace_stands(served: Serving) -> None:
    """Index, runs, coverage, freshness, rejects, spend and queue."""
    page = read(served, "/status")
    for words in ("is current: 8 creators", "none is under way", "enrich", "quiet", "US dollars", "No jobs"):
        assert words in page.text, words
    assert "100" in page.text


@pytest.mark.parametrize("path", ["/", f"/creator/{HOSTILE}", f"/compare?creator={HOSTILE}&creator=c_greta", "/status"])
def test_hostile_texts_are_shown_and_nothing_else(served: Serving, path: str) -> None:
    """They come out escaped: no tag and no attribute of a page is theirs, and no link leads where they want."""
    answer = get(served, path)
    page = Read(answer.text)
    assert answer.status_code == 200
    assert not any(attack in answer.text for attack in ATTACKS if "<" in attack)
    assert ATTACKS[0] in page.text
    assert "{{ 7 * 7 }}" in page.text
    assert len(page.all("script")) == 2
    assert not page.all("img")
    for _, attributes in page.tags:
        assert not any(name.startswith(("on", "style", "hx-on", "hx-trigger")) for name in attributes)
        assert (attributes.get("href") or "/").startswith(("/", "https://", "http://", "#"))


def test_searched_text_comes_back_escaped(served: Serving) -> None:
    """In the title, the box, the chips and every link."""
    for name in ("query", "like", "note", "niche"):
        for attack in ATTACKS if name == "query" else ATTACKS[1:2]:
            text = get(served, "/", **{name: attack}).text
            assert "<" not in attack or attack not in text
            assert len(Read(text).all("script")) == 2


def test_refusals_of_pages_are_pages(served: Serving) -> None:
    """By the family of the address, with the status of the API; programs keep their JSON, whatever they accept."""
    for path, status in (("/creator/%ff", 400), ("/compare?creator=" + "x" * 300, 400), ("/static/x/y", 404)):
        answer = served.client.get(path)
        assert (answer.status_code, answer.headers["content-type"]) == (status, "text/html; charset=utf-8"), path
        assert {name: answer.headers[name] for name in HEADERS} == dict(HEADERS)
        assert answer.headers["cache-control"] == "no-store"
    assert (
        served.client.post("/status", headers={"origin": "https://x.example"})
        .headers["content-type"]
        .startswith("text/html")
    )
    assert served.client.post("/compare").status_code == 405
    for host in ("x.example", "[::1", "a b"):
        answer = served.client.get("/status", headers={"host": host})
        assert (answer.status_code, "does not name this server" in answer.text) == (400, True)
        assert answer.headers["content-type"].startswith("text/html")
    assert "Not found" in get(served, "/no-such-page").text
    assert served.get("/no-such-page").json()["error"] == "not_found"
    assert get(served, "/api/nothing").json()["error"] == "not_found"
    assert get(served, "/api/v1/search", followers="x").json()["error"] == "invalid_request"


def test_too_many_requests_are_told_on_a_page(tmp_path: Path, empty_lake: Path) -> None:
    """And before there is anything, every page says what to type, with 503; the status page says it with 200."""
    with serving(tmp_path, serve_requests_per_second=3.0) as opened:
        for path, status in (("/", 503), ("/creator/bea", 503), ("/status", 200), ("/?query=trains", 503)):
            answer = opened.client.get(path, headers=BROWSER)
            assert (answer.status_code, "igtool enrich CSV" in answer.text) == (status, True), path
        assert opened.client.get("/", headers=BROWSER).headers["retry-after"] == "2"
        answers = (opened.client.get(address_of("icon.svg"), headers=BROWSER) for _ in range(200))
        refused = next(one for one in answers if one.status_code == 429)
        assert refused.headers["retry-after"] == "1"
        assert "ask again in 1 s" in refused.text


PATHS = st.sampled_from(["/", "/creator/", "/compare", "/status", "/static/a/"])
NAMES = st.sampled_from(["query", "limit", "niche", "followers", "creator", "platform", "like", "sort"])


@settings(max_examples=12, deadline=None)
@given(PATHS, st.text(max_size=12), st.dictionaries(NAMES, st.text(max_size=12), max_size=3))
def test_no_address_breaks_a_page(served: Serving, path: str, end: str, asked: dict[str, str]) -> None:
    """Any text in path and parameters: a page, or a refusal that is the client's fault."""
    url = quote(path + (end.replace("/", "") if path.endswith("/") else ""))
    answer = served.client.get(url, params=asked, headers=BROWSER)
    assert answer.status_code in (200, 300, 400, 404), (url, asked)
    assert answer.headers["content-type"].startswith("text/html")


def test_pages_are_no_part_of_the_contract(served: Serving) -> None:
    """OpenAPI names none of them."""
    paths = served.get("/openapi.json").json()["paths"]
    assert not {str(getattr(route, "path", "")) for router in PAGES for route in router.routes} & set(paths)
    assert "htmx" not in json.dumps(paths)
