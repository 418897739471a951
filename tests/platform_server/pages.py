"""Behaviours inside a decent answer: wrong types, wrong people, cursors that lead nowhere."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from .behaviour import DONE, INVALID, NOT_FOUND, PRIVATE, TRANSIENT, UNCLEAR, Behaviour
from .exchange import Exchange
from .population import cursor
from .requests import POSTS, PROFILE, REELS, Ask, Reply

Play = Callable[[Exchange], None]
Document = Any
_PAGES = (POSTS, REELS)


def set_following(ask: Ask, document: Document, following: str | None, *, more: bool) -> None:
    """Make ``document`` say that ``following`` is the next page's cursor and whether there are more pages."""
    if ask.platform == "web":
        _timeline(document)["page_info"] = {"has_next_page": more, "end_cursor": following}
    elif ask.platform == "graph":
        media = document["business_discovery"]["media"]
        media["paging"] = {"cursors": {"after": following} if following else {}}
    elif ask.platform == "youtube":
        document.pop("nextPageToken", None)
        document |= {"nextPageToken": following} if following else {}
    elif ask.endpoint == REELS:
        document["data"]["paging_info"] = {"max_id": following or "", "more_available": more}
    else:
        document["data"] |= {"next_max_id": following, "more_available": more}


def following_of(ask: Ask, document: Document) -> str | None:
    """The cursor of the next page, as ``document`` tells it."""
    if ask.platform == "web":
        found = _timeline(document)["page_info"]["end_cursor"]
    elif ask.platform == "graph":
        found = document["business_discovery"]["media"]["paging"]["cursors"].get("after")
    elif ask.platform == "youtube":
        found = document.get("nextPageToken")
    elif ask.endpoint == REELS:
        found = document["data"]["paging_info"]["max_id"]
    else:
        found = document["data"].get("next_max_id")
    return str(found) if found else None


def items_of(ask: Ask, document: Document) -> list[Any]:
    """The list of items in ``document``: changing it changes the answer."""
    if ask.platform == "web":
        items = _timeline(document)["edges"]
    elif ask.platform == "graph":
        items = document["business_discovery"]["media"]["data"]
    elif ask.platform == "youtube":
        items = document["items"]
    else:
        items = document["data"]["items"]
    found: list[Any] = items
    return found


def _timeline(document: Document) -> Any:
    return document["data"]["user"]["edge_owner_to_timeline_media"]


def _altered(change: Callable[[Exchange, Document], object]) -> Play:
    """The decent answer after ``change``, where it is a list or a profile at all."""

    def play(exchange: Exchange) -> None:
        reply = exchange.plain(exchange.ask)
        if reply.status == 200 and reply.document is not None:
            change(exchange, reply.document)
            reply.body = None
        exchange.answer(reply)

    return play


def _user(change: Callable[[dict[str, Any]], object]) -> Play:
    return _altered(lambda exchange, document: change(document["data"]["user"]))


def _text(old: str, new: str) -> Play:
    """The decent body with ``old`` in its JSON text replaced."""

    def play(exchange: Exchange) -> None:
        body = exchange.plain(exchange.ask).content
        exchange.answer(Reply(200, body=body.replace(old.encode(), new.encode(), 1)))

    return play


def _coded(encoding: str) -> Play:
    """The decent body in another encoding, with letters that show it."""

    def play(exchange: Exchange) -> None:
        document = exchange.plain(exchange.ask).document
        document["data"]["user"]["biography"] = "Forn de pa a Girona, també diumenges: açò és bo"
        text = json.dumps(document, ensure_ascii=False)
        exchange.answer(Reply(200, body=text.encode(encoding, "replace")))

    return play


def _fresh(exchange: Exchange) -> Document:
    """A page of items that no earlier turn has shown, whatever cursor was asked for."""
    start = (exchange.turn + 1) * exchange.ask.size
    return exchange.plain(replace(exchange.ask, cursor=cursor(start, exchange.ask.endpoint))).document


def _same_cursor(exchange: Exchange) -> None:
    document = _fresh(exchange)
    set_following(exchange.ask, document, exchange.ask.cursor or "SAME", more=True)
    exchange.answer(Reply(200, document))


def _two_cursors(exchange: Exchange) -> None:
    document = _fresh(exchange)
    set_following(exchange.ask, document, "BBBB" if exchange.ask.cursor == "AAAA" else "AAAA", more=True)
    exchange.answer(Reply(200, document))


def _nothing_new(exchange: Exchange) -> None:
    document = exchange.plain(replace(exchange.ask, cursor=None)).document
    set_following(exchange.ask, document, f"FRESH{exchange.turn}", more=True)
    exchange.answer(Reply(200, document))


def _empty_page(exchange: Exchange, document: Document) -> None:
    items_of(exchange.ask, document).clear()
    set_following(exchange.ask, document, f"FRESH{exchange.turn}", more=True)


def _cursor_withheld(exchange: Exchange, document: Document) -> None:
    """Where there is a next page, its cursor is missing; the id of the last item leads there."""
    if following_of(exchange.ask, document) is not None:
        set_following(exchange.ask, document, None, more=True)


def _cursor_lost(exchange: Exchange) -> None:
    """The cursor is missing, and whatever else is tried leads to the first page."""
    cursor_asked = exchange.ask.cursor
    is_guess = cursor_asked is not None and cursor_asked.partition("_")[0].isdigit()
    document = exchange.plain(replace(exchange.ask, cursor=None) if is_guess else exchange.ask).document
    set_following(exchange.ask, document, None, more=True)
    exchange.answer(Reply(200, document))


def _private(user: dict[str, Any]) -> None:
    timeline = user["edge_owner_to_timeline_media"]
    timeline |= {"edges": [], "page_info": {"has_next_page": False, "end_cursor": None}}
    user["is_private"] = True


def _cut(exchange: Exchange) -> None:
    """The decent body without its last third; the length is right."""
    body = exchange.plain(exchange.ask).content
    exchange.answer(Reply(200, body=body[: len(body) * 2 // 3]))


def _twice(exchange: Exchange, document: Document) -> None:
    items = items_of(exchange.ask, document)
    items += list(items)


_PROFILES = {
    "user-null": (lambda e: e.answer(Reply(200, {"data": {"user": None}, "status": "ok"})), NOT_FOUND),
    "user-missing": (lambda e: e.answer(Reply(200, {"data": {}, "status": "ok"})), INVALID),
    "user-is-list": (lambda e: e.answer(Reply(200, {"data": {"user": []}, "status": "ok"})), INVALID),
    "user-of-another-name": (_user(lambda user: user.update(username="somebody.else")), INVALID),
    "user-without-id": (_user(lambda user: user.pop("id")), INVALID),
    "user-private": (_user(_private), PRIVATE),
    "id-is-list": (_user(lambda user: user.update(id=[1, 2])), INVALID),
    "id-is-number": (_user(lambda user: user.update(id=int(user["id"]))), DONE),
    "followers-as-text": (_user(lambda user: user.update(edge_followed_by={"count": "12.3K"})), DONE),
    "followers-negative": (_user(lambda user: user.update(edge_followed_by={"count": -1})), DONE),
    "followers-null": (_user(lambda user: user.update(edge_followed_by=None)), DONE),
    "followers-huge": (_user(lambda user: user.update(edge_followed_by={"count": 10**40})), UNCLEAR),
    "edges-null": (_user(lambda user: user["edge_owner_to_timeline_media"].update(edges=None)), DONE),
    "edges-of-null": (_user(lambda user: user["edge_owner_to_timeline_media"].update(edges=[{"node": None}])), UNCLEAR),
    "edges-are-text": (_user(lambda user: user["edge_owner_to_timeline_media"].update(edges="none")), UNCLEAR),
    "timeline-missing": (_user(lambda user: user.pop("edge_owner_to_timeline_media")), DONE),
    "bio-with-nul": (_user(lambda user: user.update(biography="a\0b\ud800".encode("utf-8", "replace").decode())), DONE),
    "bio-lone-surrogate": (_text('"biography":"', '"biography":"\\ud83d'), DONE),
    "bio-of-2-mb": (_user(lambda user: user.update(biography="b" * (2 << 20))), DONE),
    "key-twice": (_text('"username":', '"username":"somebody.else","username":'), UNCLEAR),
    "body-latin-1": (_coded("latin-1"), UNCLEAR),
    "body-with-bom": (_coded("utf-8-sig"), DONE),
}
_CURSORS = {
    "cursor-same": Behaviour(_same_cursor, DONE.because("repeated_cursor"), endpoints=_PAGES),
    "cursor-a-b-a": Behaviour(_two_cursors, DONE.because("cursor_cycle"), endpoints=_PAGES),
    "page-nothing-new": Behaviour(_nothing_new, DONE.because("no_new_item"), endpoints=_PAGES),
    "page-empty-with-more": Behaviour(_altered(_empty_page), DONE.because("no_new_item"), endpoints=_PAGES),
    "page-items-twice": Behaviour(_altered(_twice), DONE, ("web", "graph", "tikhub"), _PAGES),
    "page-cut": Behaviour(_cut, TRANSIENT),
    "cursor-withheld": Behaviour(_altered(_cursor_withheld), DONE, ("web", "tikhub"), _PAGES),
    "cursor-lost": Behaviour(_cursor_lost, DONE.because("no_cursor"), ("web", "tikhub"), _PAGES),
    "cursor-of-100-kb": Behaviour(
        _altered(lambda e, document: set_following(e.ask, document, "c" * 100_000, more=True)),
        UNCLEAR,
        endpoints=_PAGES,
    ),
    "cursor-with-brackets": Behaviour(
        _altered(lambda e, document: set_following(e.ask, document, "x).limit(1){id}},owner{name", more=True)),
        UNCLEAR,
        endpoints=_PAGES,
    ),
    "cursor-with-newline": Behaviour(
        _altered(lambda e, document: set_following(e.ask, document, "a\r\nx-evil: 1\r\n\r\n&id=7#", more=True)),
        UNCLEAR,
        endpoints=_PAGES,
    ),
}
BEHAVIOURS = {
    name: Behaviour(play, expected, ("web",), (PROFILE,)) for name, (play, expected) in _PROFILES.items()
} | _CURSORS
