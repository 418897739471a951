"""The provider that the settings name, ready to be asked."""

from __future__ import annotations

from collections.abc import Callable

from pydantic import SecretStr

from igtool import registry
from igtool.asking.answers import Stored
from igtool.asking.asker import Asker
from igtool.journal import Journal
from igtool.journal.models import CallLimits, ModelLedger
from igtool.llms.base import BatchProvider, Provider, ProviderOptions
from igtool.llms.prices import Price, price_of
from igtool.settings import Settings

ALIASES = {"xai": "grok", "x-ai": "grok", "google": "gemini", "google-genai": "gemini"}
"""Other customary names of providers."""
_AT_ONCE = 1_000
_IN_A_BATCH = 10_000


def provider_name(settings: Settings) -> str | None:
    """The name of the provider to ask; None when nobody is to be asked."""
    return None if settings.llm == "never" else usual_name(settings.provider)


def usual_name(given: str | None) -> str | None:
    """A provider by its own name; None where none is given."""
    name = (given or "").strip().lower()
    return ALIASES.get(name, name) or None


def provider_of(settings: Settings) -> Provider | None:
    """The provider of the settings, not yet checked; None when nobody is to be asked. Raises ConfigError."""
    name = provider_name(settings)
    if name is None:
        return None
    kind = registry.load("llms", name)
    named = (settings.gemini_model if name == "gemini" else None) or settings.chat_model
    made: Provider = kind(named or kind.default_model or "", options_for(settings, name, settings.llm_base_url))
    return made


def options_for(settings: Settings, name: str, base_url: str | None) -> ProviderOptions:
    """What the provider ``name`` is made with; it asks at ``base_url`` if that is given."""
    keys: dict[str, SecretStr | None] = {
        "openai": settings.openai_api_key,
        "grok": settings.grok_api_key,
        "gemini": settings.gemini_api_key,
    }
    key = keys.get(name)
    return ProviderOptions(
        api_key=(key.get_secret_value() or None) if key is not None else None,
        base_url=base_url or (settings.openai_base_url if name == "openai" else None),
        timeout_s=settings.llm_timeout_s,
        models=settings.workspace / "models",
        threads=settings.processes,
        context_tokens=settings.llm_context_tokens,
        allow_loopback=settings.allow_loopback,
    )


def price_for(settings: Settings, provider: Provider) -> Price:
    """What the provider's model costs. Raises ConfigError for one that costs money and whose price nobody knows."""
    own_server = provider.options.base_url is not None and provider.options.api_key is None
    own = (settings.llm_input_price, settings.llm_output_price)
    return price_of(provider.name, provider.model, is_paid=provider.is_paid and not own_server, own=own)


def questions_at_once(settings: Settings, provider: Provider) -> int:
    """How many questions a stage hands over together: enough that the slowest of them does not hold up the others."""
    if settings.llm_batch and isinstance(provider, BatchProvider):
        return min(_IN_A_BATCH, provider.most_batch_prompts)
    concurrency = settings.llm_concurrency or provider.concurrency
    return 8 if concurrency == 1 else min(16 * concurrency, _AT_ONCE)


def open_asker(
    settings: Settings,
    journal: Journal,
    lake: Stored,
    run: str,
    *,
    stopping: Callable[[], bool] = lambda: False,
    told: Callable[[str], None] = lambda _: None,
) -> Asker | None:
    """What asks the provider of the settings; None when nobody is to be asked. Raises ConfigError."""
    provider = provider_of(settings)
    if provider is None:
        return None
    provider.check()
    return Asker(
        provider=provider,
        price=price_for(settings, provider),
        ledger=ModelLedger(journal),
        lake=lake,
        run=run,
        limits=CallLimits(settings.llm_requests_per_minute, settings.llm_tokens_per_minute, settings.max_cost_usd),
        concurrency=settings.llm_concurrency or provider.concurrency,
        max_wait_s=settings.max_wait_s,
        in_batches=settings.llm_batch,
        stopping=stopping,
        told=told,
    )
