"""Writes the references of tables, commands and settings from the code itself; a test compares them."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import click

import igtool
from igtool.cli import main
from igtool.explaining import CODE, ERROR, ODD, REJECT, RULE, STATUS, Explanation, explanations
from igtool.fill import FIELDS
from igtool.schema import TABLES
from igtool.settings import Settings, environment_names
from igtool.views import VIEWS

FOLDER = Path(__file__).parent
_TELLING = ("report/", "commands/", "serve/", "asking/", "http/")
"""Parts that tell of slugs, or use the same word for something else."""


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


def errors_page() -> str:
    """The reference of exit codes, errors and slugs as Markdown."""
    known = list(explanations())
    errors = _of(known, ERROR)
    named = {one.exit_code: f"`{one.name}`" for one in errors}
    lines = ["# Exit codes, errors and slugs", ""]
    lines += ["Generated from `igtool/errors.py` and `igtool/report/texts.py`; `igtool explain NAME` says the same."]
    lines += ["", "## Exit codes", ""]
    lines += ["When several apply, the one that needs a person first: 5, 3, 9, 7, 6, 4, 8.", ""]
    lines += _table(
        ["code", "error", "meaning", "what to do"],
        [[one.name, named.get(one.exit_code, ""), one.meaning, one.do] for one in _of(known, CODE)],
    )
    lines += ["", "## Errors", ""]
    lines += ["What Python code that uses igtool can catch: `from igtool.errors import LockedError`. All are an"]
    lines += ["`IgtoolError`. Retryable: the same command may succeed later without a change by the user.", ""]
    lines += _table(
        ["error", "exit code", "retryable", "meaning"],
        [[f"`{one.name}`", str(one.exit_code), "yes" if one.is_retryable else "no", one.meaning] for one in errors],
    )
    return "\n".join([*lines, *_slugs(known)]) + "\n"


def _slugs(known: list[Explanation]) -> list[str]:
    rejects = _of(known, REJECT)
    places = _places([one.name for one in rejects])
    lines = ["", "## Reasons of rejects", ""]
    lines += ["In `rejects.reason`, `media.reason`, `image_facts.reason`: `igtool rejects` lists what did not make it."]
    given = {slug: ", ".join(f"`{place}`" for place in places[slug]) for slug in places}
    told = [[f"`{one.name}`", one.meaning, one.do, given[one.name]] for one in rejects]
    lines += ["", *_table(["slug", "meaning", "what to do", "given in"], told)]
    for kind, title in ((ODD, "Oddities of a list"), (STATUS, "Statuses of a row"), (RULE, "Rules of identity")):
        rows = [[f"`{one.name}`", one.meaning] for one in _of(known, kind)]
        lines += ["", f"## {title}", "", *_table(["slug", "meaning"], rows)]
    return lines


def _table(names: list[str], rows: list[list[str]]) -> list[str]:
    cells = (" | ".join(map(_cell, row)) for row in rows)
    return [f"| {' | '.join(names)} |", "|" + "---|" * len(names), *(f"| {row} |" for row in cells)]


def _of(known: list[Explanation], kind: str) -> list[Explanation]:
    return [one for one in known if one.kind == kind]


def _places(slugs: list[str]) -> dict[str, list[str]]:
    """The parts of igtool in whose code each slug stands, whole or as the beginning of a text that is put together."""
    root = Path(igtool.__file__).parent
    found: dict[str, set[str]] = {slug: set() for slug in slugs}
    for path in sorted(root.rglob("*.py")):
        place = path.relative_to(root).with_suffix("").as_posix().removesuffix("/__init__")
        if place.startswith(_TELLING):
            continue
        if place.startswith("platforms/shapes/"):
            place = "platforms/shapes"
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.JoinedStr) and node.values and isinstance(node.values[0], ast.Constant):
                begin = str(node.values[0].value)
                whole = [slug for slug in slugs if begin in ("error-", "html-") and slug.startswith(begin)]
            else:
                whole = [node.value] if isinstance(node, ast.Constant) and node.value in found else []
            for slug in whole:
                found[slug].add(place)
    return {slug: sorted(each) for slug, each in found.items()}


PAGES = {
    "tables.md": tables_page,
    "commands.md": commands_page,
    "settings.md": settings_page,
    "errors.md": errors_page,
}

if __name__ == "__main__":
    for file, page in PAGES.items():
        (FOLDER / file).write_text(page())
