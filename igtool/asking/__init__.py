"""Asks language models: nothing twice, within the limits of rate and money, and every answer stored as it comes."""

from __future__ import annotations

from igtool.asking.answers import Tally
from igtool.asking.asker import Asker

__all__ = ["Asker", "Tally"]
