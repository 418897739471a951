"""What the server writes into the audit log besides changes: searches, log-ins, refused keys, settings.

Entries that come within a second are one commit of the journal. A change is logged by who makes it, with it.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections import deque
from itertools import islice
from typing import Any, get_args

from pydantic import SecretStr

from igtool.auditing import adopt_head, settings_entries
from igtool.errors import IgtoolError
from igtool.journal import Journal
from igtool.journal.audit import AuditLog, Entry
from igtool.journal.tenants import LOCAL
from igtool.serve.errors import LOG
from igtool.settings import Settings

EVERY_S = 1.0
_MOST = 10_000
"""Entries that wait while the journal cannot be written; of more, the newest are dropped and counted."""
_AT_ONCE = 1_000
_VEILED = ("alert_command",)
"""Secret settings that say what the server starts: that they changed is told, and not to what."""


class Trail:
    """Takes entries of any thread; one of its own writes them, until `close`."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._waiting: deque[tuple[float, Entry]] = deque()
        self._dropped = 0
        self._is_ending = threading.Event()
        self._writing = threading.Lock()
        self._thread: threading.Thread | None = None

    def note(self, entry: Entry) -> None:
        """Log ``entry`` within a second; a kill may lose those of that second."""
        if len(self._waiting) >= _MOST:
            self._dropped += 1
            return
        self._waiting.append((time.time(), entry))

    def start(self) -> None:
        """Note what of the settings changed since the last start, then write once a second in a thread."""
        self._thread = threading.Thread(target=self._go_on, name="audit", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the thread, and write what waits."""
        self._is_ending.set()
        if self._thread is not None:
            self._thread.join(timeout=5)
        self.flush()

    def flush(self) -> None:
        """Write what waits now; what goes wrong is logged, and tried again with the next."""
        with self._writing:
            self._attempt()

    def _attempt(self) -> None:
        try:
            while self._waiting or self._dropped:
                some = list(islice(self._waiting, _AT_ONCE))
                dropped = self._dropped
                if dropped:
                    some.append((time.time(), Entry(LOCAL, LOCAL, "audit.dropped", {"entries": dropped})))
                with Journal(self._settings.cache, writable=False, shared=True) as journal:
                    AuditLog(journal).write(some)
                for _ in range(len(some) - bool(dropped)):
                    self._waiting.popleft()
                self._dropped -= dropped
        except IgtoolError as error:
            LOG.error("the audit log could not be written, %d entries wait: %s", len(self._waiting), error)

    def _go_on(self) -> None:
        try:
            note_settings(self._settings)
        except IgtoolError as error:
            LOG.error("what of the settings changed is not in the audit log: %s", error)
        while not self._is_ending.wait(EVERY_S):
            if self._waiting or self._dropped:
                self.flush()


def note_settings(settings: Settings) -> None:
    """Log the names and new values of the settings that changed since the last time; secrets are none of them."""
    with Journal(settings.cache, writable=False, shared=True) as journal:
        adopt_head(settings, journal)
        known = _shown(type(settings).model_construct())
        told = list(settings_entries(settings, journal))
        for detail in told:
            known |= detail.get("changed", {})
        now = _shown(settings)
        changed = {name: value for name, value in now.items() if known.get(name) != value}
        if changed or not told:
            AuditLog(journal).write([(time.time(), Entry(LOCAL, LOCAL, "settings", {"changed": changed}))])


def _shown(settings: Settings) -> dict[str, Any]:
    """Name to value of the settings that are no secrets."""
    found: dict[str, Any] = {}
    for name, info in type(settings).model_fields.items():
        is_secret = SecretStr in (info.annotation, *get_args(info.annotation))
        if name == "workspace" or (is_secret and name not in _VEILED):
            continue
        value = getattr(settings, name)
        if isinstance(value, SecretStr):
            value = f"sha256 {hashlib.sha256(value.get_secret_value().encode()).hexdigest()[:12]}"
        found[name] = value if isinstance(value, (str, int, float, bool, dict, type(None))) else _text(value)
    return found


def _text(value: Any) -> Any:
    return [str(one) for one in value] if isinstance(value, (list, tuple)) else str(value)
