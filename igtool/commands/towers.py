"""``igtool models export`` and ``prompts``: image towers of SigLIP and CLIP, with the vectors of texts beside them."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any

import rich_click as click

from igtool.commands.base import Command, workspace_of
from igtool.commands.models import models_group
from igtool.console import say

if TYPE_CHECKING:
    from pathlib import Path

    from igtool.tower_export.source import Source

_SAY_EVERY_S = 5.0


@models_group.command("export", cls=Command)
@click.argument("source")
@click.option("--name", help="What to call it [the name of the source, with the precision].")
@click.option("--sha256", metavar="SUM", help="The SHA-256 that its weights must have.")
@click.option("--licence", help="Its licence, to be noted [what its README.md says].")
@click.option(
    "--precision",
    type=click.Choice(["fp32", "fp16", "int8"]),
    default="int8",
    show_default=True,
    help="int8 for the processor, fp16 for CUDA.",
)
@click.pass_context
def export_command(context: click.Context, /, source: str, name: str | None, precision: Any, **given: Any) -> None:
    """Make a tower of SigLIP or CLIP from a folder or the hub: an ONNX file, and vectors of the vocabulary."""
    from igtool.tower_export.exporting import export

    found, folder, texts = _given(context, source, **given)
    done = export(found, folder, texts, name=name, precision=precision, told=_Telling())
    size = (done.model.size or 0) / 1e6
    say(f"{done.model.name} is added: {done.model.path(folder)}, {size:,.0f} MB, licence {done.model.licence}")
    say(f"its vectors have a cosine of at least {done.cosine:.4f} with those of the original; {done.texts} texts")


@models_group.command("prompts", cls=Command)
@click.argument("source")
@click.option("--name", help="Of the tower [the one that is used].")
@click.option("--sha256", metavar="SUM", help="The SHA-256 that its weights must have.")
@click.pass_context
def prompts_command(context: click.Context, /, source: str, name: str | None, **given: Any) -> None:
    """Write the texts of a tower anew, after the vocabulary has changed: SOURCE is what it was exported from."""
    from igtool.tower_export.exporting import export_prompts

    found, folder, texts = _given(context, source, **given)
    path = export_prompts(found, folder, texts, name=name, told=_Telling())
    say(f"{len(texts)} texts are written: {path}")


def _given(
    context: click.Context, source: str, *, sha256: str | None, licence: str | None = None
) -> tuple[Source, Path, list[str]]:
    """The model that is meant, the folder of models, and the texts of the vocabulary."""
    from igtool.tower_export.source import SourceOptions, find_source
    from igtool.vision.prompts import wanted_prompts
    from igtool.vocabulary import tags

    settings = workspace_of(context).settings
    texts = wanted_prompts(tags.load(settings.workspace))
    summed = sha256.strip().lower() if sha256 else None
    options = SourceOptions(settings.workspace / "cache" / "hub", settings.offline, summed, licence)
    return find_source(source, options), settings.workspace / "models", texts


class _Telling:
    """Says every few seconds how many texts are done."""

    def __init__(self) -> None:
        self._next = time.monotonic() + _SAY_EVERY_S

    def __call__(self, done: int, whole: int) -> None:
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + _SAY_EVERY_S
            sys.stderr.write(f"texts: {done:,} of {whole:,}\n")
