"""The command line: parses, calls, prints. Results on stdout, messages on stderr."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Any

import rich_click as click

from igtool import __version__
from igtool.console import cell, logging_to, print_json, print_rows, say
from igtool.errors import FinishedWithRejects, IgtoolError, Interrupted

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


def report_bug(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Write an unexpected error to a file and say where it is; the exit code is 1."""
    import tempfile
    import traceback

    with tempfile.NamedTemporaryFile("w", prefix="igtool-error-", suffix=".txt", delete=False) as file:
        file.write(f"igtool {__version__}, Python {sys.version}\n")
        file.writelines(traceback.format_exception(kind, error, trace))
    say(f"igtool: an error it did not expect, a bug: {kind.__name__}: {error}\nthe report is in {file.name}")


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--workspace", type=click.Path(file_okay=False, path_type=Path), help="Folder with data/ and cache/.")
@click.version_option(__version__, prog_name="igtool")
@click.pass_context
def main(context: click.Context, workspace: Path | None) -> None:
    """Build a creator database on your own disk.

    Start with: igtool enrich creators.csv --source raw/
    """
    context.obj = workspace
    sys.excepthook = report_bug


class Command(click.RichCommand):
    """A command that ends with the exit code of the error tree and a message that says what to do."""

    def invoke(self, context: click.Context) -> Any:
        """Run the command; IgtoolError becomes a message and an exit code."""
        try:
            return super().invoke(context)
        except IgtoolError as error:
            say(f"igtool: {error}")
            context.exit(error.exit_code)
        except BrokenPipeError:
            sys.stderr.close()
            context.exit(0)


def command(name: str) -> Callable[[Callable[..., None]], click.Command]:
    """Register a function as the command ``name``."""
    return main.command(name, cls=Command)


def _workspace(context: click.Context, **flags: Any) -> Workspace:
    from igtool.settings import load
    from igtool.workspace import Workspace

    return Workspace(load(context.obj, **flags))


@command("enrich")
@click.argument("creators", nargs=-1, metavar="CSV|HANDLE…")
@click.option("-i", "--input", "input_path", type=click.Path(path_type=Path), help="The list, instead of the argument.")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="The filled list [data/export/creators_enriched.csv]."
)
@click.option("--source", type=click.Path(path_type=Path), help="Folder, file or archive of raw JSON dumps.")
@click.option("--platform", type=click.Choice(["instagram", "youtube"]), help="Platform of bare handles [instagram].")
@click.option("--fill", multiple=True, metavar="COLUMN=FIELD", help="Fill a column, for example GENRE=primary_niche.")
@click.option("--limit", type=click.IntRange(min=0), help="Only the first rows of the list.")
@click.option("--dry-run", is_flag=True, help="Say what would be done; write nothing.")
@click.option("-b", "--batch-size", type=click.IntRange(1, 100_000), help="Items a stage takes at once.")
@click.option("-v", "--verbose", is_flag=True, help="Say each committed batch on stderr.")
@click.option("--log-file", type=click.Path(dir_okay=False, path_type=Path), help="Write each committed batch here.")
@FORCE
@JSON
@click.pass_context
def enrich_command(context: click.Context, /, creators: tuple[str, ...], input_path: Path | None, **given: Any) -> None:
    """Fill a creator list and make its creators searchable."""
    from igtool.commands.enrich import run_enrich

    workspace = _workspace(context, source=given["source"], batch_size=given["batch_size"])
    stop = Stop()
    with stop.listening(), logging_to(given["log_file"], verbose=given["verbose"]):
        run_enrich(workspace, creators, input_path, given, stop)


@command("import")
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="PATH…")
@JSON
@click.pass_context
def import_command(context: click.Context, paths: tuple[Path, ...], as_json: bool) -> None:
    """Take raw dumps into the database: folders, JSON, JSONL, gz, zst, xz, zip."""
    from igtool.importing import import_source
    from igtool.pipeline import run_stages
    from igtool.session import open_session

    workspace, stop = _workspace(context), Stop()
    with stop.listening(), open_session(workspace.settings, "import", stop) as session:
        for path in paths:
            import_source(session.lake, session.journal, path, session.progress, stop)
        run_stages(session, ["normalize"])
        counts = list(session.progress.counts.values())
    _print_stages("import", counts, as_json=as_json)


@command("run")
@click.argument("stages", nargs=-1, metavar="STAGE…")
@FORCE
@JSON
@click.pass_context
def run_command(context: click.Context, stages: tuple[str, ...], force: bool, as_json: bool) -> None:
    """Run stages by name (all if none is named): normalize, embed, resolve, analyze, index, export."""
    from igtool.pipeline import run_stages
    from igtool.session import open_session

    workspace, stop = _workspace(context), Stop()
    with stop.listening(), open_session(workspace.settings, f"run {' '.join(stages)}".strip(), stop) as session:
        run_stages(session, stages, force=force)
        counts = list(session.progress.counts.values())
    _print_stages("run", counts, as_json=as_json)


def _print_stages(name: str, counts: list[Any], *, as_json: bool) -> None:
    from dataclasses import asdict

    rows = [asdict(count) for count in counts]
    if as_json:
        print_json({"command": name, "rows": rows})
    else:
        print_rows(rows)
    failed = sum(row["failed"] for row in rows)
    if failed:
        raise FinishedWithRejects(f"{failed} items were rejected: `igtool rejects` says which and why")


@command("search")
@click.argument("query", nargs=-1)
@click.option("--platform", help="instagram or youtube.")
@click.option("--min-followers", metavar="COUNT", help="At least so many followers, for example 10k.")
@click.option("--max-followers", metavar="COUNT", help="At most so many followers, for example 1.5M.")
@click.option("--niche", help="Primary or secondary niche.")
@click.option("--style", help="Content style.")
@click.option("--language", help="ISO 639-1 code, for example es.")
@click.option("--country", help="ISO 3166-1 code, for example ES.")
@click.option("--activity", type=click.Choice(["active", "slowing", "dormant"]), help="By the newest item.")
@click.option("--limit", type=click.IntRange(1, 1000), default=10, show_default=True, help="Results at most.")
@JSON
@click.pass_context
def search_command(context: click.Context, /, query: tuple[str, ...], limit: int, as_json: bool, **chosen: Any) -> None:
    """Find creators by free text and filters, with reasons."""
    from igtool.commands.search import print_search

    print_search(_workspace(context), " ".join(query), chosen, limit=limit, as_json=as_json)


@command("show")
@click.argument("handle")
@JSON
@click.pass_context
def show_command(context: click.Context, handle: str, as_json: bool) -> None:
    """Everything about one creator, and where it came from."""
    from igtool.commands.show import print_creator

    found = _workspace(context).show(handle)
    if as_json:
        print_json({"command": "show", "rows": found})
    for creator in [] if as_json else found:
        print_creator(creator)


@command("sql")
@click.argument("query", required=False)
@JSON
@click.pass_context
def sql_command(context: click.Context, query: str | None, as_json: bool) -> None:
    """Query the tables; without QUERY reads it from stdin, or lists the tables."""
    text = query or ("" if sys.stdin.isatty() else sys.stdin.read())
    if not text.strip():
        text = (
            "select table_name, count(*) as columns from duckdb_columns() where database_name = 'lake' "
            "and schema_name = 'main' group by all order by 1"
        )
    rows = _workspace(context).sql(text).to_pylist()
    if as_json:
        print_json({"command": "sql", "rows": rows})
    else:
        print_rows(rows)


@command("status")
@JSON
@click.pass_context
def status_command(context: click.Context, as_json: bool) -> None:
    """What is stored, and how the last runs went."""
    from igtool.health import status

    state = status(_workspace(context).settings)
    if as_json:
        print_json({"command": "status", **state})
        return
    print_rows([{"table": name, "rows": rows} for name, rows in state["tables"].items()])
    print_rows(state["runs"], title="\nlast runs")
    progress = state["progress"]
    if progress and progress["status"] == "running":
        done, total = progress.get("done", 0), progress.get("total")
        say(f"\nrunning or killed in {progress['stage']}: {done} of {total or '?'}; the same command goes on")


@command("doctor")
@JSON
@click.pass_context
def doctor_command(context: click.Context, as_json: bool) -> None:
    """Check that every part works, and say how to mend what does not."""
    from dataclasses import asdict

    from igtool.errors import ConfigError
    from igtool.health import doctor

    checks = doctor(_workspace(context).settings)
    if as_json:
        print_json({"command": "doctor", "rows": [asdict(check) for check in checks]})
    else:
        print_rows([{"": "ok" if c.ok else "FAIL", "check": c.name, "detail": c.detail, "fix": c.fix} for c in checks])
    broken = [check.name for check in checks if not check.ok]
    if broken:
        raise ConfigError(f"not in order: {', '.join(broken)}")


@command("verify")
@JSON
@click.pass_context
def verify_command(context: click.Context, as_json: bool) -> None:
    """Read every lake file and compare it with the checksum taken when it was written."""
    from igtool.errors import IntegrityError
    from igtool.health import verify

    files, problems = verify(_workspace(context).settings)
    if as_json:
        print_json({"command": "verify", "files": files, "rows": [{"problem": problem} for problem in problems]})
    else:
        print_rows([{"problem": problem} for problem in problems], title=f"{files} files checked; problems")
    if problems:
        raise IntegrityError(f"{len(problems)} lake files are damaged: restore data/ from a backup")


@command("rejects")
@click.option("--stage", help="Only of this stage: list, import, normalize, …")
@click.option("--reason", help="Only with this reason.")
@click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True, help="Rows at most.")
@JSON
@click.pass_context
def rejects_command(context: click.Context, stage: str | None, reason: str | None, limit: int, as_json: bool) -> None:
    """What did not make it, where it was, and why."""
    rows = (
        _workspace(context)
        .sql(
            "select stage, reason, path, line, detail, item_id from rejects where stage = coalesce(?, stage) "
            "and reason = coalesce(?, reason) order by stage, reason, path, line, item_id limit ?",
            (stage, reason, limit),
        )
        .to_pylist()
    )
    if as_json:
        print_json({"command": "rejects", "rows": rows})
    else:
        print_rows(rows, ("stage", "reason", "path", "line", "detail"))


@command("export")
@JSON
@click.pass_context
def export_command(context: click.Context, as_json: bool) -> None:
    """Write the tables as plain Parquet to data/export."""
    from igtool.pipeline import export_now

    workspace, stop = _workspace(context), Stop()
    with stop.listening():
        written = export_now(workspace.settings, stop)
    rows = [{"file": str(path)} for path in written]
    if as_json:
        print_json({"command": "export", "rows": rows})
    else:
        print_rows(rows)


@main.group("config")
def config_group() -> None:
    """Settings: defaults < igtool.toml < .env < environment < flags."""


@config_group.command("show", cls=Command)
@JSON
@click.pass_context
def config_show_command(context: click.Context, as_json: bool) -> None:
    """Every setting with its value and its environment name."""
    settings = _workspace(context).settings
    rows = [
        {
            "setting": name,
            "value": cell(getattr(settings, name)),
            "environment": f"IGTOOL_{name.upper()}",
            "meaning": info.description,
        }
        for name, info in type(settings).model_fields.items()
    ]
    if as_json:
        print_json({"command": "config show", "rows": rows})
    else:
        print_rows(rows)
