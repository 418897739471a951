"""A GGUF file in this process: no network, no key, no cost.

The answer follows the JSON schema by construction, and the same prompt gets the same answer from the same file and
number of threads, whatever was asked before: how the engine rounds depends on how many tokens it computes at once,
so what is reused of the prompt before always ends at the same place (see ``_Engine._rewind``).
"""

from __future__ import annotations

import codecs
import os
import re
import secrets
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

from igtool import models
from igtool.errors import ConfigError
from igtool.gguf import Header, read_header
from igtool.llms.base import Completion, Message, Prompt, Provider, ProviderError, ProviderOptions
from igtool.llms.grammar import closed_schema
from igtool.llms.turns import as_data_url
from igtool.model_entries import RECOMMENDED

_MARKS = ("-", "=")
"""Two short texts that begin unlike each other, and unlike any prompt."""
_PICTURE_MARK = "<__media__>"
"""Where the engine puts a picture, whoever wrote it."""
_SPIN_NAME, _SPINS = "GOMP_SPINCOUNT", "1000"
_LONGEST_SOCKET = 100
_FOREIGN = (RuntimeError, ValueError, LookupError, ArithmeticError, MemoryError, OSError, TypeError)
"""What exceptions of C++ become."""
_WORDS = 300
_SMALL_BYTES = 3_000_000_000


class Local(Provider):
    """A model file: a path, the name of a file in the folder of models, or a name that `igtool models list` shows.

    One call at a time: on few cores several side by side take as long as one after the other.
    """

    name: ClassVar[str] = "local"
    default_model: ClassVar[str | None] = RECOMMENDED
    is_paid: ClassVar[bool] = False
    concurrency: ClassVar[int] = 1
    items: ClassVar[int] = 8
    item_characters: ClassVar[int] = 140

    def __init__(self, model: str, options: ProviderOptions) -> None:
        super().__init__(models.known_as(model, options.models), options)
        self._wanted = model
        self._lock = threading.Lock()
        self._engine: _Engine | None = None

    @property
    def is_small(self) -> bool:
        """Whether the file is below 3 GB: about four billion weights of four bits. True where it is not there yet."""
        try:
            return models.find(self._wanted, self.options.models).stat().st_size < _SMALL_BYTES
        except (ConfigError, OSError):
            return True

    @property
    def shows_pictures(self) -> bool:
        """Whether there is a projector, the file that makes tokens of pictures."""
        return self.options.projector is not None

    @property
    def is_here(self) -> bool:
        """Always: nothing is sent."""
        return True

    def check(self) -> None:
        """Look at the file and the package without loading the model. Raises ConfigError."""
        read_header(models.find(self._wanted, self.options.models))
        if self.options.projector is not None:
            read_header(models.find(self.options.projector, self.options.models), is_projector=True)
        _package()

    def complete(self, prompt: Prompt) -> Completion:
        """The answer to ``prompt``; the first call loads the model, which takes seconds. Raises ConfigError too."""
        schema = closed_schema(prompt.schema)
        with self._lock:
            if self._engine is None:
                self._engine = _Engine(models.find(self._wanted, self.options.models), self.options)
            return self._engine.complete(prompt, schema)

    def close(self) -> None:
        """Give back the memory of the model; a call under way ends first."""
        with self._lock:
            self._engine = None


class _Engine:
    """A loaded model. Used by one thread at a time."""

    def __init__(self, path: Path, options: ProviderOptions) -> None:
        header = read_header(path)
        self._package = _package()
        self._context_tokens = min(options.context_tokens, header.context_tokens or options.context_tokens)
        self._special = _pattern(header.special_tokens)
        self._kept: dict[str, Any] | None = None
        self._boundary = 0
        with _private_socket() as host:
            try:
                self._server = self._package.Server(self._parameters(path, options, host))
                # Given back before its loop has begun, an engine waits for that loop for ever: let it say something.
                self._server.handle_metrics()
            except _FOREIGN as error:
                raise ConfigError(_not_loaded(path, header, options.projector)) from error

    def _parameters(self, path: Path, options: ProviderOptions, host: str) -> Any:
        parameters = self._package.CommonParams()
        parameters.model.path = str(path)
        if options.projector is not None:
            parameters.mmproj.path = str(models.find(options.projector, options.models))
        parameters.n_ctx = self._context_tokens
        parameters.n_parallel = 1
        parameters.cpuparams.n_threads = parameters.cpuparams_batch.n_threads = options.threads
        # The engine comes as a web server with tools, an interface and a cache of old prompts: all of that off.
        parameters.hostnames = [host]
        parameters.api_keys = [secrets.token_hex(32)]
        parameters.n_threads_http = 1
        parameters.ui = parameters.endpoint_slots = False
        parameters.endpoint_metrics = True
        parameters.cache_ram_mib = 0
        parameters.cache_idle_slots = False
        # Kept whole, so that a prompt can be cut back to any token; else the engine keeps copies of states.
        parameters.swa_full = True
        parameters.n_ctx_checkpoints = 0
        parameters.force_pure_content_parser = True
        parameters.warmup = False
        parameters.verbosity = -1
        return parameters

    def complete(self, prompt: Prompt, schema: Mapping[str, Any]) -> Completion:
        """The answer to ``prompt``, which follows ``schema``. Raises ProviderError."""
        messages = [self._plain(message) for message in prompt.messages]
        # A picture is computed in pieces of its own: a prompt with one starts from nothing, and so always alike.
        is_shared = len(messages) > 1 and messages[0]["role"] == "system" and not prompt.pictures
        if is_shared:
            self._rewind(messages[0])
        asked: dict[str, Any] = {
            "max_tokens": prompt.max_tokens,
            "grammar": self._package.json_schema_to_grammar(schema),
            "cache_prompt": is_shared,
        }
        if prompt.alternatives:
            asked |= {"logprobs": True, "top_logprobs": prompt.alternatives}
        answer = self._ask(messages, asked)
        completion = _completion(answer)
        if not is_shared or completion.cached_tokens < self._boundary:
            self._kept = None
        if completion.finish == "length" and completion.output_tokens < prompt.max_tokens:
            raise ProviderError("too_long", f"prompt and answer do not fit {self._context_tokens} tokens")
        return completion

    def _rewind(self, first: dict[str, Any]) -> None:
        """Leave the engine with what it computed of ``first``, computed as it always is, and nothing behind it.

        It reuses what two prompts in a row have in common, which would be a little more or less each time. So a
        prompt of ``first`` and a mark goes before every prompt; and where ``first`` is new, or what was computed of
        it may have been touched, another one before that, computed from its beginning.
        """
        mark, other = ([first, {"role": "user", "content": text}] for text in _MARKS)
        asked = {"max_tokens": 1, "add_generation_prompt": False}
        if self._kept != first:
            self._kept = None
            self._ask(other, {**asked, "cache_prompt": False})
            self._boundary = _completion(self._ask(mark, {**asked, "cache_prompt": True})).cached_tokens
            self._kept = first
        else:
            self._ask(mark, {**asked, "cache_prompt": True})

    def _plain(self, message: Message) -> dict[str, Any]:
        """``message`` without anything that the engine would take for a control token, or cannot read."""
        text = message.content.encode("utf-8", "replace").decode().strip().replace(_PICTURE_MARK, _PICTURE_MARK[1:])
        while self._special is not None and self._special.search(text):
            text = self._special.sub(lambda found: f"{found[0][0]} {found[0][1:]}", text)
        if not message.pictures:
            return {"role": message.role, "content": text}
        return {"role": message.role, "content": [*map(as_data_url, message.pictures), {"type": "text", "text": text}]}

    def _ask(self, messages: Sequence[Mapping[str, Any]], asked: Mapping[str, Any]) -> dict[str, Any]:
        """What the engine answers, most likely token after most likely token. Raises ProviderError."""
        body = {"messages": messages, "temperature": 0, "seed": 0, "reasoning_format": "none", **asked}
        body["chat_template_kwargs"] = {"enable_thinking": False}
        try:
            answer: dict[str, Any] = self._server.handle_chat_completions(body)
        except _FOREIGN as error:
            self._kept = None
            raise ProviderError("invalid", str(error)[:_WORDS]) from error
        if "choices" in answer:
            return answer
        self._kept = None
        told = answer.get("error", answer)
        is_long = told.get("type") == "exceed_context_size_error"
        raise ProviderError("too_long" if is_long else "invalid", str(told.get("message"))[:_WORDS])


def _package() -> Any:
    """The package that runs model files. Raises ConfigError where it is missing."""
    # Threads that wait for each other burn time that another process could use; read when the library is loaded.
    is_ours = _SPIN_NAME not in os.environ
    os.environ.setdefault(_SPIN_NAME, _SPINS)
    try:
        import xllamacpp
    except ImportError as error:
        if "libgomp" in str(error):
            raise ConfigError(
                "a model in this process needs the system library libgomp.so.1: install libgomp1"
            ) from error
        raise ConfigError("a model in this process needs a package: pip install 'igtool[local]'") from error
    finally:
        if is_ours:
            del os.environ[_SPIN_NAME]
    return xllamacpp


def _pattern(special: Sequence[str]) -> re.Pattern[str] | None:
    return re.compile("|".join(map(re.escape, special))) if special else None


@contextmanager
def _private_socket() -> Iterator[str]:
    """Where the engine listens: it insists on it. The name is gone when the block ends, so nobody can connect."""
    with tempfile.TemporaryDirectory(prefix="igtool-") as folder:
        path = str(Path(folder) / "engine.sock")
        yield path if len(path) < _LONGEST_SOCKET else "127.0.0.1"


def _not_loaded(path: Path, header: Header, projector: str | None) -> str:
    kind = header.metadata["general.architecture"]
    beside = f"the projector {projector} is not made for it, " if projector else ""
    return (
        f"the model {path} cannot be loaded: {beside}its kind ({kind!r:.40}) may be newer than the package that runs "
        "it, or memory is short. Try `pip install --upgrade xllamacpp`, or another file: `igtool models list`"
    )


def _completion(answer: Mapping[str, Any]) -> Completion:
    """The contract's form of an answer of the engine."""
    (choice,) = answer["choices"]
    usage = answer["usage"]
    text = choice["message"].get("content") or ""
    return Completion(
        text=text,
        finish="length" if choice["finish_reason"] == "length" else "stop",
        input_tokens=usage["prompt_tokens"],
        output_tokens=usage["completion_tokens"],
        cached_tokens=usage["prompt_tokens_details"]["cached_tokens"],
        tokens=_tokens(text, (choice.get("logprobs") or {}).get("content") or ()),
    )


def _tokens(text: str, told: Sequence[Mapping[str, Any]]) -> tuple[tuple[str, Mapping[str, float]], ...]:
    """The tokens of ``text`` with their alternatives; none where they do not make it up.

    A character of several tokens is given to the last of them.
    """
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    found = []
    for token in told:
        if token["bytes"]:
            likely: dict[str, float] = {}
            for other in (*token["top_logprobs"], token):
                likely.setdefault(bytes(other["bytes"]).decode("utf-8", "replace"), float(other["logprob"]))
            found.append((decoder.decode(bytes(token["bytes"])), likely))
    return tuple(found) if "".join(piece for piece, _ in found) == text else ()
