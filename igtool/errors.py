"""Everything that igtool raises on purpose, each with the exit code the command line ends with.

::

    IgtoolError                    1   a bug if nothing more exact fits
    ├── UsageError                 2   the command or its input cannot be used as given
    ├── ConfigError                3   settings, keys, models, an extension, a newer lake
    ├── RateLimitedError           4   a platform or the network asks to wait; resumable
    ├── IntegrityError             5   stored data is damaged or incomplete
    ├── BudgetError                6   the money or quota limit is reached
    ├── LockedError                7   another process holds the store
    ├── FinishedWithRejects        8   all done, some items are in ``rejects``
    ├── StorageError               9   no space, no permission
    └── Interrupted              130   Ctrl-C; everything finished so far is stored

A message says what failed, on which item, and what to do. ``retryable`` tells whether the same command can
succeed later without a change by the user; ``advice`` is what to do in general (``igtool explain``).
"""

from __future__ import annotations

from collections.abc import Sequence


class IgtoolError(Exception):
    """A failure that fits nothing more exact; code 1 is also that of an error igtool did not expect, a bug."""

    exit_code = 1
    retryable = False
    advice = "Report it, with the file that the message names: igtool did not expect this."


class UsageError(IgtoolError):
    """The command, its options or its input file cannot be used as given."""

    exit_code = 2
    advice = "Correct the command or its input as the message says; `igtool COMMAND --help` shows what there is."


class ConfigError(IgtoolError):
    """A setting, key, model or extension is missing or does not fit."""

    exit_code = 3
    advice = "Set what the message names, in igtool.toml, .env or the environment; `igtool doctor` checks all of it."


class RateLimitedError(IgtoolError):
    """A platform or the network asks to wait; the same command goes on later."""

    exit_code = 4
    retryable = True
    advice = "Run the same command later: it goes on where it stopped. `igtool status` shows the next wake."


class IntegrityError(IgtoolError):
    """Stored data is damaged, incomplete, or does not match its recorded checksum."""

    exit_code = 5
    advice = "`igtool verify` names what is damaged, `igtool verify --repair` makes anew what can be."


class BudgetError(IgtoolError):
    """A limit on money or quota is reached; nothing more is spent."""

    exit_code = 6
    retryable = True
    advice = "Raise `--max-cost`, or wait for the next quota day; then run the same command again."


class LockedError(IgtoolError):
    """Another process is writing to this workspace; the message names its process id."""

    exit_code = 7
    retryable = True
    advice = "Wait for the other process to end, or end it; then run the same command again."


class FinishedWithRejects(IgtoolError):  # noqa: N818 - an ending, not a failure
    """The run is complete, and some items are in ``rejects``."""

    exit_code = 8
    advice = "`igtool rejects` says which items and why; nothing else is to be done."


class StorageError(IgtoolError):
    """The disk is full, or a file or folder may not be read or written."""

    exit_code = 9
    retryable = True
    advice = "Free space, or correct the permissions that the message names; then run the same command again."


class Interrupted(IgtoolError):  # noqa: N818 - an ending, not a failure
    """The user stopped the run; what was finished is stored."""

    exit_code = 130
    retryable = True
    advice = "Run the same command again: it goes on where it stopped."


_FIRST = (5, 3, 9, 7, 6, 4, 8)


def first_of(errors: Sequence[IgtoolError]) -> IgtoolError | None:
    """The error that needs a person first (DESIGN §11); None when there is none."""
    return min(
        errors, key=lambda error: _FIRST.index(error.exit_code) if error.exit_code in _FIRST else -1, default=None
    )
