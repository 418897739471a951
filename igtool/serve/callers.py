"""Who asks: nobody in particular while there are no tenants, else the tenant whose API key or session comes along.

Everything that is not named here as open needs one of both, whatever routes there are. A server that has met a tenant
once, or that other machines can reach, never answers without them again until it is started anew.
"""

from __future__ import annotations

import hmac
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from fastapi import Request
from starlette.responses import RedirectResponse, Response
from starlette.types import Scope

from igtool.errors import IgtoolError
from igtool.journal import Journal
from igtool.journal.audit import Entry
from igtool.journal.tenants import CURATE, KEY, LOCAL, Key, TenantBook, digest_of
from igtool.serve.addresses import Headers, address_of, is_loopback, name_in
from igtool.serve.errors import LOG, Forbidden, refusal, too_many
from igtool.serve.lockout import Lockout
from igtool.serve.sessions import Sessions
from igtool.serve.trail import Trail
from igtool.settings import Settings
from igtool.throttle import Throttle

LOGIN = "/login"
ANYBODY = frozenset({"/health", "/ready", LOGIN})
"""What needs no key: is the server alive, and the page where a key is given."""
ASSETS = "/static/"
"""Scripts, styles and pictures of the pages, the same for everybody."""
_LOOK_S = 0.25
_PROXY = ("forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-real-ip")
_CHALLENGE = 'Bearer realm="igtool"'
_OWNERS = ("emails", "answer_path", "endpoint")
"""Columns that only who may judge shared data is shown."""
_NO_KEY = Key("0" * 12, "", digest_of(""), 0.0, None, 0.0)
"""What an unknown key is compared with, so that the time does not tell that it is unknown."""


@dataclass(frozen=True)
class Caller:
    """Whose request it is: ``tenant_id`` is empty for nobody's, ``name`` is what requests are counted under.

    ``actor`` is the id of the key, ``local`` without one.
    """

    tenant_id: str
    name: str
    actor: str = LOCAL
    rights: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Roll:
    """The tenants with their rights, and the keys by id, as they were read last."""

    rights: Mapping[str, frozenset[str]] = field(default_factory=dict)
    keys: Mapping[str, Key] = field(default_factory=dict)

    def owner(self, key_id: str) -> Key | None:
        """The key with this id, if it opens anything now."""
        key = self.keys.get(key_id)
        return key if key is not None and key.is_live(time.time()) and key.tenant_id in self.rights else None


def who_of(request: Request) -> Caller:
    """Whose ``request`` it is."""
    found: Caller = getattr(request.state, "who", Caller(LOCAL, "", rights=frozenset({CURATE})))
    return found


def check(who: Caller, right: str) -> None:
    """Raises Forbidden where ``who`` has not the right ``CURATE`` or ``FORGET``."""
    if right not in who.rights:
        words = {CURATE: "judging what everybody is shown", "forget": "forgetting creators"}
        raise Forbidden(f"{words.get(right, right)} is for keys with that right: `igtool tenant add NAME --curator`")


def shown_to(who: Caller, creator: dict[str, Any]) -> dict[str, Any]:
    """What ``who`` gets to see of the document of a creator.

    Who may not judge shared data sees of it what is public: no e-mail addresses, and not how the owner of the lake
    came by it (names of lists and files, reasons that somebody typed).
    """
    if CURATE in who.rights:
        return creator
    return public_to(who, creator) | {"accounts": [public_to(who, one) for one in creator["accounts"]]}


def public_to(who: Caller, row: dict[str, Any]) -> dict[str, Any]:
    """The same of one row: of a creator, an account, or an answer of a platform."""
    if CURATE in who.rights:
        return row
    found = {name: value for name, value in row.items() if name not in _OWNERS}
    if str(found.get("country_source") or "").startswith("list:"):
        found["country_source"] = "list"
    if found.get("rule") == "pinned":
        found["evidence"] = None
    return found


class Callers:
    """Tells callers apart. For one thread, the one of the server's loop; `close` in the same.

    ``is_exposed``: other machines can reach the server.
    """

    def __init__(self, settings: Settings, trail: Trail, *, is_exposed: bool = False) -> None:
        self.sessions = Sessions()
        self.lockout = Lockout()
        self.trail = trail
        self._settings = settings
        self._is_closed = is_exposed
        self._journal: Journal | None = None
        self._opened_as: object = None
        self._version: int | None = None
        self._roll = Roll()
        self._looked_at = float("-inf")
        self._trouble: IgtoolError | None = None
        self._told = Throttle(1, 60.0)
        self._told_in_all = Throttle(60, 60.0)

    @property
    def has_tenants(self) -> bool:
        """Whether keys are asked for, as far as is known without looking again."""
        return self._is_closed

    def close(self) -> None:
        """Release the journal."""
        if self._journal is not None:
            self._journal.close()
            self._journal = None

    # --- requests ---

    def let_in(self, scope: Scope, headers: Headers) -> Caller | Response:
        """Whose request it is, or the answer to one that goes no further."""
        address, path = address_of(scope), scope["path"]
        scope["state"] = {**scope.get("state", {}), "set_cookies": []}
        self.sessions.meet(scope, headers)
        try:
            who = self._named(scope, headers, address)
        except IgtoolError as error:
            if self._told.refused("trouble") is None:
                LOG.error("who may ask is not known: %s", error)
            if path in ANYBODY:
                return self._as(scope, Caller("", address))
            return refusal(503, "keys_unreadable", "the store of API keys cannot be read: the server's log tells more")
        return who if isinstance(who, Response) else self._as(scope, who)

    def _as(self, scope: Scope, who: Caller) -> Caller:
        scope["state"] |= {"who": who, "tenant_id": who.tenant_id, "caller": who.name, "rights": who.rights}
        return who

    def _named(self, scope: Scope, headers: Headers, address: str) -> Caller | Response:
        roll, path = self._current(), scope["path"]
        if not self._is_closed:
            return Caller(LOCAL, address, rights=frozenset({CURATE}))
        if path in ANYBODY or path.startswith(ASSETS):
            return self._of_session(roll, scope) or Caller("", address)
        if (given := _keys(headers)) is not None:
            return self.of_key(given, address)
        if path == "/metrics" and _is_from_this_machine(scope, headers):
            return Caller("", address)
        if not _is_api(path) and (found := self._of_session(roll, scope)) is not None:
            return found
        if scope["method"] in ("GET", "HEAD") and not _is_api(path) and _wants_page(headers):
            return to_login(scope)
        details = "an API key is needed: send `Authorization: Bearer KEY`; `igtool tenant add NAME` makes one"
        return refusal(401, "unauthorized", details, {"WWW-Authenticate": _CHALLENGE})

    def _of_session(self, roll: Roll, scope: Scope) -> Caller | None:
        session = self.sessions.of(scope["state"]["session"])
        key = roll.owner(session.key_id) if session is not None else None
        return _caller(roll, key) if key is not None else None

    def of_key(self, given: str, address: str) -> Caller | Response:
        """Whose API key ``given`` is, or the refusal of it. Wrong ones count towards a lockout.

        A right key opens while only its address is locked out: behind a proxy all share one, and keys of 256 random
        bits are not found by trying. The key itself is locked out by wrong ones with its id, right or not.
        """
        roll, now = self._current(), time.time()
        found = KEY.fullmatch(given)
        known = roll.keys.get(found[1]) if found else None
        is_right = hmac.compare_digest(digest_of(given), (known or _NO_KEY).sha256)
        if known is not None and (wait_s := self.lockout.locked_s(f"key {known.key_id}")) is not None:
            return too_many(wait_s)
        if is_right and known is not None and roll.owner(known.key_id) is not None:
            return _caller(roll, known)
        if (wait_s := self.lockout.locked_s(f"address {address}")) is not None:
            return too_many(wait_s)
        self.lockout.failed(f"address {address}")
        if known is not None and not is_right:
            self.lockout.failed(f"key {known.key_id}")
        self._note_refused(known, "unknown" if known is None else known.state(now) if is_right else "wrong", address)
        challenge = f'{_CHALLENGE}, error="invalid_token"'
        return refusal(401, "unauthorized", "this API key is none, or has ended", {"WWW-Authenticate": challenge})

    def _note_refused(self, key: Key | None, why: str, address: str) -> None:
        """Log a refused key: one entry a minute for an address and key, 60 in all."""
        key_id = key.key_id if key is not None else "unknown"
        if self._told.refused(f"{address} {key_id}") is None and self._told_in_all.refused("") is None:
            tenant = key.tenant_id if key is not None else LOCAL
            self.trail.note(Entry(tenant, key_id, "key.refused", {"address": address, "why": why}))

    # --- what is known ---

    def _current(self) -> Roll:
        """Tenants and keys, at most a quarter of a second old. Raises what the journal raises, for as long."""
        now = time.monotonic()
        if now - self._looked_at >= _LOOK_S:
            self._looked_at, self._trouble = now, None
            try:
                self._look()
            except IgtoolError as error:
                self._trouble = error
        if self._trouble is not None:
            raise self._trouble
        return self._roll

    def _look(self) -> None:
        journal = self._opened()
        if journal is None:
            if self._is_closed:
                self._roll = Roll()
            return
        version = journal.version()
        if version != self._version:
            book = TenantBook(journal)
            rights = {name: tenant.rights for name, tenant in book.tenants().items()}
            self._roll = Roll(rights, {key.key_id: key for key in book.all_keys()})
            self._version = version
            self._is_closed = self._is_closed or bool(rights)

    def _opened(self) -> Journal | None:
        """The journal; opened anew where another file took its place, None where there is none."""
        try:
            state = (self._settings.cache / "journal.sqlite").stat()
        except OSError:
            self.close()
            return None
        identity = (state.st_dev, state.st_ino)
        if self._journal is None or identity != self._opened_as:
            self.close()
            self._journal = Journal(self._settings.cache, writable=False)
            self._opened_as, self._version = identity, None
        return self._journal


def to_login(scope: Scope) -> Response:
    """The way to the log-in, and back to where ``scope`` was going."""
    query = scope.get("query_string", b"").decode("latin-1")
    wanted = scope["path"] + (f"?{query}" if query else "")
    return RedirectResponse(f"{LOGIN}?next={quote(wanted, safe='')}" if wanted != "/" else LOGIN, 303)


def _caller(roll: Roll, key: Key) -> Caller:
    return Caller(key.tenant_id, f"key {key.key_id}", key.key_id, roll.rights[key.tenant_id])


def _keys(headers: Headers) -> str | None:
    """The API key of a request; None without one, and one that fits nothing where several are given."""
    given = list(headers.get("x-api-key", []))
    for text in headers.get("authorization", []):
        scheme, _, rest = text.partition(" ")
        given.append(rest.strip() if scheme.lower() == "bearer" else "")
    found = {one.strip()[:200] for one in given}
    return None if not found else found.pop() if len(found) == 1 else ""


def _is_api(path: str) -> bool:
    """Whether ``path`` is for programs, which a session of a browser does not open."""
    return path.startswith("/api/") or path in ("/openapi.json", "/metrics")


def _wants_page(headers: Headers) -> bool:
    return "text/html" in ",".join(headers.get("accept", []))


def _is_from_this_machine(scope: Scope, headers: Headers) -> bool:
    """Whether a program of this machine asks, and not somebody through a proxy that runs here."""
    is_named = is_loopback(name_in(headers.get("host", [""])[0]))
    return is_named and is_loopback(address_of(scope)) and not any(name in headers for name in _PROXY)


def caller_of_key(request: Request, given: str) -> Caller | Response:
    """As `Callers.of_key`, for a key that a page sent."""
    callers: Callers = request.app.state.callers
    return callers.of_key(given.strip()[:200], address_of(request.scope))
