"""A creator described by a language model: what is asked, and what is left of the answer after checking."""

from __future__ import annotations

from igtool.description.answer import Description
from igtool.description.prompt import LABELS, PROFILE, VERSION, PromptOptions, question_for

__all__ = ["LABELS", "PROFILE", "VERSION", "Description", "PromptOptions", "question_for"]
