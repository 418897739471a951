"""What every command has in common: the group, exit codes, the wish to stop, the workspace."""

from __future__ import annotations

import logging
import os
import shlex
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Any

import rich_click as click

from igtool import __version__
from igtool.console import say
from igtool.errors import IgtoolError, Interrupted
from igtool.files import is_of_the_machine, storage_error

if TYPE_CHECKING:
    from igtool.workspace import Workspace

JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
FORCE = click.option("-f", "--force", is_flag=True, help="Do finished work again.")


class Stop:
    """Turns Ctrl-C and SIGTERM into a wish to stop after the batch at hand; the second one stops at once."""

    def __init__(self) -> None:
        self.signal: int | None = None

    def __call__(self) -> bool:
        """Whether the user asked to stop."""
        return self.signal is not None

    def _wish(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002 - signal's signature
        if self.signal is not None:
            raise KeyboardInterrupt
        self.signal = number
        say("finishing the batch at hand; press Ctrl-C again to stop at once (nothing stored is lost)")

    def _ended(self, error: Interrupted) -> Interrupted:
        error.exit_code = 128 + (self.signal or signal.SIGINT)
        return error

    @contextmanager
    def listening(self) -> Iterator[Stop]:
        """Handle the signals while the block runs."""
        before = {number: signal.signal(number, self._wish) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield self
        except KeyboardInterrupt as error:
            raise self._ended(Interrupted("stopped at once; every committed batch is stored")) from error
        except Interrupted as error:
            raise self._ended(error) from error.__cause__
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def report_bug(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None, *, workspace: Path | None = None
) -> None:
    """Write an unexpected error to a file, without the keys of the settings, and say where; the exit code is 1."""
    import tempfile
    import traceback

    from igtool.http.answers import redacted
    from igtool.settings import load, secrets_of

    try:
        secrets = secrets_of(load(workspace))
    except IgtoolError:
        secrets = ()
    with tempfile.NamedTemporaryFile("w", prefix="igtool-error-", suffix=".txt", delete=False) as file:
        file.write(f"igtool {__version__}, Python {sys.version}\n")
        file.write(redacted("".join(traceback.format_exception(kind, error, trace)), secrets))
    words = redacted(f"{kind.__name__}: {error}", secrets)
    say(f"igtool: an error it did not expect, a bug: {words}\nthe report is in {file.name}")


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--workspace", type=click.Path(file_okay=False, path_type=Path), help="Folder with data/ and cache/.")
@click.version_option(__version__, prog_name="igtool")
@click.pass_context
def main(context: click.Context, workspace: Path | None) -> None:
    """Build a creator database on your own disk.

    Start with: igtool enrich creators.csv --source raw/
    """
    before = os.umask(0o077)  # all that a command makes may hold personal data: it is for its owner alone
    context.call_on_close(lambda: os.umask(before))
    context.obj = workspace
    sys.excepthook = partial(report_bug, workspace=workspace)
    logging.raiseExceptions = False  # a line of a log that cannot be written is no news for its reader


@contextmanager
def _ending(context: click.Context) -> Iterator[None]:
    """IgtoolError becomes a message and an exit code, and so does an error of the disk that nobody translated."""
    try:
        yield
    except IgtoolError as error:
        from igtool.http.answers import redacted

        say(f"igtool: {redacted(str(error), ())}")
        context.exit(error.exit_code)
    except BrokenPipeError:
        sys.stderr.close()
        context.exit(0)
    except OSError as error:
        if not is_of_the_machine(error):
            raise
        named = storage_error(error, "a file")
        say(f"igtool: {named}")
        context.exit(named.exit_code)


class Command(click.RichCommand):
    """A command that ends with the exit code of the error tree and a message that says what to do."""

    def invoke(self, context: click.Context) -> Any:
        """Run the command."""
        with _ending(context):
            return super().invoke(context)


class Group(click.RichGroup):
    """A group that does something without a subcommand too, and ends like a `Command`."""

    def invoke(self, context: click.Context) -> Any:
        """Run the command, or the subcommand."""
        with _ending(context):
            return super().invoke(context)


def command(name: str) -> Callable[[Callable[..., None]], click.Command]:
    """Register a function as the command ``name``."""
    return main.command(name, cls=Command)


def workspace_of(context: click.Context, **flags: Any) -> Workspace:
    """The workspace of this call, with the flags that go before every other place of a setting."""
    from igtool.settings import load
    from igtool.workspace import Workspace

    return Workspace(load(context.obj, **flags), say)


def called(folder: Path) -> str:
    """How to call igtool again for the workspace ``folder``.

    After `make enrich` there is no igtool on the path, but .venv/bin/igtool.
    """
    program = sys.argv[0] if "/" in sys.argv[0] and not Path(sys.argv[0]).is_absolute() else "igtool"
    is_here = folder.resolve() == Path.cwd()
    return program if is_here else f"{program} --workspace {shlex.quote(str(folder))}"
