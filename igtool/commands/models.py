"""``igtool models``: files of models that run on this machine."""

from __future__ import annotations

import re
import sys
import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import rich_click as click

from igtool.commands.base import JSON, Command, main, workspace_of
from igtool.console import print_json, print_rows, say
from igtool.errors import IntegrityError, UsageError
from igtool.model_entries import FAMILIES, KINDS

if TYPE_CHECKING:
    from igtool.model_entries import Model

_FOLDER = "models"
_GB = 1 << 30
_SAY_EVERY_S = 5.0


@main.group("models")
def models_group() -> None:
    """Files of models that run on this machine, without a network: for texts and for pictures."""


@models_group.command("list", cls=Command)
@JSON
@click.pass_context
def list_command(context: click.Context, as_json: bool) -> None:
    """Every known model, and whether its file is there."""
    from igtool import models

    folder = workspace_of(context).settings.workspace / _FOLDER
    known = list(models.known(folder).values())
    there = [model.path(folder).is_file() for model in known]
    if as_json:
        rows = [{**asdict(model), "there": is_there} for model, is_there in zip(known, there, strict=True)]
        print_json({"command": "models list", "folder": folder, "rows": rows})
        return
    print_rows([_row(model, is_there=is_there) for model, is_there in zip(known, there, strict=True)])
    if not any(there):
        say(f"no file is in {folder} yet: `igtool models add NAME` gets one")


def _row(model: Model, *, is_there: bool) -> dict[str, Any]:
    """What a person wants to know of a model."""
    origin = urlsplit(model.url).hostname if model.url else "package index" if model.source else "a file"
    return {
        "name": model.name,
        "kind": model.kind,
        "there": "yes" if is_there else "no",
        "recommended": "yes" if model.recommended else "",
        "MB": round(model.size / 1e6, 1) if model.size else None,
        "licence": model.licence,
        "from": origin,
    }


@models_group.command("add", cls=Command)
@click.argument("source", metavar="PATH|URL|NAME")
@click.option("--name", help="What to call it [the name of its file].")
@click.option("--sha256", metavar="SUM", help="The SHA-256 it must have.")
@click.option("--licence", help="Its licence, to be noted.")
@click.option("--kind", type=click.Choice(tuple(KINDS)), help="What it is for [llm].")
@click.option("--family", type=click.Choice(FAMILIES), help="How the answers of a detector are read.")
@click.option("--input-size", metavar="WIDTHxHEIGHT", help="What a detector is given, if its file does not say it.")
@click.option("--max-size", type=click.FloatRange(min=0), default=20.0, show_default=True, help="GiB at most.")
@click.pass_context
def add_command(context: click.Context, /, source: str, max_size: float, **given: Any) -> None:
    """Bring a GGUF, ONNX or TensorFlow Lite file into the folder of models: by path, address, or a name of the list."""
    from igtool.model_files import AddOptions, add

    settings = workspace_of(context).settings
    folder = settings.workspace / _FOLDER
    sha256 = given["sha256"].strip().lower() if given["sha256"] else None
    told = {name: given[name] for name in ("name", "licence", "kind", "family")}
    options = AddOptions(
        **told,
        sha256=sha256,
        input_size=_size(given["input_size"]),
        max_bytes=int(max_size * _GB),
        allow_loopback=settings.allow_loopback,
    )
    model, was_there = add(source, folder, options, _Telling(source))
    say(f"{model.name} {'is there already' if was_there else 'is added'}: {model.path(folder)}")
    if source != model.name and sha256 is None:
        say(f"its SHA-256 is {model.sha256}: compare it with what its publisher says")


def _size(text: str | None) -> tuple[int, int] | None:
    """Width and height."""
    if text is None:
        return None
    if not (found := re.fullmatch(r"(\d{1,5})[xX](\d{1,5})", text.strip())):
        raise UsageError(f"--input-size {text!r:.40} is no width and height: 640x640 is")
    return int(found[1]), int(found[2])


class _Telling:
    """Says every few seconds how much is there."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._next = time.monotonic() + _SAY_EVERY_S

    def __call__(self, done: int, whole: int) -> None:
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + _SAY_EVERY_S
            of = f" of {whole / 1e6:,.0f}" if whole else ""
            sys.stderr.write(f"{self._what}: {done / 1e6:,.0f}{of} MB\n")


@models_group.command("verify", cls=Command)
@click.argument("names", nargs=-1, metavar="[NAME…]")
@JSON
@click.pass_context
def verify_command(context: click.Context, names: tuple[str, ...], as_json: bool) -> None:
    """Read every byte of the files that are there and compare with their SHA-256; exit 5 if one is damaged."""
    from igtool import models

    folder = workspace_of(context).settings.workspace / _FOLDER
    known = models.known(folder)
    chosen = [models.named(name, known) for name in names] or list(known.values())
    rows: list[dict[str, Any]] = [
        {"name": model.name, "state": models.state(model, folder), "file": model.path(folder)}
        for model in chosen
        if names or model.path(folder).exists()
    ]
    if as_json:
        print_json({"command": "models verify", "rows": rows})
    else:
        print_rows(rows, title="models")
    bad = [row["name"] for row in rows if row["state"] == "damaged" or (names and row["state"] == "missing")]
    if bad:
        fix = f"`igtool models remove {bad[0]}`, then `igtool models add {bad[0]}`"
        raise IntegrityError(f"damaged or missing: {', '.join(bad)}. {fix} gets it again")


@models_group.command("remove", cls=Command)
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_context
def remove_command(context: click.Context, name: str, yes: bool) -> None:
    """Delete the file of a model; answers that it gave stay."""
    from igtool import models

    folder = workspace_of(context).settings.workspace / _FOLDER
    model = models.named(name, models.known(folder))
    if not yes:
        click.confirm(f"delete {model.path(folder)}?", abort=True, err=True)
    was_there = models.remove(name, folder)
    say(f"{name} is deleted" if was_there else f"{name} had no file here")
