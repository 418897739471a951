"""Tokens as far as a provider tells them, and a guess where it does not."""

from __future__ import annotations

from igtool.llms.base import Prompt

CHARACTERS_A_TOKEN = 4
_MOST = 1 << 40


def counted(number: int | None) -> int | None:
    """``number`` of tokens; None where it was not told or can be no number of tokens."""
    return number if number is not None and 0 <= number < _MOST else None


def guessed(characters: int) -> int:
    """Tokens of so many characters: about a quarter in English, fewer than there are in most other languages."""
    return -(-characters // CHARACTERS_A_TOKEN)


def characters(prompt: Prompt, picture_tokens: int) -> int:
    """Characters of all turns of ``prompt``, each picture as those of so many tokens."""
    shown = len(prompt.pictures) * picture_tokens * CHARACTERS_A_TOKEN
    return sum(len(message.content) for message in prompt.messages) + shown
