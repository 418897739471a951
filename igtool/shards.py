"""Shards: which part of the work is this machine's, told from names alone, the same in Python and in SQL."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

from igtool.errors import UsageError

_HEX_DIGITS = 15
"""Of a SHA-256, as many as fit the BIGINT of any database."""
MOST = 10_000


def shard_number(name: str, count: int) -> int:
    """The number, 1 to ``count``, of the shard that ``name`` falls into.

    The first 15 hexadecimal digits of the SHA-256 of the name in UTF-8, modulo ``count``, plus 1.
    """
    digits = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:_HEX_DIGITS]
    return int(digits, 16) % count + 1


@dataclass(frozen=True)
class Shard:
    """Shard ``number`` of ``count``: every name falls into exactly one of them."""

    number: int
    count: int

    @classmethod
    def parse(cls, text: str) -> Shard:
        """The shard that is written ``2/8``. Raises UsageError."""
        match = re.fullmatch(r"(\d{1,5})/(\d{1,5})", text.strip())
        number, count = (int(match[1]), int(match[2])) if match else (0, 0)
        if not 1 <= number <= count <= MOST:
            raise UsageError(f"{text!r} is no shard: give 1/8, 2/8 … 8/8, at most {MOST} of them")
        return cls(number, count)

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"

    def has(self, name: str) -> bool:
        """Whether ``name`` falls into it."""
        return shard_number(name, self.count) == self.number

    def condition(self, expression: str) -> str:
        """SQL: whether the text ``expression`` falls into it; NULL falls into none."""
        digits = f"('0x' || left(sha256({expression}), {_HEX_DIGITS}))::bigint"
        return f"({digits} % {self.count:d} + 1 = {self.number:d})"
