"""Pages of what people keep: lists with their creators, as CSV too; saved searches; hidden creators."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any
from urllib.parse import parse_qsl, urlsplit

from fastapi import APIRouter, Path, Query, Request
from pydantic import ValidationError
from starlette.responses import Response

from igtool.errors import UsageError
from igtool.notes import NAME
from igtool.report import texts
from igtool.serve.api.base import services_of
from igtool.serve.api.creators import LISTED
from igtool.serve.api.kept import export_list
from igtool.serve.callers import who_of
from igtool.serve.errors import validation_details
from igtool.serve.keeping import Keeper
from igtool.serve.listing import COLUMNS, SORTS, Wanted
from igtool.serve.listing import page as page_of
from igtool.serve.login import PAGE, local_path
from igtool.serve.pages.forms import Filled, Form, back
from igtool.serve.pages.frame import href, list_href, page
from igtool.serve.pages.links import MANY
from igtool.serve.pages.typed import Typed

router = APIRouter(dependencies=PAGE, include_in_schema=False)

Row = dict[str, Any]
Name = Annotated[str, Path(max_length=NAME)]

_SHOWN = ("creator_id", "handle", "name", "platforms", "followers_count", "primary_niche", "country")
_PAGE = 50
_MOST_TICKED = 100
_TICKED = ("handle", "name", "platforms", "followers_count", "country", "primary_niche")
"""Columns of an export that are ticked at first."""


def _keeper(request: Request) -> Keeper:
    return Keeper(services_of(request), who_of(request))


def list_named(form: Form) -> str:
    """The name of a list that a form gives: a new one, or one of those that there are. Raises UsageError."""
    new = form.get("new").strip()
    name = new or form.get("list").strip()
    if not name:
        raise UsageError("no list is named: choose one, or give a new one a name")
    if new and {".", ".."} & set(new.split("/")):
        raise UsageError(
            "a list cannot be called . or .., nor have such a piece between slashes: no address leads to it"
        )
    return name


# --- all of them ---


@router.get("/lists")
def lists(request: Request) -> Response:
    """Lists with their counts, saved searches, hidden creators."""
    keeper = _keeper(request)
    hidden = keeper.hidden()
    about = {row["creator_id"]: row for row in keeper.shown([row["creator_id"] for row in hidden])}
    searches = [
        {"name": row["name"], "saved_at": row["saved_at"], "href": href("/", cells), "words": _words(cells)}
        for row in keeper.searches()
        for cells in [_cells(row["request"])]
    ]
    return page(
        request,
        "lists.html",
        lists=sorted((name, len(ids)) for name, ids in keeper.lists().items()),
        searches=searches,
        hidden=[{**row, **about.get(row["creator_id"], {})} for row in hidden],
    )


def _cells(request: Mapping[str, Any]) -> dict[str, Any]:
    """A saved search as parameters of an address."""
    ordered = {"query": request.get("query", ""), **request}
    return {name: "true" if value is True else value for name, value in ordered.items()}


def _words(cells: Mapping[str, Any]) -> str:
    """A saved search as people say it."""
    told = [f"“{cells['query']}”"] if cells.get("query") else []
    for name, value in cells.items():
        if name not in ("query", "limit"):
            said = ", ".join(value) if isinstance(value, list) else str(value)
            told.append(texts.words(name).lower() if said == "true" else f"{texts.words(name).lower()} {said}")
    return "; ".join(told) or "everybody"


# --- one list ---


@router.get("/add")
def add_page(
    request: Request,
    creator: Annotated[list[Annotated[str, Query(max_length=200)]], Query(max_length=_MOST_TICKED)] = [],  # noqa: B006 - FastAPI's
) -> Response:
    """Asks on which list the ticked creators come."""
    keeper = _keeper(request)
    ticked = keeper.shown(keeper.named(creator)) if creator else []
    came_from = _way_back(request)
    return page(request, "add.html", ticked=ticked, lists=keeper.list_names(), came_from=came_from)


def _way_back(request: Request) -> str:
    """The page of this server that led here, as the browser says; `local_path` has the last word on it."""
    parts = urlsplit(request.headers.get("referer", ""))
    if parts.netloc != request.headers.get("host"):
        return "/"
    return local_path(f"{parts.path}?{parts.query}" if parts.query else parts.path)


@router.post("/lists/add")
def add(request: Request, form: Filled) -> Response:
    """Puts creators on a list."""
    ticked = form.all("creator")
    if not 1 <= len(ticked) <= _MOST_TICKED:
        raise UsageError(f"tick one to {_MOST_TICKED} creators")
    _keeper(request).put_on_list(list_named(form), ticked)
    return back(form.get("next"), "listed")


@router.post("/lists/remove")
def remove(request: Request, form: Filled) -> Response:
    """Takes creators off a list."""
    keeper, name, gone = _keeper(request), form.text("list"), form.all("creator")
    keeper.take_off_list(name, gone)
    left = keeper.lists().get(name)
    done = "stays" if left and set(keeper.named(gone)) & set(left) else "unlisted"
    return back(form.get("next") if left else "/lists", done)


@router.post("/lists/delete")
def delete(request: Request, form: Filled) -> Response:
    """Deletes a list."""
    _keeper(request).drop_list(form.text("list"))
    return back("/lists", "dropped")


@router.get("/lists/{name:path}/export.csv")
def export(
    request: Request,
    name: Name,
    fields: Annotated[list[Annotated[str, Query(max_length=200)]], Query(max_length=50)] = [],  # noqa: B006 - FastAPI's
) -> Response:
    """The creators of a list as CSV, the largest first, with the columns that were chosen."""
    return export_list(request, name, fields)


@router.get("/lists/{name:path}")
def one_list(
    request: Request,
    name: Name,
    sort: Annotated[str, Query(max_length=40)] = "followers",
    cursor: Annotated[str | None, Query(max_length=4096)] = None,
) -> Response:
    """The creators of a list, page by page."""
    members = _keeper(request).members(name)
    wanted = Wanted(among=tuple(members))
    found = services_of(request).readers.read(
        lambda lake: page_of(lake, wanted, _SHOWN, sort=sort, limit=_PAGE, cursor=cursor)
    )
    at = list_href(name)
    return page(
        request,
        "list.html",
        name=name,
        at=at,
        count=len(members),
        creators=found.creators,
        sort=sort,
        sorts=SORTS,
        first=href(at, {"sort": sort}) if cursor else None,
        more=href(at, {"sort": sort, "cursor": found.next_cursor}) if found.next_cursor else None,
        columns=[(one, one in _TICKED) for one in COLUMNS if one in LISTED],
    )


# --- saved searches, hidden creators ---


@router.post("/searches/save")
def save_search(request: Request, form: Filled) -> Response:
    """Keeps the search of a search page under a name; its filters are checked, as in a search."""
    asked = search_at(form.get("next"))
    asked.filters()
    _keeper(request).save_search(form.text("name"), asked.model_dump(exclude_defaults=True))
    return back(form.get("next"), "saved")


@router.post("/searches/delete")
def delete_search(request: Request, form: Filled) -> Response:
    """Forgets a saved search."""
    _keeper(request).drop_search(form.text("name"))
    return back("/lists", "unsaved")


def search_at(address: str) -> Typed:
    """The search of a search page by its address. Raises UsageError."""
    given: dict[str, list[str]] = {}
    for name, value in parse_qsl(urlsplit(local_path(address)).query, keep_blank_values=True, errors="replace"):
        given.setdefault(name, []).append(value)
    cells: dict[str, str | Sequence[str]] = {
        name: values if name in MANY else values[-1] for name, values in given.items()
    }
    try:
        return Typed.model_validate(cells)
    except ValidationError as error:
        raise UsageError(
            validation_details([{**one, "loc": ("search", *one["loc"])} for one in error.errors()])
        ) from error
