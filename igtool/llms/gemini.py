"""Gemini, through Google's own package."""

from __future__ import annotations

import io
import logging
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar

import httpx2
import msgspec

from igtool.llms.base import BatchProvider, BatchState, Completion, Prompt, ProviderError, ProviderOptions
from igtool.llms.gemini_bodies import STEPS, completion, request
from igtool.llms.hosted import completed, failed_line, host_of, key_for, too_many, who
from igtool.llms.manner import Manner, Manners
from igtool.llms.refusals import Said, said, unanswered, unreadable
from igtool.llms.turns import OfSchemas, sendable
from igtool.llms.usage import characters

if TYPE_CHECKING:
    from google import genai

# It warns of two keys in the environment although it is given one, and of answers that are read here.
logging.getLogger("google_genai").setLevel(logging.ERROR)

_API_VERSION = "v1beta"
_PAGE = 100
_MOST_BATCHES = 5_000
_UNREADABLE = (ValueError, KeyError, TypeError, AttributeError, RecursionError)
"""What the package raises about an answer that is not what it expects."""
_STATES: dict[str, BatchState] = {
    "JOB_STATE_SUCCEEDED": "ended",
    "JOB_STATE_PARTIALLY_SUCCEEDED": "ended",
    "JOB_STATE_FAILED": "failed",
    "JOB_STATE_CANCELLED": "failed",
    "JOB_STATE_EXPIRED": "failed",
}


class Gemini(BatchProvider):
    """One model of the Gemini API.

    What a model does not take is left out from then on: thinking switched off, the schema as a field of its own, the
    instruction in its own field, log-probabilities. Tokens of thoughts count as output, as they are paid.
    """

    name = "gemini"
    key_names = ("GEMINI_API_KEY", "GOOGLE_API_KEY")
    own_url: ClassVar[str] = "https://generativelanguage.googleapis.com"
    keys_at: ClassVar[str] = "https://aistudio.google.com/apikey"
    most_batch_prompts: ClassVar[int] = 50_000
    most_batch_bytes: ClassVar[int] = 200_000_000
    """Of one batch; a tenth of what the service takes: https://ai.google.dev/gemini-api/docs/batch-mode"""

    def __init__(self, model: str, options: ProviderOptions) -> None:
        super().__init__(model, options)
        self._host = host_of(self, self.own_url, self.keys_at, "GEMINI_MODEL")
        self._manners = Manners(STEPS, unnamed=("thinking", "format"))
        self._schemas: OfSchemas[dict[str, Any]] = OfSchemas()
        self._lock = threading.Lock()
        self._sdks: dict[bool, tuple[genai.Client, httpx2.Client]] = {}

    @property
    def shows_pictures(self) -> bool:
        """Always; which of its models sees them, the server knows."""
        return True

    @property
    def is_here(self) -> bool:
        """Whether this machine answers, with a model of its own."""
        return self._host.is_here(self.model)

    @property
    def picture_tokens(self) -> int:
        """Of Gemini 3 at its highest resolution; others make six tiles of 258 tokens of 768 pixels.

        https://ai.google.dev/gemini-api/docs/media-resolution and …/image-understanding#technical-details-image
        """
        return 2_240

    def check(self) -> None:
        """Look at model, key and address, and load the package."""
        self._host.check(self)
        self._sdk()

    def complete(self, prompt: Prompt) -> Completion:
        """One generateContent at temperature 0."""
        return completed(lambda manner: self._asked(prompt, manner), self._manners, who(self))

    def close(self) -> None:
        """Close all connections."""
        with self._lock:
            sdks, self._sdks = list(self._sdks.values()), {}
        for sdk, sender in sdks:
            sdk.close()
            sender.close()

    def _asked(self, prompt: Prompt, manner: Manner) -> Completion | Said:
        """The completion, or what the server said instead of one.

        The whole body is given as it is sent, and the answer taken as it came: the package's own reading of both takes
        three times as long as all the rest of a call.
        """
        from google.genai import errors, types

        options = types.HttpOptions(extra_body=request(prompt, manner, self._schemas))
        config = types.GenerateContentConfig(http_options=options, should_return_http_response=True)
        try:
            answer = self._sdk().models.generate_content(
                model=self.model, contents=sendable(prompt.messages[-1].content), config=config
            )
        except errors.APIError as error:
            return _said(error)
        except httpx2.TransportError as error:
            raise unanswered(who(self), error) from error
        except _UNREADABLE as error:
            raise unreadable(who(self), type(error).__name__) from error
        body = answer.sdk_http_response.body if answer.sdk_http_response else None
        return completion((body or "").encode(), characters(prompt, self.picture_tokens), who(self))

    def _sdk(self, *, is_for_files: bool = False) -> genai.Client:
        """Google's client, made at its first use; it would read the environment for all that it is not told."""
        with self._lock:
            if is_for_files not in self._sdks:
                from google import genai
                from google.genai import client, types

                sender = self._host.client(self, is_for_files=is_for_files)
                options = types.HttpOptions(
                    base_url=self._host.base_url,
                    api_version=_API_VERSION,
                    timeout=round(self.options.timeout_s * 1000),
                    httpx_client=sender,
                )
                live = client.DebugConfig(client_mode="", replays_directory="", replay_id="")
                sdk = genai.Client(enterprise=False, api_key=key_for(self), debug_config=live, http_options=options)
                self._sdks[is_for_files] = (sdk, sender)
            return self._sdks[is_for_files][0]

    def submit(self, prompts: Mapping[str, Prompt], label: str) -> str:
        """A file of all prompts, and a batch of it that is displayed as ``label``.

        A file and not a list in the call: its lines have keys, while the answers to a list come without names.
        """
        manner = self._manners.now()
        asked = {name: request(prompt, manner, self._schemas) for name, prompt in prompts.items()}
        content = b"".join(msgspec.json.encode({"key": name, "request": one}) + b"\n" for name, one in asked.items())
        if len(prompts) > self.most_batch_prompts or len(content) > self.most_batch_bytes:
            raise too_many(who(self), f"{self.most_batch_prompts} prompts and {self.most_batch_bytes} bytes")
        with self._translated():
            sdk = self._sdk(is_for_files=True)
            file = sdk.files.upload(
                file=io.BytesIO(content), config={"mime_type": "application/jsonl", "display_name": label}
            )
            batch = sdk.batches.create(model=self.model, src=file.name or "", config={"display_name": label})
            return batch.name or ""

    def find(self, label: str) -> str | None:
        """The newest batch that is displayed as ``label``, of the last 5,000."""
        with self._translated():
            for seen, batch in enumerate(self._sdk().batches.list(config={"page_size": _PAGE})):
                if batch.display_name == label:
                    return batch.name
                if seen >= _MOST_BATCHES:
                    break
        return None

    def state(self, batch_id: str) -> BatchState:
        """A batch that expired or was cancelled has failed: the service gives no answers for it."""
        from google.genai import errors

        with self._translated():
            try:
                batch = self._sdk().batches.get(name=batch_id)
            except errors.ClientError as error:
                if error.code == httpx2.codes.NOT_FOUND:
                    return "gone"
                raise
        return _STATES.get(str(batch.state.value if batch.state else ""), "under_way")

    def results(self, batch_id: str) -> dict[str, Completion | ProviderError]:
        """The lines of the file of results; a line that cannot be read is missing like one that expired."""
        with self._translated():
            sdk = self._sdk(is_for_files=True)
            batch = sdk.batches.get(name=batch_id)
            name = batch.dest.file_name if batch.dest else None
            content = sdk.files.download(file=name) if name else b""
        found: dict[str, Completion | ProviderError] = {}
        manner = self._manners.now()
        for line in content.splitlines():
            try:
                read = _RESULT.decode(line)
            except (msgspec.DecodeError, UnicodeDecodeError):
                continue
            found[read.key] = self._result(read, manner)
        return found

    def _result(self, read: _Result, manner: Manner) -> Completion | ProviderError:
        """What became of one prompt that was asked, as far as is known, in ``manner``."""
        if read.response:
            try:
                return completion(bytes(read.response), 0, who(self))
            except ProviderError as error:
                return error
        wrong = read.error or {}
        code = wrong.get("code")
        # Lines carry the numbers of gRPC, single answers those of HTTP.
        status = _HTTP.get(code, code) if isinstance(code, int) else httpx2.codes.INTERNAL_SERVER_ERROR
        refused = said(int(status), {}, msgspec.json.encode({"error": wrong}))
        return failed_line(refused, manner, self._manners, who(self))

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """Turns what the package raises into ProviderError."""
        from google.genai import errors

        try:
            yield
        except errors.APIError as error:
            raise _said(error).error(who(self)) from error
        except httpx2.TransportError as error:
            raise unanswered(who(self), error) from error
        except _UNREADABLE as error:
            raise unreadable(who(self), type(error).__name__) from error


class _Result(msgspec.Struct):
    key: str
    response: msgspec.Raw = msgspec.Raw(b"")
    error: dict[str, Any] | None = None


_RESULT = msgspec.json.Decoder(_Result)
_HTTP = {3: 400, 4: 504, 5: 404, 7: 403, 8: 429, 9: 400, 10: 409, 11: 400, 12: 501, 13: 500, 14: 503, 16: 401}
"""https://github.com/googleapis/googleapis/blob/master/google/rpc/code.proto"""


def _said(error: Any) -> Said:
    """What an error of the package says, from the answer itself."""
    answer = error.response
    if isinstance(answer, httpx2.Response):
        return said(answer.status_code, answer.headers, answer.content)
    return said(int(error.code or httpx2.codes.INTERNAL_SERVER_ERROR), {}, str(error.message).encode())
