"""Names and addresses of this machine, and the headers of a request."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from urllib.parse import urlsplit

from starlette.types import Scope

Headers = Mapping[str, list[str]]


def is_loopback(host: str) -> bool:
    """Whether ``host`` is a name or an address of this machine that no other can reach."""
    name = host.strip("[]").lower().rstrip(".")
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def name_in(host: str) -> str:
    """The name or address in a Host header, without the port; empty where it is none."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def headers_of(scope: Scope) -> Headers:
    """The headers of a request, by name in lower case."""
    found: dict[str, list[str]] = {}
    for name, value in scope["headers"]:
        found.setdefault(name.decode("latin-1").lower(), []).append(value.decode("latin-1"))
    return found


def address_of(scope: Scope) -> str:
    """The address that a request comes from; empty where there is none."""
    return str((scope.get("client") or ("",))[0])
