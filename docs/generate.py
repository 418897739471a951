"""Writes the references of tables, commands and settings from the code itself; a test compares them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from igtool.cli import main
from igtool.fill import FIELDS
from igtool.schema import TABLES
from igtool.settings import Settings, environment_names
from igtool.views import VIEWS

FOLDER = Path(__file__).parent


def tables_page() -> str:
    """The reference of all tables and views as Markdown."""
    lines = [
        "# Tables",
        "",
        "Generated from `igtool/schema`. `_id` columns are text, `_at` is UTC, `_count` is NULL when unknown,",
        "`_score` is between 0 and 1.",
    ]
    for table in TABLES.values():
        lines += ["", f"## {table.name}", "", table.doc, f"Key: {', '.join(f'`{key}`' for key in table.key)}.", ""]
        lines += ["| column | type | meaning |", "|---|---|---|"]
        lines += [f"| `{c.name}` | {c.type} | {_cell(c.doc)} |" for c in table.columns]
    lines += ["", "## Views", ""]
    lines += [f"`{name}`:\n\n```sql\n{query.strip()}\n```\n" for name, query in VIEWS.items()]
    return "\n".join(lines).rstrip() + "\n"


def commands_page() -> str:
    """The reference of all commands and options as Markdown."""
    lines = ["# Commands", "", "Generated from the command line itself: `igtool COMMAND --help` says the same."]
    lines += ["", "Before the command: `--workspace DIRECTORY`, the folder with `data/` and `cache/`."]
    for name, command in _commands(main, ""):
        usage = " ".join(["igtool", name, *(p.make_metavar(_context(command)) for p in _arguments(command))])
        lines += ["", f"## {name}", "", f"    {usage}", "", str(command.help)]
        options = [p for p in command.params if isinstance(p, click.Option)]
        if options:
            lines += ["", "| option | meaning |", "|---|---|"]
            lines += [f"| `{_cell(', '.join(o.opts))}` | {_cell(str(o.help))} |" for o in options]
    lines += ["", "## Fields for `--fill`", "", ", ".join(f"`{name}`" for name in sorted(FIELDS)) + "."]
    return "\n".join(lines) + "\n"


def _commands(group: click.Group, prefix: str) -> Iterator[tuple[str, click.Command]]:
    for name, command in sorted(group.commands.items()):
        if isinstance(command, click.Group):
            yield from _commands(command, f"{prefix}{name} ")
        else:
            yield prefix + name, command


def _arguments(command: click.Command) -> list[click.Argument]:
    return [p for p in command.params if isinstance(p, click.Argument)]


def _context(command: click.Command) -> click.Context:
    return click.Context(command)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def settings_page() -> str:
    """The reference of all settings as Markdown."""
    lines = ["# Settings", "", "Generated from `igtool/settings.py`; `igtool config show` says which values count now."]
    lines += ["", "A flag goes before the environment, that before `.env`, that before `igtool.toml` in the workspace."]
    lines += ["", "| in `igtool.toml` | in the environment | default | meaning |", "|---|---|---|---|"]
    for name, field in Settings.model_fields.items():
        is_empty = field.default in (None, ()) or field.default_factory is not None
        default = "" if is_empty else f"`{field.default}`"
        environment = ", ".join(f"`{one}`" for one in environment_names(name))
        lines.append(f"| `{name}` | {environment} | {default} | {_cell(str(field.description))} |")
    return "\n".join(lines) + "\n"


PAGES = {"tables.md": tables_page, "commands.md": commands_page, "settings.md": settings_page}

if __name__ == "__main__":
    for file, page in PAGES.items():
        (FOLDER / file).write_text(page())
