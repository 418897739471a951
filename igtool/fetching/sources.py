"""The live sources that a user named, and how far and how fast the settings let them go."""

from __future__ import annotations

from collections.abc import Sequence

from igtool import http, registry
from igtool.errors import ConfigError, UsageError
from igtool.fetching.plan import FetchOptions
from igtool.fetching.recorder import Reach
from igtool.pacing import Policy
from igtool.platforms.live import Source
from igtool.settings import Settings


def sources_of(settings: Settings, names: Sequence[str]) -> list[Source]:
    """The named live sources. Raises ConfigError for an unknown name, a missing key, or none at all."""
    if not names:
        raise UsageError(
            "no live source was named: --source instagram_graph,instagram_web (or `sources` in igtool.toml)"
        )
    found: list[Source] = [registry.load("sources", name)(settings) for name in dict.fromkeys(names)]
    for source in found:
        source.keys()
    return found


def check_address(source: Source, settings: Settings) -> None:
    """Raises ConfigError where the base address of a source is none that may be asked.

    Asked all the same, every account would become a dead letter for what is wrong with one setting.
    """
    address = source.call([source.probe()], source.keys()[0]).url
    try:
        http.check_address(address, timeout_s=settings.timeout_s, allow_loopback=settings.allow_loopback)
    except http.RefusedAnswer as refusal:
        raise ConfigError(
            f"{source.name} is not asked, its base address is closed: {refusal}. Correct the address in the settings "
            "(`igtool config show`); its accounts wait, and the same command goes on"
        ) from refusal


def policy_of(source: Source, settings: Settings) -> Policy:
    """A source's pace with the user's values."""
    return source.policy.adjusted(settings.rate_limit, settings.batch_size, settings.batch_pause_s)


def reach_of(settings: Settings, options: FetchOptions) -> Reach:
    """How far a run goes, from the settings."""
    return Reach(
        bounds=options.bounds(settings),
        not_found_retry_s=settings.not_found_retry_days * 86_400,
        failed_retry_s=settings.failed_retry_hours * 3_600,
        max_wait_s=settings.max_wait_s,
    )
