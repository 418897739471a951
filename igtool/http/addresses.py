"""Which addresses a request may reach: public ones, checked after the name is resolved."""

from __future__ import annotations

import ipaddress
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from urllib.parse import urlsplit

import httpcore2

from igtool.http.answers import RefusedAnswer

LOCALHOST = "localhost"
"""This machine: the name is never looked up, so that nothing can make it another one (RFC 6761, section 6.3)."""
_LOOPBACK = ["::1", "127.0.0.1"]

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address

# Listed here rather than asked of `ipaddress`, whose `is_global` differs between releases of Python.
# https://www.iana.org/assignments/iana-ipv4-special-registry and iana-ipv6-special-registry
_CLOSED_V4 = tuple(
    map(
        ipaddress.IPv4Network,
        (
            "0.0.0.0/8",
            "10.0.0.0/8",
            "100.64.0.0/10",
            "127.0.0.0/8",
            "169.254.0.0/16",
            "172.16.0.0/12",
            "192.0.0.0/24",
            "192.0.2.0/24",
            "192.88.99.0/24",
            "192.168.0.0/16",
            "198.18.0.0/15",
            "198.51.100.0/24",
            "203.0.113.0/24",
            "224.0.0.0/4",
            "240.0.0.0/4",
        ),
    )
)
_LOOPBACK_V4 = ipaddress.IPv4Network("127.0.0.0/8")
_LOOPBACK_V6 = ipaddress.IPv6Address("::1")
_HOME_V4 = tuple(map(ipaddress.IPv4Network, ("10.0.0.0/8", "100.64.0.0/10", "172.16.0.0/12", "192.168.0.0/16")))
_HOME_V6 = ipaddress.IPv6Network("fc00::/7")
# Where clouds tell a machine its credentials; those at 169.254.0.0/16 and 192.0.0.0/24 are in no network above.
_METADATA_V4 = ipaddress.IPv4Address("100.100.100.200")
_METADATA_V6 = ipaddress.IPv6Network("fd00:ec2::/32")

_OPEN_V6 = ipaddress.IPv6Network("2000::/3")
# The first holds Teredo and other protocol assignments, the others are for documentation.
_CLOSED_V6 = tuple(map(ipaddress.IPv6Network, ("2001::/23", "2001:db8::/32", "3fff::/20")))
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


def is_allowed(address: str, *, allow_loopback: bool = False, allow_private: bool = False) -> bool:
    """Whether a request may reach ``address``, an IP address as text; False for anything else.

    Private, loopback, link-local, shared, multicast, reserved and documentation addresses are not; an IPv6 address
    that carries an IPv4 address (mapped, 6to4, NAT64) is judged by that one. ``allow_loopback`` opens 127.0.0.0/8,
    ``::1`` and the mapped form of the former, nothing else. ``allow_private`` opens these and private networks; where
    clouds keep a machine's credentials stays closed.
    """
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(parsed, ipaddress.IPv4Address):
        return _is_allowed_v4(parsed, allow_loopback=allow_loopback, allow_private=allow_private)
    if parsed == _LOOPBACK_V6:
        return allow_loopback or allow_private
    if parsed.ipv4_mapped is not None:
        return _is_allowed_v4(parsed.ipv4_mapped, allow_loopback=allow_loopback, allow_private=allow_private)
    carried = _carried(parsed)
    if carried is not None:
        return _is_allowed_v4(carried, allow_loopback=False, allow_private=False)
    if parsed in _HOME_V6:
        return allow_private and parsed not in _METADATA_V6
    return parsed in _OPEN_V6 and not any(parsed in network for network in _CLOSED_V6)


def _carried(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """The IPv4 address that packets to a 6to4 or NAT64 address end at, else None."""
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
    return address.sixtofour


def _is_allowed_v4(address: ipaddress.IPv4Address, *, allow_loopback: bool, allow_private: bool) -> bool:
    if address in _LOOPBACK_V4:
        return allow_loopback or allow_private
    if any(address in network for network in _HOME_V4):
        return allow_private and address != _METADATA_V4
    return not any(address in network for network in _CLOSED_V4)


def resolved(
    host: str, port: int, left: Callable[[], float], *, allow_loopback: bool, allow_private: bool = False
) -> list[str]:
    """The addresses of ``host``, all of them allowed; ``left`` tells the seconds that looking them up may take.

    Raises RefusedAnswer if any of them is not allowed: a name that leads to a public and to a private address is
    how a check is led astray. Raises httpcore2.ConnectError or ConnectTimeout if there are none.
    """
    known = _LOOPBACK if host == LOCALHOST else [host] if _is_literal(host) else None
    addresses = _looked_up(host, port, left()) if known is None else known
    for address in addresses:
        if not is_allowed(address, allow_loopback=allow_loopback, allow_private=allow_private):
            where = host if address == host else f"{host} ({address})"
            raise RefusedAnswer("forbidden-address", f"{where} is no public address; nothing is asked there")
    return addresses


def check_address(url: str, *, timeout_s: float, allow_loopback: bool) -> None:
    """Raises RefusedAnswer where ``url`` leads to an address that may not be asked.

    A name that cannot be looked up now passes: that is for the request itself to find out.
    """
    parts = urlsplit(url)
    ends = time.monotonic() + timeout_s
    with suppress(httpcore2.NetworkError, httpcore2.TimeoutException):
        resolved(
            parts.hostname or "",
            parts.port or 443,
            lambda: max(0.0, ends - time.monotonic()),
            allow_loopback=allow_loopback,
        )


def _is_literal(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _looked_up(host: str, port: int, seconds: float) -> list[str]:
    """What the resolver says, in its order; on a thread of its own because it knows no time limit."""
    found: list[str] = []
    failed: list[str] = []

    def look_up() -> None:
        try:
            answers = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            found.extend(dict.fromkeys(str(sockaddr[0]) for *_, sockaddr in answers))
        except (OSError, UnicodeError) as error:
            failed.append(str(error))

    thread = threading.Thread(target=look_up, name=f"look up {host}", daemon=True)
    thread.start()
    thread.join(seconds)
    if thread.is_alive():
        raise httpcore2.ConnectTimeout(f"the name {host} was not resolved in time")
    if not found:
        raise httpcore2.ConnectError(f"the name {host} cannot be resolved: {''.join(failed) or 'it has no address'}")
    return found
