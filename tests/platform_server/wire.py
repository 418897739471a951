"""Behaviours below the answer's meaning: connections, headers, lengths, encodings, redirects."""

from __future__ import annotations

import gzip
import struct
import zlib
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache

from .behaviour import DONE, INVALID, LIMITED, STOPPED, TRANSIENT, UNCLEAR, Behaviour
from .exchange import MOST_SENT, Exchange, head
from .instagram import LOGIN_PATH
from .requests import Reply

Play = Callable[[Exchange], None]
BOMB_BYTES = 200 << 20
_JSON = ("content-type", "application/json")
_BLOCK = b" " * 65_536


def _content(exchange: Exchange) -> bytes:
    return exchange.plain(exchange.ask).content


def _last(exchange: Exchange, data: bytes) -> None:
    """Send ``data`` as it is and close."""
    exchange.keep = False
    exchange.send(data)


def _raw(data: bytes) -> Play:
    """These bytes, whatever was asked, and the end."""
    return lambda exchange: _last(exchange, data)


def _with(*headers: tuple[str, str]) -> Play:
    """The decent body after exactly these headers."""
    return lambda exchange: _last(exchange, head(200, headers) + _content(exchange))


def _half(exchange: Exchange) -> None:
    body = _content(exchange)
    _last(exchange, head(200, (_JSON, ("content-length", str(len(body))))) + body[: len(body) // 2])


def _reset_in_body(exchange: Exchange) -> None:
    exchange.send(head(200, (_JSON, ("content-length", "100000"))) + b'{"data":')
    exchange.reset()


def _hang_in_body(exchange: Exchange) -> None:
    exchange.send(head(200, (_JSON, ("content-length", "100000"))) + b'{"data":')
    exchange.hang()


def _limited_without_end(exchange: Exchange) -> None:
    exchange.send(head(429, (_JSON, ("content-length", "100000"))) + b'{"message":')
    exchange.hang()


def _drip_headers(exchange: Exchange) -> None:
    exchange.drip(b"HTTP/1.1 200 OK\r\n" + b"x-slow: yes\r\n" * 10_000)
    exchange.hang()


def _drip_body(exchange: Exchange) -> None:
    exchange.send(head(200, (_JSON, ("content-length", "100000"))))
    exchange.drip(b" " * 100_000)


def _endless_headers(exchange: Exchange) -> None:
    exchange.send(b"HTTP/1.1 200 OK\r\n")
    for _ in range(MOST_SENT // 65_000):
        exchange.send(b"x-more: " + b"m" * 65_000 + b"\r\n")


def _endless_body(exchange: Exchange) -> None:
    exchange.keep = False
    exchange.send(head(200, (_JSON,)) + b"[")
    while True:
        exchange.send(_BLOCK)


def _endless_chunks(exchange: Exchange) -> None:
    exchange.send(head(200, (_JSON, ("transfer-encoding", "chunked"))))
    while True:
        exchange.send(b"10000\r\n" + _BLOCK + b"\r\n")


def _chunks(body: bytes, size: int = 1000) -> bytes:
    parts = (body[start : start + size] for start in range(0, len(body), size))
    return b"".join(b"%x;part=yes\r\n%s\r\n" % (len(part), part) for part in parts)


def _chunked(ending: bytes) -> Play:
    """The decent body in chunks; ``ending``: what comes after the last of them."""
    start = head(200, (_JSON, ("transfer-encoding", "chunked")))
    return lambda exchange: _last(exchange, start + _chunks(_content(exchange)) + ending)


def _encoded(pack: Callable[[bytes], bytes], *encodings: str) -> Play:
    """The decent body packed by ``pack`` and declared as ``encodings``, one header each."""

    def play(exchange: Exchange) -> None:
        body = pack(_content(exchange))
        named = [("content-encoding", encoding) for encoding in encodings]
        exchange.send(head(200, (_JSON, *named, ("content-length", str(len(body))))) + body)

    return play


@lru_cache(maxsize=1)
def bomb() -> bytes:
    """200 MB of spaces, in gzip: 200 KB. A block that is flushed whole can be repeated as it is."""
    million = b" " * (1 << 20)
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    block = packer.compress(million) + packer.flush(zlib.Z_FULL_FLUSH)
    count, checksum = BOMB_BYTES // len(million), 0
    for _ in range(count):
        checksum = zlib.crc32(million, checksum)
    opening = b"\x1f\x8b\x08" + bytes(6) + b"\xff"
    return opening + block * count + packer.flush(zlib.Z_FINISH) + struct.pack("<II", checksum, BOMB_BYTES)


def _spoilt(body: bytes) -> bytes:
    packed = bytearray(gzip.compress(body))
    for position in range(20, min(len(packed), 60)):
        packed[position] ^= 0xFF
    return bytes(packed)


def _bomb(exchange: Exchange) -> None:
    body = bomb()
    exchange.send(head(200, (_JSON, ("content-encoding", "gzip"), ("content-length", str(len(body))))) + body)


def _interim(count: int) -> Play:
    """So many 103 answers before the real one."""

    def play(exchange: Exchange) -> None:
        for _ in range(count):
            exchange.send(b"HTTP/1.1 103 Early Hints\r\nlink: </style.css>\r\n\r\n")
        exchange.answer(exchange.plain(exchange.ask))

    return play


def _close_after(exchange: Exchange) -> None:
    """A decent answer that promises to stay, and leaves."""
    reply = exchange.plain(exchange.ask)
    reply.headers["connection"] = "keep-alive"
    exchange.answer(reply)
    exchange.keep = False


def redirect(where: Callable[[Exchange], str], status: int = 302) -> Play:
    """A redirect to ``where``."""
    return lambda exchange: exchange.answer(Reply(status, body=b"", headers={"location": where(exchange)}))


def _to(location: str, status: int = 302) -> Play:
    return redirect(lambda exchange: location, status)


def _onward(exchange: Exchange) -> str:
    return f"{exchange.ask.target}&hop={exchange.turn}"


def _elsewhere(exchange: Exchange) -> str:
    return exchange.origins.elsewhere + exchange.ask.target


_CONNECTION = {
    "reset-at-once": Behaviour(lambda exchange: exchange.reset(), TRANSIENT),
    "reset-in-body": Behaviour(_reset_in_body, TRANSIENT),
    "close-at-once": Behaviour(_raw(b""), TRANSIENT),
    "close-in-headers": Behaviour(_raw(b"HTTP/1.1 200 OK\r\ncontent-ty"), TRANSIENT),
    "half-body": Behaviour(_half, TRANSIENT),
    "hang": Behaviour(lambda exchange: exchange.hang(), TRANSIENT),
    "hang-in-body": Behaviour(_hang_in_body, TRANSIENT),
    "limit-that-hangs": Behaviour(_limited_without_end, LIMITED),
    "limit-cut-off": Behaviour(_raw(b"HTTP/1.1 429 Slow\r\ncontent-length: 99\r\n\r\n{"), LIMITED),
    "drip-headers": Behaviour(_drip_headers, TRANSIENT),
    "drip-body": Behaviour(_drip_body, TRANSIENT),
    "endless-headers": Behaviour(_endless_headers, TRANSIENT),
    "endless-body": Behaviour(_endless_body, INVALID.because("too-large")),
    "endless-chunks": Behaviour(_endless_chunks, INVALID.because("too-large")),
    "interim-answers": Behaviour(_interim(3), DONE),
    "keep-alive-closed": Behaviour(_close_after, DONE),
    "body-until-close": Behaviour(lambda e: e.answer(e.plain(e.ask), length=False), DONE),
}
_HEADERS = {
    "headers-of-1-mb": Behaviour(_with(_JSON, *[("x-big", "b" * 10_000)] * 100), TRANSIENT),
    "headers-1000": Behaviour(_with(_JSON, *((f"x-{n}", "v") for n in range(1000))), DONE),
    "header-without-colon": Behaviour(
        lambda e: _last(e, b"HTTP/1.1 200 OK\r\nnonsense\r\n\r\n" + _content(e)), TRANSIENT
    ),
    "header-with-nul": Behaviour(_with(_JSON, ("x-nul", "a\0b")), TRANSIENT),
    "header-latin-1": Behaviour(_with(_JSON, ("x-town", "Málaga")), DONE),
    "status-line-garbage": Behaviour(_raw(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" * 20), TRANSIENT),
    "status-line-of-ssh": Behaviour(_raw(b"SSH-2.0-Server_1.0\r\n\r\n"), TRANSIENT),
    "status-999": Behaviour(_raw(b"HTTP/1.1 999 Denied\r\ncontent-length: 0\r\n\r\n"), UNCLEAR),
    "http-0.9": Behaviour(lambda exchange: _last(exchange, _content(exchange)), TRANSIENT),
    "type-wrong": Behaviour(_with(("content-type", "text/html; charset=utf-8")), DONE),
    "type-missing": Behaviour(_with(("server", "none")), DONE),
    "type-latin-1": Behaviour(_with(("content-type", "application/json; charset=iso-8859-1")), DONE),
    "length-negative": Behaviour(_with(_JSON, ("content-length", "-5")), TRANSIENT),
    "length-text": Behaviour(_with(_JSON, ("content-length", "long")), TRANSIENT),
    "length-twice": Behaviour(_with(_JSON, ("content-length", "10"), ("content-length", "20")), TRANSIENT),
    "length-too-short": Behaviour(_with(_JSON, ("content-length", "30")), TRANSIENT),
    "chunked": Behaviour(_chunked(b"0\r\nx-trailer: yes\r\n\r\n"), DONE),
    "chunk-size-garbage": Behaviour(_chunked(b"zz\r\nmore\r\n0\r\n\r\n"), TRANSIENT),
    "chunk-size-huge": Behaviour(_chunked(b"f" * 40 + b"\r\nmore\r\n"), TRANSIENT),
    "chunks-cut": Behaviour(_chunked(b""), TRANSIENT),
}
_ENCODINGS = {
    "gzip": Behaviour(_encoded(gzip.compress, "gzip"), DONE),
    "deflate": Behaviour(_encoded(zlib.compress, "deflate"), DONE),
    "gzip-bomb": Behaviour(_bomb, INVALID.because("too-large")),
    "gzip-spoilt": Behaviour(_encoded(_spoilt, "gzip"), TRANSIENT),
    "gzip-cut": Behaviour(_encoded(lambda body: gzip.compress(body)[:-40], "gzip"), TRANSIENT),
    "gzip-that-is-none": Behaviour(_encoded(bytes, "gzip"), TRANSIENT),
    "gzip-twice": Behaviour(
        _encoded(lambda body: gzip.compress(gzip.compress(body)), "gzip, gzip"), INVALID.because("bad-encoding")
    ),
    "gzip-twice-in-two-headers": Behaviour(
        _encoded(lambda body: gzip.compress(gzip.compress(body)), "gzip", "gzip"), INVALID.because("bad-encoding")
    ),
    "encoding-br": Behaviour(_encoded(lambda body: b"\x0b\x02\x80" + body, "br"), INVALID.because("bad-encoding")),
    "encoding-identity": Behaviour(_encoded(bytes, "identity"), DONE),
}
_FORBIDDEN = {
    "metadata": "http://169.254.169.254/latest/meta-data/",
    "private-10": "http://10.0.0.1/",
    "private-172": "http://172.16.0.1/",
    "private-192": "http://192.168.1.1/",
    "shared-100": "http://100.64.0.1/",
    "unspecified": "http://0.0.0.0/",
    "multicast": "http://224.0.0.1/",
    "mapped": "http://[::ffff:10.0.0.1]/",
    "link-local-6": "http://[fe80::1]/",
    "unique-local-6": "http://[fd00::1]/",
    "nat64": "http://[64:ff9b::a00:1]/",
    "6to4": "http://[2002:a00:1::1]/",
    "decimal": "http://167772161/",
    "hexadecimal": "http://0x0a000001/",
}
_LOOP = replace(INVALID, once="done", reason="too-many-redirects", asks=None)
_REDIRECTS = {
    **{
        f"redirect-to-{name}": Behaviour(_to(address), INVALID.because("forbidden-address"))
        for name, address in _FORBIDDEN.items()
    },
    **{f"redirect-{status}": Behaviour(redirect(_onward, status), _LOOP) for status in (301, 302, 303, 307, 308)},
    "redirect-to-file": Behaviour(_to("file:///etc/hostname"), INVALID),
    "redirect-to-ftp": Behaviour(_to("ftp://files.example/x"), INVALID),
    "redirect-to-script": Behaviour(_to("javascript:alert(1)"), INVALID),
    "redirect-to-login": Behaviour(_to(LOGIN_PATH), STOPPED, ("web",)),
    "redirect-elsewhere": Behaviour(redirect(_elsewhere), DONE),
    "redirect-without-address": Behaviour(lambda e: e.answer(Reply(302, body=b"")), INVALID.because("bad-redirect")),
    "redirect-to-garbage": Behaviour(_to("http://[::bad"), INVALID),
    "redirect-to-empty-host": Behaviour(_to("http:///nowhere"), INVALID.because("bad-redirect")),
}
BEHAVIOURS = _CONNECTION | _HEADERS | _ENCODINGS | _REDIRECTS
