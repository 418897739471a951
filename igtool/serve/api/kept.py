"""What whoever asks keeps: lists, notes, hidden creators, saved searches. Another tenant's are not there: 404."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from igtool.lake import Lake
from igtool.notes import LONGEST, NAME
from igtool.serve.api.base import Strict, as_json, documented, services_of, several
from igtool.serve.api.creators import LISTED, Creators, Paged
from igtool.serve.api.search import Asked, SearchDocument, found_by
from igtool.serve.callers import who_of
from igtool.serve.keeping import Keeper
from igtool.serve.listing import Page, Wanted, csv_of, fields_of, page

router = APIRouter(prefix="/api/v1", tags=["kept"])

_MOST_EXPORTED = 100_000
_MOST_AT_ONCE = 1_000
_WHEN = "2026-01-31T12:00:00Z"
_ID = "c_5f0c2b7a91d34e6a"

Name = Annotated[str, Path(description="its name, without /", min_length=1, max_length=NAME, pattern=r"^[^/\x00]+$")]
Creator = Annotated[
    str, Field(description="a handle, with @ or without, or a creator_id", min_length=1, max_length=200)
]


class OneList(BaseModel):
    """A list."""

    name: str
    creators_count: int


class Lists(BaseModel):
    """All lists."""

    lists: list[OneList]


class Members(Strict):
    """Creators that come on a list or go."""

    add: list[Creator] = Field([], max_length=_MOST_AT_ONCE)
    remove: list[Creator] = Field([], max_length=_MOST_AT_ONCE)

    model_config = Strict.model_config | {"json_schema_extra": {"examples": [{"add": ["imogensaltmarch"]}]}}


class Changed(BaseModel):
    """What became of a list."""

    name: str
    added: int
    removed: int
    creators_count: int


class NewNote(Strict):
    """A note."""

    creator: Creator
    note: str = Field(min_length=1, max_length=LONGEST, pattern=r"\S")

    model_config = Strict.model_config | {
        "json_schema_extra": {"examples": [{"creator": "imogensaltmarch", "note": "answers within a day"}]}
    }


class Note(BaseModel):
    """A note, as it is kept."""

    note_id: str
    creator_id: str
    note: str
    noted_at: datetime


class Notes(BaseModel):
    """Notes, the newest first."""

    notes: list[Note]


class NewHidden(Strict):
    """A creator that no search shows."""

    creator: Creator
    reason: str | None = Field(None, max_length=LONGEST)

    model_config = Strict.model_config | {
        "json_schema_extra": {"examples": [{"creator": "imogensaltmarch", "reason": "works with somebody else"}]}
    }


class HiddenOne(BaseModel):
    """A creator that no search shows, and why."""

    creator_id: str
    reason: str | None
    hidden_at: datetime


class Hidden(BaseModel):
    """Hidden creators, the newest first."""

    hidden: list[HiddenOne]


class SavedSearch(BaseModel):
    """A search under a name."""

    name: str
    request: dict[str, Any] = Field(description="as POST /api/v1/search takes it")
    saved_at: datetime


class SavedSearches(BaseModel):
    """All of them, by name."""

    searches: list[SavedSearch]


class Done(BaseModel):
    """That it is so now."""

    status: str


_LISTS = {"lists": [{"name": "shortlist", "creators_count": 1}]}
_CHANGED = {"name": "shortlist", "added": 1, "removed": 0, "creators_count": 1}
_PAGE = {
    "creators": [{"creator_id": _ID, "handle": "imogensaltmarch"}],
    "returned_count": 1,
    "next_cursor": "WyI5ZjM4YzEi",
}
_NOTES = {
    "notes": [{"note_id": "0123456789abcdef", "creator_id": _ID, "note": "answers within a day", "noted_at": _WHEN}]
}
_HIDDEN = {"hidden": [{"creator_id": _ID, "reason": "works with somebody else", "hidden_at": _WHEN}]}
_SEARCH = {"name": "trains", "request": {"query": "slow travel by train", "limit": 20}, "saved_at": _WHEN}
_FOUND = {
    "command": "search",
    "query": "trains",
    "text": "trains",
    "filters": {},
    "understood": [],
    "corrected": {},
    "notes": [],
    "index": {"version": "9f38c1aa-41"},
    "results": [],
}
_DONE = {"status": "done"}
_CSV = "creator_id,handle,followers_count\r\nc_5f0c2b7a91d34e6a,imogensaltmarch,41200\r\n"


def _keeper(request: Request) -> Keeper:
    return Keeper(services_of(request), who_of(request))


# --- lists ---


@router.get("/lists", response_model=Lists, responses=documented(_LISTS))
def lists(request: Request) -> Response:
    """The lists, with how many creators are on each."""
    found = _keeper(request).lists()
    return as_json({"lists": [{"name": name, "creators_count": len(ids)} for name, ids in sorted(found.items())]})


@router.get("/lists/{name}", response_model=Creators, responses=documented(_PAGE, 404))
def list_members(request: Request, name: Name, asked: Annotated[Paged, Query()]) -> Response:
    """The creators of a list, page by page."""
    wanted = Wanted(asked.platform, among=tuple(_keeper(request).members(name)))
    fields = fields_of(several(asked.fields), LISTED)

    def ask(lake: Lake) -> Page:
        return page(lake, wanted, fields, sort=asked.sort, limit=asked.limit, cursor=asked.cursor)

    found = services_of(request).readers.read(ask)
    document = {"creators": found.creators, "returned_count": len(found.creators), "next_cursor": found.next_cursor}
    return as_json(document)


@router.post("/lists/{name}", response_model=Changed, responses=documented(_CHANGED, 403, 404, 413))
def change_list(request: Request, name: Name, members: Members) -> Response:
    """Put creators on a list, which is made if it is not there, and take others off it."""
    keeper = _keeper(request)
    keeper.named([*members.add, *members.remove])
    added = keeper.put_on_list(name, members.add) if members.add else 0
    removed = keeper.take_off_list(name, members.remove) if members.remove else 0
    count = len(keeper.lists().get(name.strip(), ()))
    return as_json({"name": name.strip(), "added": added, "removed": removed, "creators_count": count})


@router.delete("/lists/{name}", response_model=Done, responses=documented(_DONE, 403, 404))
def delete_list(request: Request, name: Name) -> Response:
    """Delete a list; its creators stay."""
    _keeper(request).drop_list(name)
    return as_json(_DONE)


@router.get(
    "/lists/{name}/export",
    response_class=Response,
    responses={**documented(_CSV, 404, media="text/csv")},
)
def export_list(
    request: Request,
    name: Name,
    fields: Annotated[list[Annotated[str, Field(max_length=200)]], Query(max_length=50)] = [],  # noqa: B006 - FastAPI's
) -> Response:
    """The creators of a list as CSV, the largest first; cells that a spreadsheet would work out begin with '."""
    wanted = Wanted(among=tuple(_keeper(request).members(name)))
    chosen = fields_of(several(fields), LISTED)
    found = services_of(request).readers.read(
        lambda lake: page(lake, wanted, chosen, sort="followers", limit=_MOST_EXPORTED, cursor=None)
    )
    headers = {"Content-Disposition": 'attachment; filename="creators.csv"'}
    return Response(csv_of(chosen, found.creators), headers=headers, media_type="text/csv")


# --- notes and hidden creators ---


@router.get("/notes", response_model=Notes, responses=documented(_NOTES, 404))
def notes(request: Request, creator: Annotated[Creator | None, Query()] = None) -> Response:
    """Notes, about one creator or all."""
    return as_json({"notes": _keeper(request).notes(creator)})


@router.post("/notes", response_model=Notes, responses=documented(_NOTES, 403, 404, 413))
def add_note(request: Request, note: NewNote) -> Response:
    """Note something about a creator; the notes about it."""
    keeper = _keeper(request)
    keeper.note(note.creator, note.note)
    return as_json({"notes": keeper.notes(note.creator)})


@router.delete("/notes/{note_id}", response_model=Done, responses=documented(_DONE, 403, 404))
def delete_note(request: Request, note_id: Annotated[str, Path(max_length=64)]) -> Response:
    """Delete a note."""
    _keeper(request).drop_note(note_id)
    return as_json(_DONE)


@router.get("/hidden", response_model=Hidden, responses=documented(_HIDDEN))
def hidden(request: Request) -> Response:
    """Creators that no search shows."""
    return as_json({"hidden": _keeper(request).hidden()})


@router.post("/hidden", response_model=Hidden, responses=documented(_HIDDEN, 403, 404, 413))
def hide(request: Request, hidden: NewHidden) -> Response:
    """Let a creator appear in no search; all that do not."""
    keeper = _keeper(request)
    keeper.hide(hidden.creator, hidden.reason)
    return as_json({"hidden": keeper.hidden()})


@router.delete("/hidden/{username}", response_model=Done, responses=documented(_DONE, 403, 404))
def unhide(request: Request, username: Annotated[str, Path(max_length=200)]) -> Response:
    """Let a hidden creator appear again."""
    _keeper(request).unhide(username)
    return as_json(_DONE)


# --- saved searches ---


@router.get("/searches", response_model=SavedSearches, responses=documented({"searches": [_SEARCH]}))
def searches(request: Request) -> Response:
    """Saved searches."""
    return as_json({"searches": _keeper(request).searches()})


@router.put("/searches/{name}", response_model=SavedSearch, responses=documented(_SEARCH, 403, 413))
def save_search(request: Request, name: Name, asked: Asked) -> Response:
    """Save a search; one of that name is replaced. Its filters are checked, as in a search."""
    asked.filters()
    keeper = _keeper(request)
    keeper.save_search(name, asked.model_dump(exclude_defaults=True))
    return as_json(keeper.search(name.strip()))


@router.get("/searches/{name}/results", response_model=SearchDocument, responses=documented(_FOUND, 404))
def run_search(request: Request, name: Name) -> Response:
    """What a saved search finds now."""
    return found_by(request, Asked(**_keeper(request).search(name)["request"]))


@router.delete("/searches/{name}", response_model=Done, responses=documented(_DONE, 403, 404))
def delete_search(request: Request, name: Name) -> Response:
    """Forget a saved search."""
    _keeper(request).drop_search(name)
    return as_json(_DONE)
