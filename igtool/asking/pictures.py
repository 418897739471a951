"""The vision-language model that the settings name, ready to be asked about pictures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from igtool import registry
from igtool.asking.asker import Asker
from igtool.asking.leaving import not_allowed, sightless
from igtool.asking.opening import options_for, usual_name
from igtool.errors import ConfigError
from igtool.journal import Journal
from igtool.journal.models import CallLimits, ModelLedger
from igtool.lake import Lake
from igtool.llms.base import Provider
from igtool.llms.prices import FREE, Price, price_of
from igtool.llms.questions import Question, Result
from igtool.settings import Settings
from igtool.vocabulary.categories import Category

NOBODY = "none"
_SETTINGS = "--picture-provider, --picture-model and picture_base_url"


@dataclass(frozen=True)
class PictureAsker:
    """Asks one vision-language model, in one run. ``is_here``: it is on this machine."""

    asker: Asker
    is_here: bool

    def ask(self, questions: Sequence[Question]) -> list[Result]:
        """What came of each question, in order, as of `Asker.ask`."""
        return self.asker.ask(questions)

    def may_ask(self, category: Category) -> bool:
        """Whether tags of ``category`` may be asked of the model: where consent is needed, only on this machine."""
        return self.is_here or not category.needs_consent


def picture_model_name(settings: Settings) -> str | None:
    """The provider and the model to ask about pictures as ``provider:model``; None when nobody is to be asked."""
    name = usual_name(settings.picture_provider)
    if name in (None, NOBODY) or settings.llm == "never":
        return None
    return f"{name}:{settings.picture_model or ''}"


def picture_provider_of(settings: Settings) -> Provider | None:
    """The provider of the settings for pictures, not yet checked; None when nobody is to be asked.

    Raises ConfigError for one that shows no pictures, and for one that is not on this machine unless that is allowed.
    """
    name, _, model = (picture_model_name(settings) or "").partition(":")
    if not name:
        return None
    if not model:
        raise ConfigError("picture_provider is set and no picture_model: --picture-model NAME says which model to ask")
    options = options_for(settings, name, settings.picture_base_url)
    options = replace(options, projector=settings.picture_projector or None)
    made: Provider = registry.load("llms", name)(model, options)
    if not made.shows_pictures:
        raise sightless(made)
    if not made.is_here and not settings.allow_remote:
        raise not_allowed(made)
    return made


def open_picture_asker(
    settings: Settings,
    journal: Journal,
    lake: Lake,
    run: str,
    *,
    stopping: Callable[[], bool] = lambda: False,
    told: Callable[[str], None] = lambda _: None,
) -> PictureAsker | None:
    """What asks the model of the settings about pictures; None when nobody is to be asked. Raises ConfigError.

    What a run may spend holds for this and all else that it asks together. Pictures are asked one by one, never in
    batches.
    """
    provider = picture_provider_of(settings)
    if provider is None:
        return None
    provider.check()
    asker = Asker(
        provider=provider,
        price=_price(settings, provider),
        ledger=ModelLedger(journal),
        lake=lake,
        run=run,
        limits=CallLimits(settings.llm_requests_per_minute, settings.llm_tokens_per_minute, settings.max_cost_usd),
        concurrency=settings.llm_concurrency or provider.concurrency,
        max_wait_s=settings.max_wait_s,
        may_show_elsewhere=settings.allow_remote,
        settings_named=_SETTINGS,
        stopping=stopping,
        told=told,
    )
    return PictureAsker(asker, provider.is_here)


def _price(settings: Settings, provider: Provider) -> Price:
    """What the model costs: nothing on this machine. Raises ConfigError where nobody knows."""
    given = (settings.picture_input_price, settings.picture_output_price)
    own_server = provider.options.base_url is not None and provider.options.api_key is None
    if provider.is_here and None in given:
        return FREE
    names = ("picture_input_price", "picture_output_price")
    return price_of(provider.name, provider.model, is_paid=provider.is_paid and not own_server, own=given, names=names)
