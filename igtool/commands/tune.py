"""``igtool tune``: weights of a search from judgements."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click

from igtool.commands.base import JSON, command, workspace_of
from igtool.console import print_json, print_rows, say

if TYPE_CHECKING:
    from igtool.search.judged import Measured


@command("tune")
@click.argument("judgements", type=click.Path(path_type=Path))
@click.option("--write", is_flag=True, help="Put the fitted weights into igtool.toml.")
@JSON
@click.pass_context
def tune_command(context: click.Context, judgements: Path, write: bool, as_json: bool) -> None:
    """Fit the weights of a search to JUDGEMENTS: a CSV file with query, handle (or creator_id) and grade.

    Grades are 0 (no), 1, 2, 3 and so on, or yes and no. The figures are of queries that the weights were not fitted to
    (5 folds), with 95 % intervals.
    """
    from igtool.tuning import tune_weights, write_weights

    workspace = workspace_of(context)
    found = tune_weights(workspace.searcher, judgements)
    path = write_weights(workspace.settings, found.weights) if write else None
    if as_json:
        print_json({"command": "tune", **asdict(found), "written_to": path})
        return
    rows = (("weights in use", found.before), ("fitted weights", found.after), ("gain", found.gain))
    print_rows([_row(name, value) for name, value in rows], title=f"nDCG@10 over {found.queries} queries, held out")
    print_rows([{"weight": name, "value": value} for name, value in asdict(found.weights).items()])
    if path is not None:
        say(f"the weights are in {path}")
    elif found.gain.low > 0:
        say("the gain is more than chance: --write puts these weights into igtool.toml")
    else:
        say("the gain may be chance: more judged queries would tell")


def _row(name: str, value: Measured) -> dict[str, Any]:
    return {"": name, "nDCG@10": f"{value.mean:.3f}", "95 % interval": f"{value.low:.3f} to {value.high:.3f}"}
