"""``igtool export``: the tables for other tools."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import rich_click as click

from igtool.commands.base import JSON, Stop, command, workspace_of
from igtool.console import print_json, print_rows


@command("export")
@click.option(
    "--duckdb", "file", type=click.Path(dir_okay=False, path_type=Path), help="Write one DuckDB file instead."
)
@click.option("--hnsw", is_flag=True, help="With --duckdb: index the vectors too; slow above 100,000 creators.")
@click.option("--yes", is_flag=True, help="Replace FILE if it is there.")
@JSON
@click.pass_context
def export_command(context: click.Context, file: Path | None, hnsw: bool, yes: bool, as_json: bool) -> None:
    """Write the tables as plain Parquet to data/export, or as one DuckDB file with indexes and example queries."""
    from igtool.errors import UsageError
    from igtool.pipeline import export_now

    workspace, stop = workspace_of(context), Stop()
    if file is not None:
        rows = _portable(workspace.settings, file, with_hnsw=hnsw, yes=yes)
    elif hnsw:
        raise UsageError("--hnsw is an index of a DuckDB file: give --duckdb FILE too")
    else:
        with stop.listening():
            rows = [{"file": str(path)} for path in export_now(workspace.settings, stop)]
    if as_json:
        print_json({"command": "export", "rows": rows})
    else:
        print_rows(rows)


def _portable(settings: Any, file: Path, *, with_hnsw: bool, yes: bool) -> list[dict[str, Any]]:
    from igtool.errors import UsageError
    from igtool.lake import Lake
    from igtool.lake_portable import write_portable

    if file.exists() and not yes:
        raise UsageError(f"{file} is there already: --yes replaces it")
    with Lake(settings.lake, writable=False, offline=settings.offline) as lake:
        size = write_portable(lake, file, with_hnsw=with_hnsw, offline=settings.offline)
    return [{"file": str(file), "MB": round(size / 1e6, 1)}]
