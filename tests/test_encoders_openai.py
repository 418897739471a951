"""The encoder openai against a server on loopback: what it costs, what is kept, and how it fails."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from live_runs import JumpingClock
from llm_server import KEY, LlmServer
from llm_server.embeddings import DIMENSION, vector

from igtool.asking.encoding import Charged, Errand
from igtool.encoders.base import EncoderOptions, unit
from igtool.encoders.openai import OpenAIEncoder
from igtool.errors import BudgetError, ConfigError, IgtoolError, Interrupted, RateLimitedError
from igtool.journal import Journal
from igtool.journal.models import CallLimits, ModelLedger
from igtool.lake import Lake
from igtool.llms.prices import Price

PRICE = Price(20.0, 20.0, 0.0, "invented")
TEXTS = [f"invented text {number}" for number in range(300)]


@pytest.fixture(scope="module")
def shared() -> Iterator[LlmServer]:
    """One server for the module."""
    with LlmServer(key=KEY) as opened:
        yield opened


@pytest.fixture
def server(shared: LlmServer) -> LlmServer:
    """The server, nothing scripted or recorded."""
    shared.reset()
    return shared


@pytest.fixture
def make(server: LlmServer, tmp_path: Path) -> Callable[..., Charged]:
    """Makes encoders over one journal; waiting takes no time."""

    def made(limits: CallLimits | None = None, run: str = "one", **more: Any) -> Charged:
        options = {"name": "invented", "dimension": DIMENSION, "api_key": KEY, "base_url": server.url} | more
        charged = Charged(OpenAIEncoder(EncoderOptions(**options)), PRICE, tmp_path / "cache", limits, max_wait_s=60)
        charged.errand = Errand(run, clock=JumpingClock())
        return charged

    return made


def calls(folder: Path) -> list[tuple[Any, ...]]:
    """Outcome, tokens and dollars of every call in the ledger."""
    with Journal(folder / "cache", writable=False) as journal:
        return journal.read("select outcome, tokens, cost_usd from llm_calls order by call_id")


def test_vectors_in_order_and_charged(make: Callable[..., Charged], server: LlmServer, tmp_path: Path) -> None:
    """Unit vectors of the server's, in order, in three calls of at most 128 texts, each charged with what it took."""
    vectors = make().encode([*TEXTS, TEXTS[0]])
    expected = unit([vector(text) for text in [*TEXTS, TEXTS[0]]])
    assert abs(vectors - expected).max() < 1e-3
    assert sorted(len(record.data["input"]) for record in server.requests) == [44, 128, 128]
    ended = calls(tmp_path)
    assert [outcome for outcome, _, _ in ended] == ["stop"] * 3
    tokens = sum(-(-len(text) // 4) for text in TEXTS)
    assert sum(cost for _, _, cost in ended) == pytest.approx(tokens * 20 / 1e6)


def test_nothing_is_paid_twice(make: Callable[..., Charged], server: LlmServer) -> None:
    """Another process gets stored texts from the journal, with the same bits, and asks for the new one alone."""
    first = make().encode(TEXTS[:3])
    again = make().encode([*TEXTS[:3], "new"])
    assert (again[:3] == first).all()
    assert set(server.paid.values()) == {1}
    assert len(server.paid) == 4


def test_the_journal_is_emptied_into_the_lake(make: Callable[..., Charged], tmp_path: Path, lake: Lake) -> None:
    """Vectors that the lake has leave the journal, others stay."""
    encoder = make()
    halves = encoder.encode(TEXTS[:2]).astype("<f2")
    encoder.drain(lake)
    with Journal(tmp_path / "cache", writable=False) as journal:
        kept = ModelLedger(journal).vector_hashes(encoder.model, 10)
        assert len(kept) == 2
        row = {"model": encoder.model, "text_sha256": kept[1][1], "vector": halves[1].tobytes()}
        with lake.transaction():
            lake.merge("text_vectors", [row])
        encoder.drain(lake)
        assert ModelLedger(journal).vector_hashes(encoder.model, 10) == kept[:1]


def test_the_budget_is_hard(make: Callable[..., Charged], server: LlmServer, tmp_path: Path) -> None:
    """No call is made that could go over the limit; a higher one goes on where the run stopped."""
    limits = CallLimits(max_cost_usd=0.09)
    with pytest.raises(BudgetError, match="max-cost"):
        make(limits).encode(TEXTS)
    spent = sum(cost for _, _, cost in calls(tmp_path))
    assert 0 < len(server.paid) < len(TEXTS)
    assert spent <= 0.09
    make(CallLimits(max_cost_usd=10)).encode(TEXTS)
    assert set(server.paid.values()) == {1}


@pytest.mark.parametrize(
    ("behaviour", "kind", "says"),
    [
        ("wrong_key", ConfigError, "OPENAI_API_KEY"),
        ("no_model", ConfigError, "invented"),
        ("bad_request", ConfigError, "400"),
        ("quota", BudgetError, "quota"),
        ("rate_limited", RateLimitedError, "limits the rate"),
        ("server_error", RateLimitedError, "does not answer"),
        ("not_json", RateLimitedError, "cannot be read"),
        ("not_numbers", RateLimitedError, "cannot be read"),
        ("half_body", RateLimitedError, "does not answer"),
        ("other_size", ConfigError, "vectors of 9 numbers where 8 are wanted: set embedding_dimension"),
        ("too_few", ConfigError, "answered 1 vectors for 2 texts"),
        ("same_index", ConfigError, "answered 2 vectors for 2 texts"),
        ("no_length", ConfigError, "no length"),
        ("endless", ConfigError, "no length"),
    ],
)
def test_a_bad_server(
    make: Callable[..., Charged], server: LlmServer, tmp_path: Path, behaviour: str, kind: type[IgtoolError], says: str
) -> None:
    """Each way to answer badly ends in an error that tells what to do, without the key in it, and nothing is kept."""
    server.script([behaviour], forever=True)
    encoder = make()
    with pytest.raises(kind, match=r"openai") as error:
        encoder.encode(TEXTS[:2])
    assert says in str(error.value)
    assert KEY not in str(error.value)
    with Journal(tmp_path / "cache", writable=False) as journal:
        assert ModelLedger(journal).vector_hashes(encoder.model, 10) == []
    assert all(outcome is not None for outcome, _, _ in calls(tmp_path))


@pytest.mark.parametrize("behaviour", ["rate_limited", "rate_limited_soon", "server_error", "not_json", "reset"])
def test_a_passing_failure_is_waited_out(make: Callable[..., Charged], server: LlmServer, behaviour: str) -> None:
    """After two failures the texts are asked for again and answered."""
    server.script([behaviour, behaviour])
    assert abs(make().encode(TEXTS[:2]) - unit([vector(text) for text in TEXTS[:2]])).max() < 1e-3
    assert len(server.requests) == 3


def test_a_slow_server(make: Callable[..., Charged], server: LlmServer) -> None:
    """A call that is not answered in time is given up, and the next one is answered."""
    server.script(["hang"])
    assert make(timeout_s=0.3).encode(["slow"]).shape == (1, DIMENSION)


def test_stopping_while_it_waits(make: Callable[..., Charged], server: LlmServer) -> None:
    """Who asks to stop during a pause gets an interruption and not a traceback."""
    server.script(["rate_limited"], forever=True)
    encoder = make()
    encoder.errand.stopping = lambda: bool(server.requests)
    with pytest.raises(Interrupted):
        encoder.encode(["waited for"])


def test_what_the_settings_lack() -> None:
    """A model without a name, one of unknown size, and a missing key are each named with the setting."""
    with pytest.raises(ConfigError, match="EMBEDDING_MODEL"):
        OpenAIEncoder()
    with pytest.raises(ConfigError, match="embedding_dimension"):
        OpenAIEncoder(EncoderOptions(name="unheard-of"))
    known = OpenAIEncoder(EncoderOptions(name="text-embedding-3-small"))
    assert (known.model, known.dimension) == ("openai/text-embedding-3-small@1536", 1536)
    with pytest.raises(ConfigError, match="OPENAI_API_KEY"):
        known.provider.check()


@pytest.mark.slow
def test_killed_while_it_asks(make: Callable[..., Charged], server: LlmServer, tmp_path: Path) -> None:
    """After kill -9 in the middle what was answered is there, and at most the calls under way are paid again."""
    script = (
        "import sys; sys.path.insert(0, 'tests'); from pathlib import Path; from llm_server import KEY\n"
        "from igtool.asking.encoding import Charged; from igtool.encoders.openai import OpenAIEncoder\n"
        "from igtool.encoders.base import EncoderOptions; from igtool.llms.prices import Price\n"
        f"options = EncoderOptions(name='invented', dimension={DIMENSION}, api_key=KEY, base_url='{server.url}')\n"
        f"encoder = Charged(OpenAIEncoder(options), Price(20, 20, 0, ''), Path('{tmp_path}/cache'), None, 1)\n"
        f"encoder.encode([f'invented text {{n}}' for n in range(300)])"
    )
    server.script(["ok", "ok", "hang"])
    process = subprocess.Popen([sys.executable, "-c", script], cwd=Path(__file__).parents[1], stdin=subprocess.DEVNULL)
    try:
        wait = partial(os.waitpid, process.pid, os.WNOHANG)
        while len(server.requests) < 3:
            assert wait() == (0, 0), "it ended before it was killed"
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    server.reset()
    vectors = make().encode(TEXTS)
    assert len(server.paid) == 300 - 256
    assert abs(vectors - unit([vector(text) for text in TEXTS])).max() < 1e-3
    assert [outcome for outcome, _, _ in calls(tmp_path)] == ["stop", "stop", None, "stop"]
    assert np.isfinite(vectors).all()
