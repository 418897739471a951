"""What all providers behind a network need: a key that can be sent, a model's name, an address that may be asked."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import urlsplit

import httpx2

from igtool.errors import ConfigError
from igtool.http import LOCALHOST, Client, is_allowed
from igtool.llms.base import Completion, Provider, ProviderError
from igtool.llms.manner import Manner, Manners
from igtool.llms.refusals import Said
from igtool.llms.transport import Transport

FILES_TIMEOUT_S = 900.0
"""Until a file of a batch is sent or has come."""
MOST_FILE_BYTES = 512 << 20
"""Of the results of one batch."""
_ELSEWHERE = re.compile(r"[:-]cloud$", re.IGNORECASE)
_SENDABLE = re.compile(r"[!-~]+")
_SOME_KEY = "none"


@dataclass(frozen=True)
class Host:
    """Where a provider is asked: ``base_url``, and whether that is the provider's own server.

    ``keys_at``: the page where keys are made. ``model_setting``: the environment name of the model.
    """

    base_url: str
    is_own: bool
    keys_at: str
    model_setting: str = "CHAT_MODEL"

    def is_here(self, model: str) -> bool:
        """Whether ``model`` surely runs on this machine.

        The host has to be ``localhost``, which is never looked up, or a loopback address; what else a name may lead to
        is not believed. Models of Ollama whose names end in ``cloud`` run elsewhere, whoever is asked for them
        (https://docs.ollama.com/cloud).
        """
        try:  # read as the client that asks reads it
            host = httpx2.URL(self.base_url).host
            is_loopback = host == LOCALHOST or ip_address(host).is_loopback
        except (httpx2.InvalidURL, ValueError):
            return False
        return is_loopback and _ELSEWHERE.search(model.strip()) is None

    def check(self, provider: Provider) -> None:
        """Raises ConfigError for a model, key or address without which no call can succeed. Sends nothing."""
        name, key, names = provider.name, provider.options.api_key, provider.key_names
        if not provider.model.strip():
            raise ConfigError(
                f"the provider {name} has to be told which model to ask: give --model NAME, or put the line "
                f"{self.model_setting}=NAME into .env"
            )
        if not key and self.is_own and names:
            raise ConfigError(
                f"the provider {name} needs a key: put the line {names[0]}=YOUR-KEY into .env or the environment; "
                f"keys are made at {self.keys_at}"
            )
        if key and not _SENDABLE.fullmatch(key):
            raise ConfigError(
                f"the key of the provider {name} ({' or '.join(names) or 'api_key'}) holds a space, a line break or a "
                f"character that no key has: copy it again from {self.keys_at}"
            )
        self._check_address(name)

    def _check_address(self, name: str) -> None:
        with Client(private_urls=(self.base_url,)):
            host = urlsplit(self.base_url).hostname or ""
        try:
            ip_address(host)
        except ValueError:
            return
        if not is_allowed(host, allow_private=True):
            raise ConfigError(f"the provider {name} is never asked at {host}: set llm_base_url to another address")

    def client(self, provider: Provider, *, is_for_files: bool = False) -> httpx2.Client:
        """What an SDK sends with; for the files of batches with bounds that fit them."""
        options = provider.options
        transport = (
            Transport(
                self.base_url,
                options,
                timeout_s=max(FILES_TIMEOUT_S, options.timeout_s),
                max_bytes=max(MOST_FILE_BYTES, options.max_answer_bytes),
            )
            if is_for_files
            else Transport(self.base_url, options)
        )
        return httpx2.Client(transport=transport, trust_env=False)


def host_of(provider: Provider, own_url: str, keys_at: str, model_setting: str = "CHAT_MODEL") -> Host:
    """Where ``provider`` is asked: at the base URL of its options, else at ``own_url``."""
    base_url = (provider.options.base_url or own_url).rstrip("/")
    return Host(base_url, urlsplit(base_url).hostname == urlsplit(own_url).hostname, keys_at, model_setting)


def key_for(provider: Provider) -> str:
    """The key to give to an SDK, which wants one also where none is needed; the transport then sends none."""
    return provider.options.api_key or _SOME_KEY


def who(provider: Provider) -> str:
    """The provider and its model, for messages."""
    return f"{provider.name} ({provider.model})"


def completed(ask: Callable[[Manner], Completion | Said], manners: Manners, who: str) -> Completion:
    """What ``ask`` gives in the best manner that is taken. Raises ProviderError.

    A prompt that was refused for what it says is a completion without text.
    """
    manner = manners.now()
    first: Said | None = None
    while True:
        answer = ask(manner)
        if isinstance(answer, Completion):
            manners.taken(manner)
            return answer
        first = first or answer
        outcome = answer.outcome()
        lower = None if outcome == "too_long" else manners.next(manner, answer)
        if lower is None:
            if answer.means_moderation():
                return Completion("", "refusal", 0, 0)
            raise (first if outcome == "invalid" else answer).error(who)
        manner = lower


def failed_line(refused: Said, manner: Manner, manners: Manners, who: str) -> Completion | ProviderError:
    """What a refused line of a batch means, which was asked in ``manner``.

    Where it is about the manner it may be asked again: calls and batches begin in a lower one from now on.
    """
    lower = None if refused.outcome() == "too_long" else manners.next(manner, refused)
    if lower is not None:
        manners.taken(lower)
        return ProviderError("transient", str(refused.error(who)))
    return Completion("", "refusal", 0, 0) if refused.means_moderation() else refused.error(who)


def too_many(who: str, most: str) -> ProviderError:
    """The error for a batch that is larger than the provider takes."""
    return ProviderError("invalid", f"{who}: a batch holds at most {most}")
