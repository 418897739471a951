"""What can be said of a creator, from everything that is known of it."""

from __future__ import annotations

from igtool.portrait.batch import portraits_of
from igtool.portrait.portrait import Portrait
from igtool.portrait.spaces import Spaces, quote_of, spaces_of

__all__ = ["Portrait", "Spaces", "portraits_of", "quote_of", "spaces_of"]
