"""What may leave this machine: the one place where that is decided, before every prompt."""

from __future__ import annotations

from igtool.errors import ConfigError
from igtool.llms.base import Prompt, Provider

ALLOWING = "--allow-remote"


def check_may_be_shown(provider: Provider, prompt: Prompt, *, elsewhere: bool) -> None:
    """Raises ConfigError where ``provider`` must not be asked ``prompt``.

    What stays here is put only to a model on this machine; pictures to another one where ``elsewhere`` allows it.
    """
    name = f"{provider.name} ({provider.model})"
    if prompt.stays_here and not provider.is_here:
        raise ConfigError(
            f"{name} is not on this machine, and what {prompt.schema_name} asks never leaves it, whatever is allowed: "
            "it needs the consent of the creator, and that is for this machine alone"
        )
    if not prompt.pictures:
        return
    if not provider.shows_pictures:
        raise sightless(provider)
    if not provider.is_here and not elsewhere:
        raise not_allowed(provider)


def not_allowed(provider: Provider) -> ConfigError:
    """The error for a model elsewhere that may not be shown pictures."""
    return ConfigError(
        f"{provider.name} ({provider.model}) is not on this machine: asking it sends pictures of people elsewhere. "
        f"{ALLOWING} (or allow_remote = true) allows that, never for categories that need consent; "
        "or set picture_provider to ollama or local, and picture_base_url to an address of this machine"
    )


def sightless(provider: Provider) -> ConfigError:
    """The error for a provider whose models see no pictures."""
    return ConfigError(
        f"the provider {provider.name} shows its models no pictures: ask a server such as Ollama on this machine "
        '(picture_provider = "ollama"), or set picture_projector to the file mmproj-….gguf of a local model'
    )
