"""``igtool init``: a workspace with settings and keys to fill in."""

from __future__ import annotations

from pathlib import Path

import rich_click as click

from igtool.commands.base import JSON, called, command
from igtool.console import print_json, print_rows, say

_NEXT = (
    ("enrich creators.csv", "fill a list; answers lie in raw/ beside it, or come from --source"),
    ("config show", "every setting, and what it is now"),
    ("doctor", "whether everything that is needed is here"),
)


@command("init")
@click.argument("folder", metavar="[DIR]", required=False, type=click.Path(file_okay=False, path_type=Path))
@JSON
@click.pass_context
def init_command(context: click.Context, folder: Path | None, as_json: bool) -> None:
    """Make a workspace in DIR [the current one]: igtool.toml and .env to fill in, and .gitignore.

    All settings and keys in them are commented out, so that nothing changes. What is there is left as it is.
    """
    from igtool.files import replaced
    from igtool.settings import folder_of
    from igtool.settings.sample import starting_files

    place = folder or folder_of(context.obj)
    rows = []
    for name, text in starting_files().items():
        path = place / name
        is_there = path.exists() or path.is_symlink()
        if not is_there:
            with replaced(path) as file:
                file.write(text.encode())
        rows.append({"file": str(path), "state": "left as it was" if is_there else "made"})
    if as_json:
        print_json({"command": "init", "rows": rows})
    else:
        print_rows(rows)
    _warn_of_readers(place / ".env")
    say("now try:")
    for words, does in _NEXT:
        say(f"  {called(place)} {words}   # {does}")


def _warn_of_readers(path: Path) -> None:
    """Say it where a file with keys was there and others may read it."""
    if path.is_file() and path.stat().st_mode & 0o077:
        say(f"others may read {path}, which is for keys: chmod 600 {path}")
