"""Accounts that wait for their next look, by class and by the tick in which they fall due."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Index = NDArray[np.int32]
Hours = NDArray[np.float64]
Numbers = NDArray[Any]

_NONE = -1


class Calendar:
    """A queue of a fixed number of accounts in which each stands at most once, served class by class, oldest first.

    ``due_h``: the caller's array of due times, read only. Putting an account again moves it; its old entry is passed
    over when it comes up. Accounts due after the last tick are not kept.
    """

    def __init__(self, due_h: Hours, classes: int, ticks: int, tick_h: float) -> None:
        self._due_h = due_h
        self._ticks, self._tick_h = ticks, tick_h
        self._slots: list[list[list[Index]]] = [[[] for _ in range(ticks)] for _ in range(classes)]
        self._oldest = [ticks] * classes
        self._place = np.full(len(due_h), _NONE, np.int32)  # class * ticks + tick of the valid entry

    def put(self, accounts: Index, classes: Numbers) -> None:
        """Let ``accounts`` wait in ``classes`` from their due times on."""
        ticks = np.clip(np.ceil(self._due_h[accounts] / self._tick_h), 0, self._ticks).astype(np.int32)
        kept = ticks < self._ticks
        self._place[accounts[~kept]] = _NONE
        accounts, ticks = accounts[kept], ticks[kept]
        if not len(accounts):
            return
        places = classes[kept].astype(np.int32) * self._ticks + ticks
        self._place[accounts] = places
        order = np.lexsort((self._due_h[accounts], places))
        accounts, places = accounts[order], places[order]
        cuts = [0, *(np.flatnonzero(np.diff(places)) + 1).tolist(), len(places)]
        for start, place, end in zip(cuts, places[cuts[:-1]].tolist(), cuts[1:], strict=False):
            kind, tick = divmod(place, self._ticks)
            self._slots[kind][tick].append(accounts[start:end])
            if tick < self._oldest[kind]:
                self._oldest[kind] = tick

    def take(self, kind: int, count: int, tick: int) -> Index:
        """At most ``count`` accounts of a class that fell due by ``tick``, the longest due first."""
        taken: list[Index] = []
        slots = self._slots[kind]
        at = self._oldest[kind]
        while count > 0 and at <= tick:
            if slots[at]:
                accounts = self._from(slots[at], kind * self._ticks + at, count)
                self._place[accounts] = _NONE
                taken.append(accounts)
                count -= len(accounts)
            if not slots[at]:
                at += 1
        self._oldest[kind] = min(at, self._ticks)
        return np.concatenate(taken) if taken else np.empty(0, np.int32)

    def _from(self, slot: list[Index], place: int, count: int) -> Index:
        """The first ``count`` valid accounts of a slot, which keeps the rest in order."""
        if len(slot) > 1:
            entries = np.concatenate(slot)
            entries = np.unique(entries[self._place[entries] == place])
            slot[:] = [entries[np.argsort(self._due_h[entries], kind="stable")]]
        entries, found, read = slot[0], [], 0
        while read < len(entries) and count > 0:
            chunk = entries[read : read + 2 * count + 64]
            valid = np.flatnonzero(self._place[chunk] == place)[:count]
            found.append(chunk[valid])
            count -= len(valid)
            read += len(chunk) if count else int(valid[-1]) + 1
        slot[:] = [entries[read:]] if read < len(entries) else []
        return np.concatenate(found) if found else np.empty(0, np.int32)
