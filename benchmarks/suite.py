"""All benchmarks of one machine in one go: a file of JSON lines and a page with plots.

    python -m benchmarks.suite [--quick] [--only NAME…] [--against FILE] [--peers PYTHON] [--folder build/bench]

Each entry runs as a process of its own and adds its figures to ``results.jsonl`` in the folder; what it needs and is
not there (real data, models, an interpreter with peers) is named in a line ``skipped``. ``results.html`` shows the
file. ``--against`` names an earlier file: ratios to it, and what changed by more than a fifth. Exit 1 where an entry
failed. benchmarks/README.md says what each figure means.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.page import write_page
from benchmarks.plots import times
from benchmarks.results import ENTRY, FILE, Measurement, Skipped, changes, measurements, read, write
from igtool.models import known

ROOT = Path(__file__).parents[1]
REALDATA = ROOT.parent / "shared" / "realdata"
MODELS = ROOT / "models"
_PICTURE_MODELS = ("nanodet", "mediapipe-face")


@dataclass(frozen=True)
class Options:
    """How the suite runs: where files are kept, and the interpreter that has peers igtool does not bring."""

    folder: Path
    quick: bool
    peers: str | None

    def filled(self, arguments: Sequence[str]) -> list[str]:
        """Arguments of an entry; ``--peers PYTHON`` (or ``--peer``) goes where there is no such interpreter."""
        values = {"{data}": str(self.folder / "data"), "{peers}": self.peers or "", "{real}": str(REALDATA)}
        found: list[str] = []
        for argument in arguments:
            for name, value in values.items():
                argument = argument.replace(name, value)
            if argument:
                found.append(argument)
            elif found and found[-1] in ("--peers", "--peer"):
                found.pop()
        return found


Needs = Callable[[Options], str]
"""Why an entry cannot run; empty where it can."""


def nothing(_: Options) -> str:
    """Runs anywhere."""
    return ""


def realdata(_: Options) -> str:
    """Data that may not be published."""
    return "" if REALDATA.is_dir() else f"needs the real data in {REALDATA.relative_to(ROOT.parent)}"


def pictures(options: Options) -> str:
    """The models of `make vision`, beside real photographs."""
    models = known(MODELS)
    missing = [name for name in _PICTURE_MODELS if not models[name].path(MODELS).is_file()]
    return f"needs models: make vision ({', '.join(missing)})" if missing else realdata(options)


def language_model(_: Options) -> str:
    """The model of `make model`."""
    return "" if list(MODELS.glob("*.gguf")) else "needs a language model: make model"


@dataclass(frozen=True)
class Entry:
    """A benchmark of the suite: its module, arguments of the short and the long form (None: not in that form)."""

    name: str
    module: str
    quick: tuple[str, ...] | None
    full: tuple[str, ...] | None
    needs: Needs = nothing


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


_SHARED = "--folder {data} --creators"
ENTRIES = (
    Entry("start", "run", _words("--quick --only start"), _words("--only start")),
    Entry("main job", "run", _words("--quick --only example"), _words("--only example stored idle")),
    Entry("import", "run", _words("--quick --only import"), _words("--only import")),
    Entry("normalize", "normalize", _words("--quick --profiles 2000 --peers {peers}"), _words("--peers {peers}")),
    Entry("lake", "lake", _words("--rows 100000"), _words("--rows 1000000")),
    Entry("partitions", "partitions", None, ()),
    Entry("embed", "embed", _words("--count 40 --rounds 1"), _words("--count 300 --rounds 2 --peer {peers}")),
    Entry("search", "search", _words(f"{_SHARED} 10000 --sentences 600 --queries 30 --no-recall --client-seconds 2"),
          _words(f"{_SHARED} 1000000")),
    Entry("search beside others", "search_peers", _words(f"{_SHARED} 10000 --sentences 600 --queries 20"),
          _words(f"{_SHARED} 1000000 --peer {{peers}}")),
    Entry("server", "serve", _words("--data {data} --creators 10000 --sentences 600 --no-example --seconds 1"),
          _words("--data {data} --creators 100000 1000000")),
    Entry("conversations", "conversations", _words("--count 60"), ()),
    Entry("conversations, sent", "conversation_load", None, _words("--data {data}")),
    Entry("fetch", "fetch", _words("--only night naive --handles 150"), _words("--only night pages naive")),
    Entry("schedule", "simulate", None, ()),
    Entry("identity", "identity", _words("scale --accounts 10000 --increment 100"), _words("scale")),
    Entry("identity, quality", "identity", None, _words("quality {real}/identity"), realdata),
    Entry("genres", "genres", (), (), realdata),
    Entry("niches", "niche", None, ("test",), realdata),
    Entry("relevance", "search_relevance", None, (), realdata),
    Entry("sentiment", "sentiment", None, ("test",), realdata),
    Entry("language models, asked", "asking", None, ()),
    Entry("language model, local", "describe", None, (), language_model),
    Entry("pictures", "vision", _words("--count 40"), _words("--count 300"), pictures),
)  # fmt: skip
"""In this order; later ones use lakes that earlier ones made in the folder."""


def run(entry: Entry, options: Options, file: Path) -> Skipped | None:
    """One entry; None where it ran, else why not."""
    arguments = entry.quick if options.quick else entry.full
    if arguments is None:
        return None
    if why := entry.needs(options):
        return Skipped(entry.name, why)
    command = [sys.executable, "-m", f"benchmarks.{entry.module}", *options.filled(arguments)]
    environment = {**os.environ, FILE: str(file), ENTRY: entry.name}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    sys.stdout.write(done.stdout)
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"exit {done.returncode}"]
        return Skipped(entry.name, lines[-1][:300], failed=True)
    return None


def run_all(entries: Sequence[Entry], options: Options) -> list[Measurement | Skipped]:
    """All entries, and the file that is made of them; one that is there already is written anew."""
    file = options.folder / "results.jsonl"
    (options.folder / "data").mkdir(parents=True, exist_ok=True)
    file.write_text("")
    for entry in entries:
        began, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
        print(f"== {entry.name}", flush=True)
        if (skipped := run(entry, options, file)) is not None:
            write(file, [skipped])
            print(f"{'failed' if skipped.failed else 'skipped'}: {skipped.why}", flush=True)
        else:
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
            print(f"   {time.monotonic() - began:.1f} s, {used:.1f} s of processor time", flush=True)
    return list(read(file))


def main() -> int:
    """Run, compare, write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="the short forms: some minutes on two cores")
    parser.add_argument("--only", nargs="*", help="names of entries", choices=[entry.name for entry in ENTRIES])
    parser.add_argument("--against", type=Path, help="an earlier results file")
    parser.add_argument("--peers", help="interpreter with packages that igtool is compared with")
    parser.add_argument("--folder", type=Path, default=ROOT / "build" / "bench")
    given = parser.parse_args()
    before = measurements(given.against) if given.against else []
    options = Options(given.folder.absolute(), given.quick, given.peers)
    chosen = [entry for entry in ENTRIES if not given.only or entry.name in given.only]
    chosen = [entry for entry in chosen if (entry.quick if given.quick else entry.full) is not None]
    lines = run_all(chosen, options)
    found = changes([line for line in lines if isinstance(line, Measurement)], before)
    for one in found:
        mark = "  <- changed" if one.is_flagged else ""
        print(f"{times(one.times):>8} {one.now.name} ({one.now.data}): {one.before.value:g} to {one.now.value:g}{mark}")
    write_page(options.folder / "results.html", lines, found)
    print(f"{options.folder / 'results.jsonl'}\n{options.folder / 'results.html'}")
    return int(any(isinstance(line, Skipped) and line.failed for line in lines))


if __name__ == "__main__":
    sys.exit(main())
