"""The HTTP client, against servers on loopback that misbehave byte by byte."""

from __future__ import annotations

import gzip
import logging
import socket
import threading
import time
import tracemalloc
import zlib
from collections.abc import Callable, Iterator

import httpx2
import pytest

from igtool.errors import ConfigError
from igtool.http import Client, NetworkError, RefusedAnswer, addresses, is_allowed, redacted

Behaviour = Callable[[socket.socket, bytes], None]


class Server:
    """Answers each request on 127.0.0.1 as ``behaviour`` does; keeps the requests and counts the connections."""

    def __init__(self, behaviour: Behaviour) -> None:
        self.behaviour = behaviour
        self.requests: list[str] = []
        self.connections = 0
        self.ending = threading.Event()
        self._open: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def _accept(self) -> None:
        while True:
            peer, _ = self._listener.accept()
            if self.ending.is_set():
                peer.close()
                return
            self.connections += 1
            self._open.append(peer)
            self._threads.append(threading.Thread(target=self._talk, args=(peer,)))
            self._threads[-1].start()

    def _talk(self, peer: socket.socket) -> None:
        with peer:
            try:
                while request := self._request(peer):
                    self.requests.append(request.decode("latin-1"))
                    self.behaviour(peer, request)
            except OSError:
                return  # the client went away, or the behaviour closed the socket

    @staticmethod
    def _request(peer: socket.socket) -> bytes:
        request = b""
        while not request.endswith(b"\r\n\r\n"):
            arrived = peer.recv(65536)
            if not arrived:
                return b""
            request += arrived
        return request

    def close(self) -> None:
        """Close every socket and wait for the threads."""
        self.ending.set()
        socket.create_connection(("127.0.0.1", self.port)).close()
        for peer in self._open:
            try:
                peer.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue  # closed before
        for thread in self._threads:
            thread.join()
        self._listener.close()


@pytest.fixture
def serve() -> Iterator[Callable[[Behaviour | bytes], Server]]:
    """Starts servers; bytes are the answer to every request."""
    started: list[Server] = []

    def start(behaviour: Behaviour | bytes) -> Server:
        acts: Behaviour = (lambda peer, _: peer.sendall(behaviour)) if isinstance(behaviour, bytes) else behaviour
        started.append(Server(acts))
        return started[-1]

    yield start
    for server in started:
        server.close()


@pytest.fixture
def client() -> Iterator[Client]:
    """A client that may reach this machine."""
    with Client(timeout_s=20, max_bytes=1 << 20, allow_loopback=True, secrets=("s3cret-key",)) as opened:
        yield opened


@pytest.fixture
def hasty() -> Iterator[Client]:
    """A client that gives up soon."""
    with Client(timeout_s=0.4, allow_loopback=True) as opened:
        yield opened


def answer(body: bytes, *headers: str, status: str = "200 OK") -> bytes:
    """A whole answer with its length."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


def redirect(location: str, status: str = "302 Found") -> bytes:
    """A redirect to ``location``."""
    return answer(b"", f"Location: {location}", status=status)


# --- answers -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [200, 204, 304, 400, 401, 403, 404, 410, 418, 429, 500, 503, 599])
def test_every_status_is_an_answer(serve: Callable[..., Server], client: Client, status: int) -> None:
    """A status is for the caller to judge, with the headers by lower-case name."""
    body = b"" if status in (204, 304) else b"said"
    server = serve(answer(body, "Retry-After: 7", "X-A: 1", "x-a: 2", status=f"{status} X"))
    got = client.get(f"{server.url}/a?b=c")
    assert (got.status, got.headers["retry-after"], got.headers["x-a"]) == (status, "7", "1, 2")
    assert got.body == body
    assert got.url == f"{server.url}/a?b=c"
    assert 0 < got.seconds < 20


def test_the_request_is_honest_and_remembers_no_cookie(serve: Callable[..., Server], client: Client) -> None:
    """It names igtool, asks for what it can unpack, and gives no cookie back or on."""
    server = serve(answer(b"{}", "Set-Cookie: session=1; Path=/"))
    got = client.get(server.url)
    client.get(server.url, {"X-Thing": "yes"})
    assert "set-cookie" not in got.headers
    assert "User-Agent: igtool/" in server.requests[0]
    assert "Accept-Encoding: gzip, deflate\r\n" in server.requests[0]
    assert f"Host: 127.0.0.1:{server.port}\r\n" in server.requests[0]
    assert "X-Thing: yes\r\n" in server.requests[1]
    assert "cookie" not in server.requests[1].lower()


def test_nothing_is_taken_from_the_environment(
    serve: Callable[..., Server], client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proxy in the environment is not used."""
    server, proxy = serve(answer(b"{}")), serve(answer(b"proxy"))
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, proxy.url)
    assert client.get(server.url).body == b"{}"
    assert proxy.requests == []


def test_one_connection_serves_many_requests_also_after_errors(serve: Callable[..., Server], client: Client) -> None:
    """Connections are kept, and one that broke is replaced without harm to the next request."""
    server = serve(answer(b"busy", status="503 Busy"))
    for _ in range(3):
        assert client.get(server.url).status == 503
    assert server.connections == 1
    server.behaviour = lambda peer, _: peer.close()
    with pytest.raises(NetworkError):
        client.get(server.url)
    server.behaviour = lambda peer, _: peer.sendall(answer(b"well"))
    assert [client.get(server.url).body for _ in range(2)] == [b"well", b"well"]
    assert server.connections == 2


def test_a_connection_closed_by_the_server_in_between_is_replaced(serve: Callable[..., Server], client: Client) -> None:
    """A server may close an idle connection at any time."""
    closed = threading.Event()

    def once(peer: socket.socket, _: bytes) -> None:
        peer.sendall(answer(b"once"))
        peer.shutdown(socket.SHUT_RDWR)
        closed.set()

    server = serve(once)
    for _ in range(3):
        assert client.get(server.url).body == b"once"
        assert closed.wait(20)
        closed.clear()
    assert server.connections == 3


# --- time ----------------------------------------------------------------------------------------------------------


def drip(server_says: bytes, then: bytes) -> Behaviour:
    """Sends ``server_says``, then ``then`` over and over, one byte at a time and never the end."""

    def act(peer: socket.socket, _: bytes) -> None:
        peer.sendall(server_says)
        while True:
            for byte in then:
                peer.sendall(bytes([byte]))
                time.sleep(0.01)

    return act


@pytest.mark.parametrize(
    "behaviour",
    [
        pytest.param(drip(b"", b"HTTP/1.1 200 OK\r\nX-Slow: " + b"a" * 9999), id="headers"),
        pytest.param(drip(b"HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n", b"a"), id="body"),
        pytest.param(drip(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\na\r\n"), id="chunks"),
        pytest.param(drip(b"", b"HTTP/1.1 100 Continue\r\n\r\n"), id="continue"),
        pytest.param(
            drip(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 99999\r\n\r\n", gzip.compress(b"")),
            id="gzip-members",
        ),
    ],
)
def test_drip_ends_at_the_time_limit(serve: Callable[..., Server], hasty: Client, behaviour: Behaviour) -> None:
    """Bytes that keep coming do not keep a request alive: the limit is for all of it."""
    with pytest.raises(NetworkError, match=r"no complete answer within 0\.4 s"):
        hasty.get(serve(behaviour).url)


def test_a_server_that_says_nothing_ends_at_the_time_limit(serve: Callable[..., Server], hasty: Client) -> None:
    """A hang is no complete answer."""
    server = serve(lambda peer, _: server.ending.wait())
    with pytest.raises(NetworkError, match="no complete answer"):
        hasty.get(server.url)


def test_a_handshake_that_hangs_ends_at_the_time_limit(serve: Callable[..., Server], hasty: Client) -> None:
    """A peer that takes the connection and never answers the TLS greeting."""
    server = serve(b"")
    with pytest.raises(NetworkError, match="no complete answer"):
        hasty.get(server.url.replace("http:", "https:"))


def test_redirects_share_one_time_limit(serve: Callable[..., Server], hasty: Client) -> None:
    """Five slow hops take no longer than one slow answer may."""

    def slowly(peer: socket.socket, _: bytes) -> None:
        time.sleep(0.15)
        peer.sendall(redirect("/again"))

    with pytest.raises(NetworkError, match="no complete answer"):
        hasty.get(serve(slowly).url)


def test_a_resolver_that_hangs_ends_at_the_time_limit(hasty: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """Looking up a name counts too."""
    ended = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: ended.wait(20) and [])
    with pytest.raises(NetworkError, match="no complete answer"):
        hasty.get("http://slow.example/")
    ended.set()


# --- broken answers ------------------------------------------------------------------------------------------------

PACKED = gzip.compress(b"x" * 5000 + bytes(range(256)), mtime=0)


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"HTTP/1.1 200 OK\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhal",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n",
        b"SSH-2.0-server\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"a" * 200_000,
        answer(PACKED[:-6], "Content-Encoding: gzip"),
        answer(PACKED[:7] + b"?" * 30, "Content-Encoding: gzip"),
        answer(b"no gzip at all", "Content-Encoding: gzip"),
        answer(b"x", "Content-Encoding: deflate"),
        answer(zlib.compress(b"x" * 999)[:-5], "Content-Encoding: deflate"),
    ],
)
def test_half_and_broken_answers_are_worth_another_try(
    serve: Callable[..., Server], client: Client, said: bytes
) -> None:
    """Nothing half is taken for whole."""

    def act(peer: socket.socket, _: bytes) -> None:
        peer.sendall(said)
        peer.shutdown(socket.SHUT_RDWR)

    server = serve(act)
    with pytest.raises(NetworkError, match=server.url):
        client.get(server.url)


def test_a_closed_port_and_an_unknown_name_are_network_errors(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """No connection is no answer, and the message says which address."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(NetworkError, match=f"127.0.0.1:{port}"):
        client.get(f"http://127.0.0.1:{port}/")

    def unknown(*_: object, **__: object) -> list[object]:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(NetworkError, match=r"nowhere\.example cannot be resolved"):
        client.get("http://nowhere.example/")


def test_a_rate_limit_counts_without_its_body(serve: Callable[..., Server], client: Client) -> None:
    """A 429 whose body is broken keeps its Retry-After instead of passing for a broken line."""
    server = serve(answer(b"no gzip", "Content-Encoding: gzip", "Retry-After: 90", status="429 Too Many"))
    got = client.get(server.url)
    assert (got.status, got.headers["retry-after"], got.body) == (429, "90", b"")


# --- packed bodies -------------------------------------------------------------------------------------------------

WORDS = b'{"bio": "quiet"}' * 40_000


@pytest.mark.parametrize(
    ("encoding", "packed"),
    [
        ("identity", WORDS),
        ("gzip", gzip.compress(WORDS)),
        ("X-GZIP", gzip.compress(WORDS, 0)),
        ("gzip", gzip.compress(WORDS[:77]) + gzip.compress(b"") + gzip.compress(WORDS[77:])),
        ("gzip", gzip.compress(WORDS) + bytes(512)),
        ("deflate", zlib.compress(WORDS)),
        ("deflate", zlib.compress(WORDS)[2:-4]),
    ],
)
@pytest.mark.parametrize("size", [7, 65536])
def test_bodies_are_unpacked(
    serve: Callable[..., Server], client: Client, encoding: str, packed: bytes, size: int
) -> None:
    """Any number of gzip members and both kinds of deflate, wherever the pieces are cut."""
    cut = size if len(packed) < 20_000 else 65536

    def act(peer: socket.socket, _: bytes) -> None:
        peer.sendall(f"HTTP/1.1 200 OK\r\nContent-Encoding: {encoding}\r\nTransfer-Encoding: chunked\r\n\r\n".encode())
        for start in range(0, len(packed), cut):
            part = packed[start : start + cut]
            peer.sendall(b"%x\r\n%b\r\n" % (len(part), part))
        peer.sendall(b"0\r\n\r\n")

    assert client.get(serve(act).url).body == WORDS


def test_an_empty_body_is_empty_whatever_its_encoding(serve: Callable[..., Server], client: Client) -> None:
    """Some servers name an encoding for a body of no bytes."""
    assert client.get(serve(answer(b"", "Content-Encoding: gzip", status="503 X")).url).body == b""


@pytest.mark.parametrize("encoding", ["br", "zstd", "gzip, gzip", "gzip, deflate", "gzip\r\nContent-Encoding: gzip"])
def test_other_encodings_are_refused(serve: Callable[..., Server], client: Client, encoding: str) -> None:
    """Nested packing multiplies a bomb, and the rest was not asked for."""
    with pytest.raises(RefusedAnswer) as refusal:
        client.get(serve(answer(b"1234", f"Content-Encoding: {encoding}")).url)
    assert refusal.value.reason == "bad-encoding"


def bomb() -> bytes:
    """200 MB of zeros in 200 kB of gzip."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    block = bytes(1 << 20)
    return b"".join(packer.compress(block) for _ in range(200)) + packer.flush()


def endless(peer: socket.socket, _: bytes) -> None:
    """A body that never ends."""
    peer.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        peer.sendall(bytes(65536))


@pytest.mark.parametrize(
    "said",
    [
        pytest.param(lambda: answer(bomb(), "Content-Encoding: gzip"), id="gzip-bomb"),
        pytest.param(lambda: endless, id="endless"),
        pytest.param(lambda: b"HTTP/1.1 200 OK\r\nContent-Length: 2000000\r\n\r\n", id="declared"),
        pytest.param(lambda: answer(gzip.compress(b"") * 60_000, "Content-Encoding: gzip"), id="empty-members"),
    ],
)
def test_too_large_is_refused_in_little_memory(
    serve: Callable[..., Server], client: Client, said: Callable[[], Behaviour | bytes]
) -> None:
    """At the limit of 1 MiB the client takes a few MiB at most, also for 200 MB of zeros, and goes on afterwards."""
    server = serve(said())
    tracemalloc.start()
    try:
        with pytest.raises(RefusedAnswer) as refusal:
            client.get(server.url)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert refusal.value.reason == "too-large"
    assert peak < 8 << 20
    server.behaviour = lambda peer, _: peer.sendall(answer(b"well"))
    assert client.get(server.url).body == b"well"


def test_a_body_of_exactly_the_limit_is_taken(serve: Callable[..., Server], client: Client) -> None:
    """The limit is the largest size, not the first refused."""
    whole = bytes(1 << 20)
    assert client.get(serve(answer(whole)).url).body == whole
    assert client.get(serve(answer(gzip.compress(whole), "Content-Encoding: gzip")).url).body == whole
    with pytest.raises(RefusedAnswer):
        client.get(serve(answer(gzip.compress(whole + b"0"), "Content-Encoding: gzip")).url)


# --- redirects -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("location", ["/there?a=1", "there?a=1", "?a=1", "//{host}/there?a=1", "{url}/there?a=1#part"])
def test_redirects_are_followed(serve: Callable[..., Server], client: Client, status: int, location: str) -> None:
    """Relative and absolute ones, on the same origin with all headers."""
    said: list[bytes] = []
    server = serve(lambda peer, _: peer.sendall(said.pop(0)))
    where = location.format(host=f"127.0.0.1:{server.port}", url=server.url)
    said += [redirect(where, f"{status} Moved"), answer(b"arrived")]
    got = client.get(f"{server.url}/here", {"Authorization": "Bearer s3cret-key"})
    assert got.body == b"arrived"
    assert got.url.endswith("here?a=1")
    assert "Authorization: Bearer s3cret-key\r\n" in server.requests[1]


def test_another_origin_gets_no_key_and_no_header_of_ours(serve: Callable[..., Server], client: Client) -> None:
    """Another port is another origin, and coming back does not bring the key back."""
    said: list[bytes] = []
    first = serve(lambda peer, _: peer.sendall(said.pop(0)))
    second = serve(redirect(f"{first.url}/end"))
    said += [redirect(f"{second.url}/on"), answer(b"end")]
    sent = {
        "Authorization": "Bearer s3cret-key",
        "x-goog-api-key": "s3cret-key",
        "X-Ig-App-Id": "1",
        "accept": "text/x",
    }
    assert client.get(first.url, sent).body == b"end"
    for request in (second.requests[0], first.requests[1]):
        names = {line.split(":")[0].lower() for line in request.splitlines()[1:] if line}
        assert names == {"host", "user-agent", "accept", "accept-encoding"}
        assert "accept: text/x" in request
    assert "s3cret-key" in first.requests[0]


def test_redirects_that_do_not_end_are_refused(serve: Callable[..., Server], client: Client) -> None:
    """Six requests at most with the default of five redirects."""
    server = serve(redirect("/again"))
    with pytest.raises(RefusedAnswer) as refusal:
        client.get(server.url)
    assert refusal.value.reason == "too-many-redirects"
    assert len(server.requests) == 6


@pytest.mark.parametrize(
    ("location", "reason"),
    [
        ("http://169.254.169.254/latest/meta-data", "forbidden-address"),
        ("http://10.0.0.1/", "forbidden-address"),
        ("http://[::ffff:10.0.0.1]/", "forbidden-address"),
        ("http://0.0.0.0/", "forbidden-address"),
        ("file:///etc/hostname", "forbidden-address"),
        ("ftp://example.com/", "forbidden-address"),
        ("javascript:alert(1)", "forbidden-address"),
        ("https:///path", "bad-redirect"),
        ("http://a b/", "bad-redirect"),
        ("http://[::1/", "bad-redirect"),
        ("http://example.com:99999/", "bad-redirect"),
        ("http://user:word@example.com/", "bad-redirect"),
        ("http://\xff\xfe/", "bad-redirect"),
        ("/a\r\nLocation: /b", "bad-redirect"),
    ],
)
def test_redirects_astray_are_refused(serve: Callable[..., Server], client: Client, location: str, reason: str) -> None:
    """Every hop is checked like the first address, also while loopback is open."""
    with pytest.raises(RefusedAnswer) as refusal:
        client.get(serve(redirect(location)).url)
    assert refusal.value.reason == reason
    assert "word@" not in str(refusal.value)


def test_a_redirect_without_an_address_is_refused(serve: Callable[..., Server], client: Client) -> None:
    """A redirect has to say where to."""
    with pytest.raises(RefusedAnswer, match="no addresses") as refusal:
        client.get(serve(answer(b"", status="302 Found")).url)
    assert refusal.value.reason == "bad-redirect"


def test_encryption_is_not_given_up_on_the_way(client: Client) -> None:
    """From https to http is refused; tried where the decision is made, as loopback has no certificate."""
    with pytest.raises(RefusedAnswer) as refusal:
        client._following(httpx2.URL("https://example.com/a"), b"http://example.com/b")
    assert refusal.value.reason == "bad-redirect"
    assert (
        str(client._following(httpx2.URL("http://example.com/a"), b"https://example.com/b")) == "https://example.com/b"
    )


# --- addresses -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "address",
    [
        "8.8.8.8",
        "1.1.1.1",
        "172.15.0.1",
        "172.32.0.1",
        "100.63.0.1",
        "100.128.0.1",
        "192.167.0.1",
        "223.255.255.254",
        "2606:4700::1111",
        "2a00:1450:4001::1",
        "2001:4860:4860::8888",
        "::ffff:8.8.8.8",
        "64:ff9b::808:808",
        "2002:808:808::1",
    ],
)
def test_public_addresses_are_open(address: str) -> None:
    """What the internet routes may be asked, NAT64 included: networks without IPv4 need it."""
    assert is_allowed(address)


CLOSED = [
    *("0.0.0.0", "0.1.2.3", "10.0.0.1", "10.255.255.255", "100.64.0.1", "100.127.255.255", "169.254.169.254"),
    *("172.16.0.1", "172.31.255.255", "192.168.1.1", "192.0.0.1", "192.0.2.1", "192.88.99.1", "198.18.0.1"),
    *("198.19.255.255", "198.51.100.1", "203.0.113.9", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255"),
    *("::", "::8.8.8.8", "::10.0.0.1", "::127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::ffff:0:8.8.8.8"),
    *("64:ff9b::10.0.0.1", "64:ff9b::127.0.0.1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::8.8.8.8"),
    *("2002:a00:1::1", "2002:7f00:1::1", "2002:c0a8:101::", "2001:0:a00:1::1", "2001:0:4136:e378:8000:63bf:f5ff:fffe"),
    *("fc00::1", "fd12:3456::1", "fe80::1", "fe80::1%eth0", "fec0::1", "ff02::1", "2001:db8::1", "3fff::1", "100::1"),
    *("4000::1", "", "localhost", "127.1", "0x7f.0.0.1", "2130706433", "8.8.8.8 ", "8.8.8"),
]
LOOPBACK = ["127.0.0.1", "127.255.255.254", "::1", "::ffff:127.0.0.1"]


@pytest.mark.parametrize("address", CLOSED)
def test_other_addresses_are_closed(address: str) -> None:
    """Private, shared, link-local, reserved, carried and unreadable ones, whether loopback is open or not."""
    assert not is_allowed(address)
    assert not is_allowed(address, allow_loopback=True)


@pytest.mark.parametrize("address", LOOPBACK)
def test_loopback_is_open_only_where_it_is_allowed(address: str) -> None:
    """The setting for tests opens this machine."""
    assert not is_allowed(address)
    assert is_allowed(address, allow_loopback=True)


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "localhost",
        "127.1",
        "2130706433",
        "0x7f.1",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "0",
        "0x7f000001",
        "017700000001",
        "0.0.0.0",
        "[::]",
    ],
)
def test_this_machine_is_not_asked_by_default(serve: Callable[..., Server], host: str) -> None:
    """However it is spelt; nothing is sent."""
    server = serve(answer(b"{}"))
    with Client(timeout_s=20) as closed, pytest.raises(RefusedAnswer) as refusal:
        closed.get(f"http://{host}:{server.port}/")
    assert refusal.value.reason == "forbidden-address"
    assert server.connections == 0


def resolving_to(*addresses: str) -> Callable[..., list[tuple[object, ...]]]:
    """A resolver that answers every name with ``addresses``, and literals with themselves; ``asked`` counts names."""

    def look_up(host: str, port: int, *_: object, **__: object) -> list[tuple[object, ...]]:
        is_literal = host in addresses
        if not is_literal:
            look_up.asked += 1  # type: ignore[attr-defined]
        found = [host] if is_literal else addresses
        families = [socket.AF_INET6 if ":" in a else socket.AF_INET for a in found]
        return [(f, socket.SOCK_STREAM, 6, "", (a, port)) for f, a in zip(families, found, strict=True)]

    look_up.asked = 0  # type: ignore[attr-defined]
    return look_up


@pytest.mark.parametrize(
    "addresses", [("8.8.8.8", "10.0.0.1"), ("2606:4700::1111", "::ffff:10.0.0.1"), ("127.0.0.1", "10.0.0.1")]
)
def test_a_name_with_one_closed_address_is_refused(
    client: Client, monkeypatch: pytest.MonkeyPatch, addresses: tuple[str, ...]
) -> None:
    """A public address beside a private one does not open the name."""
    monkeypatch.setattr(socket, "getaddrinfo", resolving_to(*addresses))
    with pytest.raises(RefusedAnswer, match=r"two\.example") as refusal:
        client.get("http://two.example/")
    assert refusal.value.reason == "forbidden-address"


def test_the_checked_address_is_the_one_that_is_asked(
    serve: Callable[..., Server], client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name is resolved once a connection, so that it cannot lead elsewhere after the check."""
    server = serve(answer(b"{}"))
    resolver = resolving_to("127.0.0.1")
    monkeypatch.setattr(socket, "getaddrinfo", resolver)
    client.get(f"http://name.example:{server.port}/")
    assert resolver.asked == 1  # type: ignore[attr-defined]
    assert f"Host: name.example:{server.port}\r\n" in server.requests[0]


def test_localhost_is_never_looked_up(serve: Callable[..., Server], monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever names it means this machine: no resolver and no file of hosts can lead what is sent there elsewhere."""
    server = serve(answer(b"{}"))
    monkeypatch.setattr(addresses, "_looked_up", lambda *_: pytest.fail("it was looked up"))
    with Client(private_urls=(f"http://localhost:{server.port}/",)) as here:
        assert here.get(f"http://LOCALHOST:{server.port}/").status == 200


def test_the_next_address_is_tried(
    serve: Callable[..., Server], client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One address that takes no connection does not make a name unreachable."""
    server = serve(answer(b"{}"))
    monkeypatch.setattr(socket, "getaddrinfo", resolving_to("::1", "127.0.0.1"))
    assert client.get(f"http://name.example:{server.port}/").status == 200


# --- what cannot be asked ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        "",
        "example.com/users",
        "//example.com/",
        "https://",
        "https:///path",
        "file:///etc/hostname",
        "ftp://example.com/",
        "unix:///var/run/docker.sock",
        "http+unix://%2Fvar%2Frun%2Fdocker.sock/",
        "data:text/plain,x",
        "http://0177.0.0.1/",
        "http://a b/",
        "http://a..b/",
        "http://%31/",
        f"http://{'a' * 64}.example/",
        f"http://{'a.' * 200}example/",
        "http://example.com:0/",
        "http://example.com:99999/",
        "http://[fe80::1%25eth0]/",
        "http://user:s3cret-key@example.com/",
        "http://example.com/\r\nX: s3cret-key",
    ],
)
def test_addresses_that_cannot_be_asked(client: Client, url: str) -> None:
    """A base URL without scheme or host is the user's to mend; the message holds no key."""
    with pytest.raises(ConfigError, match="is no address that can be asked") as error:
        client.get(url)
    assert "s3cret" not in str(error.value)


@pytest.mark.parametrize("name", ["X-Key", "X Key", "X-Key:"])
@pytest.mark.parametrize("value", ["s3cret\r\nX-Admin: 1", "s3cret\n", " s3cret", "s3crét", "s3cret\0"])
def test_headers_that_cannot_be_sent(client: Client, name: str, value: str) -> None:
    """A key with a line break, as pasted into a settings file, is named by its header and not shown."""
    with pytest.raises(ConfigError) as error:
        client.get("http://127.0.0.1:1/", {name: value})
    assert name in str(error.value)
    assert "cr" not in str(error.value).split("cannot be sent")[0]


# --- secrets -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Bearer s3cret-key!", "Bearer ***!"),
        ("a+b/c= and a%2Bb%2Fc%3D", "*** and ***"),
        ("s3cret-key-longer", "***"),
        ("abc stays", "abc stays"),
        ("https://h/p?key=AIza1&q=2#f", "https://h/p?key=***&q=2#f"),
        ("https://h/p?q=2&access_token=x.y%7Cz", "https://h/p?q=2&access_token=***"),
        (r'"next":"https:\/\/h\/?a=1\u0026access_token=xyz"', r'"next":"https:\/\/h\/?a=1\u0026access_token=***"'),
        ("u?to=https%3A%2F%2Fh%2F%3Ftoken%3Dxyz%26a%3D1", "u?to=https%3A%2F%2Fh%2F%3Ftoken%3D***%26a%3D1"),
        ("?client_secret=a&SIGNATURE=b&api_key=c", "?client_secret=***&SIGNATURE=***&api_key=***"),
        ("?page_token=CAUQ&monkey=1&pageToken=2", "?page_token=CAUQ&monkey=1&pageToken=2"),
        ("https://user:word@h/@me", "https://***@h/@me"),
        ("no https:/user:word@h/a", "no https:/***@h/a"),
    ],
)
def test_secrets_are_redacted(text: str, shown: str) -> None:
    """Known secrets in every spelling, and parameters that are secret by their name; cursors stay."""
    assert redacted(text, ["s3cret-key", "s3cret-key-longer", "a+b/c=", "abc"]) == shown


def test_no_secret_in_answers_messages_and_logs(
    serve: Callable[..., Server], client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither where an answer came from, nor an error, nor a log at its finest shows a key."""
    caplog.set_level(logging.DEBUG)
    server = serve(answer(b"{}", "X-Echo: Bearer s3cret-key"))
    url = f"{server.url}/s3cret-key?access_token=other-secret&x=1"
    got = client.get(url, {"Authorization": "Bearer s3cret-key"})
    server.behaviour = lambda peer, _: peer.close()
    with pytest.raises(NetworkError) as error:
        client.get(url, {"Authorization": "Bearer s3cret-key"})
    assert got.url == f"{server.url}/***?access_token=***&x=1"
    assert "/***?access_token=***&x=1" in str(error.value)
    for text in (str(error.value), str(error.value.__cause__), str(got), caplog.text):
        assert "s3cret-key" not in text
        assert "other-secret" not in text
