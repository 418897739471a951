"""What providers say instead of an answer, in their own words, and what follows from it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace

import pytest
from llm_server import KEY, LlmServer
from llm_server.prompts import prompt
from llm_server.refusals import GEMINI, OPENAI

from igtool.llms.base import Provider, ProviderError, ProviderOptions
from igtool.llms.gemini import Gemini
from igtool.llms.openai import OpenAI
from igtool.llms.refusals import inside, said

OUTCOMES = {
    "rate_limited": ("rate_limited", 20),
    "rate_limited_soon": ("rate_limited", 0.02),
    "rate_limited_date": ("rate_limited", 90),
    "rate_limited_bare": ("rate_limited", 20),
    "rate_limited_empty": ("rate_limited", None),
    "limit_inside": ("rate_limited", None),
    "request_too_large": ("too_long", 1),
    "quota": ("quota", None),
    "credits": ("quota", None),
    "spending_limit": ("quota", None),
    "balance": ("quota", None),
    "wrong_key": ("auth", None),
    "wrong_key_xai": ("auth", None),
    "forbidden": ("auth", None),
    "no_model": ("invalid", None),
    "no_model_ollama": ("invalid", None),
    "too_large": ("too_long", None),
    "too_long": ("too_long", None),
    "too_long_vllm": ("too_long", None),
    "too_long_vllm_limit": ("too_long", None),
    "too_long_llama": ("too_long", None),
    "too_long_llama_500": ("too_long", None),
    "too_long_ollama": ("too_long", None),
    "too_long_xai": ("too_long", None),
    "too_long_sglang": ("too_long", None),
    "too_long_omlx": ("too_long", None),
    "bad_request": ("invalid", None),
    "unknown_request": ("invalid", None),
    "request_timeout": ("transient", None),
    "conflict": ("transient", None),
    "server_error": ("transient", None),
    "overloaded": ("transient", None),
    "bad_gateway": ("transient", None),
    "gateway_timeout": ("transient", None),
    "error_inside": ("transient", None),
}
GEMINI_OUTCOMES = {
    "rate_limited": ("rate_limited", 34.074824224),
    "rate_limited_soon": ("rate_limited", 0.02),
    "rate_limited_bare": ("rate_limited", None),
    "rate_limited_empty": ("rate_limited", None),
    "quota": ("quota", 34),
    "credits": ("quota", None),
    "wrong_key": ("auth", None),
    "forbidden": ("auth", None),
    "abroad": ("auth", None),
    "no_model": ("invalid", None),
    "too_long": ("too_long", None),
    "too_large": ("too_long", None),
    "bad_request": ("invalid", None),
    "server_error": ("transient", None),
    "overloaded": ("transient", None),
    "gateway_timeout": ("transient", None),
    "bad_gateway": ("transient", None),
}
BROKEN = ["reset", "half_body", "not_json", "no_choices", "deep"]


@pytest.fixture(scope="module")
def server() -> Iterator[LlmServer]:
    """One server for all tests; each begins without scripts."""
    with LlmServer() as opened:
        yield opened


@pytest.fixture(autouse=True)
def _afresh(server: LlmServer) -> None:
    server.reset()


@pytest.fixture(scope="module")
def providers(server: LlmServer) -> Iterator[dict[str, Provider]]:
    """One provider of each interface."""
    options = ProviderOptions(api_key=KEY, base_url=server.url, timeout_s=5)
    made: dict[str, Provider] = {
        "openai": OpenAI("some-model", options),
        "gemini": Gemini("some-model", replace(options, base_url=server.gemini_url)),
    }
    yield made
    for one in made.values():
        one.close()


def failed(provider: Provider) -> ProviderError:
    """The error of one call."""
    with pytest.raises(ProviderError) as error:
        provider.complete(prompt())
    return error.value


@pytest.mark.parametrize(
    ("dialect", "behaviour", "outcome", "wait_s"),
    [("openai", name, *expected) for name, expected in OUTCOMES.items()]
    + [("gemini", name, *expected) for name, expected in GEMINI_OUTCOMES.items()],
)
def test_each_wording_has_its_outcome(
    server: LlmServer,
    providers: dict[str, Provider],
    dialect: str,
    behaviour: str,
    outcome: str,
    wait_s: float | None,
) -> None:
    """And the seconds to wait, where it tells them; the message is one short line that names provider and model."""
    server.script([behaviour], forever=True)
    error = failed(providers[dialect])
    assert error.outcome == outcome
    assert error.retry_after_s == (None if wait_s is None else pytest.approx(wait_s, abs=3 if wait_s == 90 else 1e-6))
    assert f"{dialect} (some-model)" in str(error)
    assert len(str(error)) <= 300
    assert "\n" not in str(error)
    assert KEY not in str(error)


def test_every_wording_is_tried() -> None:
    """No refusal of the server is left out of the tables above."""
    assert (set(OUTCOMES), set(GEMINI_OUTCOMES)) == (set(OPENAI), set(GEMINI))


@pytest.mark.parametrize("dialect", ["openai", "gemini"])
@pytest.mark.parametrize("behaviour", BROKEN)
def test_a_broken_answer_is_worth_another_try(
    server: LlmServer, providers: dict[str, Provider], dialect: str, behaviour: str
) -> None:
    """The next call succeeds on the same provider."""
    server.script([behaviour])
    assert failed(providers[dialect]).outcome == "transient"
    assert providers[dialect].complete(prompt()).text


@pytest.mark.parametrize("kind", [OpenAI, Gemini])
@pytest.mark.parametrize("behaviour", ["hang", "drip"])
def test_a_slow_answer_ends_at_the_time_limit(server: LlmServer, kind: type[Provider], behaviour: str) -> None:
    """The limit is for all of an answer; what drips does not keep a call alive."""
    server.script([behaviour])
    url = server.gemini_url if kind is Gemini else server.url
    provider = kind("m", ProviderOptions(api_key=KEY, base_url=url, timeout_s=0.3))
    provider.check()
    began = time.monotonic()
    error = failed(provider)
    assert time.monotonic() - began < 2
    assert (error.outcome, "no complete answer within 0.3 s" in str(error)) == ("transient", True)
    provider.close()


@pytest.mark.parametrize("kind", [OpenAI, Gemini])
def test_nobody_there_is_worth_another_try(kind: type[Provider]) -> None:
    """A server that is not up yet; the message says where it was looked for."""
    provider = kind("m", ProviderOptions(api_key=KEY, base_url="http://127.0.0.1:9/v1"))
    error = failed(provider)
    assert (error.outcome, "127.0.0.1:9" in str(error)) == ("transient", True)
    provider.close()


@pytest.mark.parametrize("dialect", ["openai", "gemini"])
@pytest.mark.parametrize(
    ("behaviour", "words"), [("huge", "larger than 4 MiB"), ("redirect", "not sent anywhere else")]
)
def test_what_is_not_taken_is_not_asked_again(
    server: LlmServer, providers: dict[str, Provider], dialect: str, behaviour: str, words: str
) -> None:
    """A body without end, and an address to go on to with what was sent."""
    server.script([behaviour])
    error = failed(providers[dialect])
    assert (error.outcome, words in str(error)) == ("invalid", True)
    assert len(server.requests) == 1


def test_an_unknown_model_is_named(server: LlmServer, providers: dict[str, Provider]) -> None:
    """In the words of the provider."""
    server.script(["no_model"])
    assert "The model `some-model` does not exist" in str(failed(providers["openai"]))


@pytest.mark.parametrize(
    ("text", "status", "outcome"),
    [
        ("The model `my-json-model` does not exist", 404, "invalid"),
        ("Rate limit reached for requests per day (RPD): Limit 200. Please try again in 7m12s.", 429, "rate_limited"),
        (
            "Rate limit exceeded: free-models-per-day. Add 10 credits to unlock 1000 requests per day",
            429,
            "rate_limited",
        ),
        ("max_tokens is too large: 100000. This model supports at most 16384 completion tokens", 400, "invalid"),
        ("max_tokens must be at least 1, got -186.", 400, "too_long"),
        ("Too many tokens, please wait before trying again.", 429, "rate_limited"),
        ("Your account is not active, please check your billing details", 429, "quota"),
        ("Billing hard limit has been reached", 400, "quota"),
        ("This request requires more credits, or fewer max_tokens.", 402, "quota"),
        ("Input validation error: `inputs` tokens + `max_new_tokens` must be <= 4096.", 422, "too_long"),
        ("Input tokens exceed the configured limit of 272000 tokens.", 400, "too_long"),
        ("the input length exceeds the context length", 500, "too_long"),
        ("The prompt (total length 25938) is too long to fit into the model (context length 4096)", 400, "too_long"),
        ("Context window is large enough but the server is busy", 503, "transient"),
    ],
)
def test_words_that_look_alike(text: str, status: int, outcome: str) -> None:
    """Messages about limits name billing, credits and tokens; what they mean hangs on more than one word."""
    assert said(status, {}, f'{{"error": {{"message": "{text}"}}}}'.encode()).outcome() == outcome


@pytest.mark.parametrize(
    ("words", "wait_s"),
    [
        ("Please try again in 7m12s.", 432),
        ("Please try again in 350ms.", 0.35),
        ("Please retry after 86400 seconds.", 86_400),
        ("Please retry after 9999999 seconds.", 86_400),
        ("Please retry in 34.07s.", 34.07),
        ("Please try again later.", None),
        ("Try again in a while", None),
    ],
)
def test_the_words_tell_how_long_to_wait(words: str, wait_s: float | None) -> None:
    """Where no header does; never longer than a day."""
    assert said(429, {}, words.encode()).wait_s == (None if wait_s is None else pytest.approx(wait_s))


@pytest.mark.parametrize("value", ["-5", "nan", "inf", "soon", "1e999", ""])
def test_a_header_that_tells_nothing(value: str) -> None:
    """Is no wait at all."""
    assert said(429, {"retry-after": value, "retry-after-ms": value}, b"{}").wait_s is None


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff\xfe",
        b"[]",
        b"null",
        b"7",
        b'"text"',
        b'{"error": null}',
        b'{"error": {"message": {"a": 1}, "details": [7, {"violations": [7]}]}}',
        b'{"detail": [7, {"loc": "body", "msg": null}]}',
        b"[" * 100_000,
    ],
)
def test_any_body_can_be_read(body: bytes) -> None:
    """Of whatever shape, it becomes words."""
    heard = said(500, {}, body)
    assert heard.outcome() == "transient"
    assert len(str(heard.error("who"))) <= 300


def test_what_a_server_repeats_of_the_request_is_not_its_reason() -> None:
    """FastAPI sends back the whole body, with every parameter in it."""
    body = b'{"detail": [{"loc": ["body", "n"], "msg": "too big", "input": {"temperature": 0, "response_format": 1}}]}'
    heard = said(422, {}, body)
    assert heard.words == "body.n: too big"
    assert "temperature" not in heard.text


def test_the_error_in_an_answer_has_its_own_status() -> None:
    """A gateway answers 200 and puts the error of its provider inside."""
    assert inside({"code": 403, "message": "no"}).outcome() == "auth"
    assert inside({"code": "x", "message": "no"}).outcome() == "transient"
    assert inside("it broke").outcome() == "transient"


def test_a_key_is_not_told_even_in_part() -> None:
    """Providers repeat its ends."""
    heard = said(401, {}, b'{"error": {"message": "Incorrect API key provided: sk-ab**34. You can find it."}}')
    assert "sk-ab" not in heard.words
    assert "Incorrect%20API" not in said(400, {}, b'{"error": "Incorrect%20API%20key%20provided:%20ba***na."}').words


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (403, b'{"code": "x", "error": "Content violates usage guidelines. Failed check: SAFETY_CHECK_TYPE_BIO"}'),
        (400, b'{"error": {"code": "content_filter", "message": "The prompt triggered content management policy"}}'),
    ],
)
def test_a_prompt_may_be_refused_for_what_it_says(status: int, body: bytes) -> None:
    """That is about one creator, and neither about the key nor about the request."""
    assert said(status, {}, body).means_moderation()
    assert not said(429, {}, body).means_moderation()
