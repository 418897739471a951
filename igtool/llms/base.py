"""The contract of every provider of language models: a prompt with a JSON schema in, a completion with its usage out.

A provider does one call and says how it ended. It does not wait, repeat, cache, count money or check answers: that is
done once, for all providers, by `igtool.asking`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal

Role = Literal["system", "user", "assistant"]
Finish = Literal["stop", "length", "refusal"]
Outcome = Literal["rate_limited", "quota", "auth", "transient", "too_long", "invalid"]

MOST_PICTURE_SIDE = 768
"""Pixels of the longer side of a picture that is shown to a model: what providers bill a small picture for."""
MOST_PICTURE_TOKENS = 4_096
"""Of one picture, where the rule of a model is not known: LLaVA-NeXT makes 2,880, InternVL 3,328, Pixtral 2,352."""


@dataclass(frozen=True)
class ShownPicture:
    """A picture that a model is shown: ``data``, the bytes of a file of ``media_type``, such as ``image/jpeg``.

    ``sha256``: of the stored picture that it was made of; it stands for the picture wherever a prompt is named, kept
    or shown to people.
    """

    sha256: str
    media_type: str
    data: bytes = field(repr=False)


@dataclass(frozen=True)
class Message:
    """One turn of a conversation with a model; its ``pictures`` go before its text."""

    role: Role
    content: str
    pictures: tuple[ShownPicture, ...] = ()


@dataclass(frozen=True)
class Prompt:
    """What is sent: messages, the JSON schema of the answer, and the most tokens that the answer may take.

    The first message is the instruction, the same for all prompts of a kind: providers keep what they computed of it.
    ``alternatives``: for each token of the answer, how many likely tokens to tell with their log-probabilities.
    ``stays_here``: no model but one on this machine may be asked, whatever the settings allow.
    """

    messages: tuple[Message, ...]
    schema_name: str
    schema: Mapping[str, Any] = field(hash=False)
    max_tokens: int = 1024
    alternatives: int = 0
    stays_here: bool = False

    @property
    def pictures(self) -> tuple[ShownPicture, ...]:
        """The pictures of all messages."""
        return tuple(picture for message in self.messages for picture in message.pictures)


@dataclass(frozen=True)
class Completion:
    """An answer as it came, unchecked.

    ``cached_tokens``: those of ``input_tokens`` that the provider had kept. ``tokens``: the texts of the answer's
    tokens, which joined give ``text``, each with the natural log-probabilities of its likeliest alternatives by
    their texts; empty where the provider does not tell or was not asked.
    """

    text: str
    finish: Finish
    input_tokens: int
    output_tokens: int
    cached_tokens: int = 0
    tokens: tuple[tuple[str, Mapping[str, float]], ...] = field(default=(), hash=False)


class ProviderError(Exception):
    """A call without an answer; ``outcome`` says what follows.

    - ``rate_limited``: asked too fast; the same call later, not before ``retry_after_s`` if that is known.
    - ``quota``: nothing is left to spend at this provider; no call will succeed until the user does something.
    - ``auth``: the key is missing, wrong, or may not use this model.
    - ``transient``: a time-out, a broken line, a server's error; the same call later.
    - ``too_long``: the prompt does not fit the model; a shorter one may.
    - ``invalid``: anything else the provider does not take: an unknown model, a parameter it does not know.

    The message is for a person: what the provider said, without secrets, at most 300 characters.
    """

    def __init__(self, outcome: Outcome, words: str, retry_after_s: float | None = None) -> None:
        super().__init__(words)
        self.outcome = outcome
        self.retry_after_s = retry_after_s


@dataclass(frozen=True)
class ProviderOptions:
    """What a provider is made with, from the settings.

    ``api_key`` and ``base_url`` are None where the user gave none. ``models``: the folder of the workspace that holds
    model files. ``threads``: of a model in this process. ``projector``: the file that lets a local model see.
    ``allow_loopback``: reach this machine although the base URL does not name it (tests).
    """

    api_key: str | None = field(default=None, repr=False)
    base_url: str | None = None
    timeout_s: float = 120.0
    max_answer_bytes: int = 4 << 20
    models: Path = Path("models")
    threads: int = 2
    context_tokens: int = 8192
    projector: str | None = None
    allow_loopback: bool = False


class Provider(ABC):
    """One model of one provider. ``complete`` may be called by several threads at once.

    ``items`` and ``item_characters``: how much of a creator a prompt shows without a setting. ``concurrency``: calls at
    a time that are useful without a setting. ``is_paid``: calls cost money. ``key_names``: environment names of the
    key, for messages. ``default_model``: None where the user has to name one.
    """

    name: ClassVar[str]
    default_model: ClassVar[str | None] = None
    key_names: ClassVar[tuple[str, ...]] = ()
    is_paid: ClassVar[bool] = True
    concurrency: ClassVar[int] = 16
    items: ClassVar[int] = 12
    item_characters: ClassVar[int] = 280

    def __init__(self, model: str, options: ProviderOptions) -> None:
        """Cheap: what is heavy or can fail is loaded by `check` or the first call."""
        self.model = model
        self.options = options

    @property
    def is_small(self) -> bool:
        """Whether the model is so small that it is asked for less."""
        return False

    @property
    def shows_pictures(self) -> bool:
        """Whether the model is shown the pictures of a prompt."""
        return False

    @property
    def is_here(self) -> bool:
        """Whether the model surely runs on this machine, so that nothing that it is asked leaves it."""
        return False

    @property
    def picture_tokens(self) -> int:
        """A bound on the tokens of one picture of at most `MOST_PICTURE_SIDE` pixels a side."""
        return MOST_PICTURE_TOKENS

    @abstractmethod
    def check(self) -> None:
        """Make ready without paying. Raises ConfigError naming the command that mends a missing key or model file."""

    @abstractmethod
    def complete(self, prompt: Prompt) -> Completion:
        """One call. Raises ProviderError."""

    def close(self) -> None:  # noqa: B027 - few providers hold anything
        """Give back connections and memory."""


BatchState = Literal["under_way", "ended", "failed", "gone"]


class BatchProvider(Provider):
    """A provider that also takes many prompts at once, at a lower price, and answers within a day."""

    batch_price: ClassVar[float] = 0.5
    """Times the usual price."""
    most_batch_prompts: ClassVar[int] = 10_000
    most_batch_bytes: ClassVar[int] = 100_000_000
    """What one batch may hold; of its prompts with schemas and names."""

    @abstractmethod
    def submit(self, prompts: Mapping[str, Prompt], label: str) -> str:
        """Hand in ``prompts`` by name; the id of the batch. ``label`` is stored with it. Raises ProviderError."""

    @abstractmethod
    def find(self, label: str) -> str | None:
        """The id of the batch that was submitted with ``label``: a process may die before it learns the id."""

    @abstractmethod
    def state(self, batch_id: str) -> BatchState:
        """How far the batch is. Raises ProviderError."""

    @abstractmethod
    def results(self, batch_id: str) -> dict[str, Completion | ProviderError]:
        """What became of each prompt of an ended batch, by its name; a prompt that expired is missing."""
