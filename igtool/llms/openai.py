"""OpenAI, and every server that speaks like it: Grok, Ollama, vLLM, llama-server and others, by their base URL."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar, Final

import httpx2
import msgspec

from igtool.llms.base import BatchProvider, BatchState, Completion, Prompt, Provider, ProviderError, ProviderOptions
from igtool.llms.chat import Bodies, Limit, Ways, completion
from igtool.llms.hosted import completed, failed_line, host_of, key_for, too_many, who
from igtool.llms.manner import Manner, Manners
from igtool.llms.refusals import Said, said, unanswered, unreadable
from igtool.llms.usage import characters

if TYPE_CHECKING:
    import openai

_THINKING = re.compile(r"(gpt-5|o\d)")
_OWN_MODEL = re.compile(r"gpt-|chatgpt-|o\d")
_MANY_PICTURE_TOKENS = re.compile(r"gpt-4o-mini")
_LABEL = "igtool_label"
_ENDPOINT: Final = "/v1/chat/completions"
_PAGE = 100
_MOST_PAGES = 50
_EXPIRED = frozenset({"batch_expired", "batch_cancelled"})
_STATES: dict[str, BatchState] = {
    "completed": "ended",
    "expired": "ended",
    "cancelled": "ended",
    "failed": "failed",
}


class ChatProvider(Provider):
    """One model behind an interface like that of OpenAI, through OpenAI's own package.

    What a server does not take is left out from then on: the schema as a field of its own, the temperature, the
    newer name of the limit on tokens, log-probabilities. ``own_url``: where the provider itself answers; elsewhere
    no key is needed. Tokens are estimated as a quarter of the characters where a server gives no usage.
    """

    own_url: ClassVar[str]
    keys_at: ClassVar[str]
    limits: ClassVar[tuple[Limit, ...]] = ("max_completion_tokens", "max_tokens")

    def __init__(self, model: str, options: ProviderOptions) -> None:
        super().__init__(model, options)
        self._host = host_of(self, self.own_url, self.keys_at)
        # Other servers know the older name, and some silently ignore the newer one.
        limits = self.limits if self._host.is_own else ("max_tokens", "max_completion_tokens")
        thinks = self._host.is_own and self.name == "openai" and _THINKING.match(model) is not None
        ways = Ways(limits, ("minimal", "low", None) if thinks else (None,))
        self._bodies = Bodies(model, ways)
        self._manners = Manners(ways.steps)
        self._lock = threading.Lock()
        self._sdks: dict[bool, openai.OpenAI] = {}

    @property
    def shows_pictures(self) -> bool:
        """Always; which of its models sees them, the server knows."""
        return True

    @property
    def is_here(self) -> bool:
        """Whether this machine answers, with a model of its own."""
        return self._host.is_here(self.model)

    def check(self) -> None:
        """Look at model, key and address, and load the package."""
        self._host.check(self)
        self._sdk()

    def complete(self, prompt: Prompt) -> Completion:
        """One chat completion at temperature 0."""
        return completed(lambda manner: self._asked(prompt, manner), self._manners, who(self))

    def close(self) -> None:
        """Close all connections."""
        with self._lock:
            sdks, self._sdks = list(self._sdks.values()), {}
        for sdk in sdks:
            sdk.close()

    def _asked(self, prompt: Prompt, manner: Manner) -> Completion | Said:
        """The completion, or what the server said instead of one."""
        import openai

        body = self._bodies.body(prompt, manner)
        try:
            answer = self._sdk().post("/chat/completions", cast_to=httpx2.Response, content=body)
        except openai.APIStatusError as error:
            return said(error.status_code, error.response.headers, error.response.content)
        except openai.APIConnectionError as error:
            raise unanswered(who(self), error) from error
        return completion(answer.content, characters(prompt, self.picture_tokens), who(self))

    def _sdk(self, *, is_for_files: bool = False) -> openai.OpenAI:
        """OpenAI's client, made at its first use; it would read the environment for all that it is not told."""
        with self._lock:
            if is_for_files not in self._sdks:
                import openai

                self._sdks[is_for_files] = openai.OpenAI(
                    api_key=key_for(self),
                    base_url=self._host.base_url,
                    timeout=self.options.timeout_s,
                    max_retries=0,
                    default_headers={"Authorization": f"Bearer {key_for(self)}"},
                    http_client=self._host.client(self, is_for_files=is_for_files),
                )
            return self._sdks[is_for_files]


class OpenAI(ChatProvider, BatchProvider):
    """OpenAI, or with a base URL any server that speaks like it (vLLM, llama-server, LM Studio, OpenRouter)."""

    name = "openai"
    key_names = ("OPENAI_API_KEY",)
    own_url = "https://api.openai.com/v1"
    keys_at = "https://platform.openai.com/api-keys"
    most_batch_prompts: ClassVar[int] = 50_000
    most_batch_bytes: ClassVar[int] = 200_000_000
    """Of one batch; https://platform.openai.com/docs/guides/batch#rate-limits"""

    @property
    def picture_tokens(self) -> int:
        """By OpenAI's two rules for a picture of 768 × 768 pixels; of other models as of any.

        Tiles of 512 pixels: four, and a base; the dearest are those of gpt-4o-mini. Patches of 32 pixels: 576, times
        2.46 at most; users report that gpt-5.2 is billed 1.2 times that.
        https://platform.openai.com/docs/guides/images-vision#calculating-costs
        """
        name = self.model.rpartition("/")[2]
        if _MANY_PICTURE_TOKENS.match(name):
            return 2_833 + 4 * 5_667
        return 1_701 if _OWN_MODEL.match(name) else super().picture_tokens

    def submit(self, prompts: Mapping[str, Prompt], label: str) -> str:
        """A file of all prompts, and a batch of it that has ``label`` in its metadata."""
        manner = self._manners.now()
        lines = (_line(name, self._bodies.body(prompt, manner)) for name, prompt in prompts.items())
        content = b"".join(lines)
        if len(prompts) > self.most_batch_prompts or len(content) > self.most_batch_bytes:
            raise too_many(who(self), f"{self.most_batch_prompts} prompts and {self.most_batch_bytes} bytes")
        with self._translated():
            sdk = self._sdk(is_for_files=True)
            file = sdk.files.create(file=("prompts.jsonl", content, "application/jsonl"), purpose="batch")
            batch = sdk.batches.create(
                input_file_id=file.id, endpoint=_ENDPOINT, completion_window="24h", metadata={_LABEL: label}
            )
        return batch.id

    def find(self, label: str) -> str | None:
        """The newest batch that has ``label`` in its metadata, of the last 5,000."""
        with self._translated():
            page = self._sdk().batches.list(limit=_PAGE)
            for _ in range(_MOST_PAGES):
                for batch in page.data:
                    if (batch.metadata or {}).get(_LABEL) == label:
                        return batch.id
                if not page.has_next_page():
                    break
                page = page.get_next_page()
        return None

    def state(self, batch_id: str) -> BatchState:
        """A batch that expired or was cancelled has ended: what was done until then is answered and paid."""
        import openai

        with self._translated():
            try:
                batch = self._sdk().batches.retrieve(batch_id)
            except openai.NotFoundError:
                return "gone"
        return _STATES.get(batch.status, "under_way")

    def results(self, batch_id: str) -> dict[str, Completion | ProviderError]:
        """The lines of both files of results; a line that cannot be read is missing like one that expired."""
        with self._translated():
            sdk = self._sdk(is_for_files=True)
            batch = sdk.batches.retrieve(batch_id)
            files = [name for name in (batch.output_file_id, batch.error_file_id) if name]
            contents = [sdk.files.content(name).content for name in files]
        found: dict[str, Completion | ProviderError] = {}
        manner = self._manners.now()
        for content in contents:
            for line in content.splitlines():
                name, result = self._result(line, manner)
                if name is not None and result is not None:
                    found[name] = result
        return found

    def _result(self, line: bytes, manner: Manner) -> tuple[str | None, Completion | ProviderError | None]:
        """The name of a prompt and what became of it; ``manner``: in which it was asked, as far as is known."""
        try:
            read = _RESULT.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return None, None
        if read.response is None:
            code = str((read.error or {}).get("code"))
            words = f"{who(self)}: {(read.error or {}).get('message') or code}"
            return read.custom_id, None if code in _EXPIRED else ProviderError("transient", words[:300])
        status, body = read.response.status_code, bytes(read.response.body)
        if status == httpx2.codes.OK:
            try:
                return read.custom_id, completion(body, 0, who(self))
            except ProviderError as error:
                return read.custom_id, error
        return read.custom_id, failed_line(said(status, {}, body), manner, self._manners, who(self))

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """Turns what the package raises into ProviderError."""
        import openai

        try:
            yield
        except openai.APIStatusError as error:
            answer = error.response
            raise said(error.status_code, answer.headers, answer.content).error(who(self)) from error
        except openai.APIConnectionError as error:
            raise unanswered(who(self), error) from error
        except (openai.OpenAIError, ValueError, TypeError, AttributeError, RecursionError) as error:
            raise unreadable(who(self), type(error).__name__) from error


class Grok(ChatProvider):
    """Grok by xAI."""

    name = "grok"
    key_names = ("XAI_API_KEY", "GROK_KEY")
    own_url = "https://api.x.ai/v1"
    keys_at = "https://console.x.ai"

    @property
    def picture_tokens(self) -> int:
        """Six tiles and one more, of 256 tokens.

        https://docs.x.ai/docs/guides/image-understanding
        """
        return 1_792


class Ollama(ChatProvider):
    """Models that Ollama runs, on this machine unless a base URL says otherwise."""

    name = "ollama"
    is_paid = False
    concurrency = 2
    own_url = "http://localhost:11434/v1"
    keys_at = "https://ollama.com/settings/keys"
    limits = ("max_tokens",)


class _Response(msgspec.Struct):
    status_code: int
    body: msgspec.Raw


class _Result(msgspec.Struct):
    custom_id: str
    response: _Response | None = None
    error: dict[str, Any] | None = None


_RESULT = msgspec.json.Decoder(_Result)


def _line(name: str, body: bytes) -> bytes:
    """A prompt as a line of a batch."""
    return (
        msgspec.json.encode({"custom_id": name, "method": "POST", "url": _ENDPOINT, "body": msgspec.Raw(body)}) + b"\n"
    )
