"""What people do with a creator: note, put on a list, hide, forget."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Request
from starlette.responses import Response

from igtool.errors import UsageError
from igtool.lake import Lake
from igtool.serve.api.base import services_of
from igtool.serve.api.creators import named
from igtool.serve.callers import who_of
from igtool.serve.errors import NotThere
from igtool.serve.forgetting import check_may_forget, forget, held, may_forget
from igtool.serve.keeping import Keeper
from igtool.serve.login import PAGE
from igtool.serve.pages.forms import Filled, back
from igtool.serve.pages.frame import creator_href, page
from igtool.serve.pages.lists import list_named
from igtool.workspace import about

router = APIRouter(prefix="/creator/{creator_id}", dependencies=PAGE, include_in_schema=False)

Row = dict[str, Any]
CreatorId = Annotated[str, Path(max_length=200)]


def own_of(request: Request, creator_id: str) -> Row:
    """What whoever asks keeps about a creator: ``notes``, ``on`` (lists), ``lists`` (others), ``hidden``."""
    keeper = keeper_of(request)
    lists = keeper.lists()
    return {
        "notes": keeper.notes(creator_id),
        "on": sorted(name for name, ids in lists.items() if creator_id in ids),
        "lists": sorted(name for name, ids in lists.items() if creator_id not in ids),
        "hidden": next((row for row in keeper.hidden() if row["creator_id"] == creator_id), None),
        "may_forget": may_forget(request),
    }


def keeper_of(request: Request) -> Keeper:
    """What whoever asks keeps."""
    return Keeper(services_of(request), who_of(request))


@router.post("/note")
def note(request: Request, creator_id: CreatorId, form: Filled) -> Response:
    """Keeps a note."""
    keeper_of(request).note(creator_id, form.text("note"))
    return back(form.get("next"), "noted")


@router.post("/unnote")
def unnote(request: Request, creator_id: CreatorId, form: Filled) -> Response:
    """Deletes a note about the creator. Raises NotThere."""
    keeper, note_id = keeper_of(request), form.text("note_id")
    if note_id not in {one["note_id"] for one in keeper.notes(creator_id)}:
        raise NotThere(f"there is no note {note_id[:60]!r} about this creator")
    keeper.drop_note(note_id)
    return back(form.get("next"), "unnoted")


@router.post("/list")
def put_on_list(request: Request, creator_id: CreatorId, form: Filled) -> Response:
    """Puts the creator on a list, a new one if one is named."""
    keeper_of(request).put_on_list(list_named(form), [creator_id])
    return back(form.get("next"), "listed")


@router.post("/unlist")
def take_off_list(request: Request, creator_id: CreatorId, form: Filled) -> Response:
    """Takes the creator off a list."""
    keeper = keeper_of(request)
    keeper.take_off_list(form.text("list"), [creator_id])
    stays = creator_id in keeper.lists().get(form.text("list"), ())
    return back(form.get("next"), "stays" if stays else "unlisted")


@router.post("/hide")
def hide(request: Request, creator_id: CreatorId, form: Filled) -> Response:
    """Lets no search show the creator."""
    keeper_of(request).hide(creator_id, form.get("reason").strip() or None)
    return back(form.get("next"), "hidden")


@router.post("/unhide")
def unhide(request: Request, creator_id: CreatorId, form: Filled) -> Response:
    """Lets searches show the creator again."""
    keeper_of(request).unhide(creator_id)
    return back(form.get("next"), "shown")


@router.get("/forget")
def forget_page(request: Request, creator_id: CreatorId) -> Response:
    """Says what would be removed, and asks for the handle."""
    check_may_forget(request)
    return _forget_page(request, creator_id)


@router.post("/forget")
def forgotten(request: Request, creator_id: CreatorId, form: Filled) -> Response:
    """Forgets the creator if the handle was typed."""
    check_may_forget(request)
    creator = services_of(request).readers.read(lambda lake: _one(lake, creator_id))
    if form.get("handle").strip().removeprefix("@").lower() != word_for(creator).lower():
        return _forget_page(request, creator_id, "This is not the handle; nothing was removed.")
    is_done = forget(request, creator["creator_id"])
    return back("/", "forgotten" if is_done else "forgetting")


def word_for(creator: Row) -> str:
    """What has to be typed to forget a creator: its handle, or its id where it has none."""
    return str(creator["canonical_handle"] or creator["creator_id"])


def _forget_page(request: Request, creator_id: str, problem: str = "") -> Response:
    def ask(lake: Lake) -> Row:
        creator = _one(lake, creator_id)
        return {"creator": creator, "held": held(lake, creator["creator_id"])}

    told = services_of(request).readers.read(ask)
    creator = told["creator"]
    address = creator_href(creator["creator_id"])
    status = 400 if problem else 200
    return page(request, "forget.html", status=status, word=word_for(creator), address=address, problem=problem, **told)


def _one(lake: Lake, creator_id: str) -> Row:
    """The creator. Raises NotThere, and UsageError where several have the handle."""
    found = named(lake, creator_id, None)
    if len(found) > 1:
        raise UsageError(f"{len(found)} creators have the handle {creator_id[:60]!r}: name one by its id")
    return about(lake, found[0])
