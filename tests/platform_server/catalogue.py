"""All behaviours by name, and what a client is expected to make of each."""

from __future__ import annotations

from . import pages, statuses, wire
from .behaviour import DONE, Behaviour, Expected

BEHAVIOURS: dict[str, Behaviour] = {
    "ok": Behaviour(lambda exchange: exchange.answer(exchange.plain(exchange.ask)), DONE),
    **statuses.BEHAVIOURS,
    **wire.BEHAVIOURS,
    **pages.BEHAVIOURS,
}
EXPECTED: dict[str, Expected] = {name: behaviour.expected for name, behaviour in BEHAVIOURS.items()}
