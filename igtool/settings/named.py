"""What groups of settings have in common."""

from __future__ import annotations

from typing import Any

from pydantic import AliasChoices, Field


def named(name: str, description: str) -> Any:
    """A setting that is also read from the customary environment name, without our prefix."""
    return Field(
        None, validation_alias=AliasChoices(name, f"IGTOOL_{name.upper()}", name.upper()), description=description
    )
