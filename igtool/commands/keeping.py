"""How a command writes down what a person typed, also while another process writes the lake."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import rich_click as click

from igtool.commands.base import Stop, workspace_of
from igtool.console import say

if TYPE_CHECKING:
    from igtool.journal.said import Change
    from igtool.lake import Lake


def keep(context: click.Context, what: str, changes: Callable[[Lake], Sequence[Change]]) -> None:
    """Make what ``changes`` gives for the lake, in one commit, as the command ``what``.

    While another process writes the lake it waits in the journal instead, as what is said through the server does, and
    is made by whoever writes next. Raises what ``changes`` raises, ConfigError, IntegrityError, StorageError.
    """
    from igtool.changes import store
    from igtool.errors import LockedError
    from igtool.session import open_session

    workspace, stop = workspace_of(context), Stop()
    try:
        with stop.listening(), open_session(workspace.settings, what, stop) as session:
            store(session.lake, changes(session.lake))
    except LockedError:
        from igtool.clock import Clock
        from igtool.journal import Journal
        from igtool.journal.audit import Entry
        from igtool.journal.said import SaidLog
        from igtool.notes import LOCAL

        with workspace.reader() as lake:
            made = changes(lake)
        with Journal(workspace.settings.cache, writable=False, shared=True) as journal:
            SaidLog(journal).say(made, Entry(LOCAL, LOCAL, what), now=Clock().now())
        say("another process is writing: this is written down, and counts when the next command that writes begins")
