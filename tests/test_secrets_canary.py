"""No key of the settings is anywhere but where the user put it: a search of everything that igtool writes and says."""

from __future__ import annotations

import base64
import html
import json
import sys
import tempfile
import types
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any, get_args
from urllib.parse import quote, quote_plus

import duckdb
import httpx2
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from llm_server import LlmServer
from platform_server import PlatformServer
from platform_server.server import KEYS
from pydantic import SecretStr
from serving import serving

from igtool.cli import main
from igtool.lake import Lake
from igtool.lake_sql import quote as quoted
from igtool.schema import TABLES
from igtool.settings import Settings, environment_names, load, secrets_of

SECRET = [
    name for name, info in Settings.model_fields.items() if SecretStr in (info.annotation, *get_args(info.annotation))
]
ECHOES = ("echo-key-400", "echo-key-401", "echo-key-429", "echo-key-500")
PLATFORMS = {"tikhub_api_token": "tikhub", "instagram_graph_token": "graph", "youtube_api_keys": "youtube"}
SOURCES = {"tikhub": "tikhub", "instagram_graph": "graph", "youtube": "youtube"}


def canary(name: str) -> str:
    """A value for the setting ``name`` that is nowhere by chance, and that looks different in a URL and on a page."""
    return f"canary+{name.replace('_', '')}/&5b1f9a"


def forms(secret: str) -> set[bytes]:
    """How ``secret`` may have been written: as it is, in a URL, on a page, in JSON, in hexadecimal, in base64."""
    raw = secret.encode()
    written = {secret, quote(secret), quote(secret, safe=""), quote_plus(secret), html.escape(secret)}
    written |= {json.dumps(secret)[1:-1], raw.hex(), secret.replace("/", "\\/"), secret.replace("&", "\\u0026")}
    for shift in range(3):  # base64 of a text that has so many bytes before the secret; its edges depend on neighbours
        for coded in (base64.b64encode, base64.urlsafe_b64encode):
            middle = coded(bytes(shift) + raw + bytes(2)).decode()
            written.add(middle[4 : 4 * ((shift + len(raw)) // 3) - 4])
    return {form.encode() for form in written if len(form) > 6}


@dataclass
class Watched:
    """A workspace with a canary in every key, and everything that was said in it."""

    folder: Path
    outside: Path
    secrets: dict[str, str]
    said: list[tuple[str, bytes]] = field(default_factory=list)

    def run(self, *arguments: str | Path, text: str | None = None, **environment: str) -> Any:
        """One command in this process; a mistake of igtool's own is none of its ends."""
        given = ["--workspace", str(self.folder), *map(str, arguments)]
        result = CliRunner().invoke(main, given, env=environment, input=text)
        words = " ".join(map(str, arguments))
        assert result.exit_code != 1, (words, result.output, result.exception)
        if arguments[:2] != ("tenant", "add"):  # which shows the key that it makes, this once
            self.said.append((words, result.output.encode()))
        return result

    def found(self) -> list[str]:
        """Which secret is where."""
        wanted = {form: name for name, secret in self.secrets.items() for form in forms(secret)}
        places = [*self.said, *self._files(), *self._tables()]
        assert len(places) > 60
        return sorted(
            {f"{name} in {place}: {form!r}" for place, data in places for form, name in wanted.items() if form in data}
        )

    def _files(self) -> Iterator[tuple[str, bytes]]:
        for folder in (self.folder, self.outside):
            for path in sorted(folder.rglob("*")):
                if path.is_file() and path != self.folder / ".env":
                    yield str(path), path.read_bytes()
                    if path.suffix == ".parquet":
                        yield f"rows of {path}", repr(pq.read_table(path).to_pylist()).encode()

    def _tables(self) -> Iterator[tuple[str, bytes]]:
        """What is in the files in a packed form."""
        with Lake(self.folder / "data", writable=False) as lake:
            for name in TABLES:
                yield f"table {name}", repr(lake.rows(f"from {quoted(name)}")).encode()
        with duckdb.connect(str(self.outside / "all.duckdb"), read_only=True) as portable:
            for (name,) in portable.execute(
                "select table_name from duckdb_tables() where schema_name = 'main'"
            ).fetchall():
                yield f"portable {name}", repr(portable.execute(f"from {quoted(name)}").fetchall()).encode()


@pytest.fixture
def models() -> Iterator[LlmServer]:
    """Language models on loopback that take any key."""
    with LlmServer() as opened:
        yield opened


@pytest.fixture
def watched(platform: PlatformServer, models: LlmServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Watched:
    """A workspace whose keys are all set in .env, to canaries that the servers take."""
    secrets = {name: canary(name) for name in SECRET}
    secrets["alert_webhook"] = f"{platform.url('web')}/hook-{canary('hook')}"
    for name, kind in PLATFORMS.items():
        monkeypatch.setitem(KEYS, kind, (secrets[name],))
    secrets["alert_command"] = f"false --token '{canary('command')}'"
    folder, outside = tmp_path / "workspace", tmp_path / "outside"
    folder.mkdir()
    outside.mkdir()
    (folder / ".env").write_text(
        "".join(f'{environment_names(name)[0]}="{value}"\n' for name, value in secrets.items())
    )
    plain = {name: value for name, value in platform.settings().items() if name not in secrets}
    plain |= {"rate_limit": 6000, "timeout_s": 20.0, "max_wait_s": 0, "failed_retry_hours": 0, "serve_sql": True}
    plain |= {"llm_input_price": 0, "llm_output_price": 0, "embedding_price": 0, "llm": "always"}
    plain |= {
        "openai_base_url": models.url,
        "sources": ["instagram_graph", "tikhub", "youtube"],
        "alert_stale_share": 0,
    }
    (folder / "igtool.toml").write_text("".join(f"{name} = {json.dumps(value)}\n" for name, value in plain.items()))
    settings = load(folder)
    assert {name for name in SECRET if getattr(settings, name).get_secret_value() == secrets[name]} == set(SECRET)
    secrets |= {"hook": canary("hook"), "command": canary("command")}  # parts of the two that are more than a key
    monkeypatch.setattr(tempfile, "tempdir", str(outside))
    return Watched(folder, outside, secrets)


def test_every_kind_of_key_is_known(watched: Watched) -> None:
    """The list of what must not be shown holds each key of the settings, and each of several with commas between."""
    known = secrets_of(load(watched.folder, youtube_api_keys="first-of-two, second-of-two"))
    assert {*known} >= {watched.secrets[name] for name in SECRET if name != "youtube_api_keys"}
    assert {*known} >= {"first-of-two", "second-of-two"}


def ask_platforms(watched: Watched, platform: PlatformServer) -> None:
    """The main job, fetches and a cycle of the schedule; each source answers with the key that it was sent."""
    (watched.folder / "list.csv").write_text(
        "Handle,Platform,GENRE\nanna_one,instagram,\nmissing_bea,instagram,\ncleo.films,youtube,\n"
    )
    log = ("--verbose", "--log-file", watched.folder / "run.log")
    enrich = ("enrich", watched.folder / "list.csv", *log)
    watched.run(*enrich)
    for number, (source, kind) in enumerate(SOURCES.items()):
        for echo in ECHOES:
            platform.script([echo], platform=kind)
            handle = f"posts3_n{number}_{echo[-3:]}"
            fetch = ("fetch", handle, "--source", source, "--raw-dir", watched.outside / "raw")
            watched.run(*fetch, "--platform", "youtube" if kind == "youtube" else "instagram", *log)
            watched.run("doctor", "--source", source)  # lifts the rest that the answer brought
    for kind in SOURCES.values():
        platform.script(["echo-key-401"], platform=kind)
    watched.run(*enrich, "--force")
    watched.run("schedule", "plan")
    watched.run("schedule", "run", "--once", *log)
    watched.run("fetch", "anna_one", "--source", "tikhub", "--json", "--force")
    watched.run("doctor")
    watched.run("doctor", "--json")


def ask_models(watched: Watched, models: LlmServer) -> None:
    """Each provider refuses the key and repeats it, then answers; the encoder and a model for pictures as well."""
    for provider, url in (("openai", models.url), ("grok", models.url), ("gemini", models.gemini_url)):
        told = {"IGTOOL_PROVIDER": provider, "IGTOOL_CHAT_MODEL": "gpt-4o-mini", "IGTOOL_LLM_BASE_URL": url}
        for behaviour in ("wrong_key", "server_error"):
            models.script([behaviour])
            watched.run("run", "describe", "--force", **told)
        watched.run("doctor", **told)
        watched.run("llm", "estimate", **told)
    encoder = {"IGTOOL_ENCODER": "openai", "IGTOOL_EMBEDDING_MODEL": "text-embedding-3-small"}
    models.script(["wrong_key"])
    watched.run("run", "embed", "--force", **encoder)


def look(watched: Watched) -> None:
    """Every command that shows something, for people and for programs; and what writes files elsewhere."""
    for words in (
        ("config", "show"), ("status",), ("rejects",), ("queue", "list"), ("drift",), ("llm", "show"),
        ("models", "list"),
        ("audit", "list"), ("sql", "from raw_responses"), ("show", "anna_one"), ("search", "anna"), ("verify",),
        ("status", "--check"), ("tenant", "list"), ("sql", "from llm_answers"),
    ):  # fmt: skip
        watched.run(*words)
        watched.run(*words, "--json")
    watched.run("status", "--check", IGTOOL_ALERT_COMMAND=f"no-such-program --token {canary('command')}")
    watched.run("sql", f"select '{'x' * 40}' from nothing")
    watched.run("export", "--duckdb", watched.outside / "all.duckdb")
    watched.run("backup", watched.outside / "backup")
    watched.run("list", "add", "own", "anna_one")


def serve(watched: Watched, platform: PlatformServer) -> None:
    """A server with a tenant, asked with right and wrong keys in every place that takes one; then conversations."""
    key = watched.run("tenant", "add", "acme").stdout.strip()
    watched.secrets |= {"tenant": key, "wrong": canary("wrong"), "server_key": watched.secrets["server_key"]}
    conversations = watched.folder / "talk.jsonl"
    conversations.write_text('{"conversation_id": "c1", "text": "I love the bread of anna", "channel": "chat"}\n')
    with serving(watched.folder) as served:
        for one in (key, watched.secrets["wrong"], f"igt_{key.split('_')[1]}_{watched.secrets['wrong']}"):
            said = {"Authorization": f"Bearer {one}", "X-API-Key": one}
            for path in ("/metrics", "/health", "/status", "/", "/lists", "/api/v1/lists", "/openapi.json", "/nothing"):
                seen = served.client.get(path, headers={**said, "Accept": "text/html"})
                watched.said.append((f"page {path}", seen.content + repr(seen.headers).encode()))
            entered = httpx2.post(f"{served.address}/login", data={"key": one}, timeout=30)
            watched.said.append(("login", entered.content))
        watched.run("insights", "ingest", conversations, "--url", served.address)
        platform.script(["echo-key-401"])
        watched.run("insights", "ingest", conversations, "--url", platform.url("web"))
    watched.run(
        "insights",
        "ingest",
        conversations,
        "--url",
        "http://user:" + quote_plus(watched.secrets["wrong"]) + "@127.0.0.1:1/",
    )


def fail(watched: Watched) -> None:
    """Settings and addresses that hold a password and cannot be used, and an error that igtool did not expect."""
    password = quote_plus(watched.secrets["wrong"])
    for name in ("IGTOOL_TIKHUB_BASE_URL", "OPENAI_BASE_URL", "IGTOOL_EMBEDDING_BASE_URL", "IGTOOL_PICTURE_BASE_URL"):
        for url in (
            f"https://user:{password}@api.example/v1",
            f"ftp://user:{password}@api.example",
            f"user:{password}@x",
        ):
            assert watched.run("config", "show", **{name: url}).exit_code == 3
    watched.run(
        "models",
        "add",
        f"http://user:{password}@127.0.0.1:1/model.gguf",
        HTTPS_PROXY=f"http://u:{password}@127.0.0.1:1",
    )
    watched.run("enrich", "anna_one", "--source", f"https://user:{password}@127.0.0.1:1/dumps")
    watched.run("status")
    try:
        raise ZeroDivisionError(" ".join(watched.secrets[name] for name in SECRET))  # noqa: TRY301 - it is not ours
    except ZeroDivisionError as error:
        said: list[str] = []
        stream = types.SimpleNamespace(write=said.append, encoding="utf-8")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sys, "stderr", stream)
            sys.excepthook(type(error), error, error.__traceback__)
    watched.said.append(("a bug", "".join(said).encode()))


@pytest.mark.slow
def test_no_secret_is_anywhere_but_in_env(
    watched: Watched, platform: PlatformServer, models: LlmServer, caplog: pytest.LogCaptureFixture
) -> None:
    """Real commands with a canary in every key; tables, files, logs, pages and messages hold none, in no spelling."""
    ask_platforms(watched, platform)
    ask_models(watched, models)
    look(watched)
    serve(watched, platform)
    fail(watched)
    keys = {watched.secrets[f"{provider}_api_key"] for provider in ("openai", "grok", "gemini")}
    assert {one.key for one in models.requests if one.behaviour == "wrong_key"} == keys
    assert {(one.platform, one.behaviour) for one in platform.requests} >= set(product(SOURCES.values(), ECHOES))
    watched.said.append(("logs", caplog.text.encode()))
    secret = (watched.folder / ".env").read_bytes()
    assert all(any(form in secret for form in forms(watched.secrets[name])) for name in SECRET)
    assert watched.found() == []


def test_the_search_finds_each_spelling() -> None:
    """What is looked for is found: in URLs, on pages, in JSON, and in base64 at any place of a longer text."""
    secret = canary("openai_api_key")
    for written in (
        secret, quote(secret), quote(secret, safe=""), html.escape(secret), json.dumps({"a": secret}),
        secret.encode().hex(),
        *(base64.b64encode(b"x" * n + secret.encode() + b"yy").decode() for n in range(4)),
        *(base64.urlsafe_b64encode(b"Bearer: " * n + secret.encode()).decode() for n in range(4)),
    ):  # fmt: skip
        assert any(form in f"some {written} more".encode() for form in forms(secret)), written
    assert not any(form in canary("gemini_api_key").encode() for form in forms(secret))
