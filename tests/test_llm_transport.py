"""What the packages of providers send goes through igtool's own HTTP client."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx2
import pytest
from llm_server import KEY, LlmServer

from igtool.errors import ConfigError
from igtool.http import Client, RefusedAnswer, is_allowed
from igtool.llms.base import ProviderOptions
from igtool.llms.transport import Refused, Transport


@pytest.fixture
def server() -> Iterator[LlmServer]:
    """A server without scripts."""
    with LlmServer() as opened:
        yield opened


def client(base_url: str, *, key: str | None = KEY, timeout_s: float = 5, max_bytes: int = 1 << 20) -> httpx2.Client:
    """What an SDK is given."""
    options = ProviderOptions(api_key=key, timeout_s=timeout_s, max_answer_bytes=max_bytes)
    return httpx2.Client(transport=Transport(base_url, options), trust_env=False)


# --- addresses -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "::1", "10.1.2.3", "172.16.0.1", "192.168.178.20", "100.64.0.1", "fd12:3456::1", "::ffff:10.0.0.1"],
)
def test_a_private_address_is_open_to_what_the_user_set(address: str) -> None:
    """This machine, the home network, a VPN; to nothing else."""
    assert is_allowed(address, allow_private=True)
    assert not is_allowed(address)


@pytest.mark.parametrize(
    "address",
    [
        "169.254.169.254",
        "169.254.170.2",
        "fe80::1",
        "fd00:ec2::254",
        "100.100.100.200",
        "192.0.0.192",
        "0.0.0.0",
        "224.0.0.1",
        "255.255.255.255",
        "::ffff:169.254.169.254",
        "64:ff9b::a00:1",
        "2002:a00:1::",
        "nonsense",
    ],
)
def test_some_addresses_stay_closed(address: str) -> None:
    """Where clouds keep credentials, and what is no address of a server."""
    assert not is_allowed(address, allow_private=True)


def test_only_the_host_and_port_that_were_set_are_open(server: LlmServer) -> None:
    """Another port of the same machine is another server."""
    with client(server.url) as sender, pytest.raises(Refused, match="no public address"):
        sender.get("http://127.0.0.1:9/v1/models")
    with client(server.url) as sender:
        assert sender.get(f"{server.url}/models").status_code == 200
        with pytest.raises(Refused, match="no public address"):
            sender.get(f"{server.url.replace('127.0.0.1', 'localhost')}/models")


def test_a_name_that_leads_home_is_open_where_it_was_set(server: LlmServer) -> None:
    """The host as the user wrote it counts, and not the address behind it."""
    port = server.origin.rpartition(":")[2]
    with Client(private_urls=(f"http://LOCALHOST:{port}/v1",)) as asking:
        assert asking.get(f"http://localhost:{port}/v1/models").status == 200
        with pytest.raises(RefusedAnswer):
            asking.get(f"http://127.0.0.1:{port}/v1/models")


def test_an_address_that_cannot_be_asked_is_a_setting_to_mend() -> None:
    """Told when the client is made."""
    with pytest.raises(ConfigError, match="no address that can be asked"):
        Client(private_urls=("localhost:8000",))


def test_a_redirect_home_is_refused(server: LlmServer) -> None:
    """A provider cannot lead to another port of this machine, by GET or by POST."""
    server.script(["redirect"], endpoint="batches", forever=True)
    with client(server.url) as sender:
        with pytest.raises(Refused, match=r"127\.0\.0\.1 is no public address"):
            sender.get(f"{server.url}/batches")
        server.script(["redirect"], forever=True)
        with pytest.raises(Refused, match="not sent anywhere else"):
            sender.post(f"{server.url}/chat/completions", json={"messages": []})


# --- what is sent and what comes -----------------------------------------------------------------------------------


def test_only_known_headers_are_sent(server: LlmServer) -> None:
    """Nothing about this machine, no cookie, and no credential without a key of the user."""
    sent = {"X-Stainless-OS": "Linux", "Cookie": "a=b", "Authorization": "Bearer x", "Content-Type": "application/json"}
    with client(server.url) as sender:
        sender.post(f"{server.url}/chat/completions", json={"messages": []}, headers=sent)
    with client(server.url, key=None) as sender:
        sender.post(f"{server.url}/chat/completions", json={"messages": []}, headers=sent)
    first, second = (set(record.headers) for record in server.requests)
    assert first - second == {"authorization"}
    assert second == {"host", "user-agent", "accept", "accept-encoding", "content-type", "content-length"}


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "HEAD"])
def test_other_methods_are_not_sent(server: LlmServer, method: str) -> None:
    """Nothing that igtool uses deletes or changes."""
    with client(server.url) as sender, pytest.raises(Refused, match=f"{method} is not sent"):
        sender.request(method, f"{server.url}/models")


def test_many_threads_use_few_connections(server: LlmServer) -> None:
    """As many as calls at once, used again and closed at the end."""
    with client(server.url) as sender, ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda _: sender.get(f"{server.url}/models").status_code, range(60)))
        assert answers == [200] * 60
        assert 1 <= server.connection_count <= 6
    for _ in range(200):
        if server.connection_count == 0:
            break
        threading.Event().wait(0.01)
    assert server.connection_count == 0


def test_a_client_in_use_is_closed_once_it_is_free(server: LlmServer) -> None:
    """Closing does not wait for a call, and a call does not outlive its connection."""
    server.latency_s = 0.2
    sender = client(server.url)
    with ThreadPoolExecutor(1) as pool:
        under_way = pool.submit(sender.post, f"{server.url}/chat/completions", json={"messages": []})
        while server.connection_count == 0:
            threading.Event().wait(0.005)
        sender.close()
        assert under_way.result().status_code == 200
    for _ in range(200):
        if server.connection_count == 0:
            break
        threading.Event().wait(0.01)
    assert server.connection_count == 0


@pytest.mark.parametrize(
    ("behaviour", "error"),
    [
        ("hang", httpx2.ReadTimeout),
        ("reset", httpx2.NetworkError),
        ("half_body", httpx2.NetworkError),
        ("huge", Refused),
    ],
)
def test_errors_are_those_that_packages_know(server: LlmServer, behaviour: str, error: type[Exception]) -> None:
    """Time-outs and broken lines by their own kinds, what is not taken by a third."""
    server.script([behaviour])
    timeout_s = 0.3 if behaviour == "hang" else 5
    with client(server.url, timeout_s=timeout_s) as sender, pytest.raises(error) as raised:
        sender.post(f"{server.url}/chat/completions", json={"messages": []})
    assert isinstance(raised.value, httpx2.TransportError)
    assert str(server.url) in str(raised.value)


def test_the_key_is_taken_out_of_errors(server: LlmServer) -> None:
    """Before a package can put it into a message of its own; decent answers stay as they are."""
    server.script(["wrong_key"])
    headers = {"Authorization": f"Bearer {KEY}"}
    with client(server.url) as sender:
        refused = sender.post(f"{server.url}/chat/completions", json={"messages": []}, headers=headers)
    assert refused.status_code == 401
    assert KEY not in refused.text
    assert "Incorrect API key provided: ***" in refused.text
