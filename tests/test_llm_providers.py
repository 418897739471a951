"""The hosted providers through their real packages and real sockets, against a scripted server on loopback."""

from __future__ import annotations

import json
import logging
import socket
import threading
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from llm_server import KEY, LlmServer
from llm_server.prompts import INSTRUCTION, SCHEMA, prompt

from igtool import registry
from igtool.errors import ConfigError
from igtool.llms.base import BatchProvider, Message, Prompt, Provider, ProviderError, ProviderOptions
from igtool.llms.chat import completion
from igtool.llms.gemini import Gemini
from igtool.llms.openai import Grok, Ollama, OpenAI
from igtool.llms.strict_schema import strict

HOSTED = [OpenAI, Grok, Ollama, Gemini]
Make = Callable[..., Provider]


@pytest.fixture
def make() -> Iterator[Make]:
    """Makes providers that ask a server, and closes them."""
    made: list[Provider] = []

    def provider(kind: type[Provider], server: LlmServer, model: str = "some-model", **options: Any) -> Provider:
        url = server.gemini_url if kind is Gemini else server.url
        made.append(kind(model, ProviderOptions(**{"api_key": KEY, "base_url": url, "timeout_s": 10, **options})))
        return made[-1]

    yield provider
    for one in made:
        one.close()


@pytest.fixture
def server() -> Iterator[LlmServer]:
    """A server without scripts that takes only the right key."""
    with LlmServer(key=KEY) as opened:
        yield opened


def fits(text: str) -> bool:
    """Whether ``text`` is an answer to `prompt`."""
    value = json.loads(text)
    return value["niche"] in SCHEMA["properties"]["niche"]["enum"] and isinstance(value["persona"], str)


# --- a decent answer -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", HOSTED)
def test_an_answer_comes_with_its_usage(kind: type[Provider], server: LlmServer, make: Make) -> None:
    """The text is the model's, tokens are those the provider counts, kept ones among them."""
    provider = make(kind, server)
    provider.check()
    first, second = provider.complete(prompt("one")), provider.complete(prompt("two words"))
    assert fits(first.text)
    assert (first.finish, first.cached_tokens, first.tokens) == ("stop", 0, ())
    assert first.input_tokens == -(-len(INSTRUCTION) // 4) + 1
    assert 0 < second.cached_tokens <= second.input_tokens
    thoughts = 3 if kind is Gemini else 0
    assert first.output_tokens == -(-len(first.text) // 4) + thoughts
    assert [record.is_paid for record in server.requests] == [True, True]


@pytest.mark.parametrize("kind", [OpenAI, Gemini])
def test_packed_answers_are_unpacked_once(kind: type[Provider], make: Make) -> None:
    """Providers send gzip; the package must not unpack what the HTTP client unpacked."""
    with LlmServer(is_packed=True) as server:
        assert fits(make(kind, server).complete(prompt()).text)


@pytest.mark.parametrize("kind", [OpenAI, Gemini])
def test_a_header_that_names_another_encoding_is_not_believed(
    kind: type[Provider], server: LlmServer, make: Make
) -> None:
    """JSON is UTF-8, and the packages fail on anything else, errors included."""
    server.script(["wrong_charset"])
    assert fits(make(kind, server).complete(prompt()).text)


@pytest.mark.parametrize("kind", [OpenAI, Gemini])
def test_half_a_character_can_be_asked_about(kind: type[Provider], server: LlmServer, make: Make) -> None:
    """Texts of platforms are cut in the middle of one; no request can hold that."""
    assert make(kind, server).complete(prompt("cut \ud83d here")).text
    assert "cut ? here" in json.dumps(server.requests[0].data)


def test_schemas_that_come_and_go_are_not_mixed_up(server: LlmServer, make: Make) -> None:
    """A schema is asked as it is, although what was made of earlier ones is kept by identity."""
    provider = make(OpenAI, server)
    for number in range(100):
        schema = {"type": "object", "properties": {f"field_{number}": {"type": "integer"}}}
        answer = provider.complete(Prompt((Message("user", "x"),), "s", schema))
        assert list(json.loads(answer.text)) == [f"field_{number}"]


def test_what_is_sent_to_openai(server: LlmServer, make: Make) -> None:
    """Temperature 0, a strict schema with its definitions, the instruction first, and no header about this machine."""
    make(OpenAI, server).complete(prompt("bread", max_tokens=77))
    sent, headers = server.requests[0].data, server.requests[0].headers
    wanted = sent["response_format"]["json_schema"]
    assert (sent["model"], sent["temperature"], sent["max_tokens"]) == ("some-model", 0, 77)
    assert [one["role"] for one in sent["messages"]] == ["system", "user"]
    assert (wanted["name"], wanted["strict"], set(wanted["schema"]["$defs"])) == ("label", True, {"Topic"})
    assert wanted["schema"]["required"] == ["niche", "persona", "topics", "note"]
    assert headers["authorization"] == f"Bearer {KEY}"
    assert headers["user-agent"].startswith("igtool/")
    known = {"host", "user-agent", "accept", "accept-encoding", "authorization", "content-type", "content-length"}
    assert set(headers) == known


def test_what_is_sent_to_gemini(server: LlmServer, make: Make) -> None:
    """The instruction and the schema in fields of their own, no thinking, other turns by their roles."""
    asked = Prompt((*prompt("bread").messages, Message("assistant", "no"), Message("user", "again")), "label", SCHEMA)
    make(Gemini, server).complete(asked)
    sent, headers = server.requests[0].data, server.requests[0].headers
    config = sent["generationConfig"]
    assert sent["systemInstruction"]["parts"] == [{"text": INSTRUCTION}]
    assert [(one["role"], one["parts"][0]["text"]) for one in sent["contents"]] == [
        ("user", "bread"),
        ("model", "no"),
        ("user", "again"),
    ]
    assert (config["temperature"], config["responseMimeType"]) == (0, "application/json")
    assert config["responseJsonSchema"]["properties"]["niche"]["enum"] == ["food", "travel", "games"]
    assert config["thinkingConfig"] == {"thinkingBudget": 0}
    assert headers["x-goog-api-key"] == KEY
    assert "x-goog-api-client" not in headers


@pytest.mark.parametrize("kind", [OpenAI, Gemini])
@pytest.mark.parametrize("wanted", [1, 5, 50])
def test_alternatives_join_to_the_text(kind: type[Provider], wanted: int, server: LlmServer, make: Make) -> None:
    """Each token has its likeliest alternatives by their natural logarithms, at most as many as the provider tells."""
    answer = make(kind, server).complete(prompt("pan y café ☕ todos los días", alternatives=wanted))
    assert "".join(token for token, _ in answer.tokens) == answer.text
    assert {len(likely) for _, likely in answer.tokens} == {min(wanted, 20)}
    assert all(likely[token] == -0.105 for token, likely in answer.tokens)


def test_tokens_that_are_parts_of_a_character_are_joined() -> None:
    """A model may write a character in several tokens; their bytes tell."""
    cup = "☕".encode()
    told = [
        {"token": "\\xe2\\x98", "logprob": -0.5, "bytes": list(cup[:2]), "top_logprobs": []},
        {"token": "\\x95", "logprob": -0.1, "bytes": list(cup[2:]), "top_logprobs": []},
        {"token": "!", "logprob": -0.2, "bytes": [33], "top_logprobs": [{"token": "?", "logprob": -2.0}]},
    ]
    choice = {"message": {"content": "☕!"}, "finish_reason": "stop", "logprobs": {"content": told}}
    answer = completion(json.dumps({"choices": [choice]}).encode(), 0, "x")
    assert answer.tokens == (("☕", {"\\xe2\\x98": -0.5}), ("!", {"!": -0.2, "?": -2.0}))


@pytest.mark.parametrize(
    ("behaviour", "finish", "text"),
    [
        ("truncated", "length", None),
        ("refusal", "refusal", {OpenAI: "I'm sorry, but I can't help with that.", Gemini: ""}),
        ("filtered", "refusal", {OpenAI: "", Gemini: ""}),
        ("empty", "stop", {OpenAI: "", Gemini: ""}),
        ("null_content", "stop", {OpenAI: "", Gemini: ""}),
    ],
)
@pytest.mark.parametrize("kind", [OpenAI, Gemini])
def test_how_an_answer_ended(
    kind: type[Provider], behaviour: str, finish: str, text: dict[type, str] | None, server: LlmServer, make: Make
) -> None:
    """An answer that was cut off or refused is one, with what it cost."""
    server.script([behaviour])
    answer = make(kind, server).complete(prompt())
    assert answer.finish == finish
    assert answer.input_tokens > 0
    assert text is None or answer.text == text[kind]


def test_a_prompt_that_is_refused_for_what_it_says_is_a_refusal(server: LlmServer, make: Make) -> None:
    """A 403 about content is not about the key: the run goes on."""
    server.script(["moderated"])
    provider = make(Grok, server)
    answer = provider.complete(prompt())
    assert (answer.text, answer.finish, answer.output_tokens) == ("", "refusal", 0)
    assert provider.complete(prompt()).finish == "stop"


@pytest.mark.parametrize(
    "behaviour", ["fenced", "chatty", "prose", "broken_json", "unknown_enum", "extra_field", "other_language"]
)
@pytest.mark.parametrize("kind", [OpenAI, Gemini])
def test_a_bad_answer_is_handed_on_as_it_came(
    kind: type[Provider], behaviour: str, server: LlmServer, make: Make
) -> None:
    """A provider does not judge what a model says."""
    server.script([behaviour])
    provider = make(kind, server)
    bad, good = provider.complete(prompt()), provider.complete(prompt())
    assert bad.finish == "stop"
    assert bad.text != good.text
    assert bad.output_tokens > 0


@pytest.mark.parametrize("kind", [OpenAI, Gemini])
def test_without_usage_tokens_are_guessed(kind: type[Provider], server: LlmServer, make: Make) -> None:
    """A quarter of the characters stands in for what a server does not tell."""
    server.script(["no_usage"])
    answer = make(kind, server).complete(prompt("12345678"))
    assert (answer.input_tokens, answer.cached_tokens) == (-(-(len(INSTRUCTION) + 8) // 4), 0)
    assert answer.output_tokens == -(-len(answer.text) // 4)


@pytest.mark.parametrize(
    ("usage", "taken", "made", "cached"),
    [
        ({"prompt_tokens": -5, "completion_tokens": 7}, 25, 1, 0),
        ({"prompt_tokens": 10**30, "completion_tokens": 7}, 25, 1, 0),
        ({"prompt_tokens": 10, "completion_tokens": -1}, 10, 1, 0),
        ({"prompt_tokens": 10, "completion_tokens": 3, "prompt_tokens_details": {"cached_tokens": 99}}, 10, 3, 10),
        ({"prompt_tokens": 10, "completion_tokens": 3, "prompt_tokens_details": {"cached_tokens": None}}, 10, 3, 0),
        (None, 25, 1, 0),
    ],
)
def test_tokens_that_cannot_be(usage: Any, taken: int, made: int, cached: int) -> None:
    """Money hangs on them: what is no number of tokens is not told at all, and no more is cached than was taken."""
    body = {"choices": [{"message": {"content": "{}"}, "finish_reason": "stop"}], "usage": usage}
    answer = completion(json.dumps(body).encode(), 100, "x")
    assert (answer.input_tokens, answer.output_tokens, answer.cached_tokens) == (taken, made, cached)


def test_thoughts_beside_the_answer_are_counted() -> None:
    """Grok tells them only in the total; they are paid."""
    usage = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 115}
    body = {"choices": [{"message": {"content": "{}"}, "finish_reason": "stop"}], "usage": usage}
    assert completion(json.dumps(body).encode(), 0, "x").output_tokens == 105


# --- servers that understand less ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "lacks", "refusals", "gone", "there"),
    [
        (OpenAI, ("bounds",), 1, '"maxLength"', '"json_schema"'),
        (OpenAI, ("json_schema",), 2, '"json_schema"', '"json_object"'),
        (OpenAI, ("grammar",), 2, '"json_schema"', '"json_object"'),
        (OpenAI, ("json_schema", "json_object"), 3, '"response_format"', "JSON schema"),
        (OpenAI, ("any_format",), 3, '"response_format"', "JSON schema"),
        (OpenAI, ("grammar_500",), 2, '"json_schema"', '"json_object"'),
        (OpenAI, ("system",), 1, '"role": "system"', "You label creators"),
        (OpenAI, ("temperature",), 1, '"temperature"', '"json_schema"'),
        (OpenAI, ("max_tokens",), 1, '"max_tokens"', '"max_completion_tokens"'),
        (OpenAI, ("many_logprobs",), 1, '"top_logprobs": 20', '"top_logprobs": 5'),
        (OpenAI, ("logprobs",), 2, '"logprobs"', '"json_schema"'),
        (OpenAI, ("bounds", "temperature", "max_tokens", "logprobs"), 5, '"temperature"', '"max_completion_tokens"'),
        (Ollama, ("json_schema",), 2, '"json_schema"', '"json_object"'),
        (Gemini, ("bounds",), 1, '"maxLength"', '"responseJsonSchema"'),
        (Gemini, ("json_schema",), 2, '"responseJsonSchema"', '"responseMimeType"'),
        (Gemini, ("states", "json_object"), 3, '"responseMimeType"', "JSON schema"),
        (Gemini, ("thinking_off",), 1, '"thinkingBudget": 0', '"thinkingLevel": "minimal"'),
        (Gemini, ("thinking_unnamed",), 1, '"thinkingBudget": 0', '"thinkingLevel": "minimal"'),
        (Gemini, ("thinking",), 4, '"thinkingConfig"', '"responseJsonSchema"'),
        (Gemini, ("system",), 1, '"systemInstruction"', "You label creators"),
        (Gemini, ("logprobs",), 1, '"responseLogprobs"', '"responseJsonSchema"'),
    ],
)
def test_what_a_server_lacks_is_found_out_once(
    kind: type[Provider], lacks: tuple[str, ...], refusals: int, gone: str, there: str, make: Make
) -> None:
    """The first call tries lower ways until one is taken, and later calls begin there."""
    with LlmServer(lacks=lacks) as server:
        provider = make(kind, server)
        asked = prompt(alternatives=20)
        assert fits(provider.complete(asked).text)
        assert [record.behaviour for record in server.requests] == ["lacking"] * refusals + ["ok"]
        provider.complete(asked)
        assert len(server.requests) == refusals + 2
        sent = json.dumps(server.requests[-1].data)
        assert gone not in sent
        assert there in sent


def test_threads_share_what_one_of_them_found_out(make: Make) -> None:
    """After a first round of threads that each met a refusal no call is refused any more."""
    with LlmServer(lacks=("json_schema", "temperature"), latency_s=0.02) as server:
        provider = make(OpenAI, server)
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda number: provider.complete(prompt(f"bio {number}")), range(64)))
        assert all(fits(answer.text) for answer in answers)
        refused = sum(record.status == 400 for record in server.requests)
        assert 3 <= refused <= 8 * 3
        assert {record.behaviour for record in server.requests[-32:]} == {"ok"}


def test_a_refusal_without_a_word_is_not_about_the_format_once_that_was_taken(server: LlmServer, make: Make) -> None:
    """It costs one call and not four, and what works is kept."""
    provider = make(OpenAI, server)
    provider.complete(prompt())
    server.script(["bad_request"], forever=True)
    with pytest.raises(ProviderError) as refusal:
        provider.complete(prompt("another"))
    assert refusal.value.outcome == "invalid"
    assert len(server.requests) == 2


def test_a_server_that_takes_nothing_leaves_no_trace(server: LlmServer, make: Make) -> None:
    """All ways are tried, the first refusal is told, and the next call begins with the best way again."""
    provider = make(OpenAI, server)
    server.script(["unknown_request"] * 4)
    with pytest.raises(ProviderError, match="field required") as refusal:
        provider.complete(prompt())
    assert refusal.value.outcome == "invalid"
    assert len(server.requests) == 4
    provider.complete(prompt())
    assert server.requests[-1].data["response_format"]["type"] == "json_schema"


@pytest.mark.parametrize(
    ("lacks", "effort"), [((), "minimal"), (("minimal_effort",), "low"), (("reasoning_effort",), None)]
)
def test_models_that_think_are_asked_to_be_brief(lacks: tuple[str, ...], effort: str | None, make: Make) -> None:
    """Thoughts are paid and use up the limit; only OpenAI's own server is asked so."""
    with LlmServer(lacks=lacks) as server:

        class Here(OpenAI):
            own_url = server.url

        make(Here, server, "gpt-5-mini").complete(prompt())
        assert server.requests[-1].data.get("reasoning_effort") == effort
        assert "max_completion_tokens" in server.requests[-1].data
        make(OpenAI, server, "gpt-5-mini", base_url=f"{server.url}/").complete(prompt())
        assert "reasoning_effort" not in server.requests[-1].data


def test_a_strict_schema_is_closed_everywhere_and_keeps_names() -> None:
    """Every object is closed and complete; properties that are called like keywords stay."""
    schema = {
        "type": "object",
        "properties": {
            "title": {"type": "string", "title": "Title", "default": "x", "pattern": "^a"},
            "default": {"oneOf": [{"const": 1}, {"$ref": "#/$defs/A", "description": "an A"}]},
            "all": {"allOf": [{"$ref": "#/$defs/A"}], "title": "All"},
            "map": {"type": "object", "additionalProperties": {"type": "object", "properties": {"x": {}}}},
        },
        "$defs": {"A": {"type": "object", "properties": {"b": {"type": "array", "items": {"properties": {"c": {}}}}}}},
    }
    made = strict(schema, has_bounds=False)
    assert made["required"] == ["title", "default", "all", "map"]
    assert made["properties"]["title"] == {"type": "string"}
    assert made["properties"]["default"] == {"anyOf": [{"enum": [1]}, {"$ref": "#/$defs/A"}]}
    assert made["properties"]["all"] == {"$ref": "#/$defs/A"}
    assert made["properties"]["map"]["additionalProperties"]["required"] == ["x"]
    inner = made["$defs"]["A"]["properties"]["b"]["items"]
    assert (made["$defs"]["A"]["additionalProperties"], inner["additionalProperties"]) == (False, False)
    assert strict(schema)["properties"]["title"] == {"type": "string", "pattern": "^a"}


# --- settings and secrets ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "model", "options", "words"),
    [
        (OpenAI, "m", {}, r"OPENAI_API_KEY=YOUR-KEY into \.env.*platform\.openai\.com/api-keys"),
        (Grok, "m", {}, r"XAI_API_KEY=YOUR-KEY into \.env.*console\.x\.ai"),
        (Gemini, "m", {}, r"GEMINI_API_KEY=YOUR-KEY into \.env.*aistudio\.google\.com"),
        (OpenAI, "", {"api_key": KEY}, r"--model NAME, or put the line CHAT_MODEL=NAME into \.env"),
        (Ollama, " ", {}, "CHAT_MODEL=NAME"),
        (Gemini, "", {"api_key": KEY}, "GEMINI_MODEL=NAME"),
        (OpenAI, "m", {"api_key": "two words"}, r"OPENAI_API_KEY\) holds a space"),
        (Gemini, "m", {"api_key": "line\nbreak"}, "holds a space, a line break"),
        (OpenAI, "m", {"base_url": "ftp://somewhere/v1"}, "no address that can be asked"),
        (OpenAI, "m", {"base_url": "http://169.254.169.254/v1"}, "never asked at 169.254.169.254"),
        (Gemini, "m", {"api_key": KEY, "base_url": "http://[::ffff:169.254.169.254]"}, "never asked at"),
        (OpenAI, "m", {"base_url": "http://0.0.0.0:8000/v1"}, "never asked at 0.0.0.0"),
    ],
)
def test_bad_settings_name_what_mends_them(
    kind: type[Provider], model: str, options: dict[str, Any], words: str
) -> None:
    """Before anything is sent; the key itself is not repeated."""
    with pytest.raises(ConfigError, match=words) as error:
        kind(model, ProviderOptions(**options)).check()
    assert str(options.get("api_key", KEY)) not in str(error.value)


def test_a_server_of_ones_own_needs_no_key(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """And gets none, although the packages look for others in the environment."""
    for name in ("OPENAI_API_KEY", "OPENAI_ADMIN_KEY", "OPENAI_ORG_ID", "GOOGLE_API_KEY", "GEMINI_API_KEY"):
        monkeypatch.setenv(name, "from-the-environment")
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "X-Extra: from-the-environment\nAuthorization: from-the-environment")
    with LlmServer() as server:
        for kind in HOSTED:
            provider = make(kind, server, api_key=None)
            provider.check()
            provider.complete(prompt())
        for record in server.requests:
            assert not {"authorization", "x-goog-api-key"} & set(record.headers)
            assert "from-the-environment" not in str(record.headers)


def test_the_packages_take_nothing_from_the_environment(
    server: LlmServer, make: Make, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Base URLs, other products, versions, replays, proxies: igtool's settings decide."""
    for name, value in {
        "OPENAI_BASE_URL": "http://127.0.0.1:9/v1",
        "GOOGLE_GEMINI_BASE_URL": "http://127.0.0.1:9",
        "GOOGLE_GENAI_USE_VERTEXAI": "true",
        "GOOGLE_GENAI_USE_ENTERPRISE": "true",
        "GOOGLE_GENAI_API_VERSION": "v7",
        "GOOGLE_GENAI_CLIENT_MODE": "replay",
        "GOOGLE_API_KEY": "another",
        "GEMINI_API_KEY": "yet-another",
        "HTTP_PROXY": "http://127.0.0.1:9",
        "ALL_PROXY": "http://127.0.0.1:9",
    }.items():
        monkeypatch.setenv(name, value)
    for kind in HOSTED:
        assert fits(make(kind, server).complete(prompt()).text)
    assert {record.key for record in server.requests} == {KEY}
    assert "API_KEY" not in caplog.text


@pytest.mark.parametrize("kind", [OpenAI, Gemini])
@pytest.mark.parametrize("behaviour", ["wrong_key", "forbidden", "server_error", "bad_gateway", "reset", "not_json"])
def test_the_key_is_nowhere(kind: type[Provider], behaviour: str, make: Make, caplog: pytest.LogCaptureFixture) -> None:
    """Not in messages, causes, representations or logs, also where the provider repeats it."""
    caplog.set_level(logging.DEBUG)
    with LlmServer() as server:
        server.script([behaviour], forever=True)
        provider = make(kind, server)
        with pytest.raises(ProviderError) as error:
            provider.complete(prompt())
    told = "".join(traceback.format_exception(error.value)) + repr(error.value) + caplog.text
    told += repr(provider) + repr(provider.options) + repr(vars(provider))
    assert KEY not in told


def test_nothing_is_asked_at_the_metadata_of_a_cloud(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither by its address nor by a name that leads there, although the user set it."""
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("169.254.169.254", 80))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    for kind in (OpenAI, Gemini):
        for host in ("169.254.169.254", "metadata.example"):
            provider = kind("m", ProviderOptions(api_key=KEY, base_url=f"http://{host}/v1"))
            with pytest.raises(ProviderError, match="no public address") as error:
                provider.complete(prompt())
            assert error.value.outcome == "invalid"
            provider.close()


def test_the_registry_knows_the_providers() -> None:
    """By the names that settings use; those with batches say so."""
    kinds = {name: registry.load("llms", name) for name in ("openai", "grok", "ollama", "gemini")}
    assert {name: kind.name for name, kind in kinds.items()} == {name: name for name in kinds}
    assert {name for name, kind in kinds.items() if issubclass(kind, BatchProvider)} == {"openai", "gemini"}
    assert {name for name, kind in kinds.items() if not kind.is_paid} == {"ollama"}


def test_close_ends_the_connections(server: LlmServer, make: Make) -> None:
    """All of them, of all threads; a provider that is asked again opens new ones."""
    provider = make(OpenAI, server)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda number: provider.complete(prompt(str(number))), range(8)))
    assert 1 <= server.connection_count <= 4
    provider.close()
    ended = threading.Event()
    for _ in range(200):
        if server.connection_count == 0:
            break
        ended.wait(0.01)
    assert server.connection_count == 0
    assert fits(provider.complete(prompt()).text)
