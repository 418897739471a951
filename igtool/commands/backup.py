"""Copies elsewhere and cleaning up: ``backup``, ``restore``, ``gc``."""

from __future__ import annotations

from pathlib import Path

import rich_click as click

from igtool.commands.base import JSON, command, workspace_of
from igtool.console import print_json, print_rows, say


@command("backup")
@click.argument("folder", metavar="DIR", type=click.Path(file_okay=False, path_type=Path))
@click.option("--with-images", is_flag=True, help="Pictures too.")
@JSON
@click.pass_context
def backup_command(context: click.Context, folder: Path, with_images: bool, as_json: bool) -> None:
    """Copy everything that cannot be made again to DIR, while runs and servers go on.

    What is in DIR already is not copied again. DIR always holds one whole backup: the newest that was finished.
    """
    from igtool.backups.making import make_backup

    made = make_backup(workspace_of(context).settings, folder, with_images=with_images, told=say)
    row = {
        "folder": str(made.folder),
        "files": len(made.manifest.files),
        "bytes": made.manifest.bytes,
        "copied_files": made.copied_files,
        "copied_bytes": made.copied_bytes,
        "removed_files": made.removed_files,
        "snapshot": made.manifest.snapshot,
        "made_at": made.manifest.made_at,
        "left_out": list(made.manifest.left_out),
    }
    if as_json:
        print_json({"command": "backup", "rows": [row]})
        return
    print_rows([{name: value for name, value in row.items() if name != "left_out"}])
    for what in made.manifest.left_out:
        say(f"left out: {what}")


@command("restore")
@click.argument("folder", metavar="DIR", type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--to", "target", type=click.Path(file_okay=False, path_type=Path), help="The workspace to make [this one]."
)
@click.option("--yes", is_flag=True, help="Move what is there aside.")
@JSON
@click.pass_context
def restore_command(context: click.Context, folder: Path, target: Path | None, yes: bool, as_json: bool) -> None:
    """Put back the backup in DIR, after every byte of it was checked. What is there is moved aside, not deleted."""
    from igtool import erase
    from igtool.backups.making import ELSEWHERE
    from igtool.backups.restoring import restore
    from igtool.settings import load

    settings = workspace_of(context).settings
    place = target or settings.workspace
    load(place).lake.check_usual("`igtool restore`", ELSEWHERE)
    done = restore(folder, place, may_replace=yes, offline=settings.offline)
    forgotten = erase.again(load(place)).people
    row = {
        "workspace": str(done.workspace),
        "made_at": done.manifest.made_at,
        "files": len(done.manifest.files),
        "bytes": done.manifest.bytes,
        "moved_to": str(done.moved_to) if done.moved_to else None,
        "tombstones": done.tombstones,
        "forgotten_again": forgotten,
    }
    if as_json:
        print_json({"command": "restore", "rows": [row]})
        return
    print_rows([row])
    if done.moved_to:
        say(f"what was there is in {done.moved_to}: delete it when you need it no more")
    say("now try: igtool verify")


@command("move")
@JSON
@click.pass_context
def move_command(context: click.Context, as_json: bool) -> None:
    """Copy the lake in data/ to the database and the bucket that the settings name; data/ stays as it is.

    Older snapshots stay behind. How to set it up: docs/postgres-s3.md.
    """
    from igtool.moving import move

    moved = move(workspace_of(context).settings)
    rows = [{"table": name, "rows": count} for name, count in moved.rows.items()]
    if as_json:
        print_json({"command": "move", "catalog": moved.catalog, "data_path": moved.data_path, "rows": rows})
        return
    print_rows(rows)
    say(f"the lake is in {moved.catalog}; its files are in {moved.data_path}. Now try: igtool verify")


@command("gc")
@click.option("--dry-run", is_flag=True, help="Say what would go; delete nothing.")
@JSON
@click.pass_context
def gc_command(context: click.Context, dry_run: bool, as_json: bool) -> None:
    """Delete rows that are older than `retention` in the settings keeps them, and files that nothing needs.

    What was made of answers that go stays. An answer that is gone is asked for again only when the schedule says so.
    """
    from dataclasses import asdict

    from igtool.disposal import collect

    rows = [asdict(one) for one in collect(workspace_of(context).settings, dry_run=dry_run)]
    freed = sum(row["bytes"] for row in rows)
    if as_json:
        print_json({"command": "gc", "is_dry_run": dry_run, "bytes": freed, "rows": rows})
    else:
        print_rows(rows)
        say(f"{freed:,} bytes {'would be freed, and those of the rows' if dry_run else 'freed'}")
