"""The page that searches: one text box, filters as chips, results as cards that say why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from igtool import __version__
from igtool.errors import IgtoolError, UsageError
from igtool.lake import Lake
from igtool.search import answer
from igtool.search.answer import Hit, SearchResult
from igtool.search.filters import ACTIVITY, Filters
from igtool.search.query import MAX_LIMIT, SORTS
from igtool.serve.api.base import Services, as_json, search_for, services_of, several
from igtool.serve.callers import who_of
from igtool.serve.errors import Unavailable, status_of, without_paths
from igtool.serve.keeping import Keeper
from igtool.serve.login import PAGE
from igtool.serve.pages.frame import href, page
from igtool.serve.pages.links import MANY, Chip, chosen_chips, parts_in_thousandths, read_chips, typed
from igtool.serve.pages.refused import wants_page
from igtool.serve.pages.typed import Typed

router = APIRouter(dependencies=PAGE, include_in_schema=False)

CARDS = 10
"""Cards of a page, and how many more each "more" shows."""
_MOST_OFFERED = 300
"""Values of a facet that are offered; any other can be typed into the address."""
PART_NAMES = {
    "keyword": "words found",
    "ig_bio": "Instagram bio",
    "ig_captions": "Instagram captions",
    "yt_bio": "YouTube description",
    "yt_content": "YouTube videos",
    "image": "pictures",
    "quality": "quality",
}
"""What each part of a score is called."""


@dataclass(frozen=True)
class Part:
    """A piece of a score: where its bar begins and how long it is, in per cent of the whole, and its points."""

    name: str
    label: str
    start: float
    width: float
    points: str
    input: float | None


@dataclass(frozen=True)
class Card:
    """A creator found, with what the tables tell besides."""

    hit: Hit
    parts: Sequence[Part]
    more: Mapping[str, Any]
    is_first_new: bool


@dataclass(frozen=True)
class View:
    """What the page shows of one question."""

    asked: Typed
    given: Mapping[str, Sequence[str]] = field(default_factory=dict)
    chips: Sequence[Chip] = ()
    cards: Sequence[Card] = ()
    result: SearchResult | None = None
    more: str | None = None
    trouble: str | None = None
    status: int = 200

    @property
    def starts(self) -> bool:
        """Whether nothing was asked yet, so that the text box waits for what is typed."""
        return not self.given and self.asked.limit == CARDS


@router.get("/")
def home(request: Request, asked: Annotated[Typed, Query()]) -> Response:
    """The search page; for programs, which do not ask for HTML, where the API is described."""
    if not wants_page(request.scope):
        return as_json({"name": "igtool", "version": __version__, "openapi": "/openapi.json", "health": "/health"})
    view = _view(request, asked)
    retry = {"Retry-After": "2"} if view.status == 503 else {}
    return page(
        request,
        "search.html",
        status=view.status,
        headers=retry,
        view=view,
        facets=_facets(request, view.given),
        sorts=SORTS,
        activities=ACTIVITY,
    )


def _view(request: Request, asked: Typed) -> View:
    services = services_of(request)
    try:
        filters = asked.filters()
        query = answer.Query(asked.query, filters, asked.limit, literal=asked.literal, like=asked.like, sort=asked.sort)
        result = search_for(request, query)
    except (UsageError, Unavailable) as error:
        status, _ = status_of(error)
        said = without_paths(str(error), services.settings)
        given = _as_asked(asked)
        return View(asked, given, chosen_chips(given), trouble=said, status=status)
    own = filters.as_dict()
    given = _given(asked, _only(result.filters, own))
    chips = [*read_chips(result, own, given), *chosen_chips(given)]
    more = None
    if len(result.results) == asked.limit < MAX_LIMIT:
        more = href("/", {**given, "limit": min(asked.limit + CARDS, MAX_LIMIT)})
    return View(asked, given, chips, _cards(services, result, asked.limit - CARDS), result, more)


def _only(filters: Filters, names: Mapping[str, Any]) -> Filters:
    """Of ``filters``, in the words of the index, those with ``names``."""
    return Filters(**{one.name: getattr(filters, one.name) for one in fields(Filters) if one.name in names})


def _given(asked: Typed, filters: Filters) -> dict[str, Sequence[str]]:
    """The parameters of a search with ``filters``: the same ones in the same words, whoever typed them how."""
    besides = {
        "query": [asked.query] if asked.query.strip() else [],
        "like": [asked.like] if asked.like else [],
        "literal": ["true"] if asked.literal else [],
        "sort": [asked.sort] if asked.sort != "relevance" else [],
    }
    return {name: cells for name, cells in {**besides, **typed(filters)}.items() if cells}


def _as_asked(asked: Typed) -> dict[str, Sequence[str]]:
    """The parameters as they came, for what could not be searched: nothing that was typed is lost."""
    cells = asked.model_dump(exclude_defaults=True, exclude={"limit", "explain"})
    return {
        name: several(value) if name in MANY else ["true" if value is True else str(value)]
        for name, value in cells.items()
    }


def _cards(services: Services, result: SearchResult, seen: int) -> list[Card]:
    known = services.readers.read(lambda lake: _known(lake, [hit.creator_id for hit in result.results]))
    return [
        Card(hit, _parts(hit), known.get(hit.creator_id, {}), is_first_new=place == seen > 0)
        for place, hit in enumerate(result.results)
    ]


def _parts(hit: Hit) -> list[Part]:
    points, begins, found = parts_in_thousandths(hit.parts, hit.final_score), 0.0, []
    for name, value in hit.parts.items():
        shown = f"{points[name] / 1_000:.3f}"
        if value > 0:
            found.append(Part(name, PART_NAMES.get(name, name), begins * 100, value * 100, shown, hit.inputs.get(name)))
        begins += value
    return found


def _known(lake: Lake, ids: Sequence[str]) -> dict[str, dict[str, Any]]:
    """What cards show besides the index: style, country, language and the surest tags of creators."""
    rows = lake.rows(
        "select c.creator_id, c.country, c.language, n.content_style, "
        "(select list(t.category || ':' || t.tag order by t.confidence_score desc nulls last, t.category, t.tag)[:6] "
        "from creator_tags t where t.creator_id = c.creator_id) as tags "
        "from creators c left join niches n using (creator_id) where c.creator_id in (select unnest(?::varchar[]))",
        (list(ids),),
    )
    return {row["creator_id"]: row for row in rows}


def _facets(request: Request, given: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    """Values that can be added, by filter: those that exist and are not chosen yet."""
    index = services_of(request).desk.standing.index
    known = dict(index.columns.known) if index is not None else {}
    known["lists"] = set(_lists(request))
    offered = {}
    for name in ("platform", *MANY):
        values = sorted(set(known.get(name, ())) - set(given.get(name, ())), key=str.lower)
        offered[name] = values[:_MOST_OFFERED]
    offered["platform"] = sorted(known.get("platform", ()))
    return offered


def _lists(request: Request) -> list[str]:
    """Names of lists; none where there is no lake that can be read, of which the search itself tells."""
    try:
        return Keeper(services_of(request), who_of(request)).list_names()
    except IgtoolError:
        return []
