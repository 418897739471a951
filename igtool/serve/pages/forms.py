"""What pages that change something share: the fields of a form, and the way back with a word of what was done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from fastapi import Depends, Request
from starlette.responses import RedirectResponse

from igtool.errors import UsageError
from igtool.serve.login import local_path, pairs_of

SAID = "done"
"""Parameter of an address that names a word of `DONE`."""


@dataclass(frozen=True)
class Done:
    """What a page says was done, and where to look at it."""

    text: str
    address: str = ""
    name: str = ""


DONE: Mapping[str, Done] = {
    "noted": Done("The note is kept."),
    "unnoted": Done("The note is deleted."),
    "listed": Done("On the list now.", "/lists", "Your lists"),
    "unlisted": Done("Taken off the list."),
    "stays": Done("It stays on this list, which `igtool enrich` was given: what a run was asked for stays."),
    "dropped": Done("The list is deleted; its creators stay."),
    "hidden": Done("Hidden: no search shows this creator.", "/lists#hidden", "Hidden creators"),
    "shown": Done("Searches show this creator again."),
    "saved": Done("The search is saved.", "/lists#searches", "Saved searches"),
    "unsaved": Done("The saved search is deleted."),
    "forgotten": Done("The creator is forgotten."),
    "forgetting": Done(
        "The creator is being forgotten, which takes some minutes; the status tells when it is done.",
        "/status",
        "Status",
    ),
    "told": Done("Written down. Tags follow when `igtool run tag` runs next."),
    "decided": Done("Written down. Creators follow when `igtool run resolve` runs next."),
    "unsaid": Done("The conversation is deleted."),
}
"""Everything that a page may say after a change, by what the address calls it: no text comes from an address."""


@dataclass(frozen=True)
class Form:
    """Names and values that a form sent, in their order."""

    pairs: Sequence[tuple[str, str]]

    def get(self, name: str) -> str:
        """The last value of a field; empty where there is none."""
        return next((value for known, value in reversed(self.pairs) if known == name), "")

    def text(self, name: str) -> str:
        """The value of a field that has to be there. Raises UsageError."""
        if not self.get(name).strip():
            raise UsageError(f"the field {name} of the form is empty")
        return self.get(name)

    def all(self, name: str) -> list[str]:
        """Every value of a field but empty ones, each once."""
        return list(dict.fromkeys(value for known, value in self.pairs if known == name and value.strip()))


async def filled(request: Request) -> Form:
    """The form of ``request``; a dependency. Raises what `pairs_of` raises, and UsageError for NUL in a field."""
    form = Form(await pairs_of(request))
    if any("\0" in value for _, value in form.pairs):
        raise UsageError("a field of the form holds NUL: texts are without NUL")
    return form


Filled = Annotated[Form, Depends(filled)]
"""The form that a route got."""


def here(request: Request) -> str:
    """The address of a page, for its forms to lead back to, without the word of what was done."""
    query = request.scope.get("query_string", b"").decode("latin-1")
    return _address(quote(request.scope["path"], errors="replace"), query)


def back(address: str, done: str) -> RedirectResponse:
    """The way to ``address``, if it is one of this server, with the word ``done`` of `DONE`."""
    parts = urlsplit(local_path(address))
    return RedirectResponse(_address(parts.path, parts.query, **{SAID: done}), 303)


def _address(path: str, query: str, **more: str) -> str:
    """``path`` with the parameters of ``query`` but for `SAID`, and ``more``."""
    given = [pair for pair in parse_qsl(query, keep_blank_values=True, errors="replace") if pair[0] != SAID]
    return f"{path}?{urlencode([*given, *more.items()])}" if given or more else path
