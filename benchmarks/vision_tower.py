"""Pictures to vectors: ``python -m benchmarks.vision_tower [--size so400m] [--device cuda]``, JSON lines; needs torch.

A SigLIP of the size of base-patch16-224 or so400m-patch14-224 with random weights (seeded, as transformers makes them:
vectors of different photographs differ, see ``likeness``), exported as `igtool models export` does. The photographs are
those of `benchmarks.vision`: cropped, 1,080 pixels, JPEG. Each way gets the same pictures, a few at a time, in turns:

``torch``: one picture after the other, made ready by transformers, then the model (32 bits, inference_mode).
``fp32``, ``int8``, ``fp16``: `Tower.encode`. ``nbits8``: weights in 8 bits by blocks of 128 (MatMulNBits). ``int8 u8``:
all 8 bits of weights, as unsigned numbers; ``int8 whole``: all 8 bits, one scale for a matrix: what was not chosen.

``decoded``: from pixels; ``files``: from JPEG. ``processor_s``: pictures for a second of processor time, which other
work on the machine hardly changes; ``times``: of that, against torch, and ``times_clock`` by the clock, both medians
over turns. ``min`` and ``mean``: cosine with torch's vectors.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from importlib.metadata import version
from io import BytesIO
from pathlib import Path
from typing import Any

# Read when torch is imported: its threads do not turn in circles while they wait, which other work would make worse.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import numpy as np
import onnx
import torch
from onnxruntime.quantization import QuantType, quantize_dynamic
from onnxruntime.quantization.matmul_nbits_quantizer import MatMulNBitsQuantizer
from PIL import Image

from benchmarks.vision import files
from igtool.inference import load
from igtool.tower_export.exporting import made_pictures
from igtool.tower_export.graph import write_graph
from igtool.tower_export.original import Original
from igtool.tower_export.source import SourceOptions, find_source
from igtool.vision.pictures import read_picture
from igtool.vision.sessions import open_session
from igtool.vision.tower import INPUT, OUTPUT, Precision, Tower
from tests.tiny_originals import siglip

Way = Callable[[Sequence[Any]], Any]
SIZES = {
    "base": {"hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12, "intermediate_size": 3072}
    | {"image_size": 224, "patch_size": 16},
    "so400m": {"hidden_size": 1152, "num_hidden_layers": 27, "num_attention_heads": 16, "intermediate_size": 4304}
    | {"image_size": 224, "patch_size": 14},
}
BATCHES = {"cpu": (1, 4, 8, 16), "cuda": (16, 64, 256)}
_MANY = 500_000
_ALONE = """
import sys
from pathlib import Path
import numpy as np
from igtool.vision.sessions import open_session
from igtool.vision.tower import Tower
tower = Tower(open_session(Path(sys.argv[1]), device=sys.argv[2], threads=1), threads=int(sys.argv[3]))
tower.encode([np.zeros((720, 1080, 3), np.uint8)] * 100)
status = Path("/proc/self/status").read_text()
print(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM")))
"""
_WANTED = 3
"""How much larger than the tower's input pictures are decoded, at most."""


def report(**line: object) -> None:
    """A line of the result."""
    print(json.dumps(line), flush=True)


def others(raw: Path, folder: Path) -> dict[str, Path]:
    """Ways to make weights smaller that were not chosen."""
    made = {name: folder / f"{name}.onnx" for name in ("nbits8", "int8 u8", "int8 whole")}
    quantizer = MatMulNBitsQuantizer(onnx.load(raw), bits=8, block_size=128, is_symmetric=True, accuracy_level=4)
    quantizer.process()
    quantizer.model.save_model_to_file(str(made["nbits8"]))
    of = ["MatMul", "Gemm"]
    quantize_dynamic(raw, made["int8 u8"], op_types_to_quantize=of, per_channel=True, weight_type=QuantType.QUInt8)
    quantize_dynamic(raw, made["int8 whole"], op_types_to_quantize=of, weight_type=QuantType.QInt8)
    return made


def one_by_one(original: Original, device: str) -> Way:
    """The loop in torch that ours is compared with."""
    model = original.model.to(device)

    def loop(pictures: Sequence[Any]) -> Any:
        found = []
        for pixels in pictures:
            given = original._pictures(images=[pixels], return_tensors="pt")["pixel_values"].to(device)
            with torch.inference_mode():
                vectors = model.get_image_features(pixel_values=given).pooler_output
                found.append((vectors / vectors.norm(dim=1, keepdim=True)).cpu().numpy())
        return np.concatenate(found)

    return loop


def in_turns(part: str, ways: dict[str, Way], given: dict[str, list[Any]], turn: int) -> dict[str, float]:
    """Every way over all pictures, ``turn`` at a time; pictures a second by the clock. The first is compared with."""
    clock: dict[str, list[float]] = {name: [] for name in ways}
    processor: dict[str, list[float]] = {name: [] for name in ways}
    vectors: dict[str, list[Any]] = {name: [] for name in ways}
    first = next(iter(ways))
    count = len(given[first])
    for name, way in ways.items():
        way(given[name][:turn])
    for start in range(0, count, turn):
        for name, way in ways.items():
            began, worked = time.perf_counter(), time.process_time()
            vectors[name].append(way(given[name][start : start + turn]))
            processor[name].append(time.process_time() - worked)
            clock[name].append(time.perf_counter() - began)
    expected = np.concatenate(vectors[first])
    likeness = (expected @ expected.T)[np.triu_indices(count, 1)]
    report(part=part, n=count, likeness_mean=_short(likeness.mean()), likeness_most=_short(likeness.max()))
    for name in ways:
        cosine = (np.concatenate(vectors[name]) * expected).sum(axis=1)
        told: dict[str, float] = {"pictures_s": round(count / sum(clock[name]), 2)}
        told["processor_s"] = round(count / sum(processor[name]), 2)
        for field, spent in (("times", processor), ("times_clock", clock)):
            told[field] = round(statistics.median(a / b for a, b in zip(spent[first], spent[name], strict=True)), 2)
        report(part=part, way=name, **told, min=_short(cosine.min()), mean=_short(cosine.mean()))
    return {name: count / sum(clock[name]) for name in ways}


def memory_mb(path: Path, options: argparse.Namespace) -> int:
    """Peak of a process that opens the tower and gives 100 pictures their vectors."""
    given = [sys.executable, "-c", _ALONE, str(path), options.device, str(options.threads)]
    return int(subprocess.run(given, check=True, capture_output=True, text=True).stdout) // 1024


def _short(value: Any) -> float:
    return round(float(value), 5)


def batches(path: Path, pictures: Any, device: Any, threads: int) -> None:
    """Pictures a second of the file alone, by how many run together with all threads."""
    engine = load(path, device, threads, "the tower")
    for size in BATCHES[device]:
        given = [pictures[start : start + size] for start in range(0, len(pictures) - size + 1, size)][:16]
        engine.run([OUTPUT], {INPUT: given[0]})
        began = time.perf_counter()
        for each in given:
            engine.run([OUTPUT], {INPUT: each})
        took = time.perf_counter() - began
        report(part="batches", file=path.stem, together=size, pictures_s=round(size * len(given) / took, 1))


def main() -> None:
    """Print all lines."""
    parser = argparse.ArgumentParser(description="Pictures to vectors.")
    parser.add_argument("--size", choices=SIZES, default="base")
    parser.add_argument("--device", choices=BATCHES, default="cpu")
    parser.add_argument("--count", type=int, default=128)
    parser.add_argument("--turn", type=int, default=8)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    logging.disable(logging.WARNING)
    names = ("onnxruntime", "torch", "transformers", "pillow")
    report(machine=platform.machine(), threads=options.threads, **{name: version(name) for name in names})
    made = [data for _, data in files(options.count)]
    with tempfile.TemporaryDirectory() as place:
        _measure(Path(place), made, options)


def _measure(folder: Path, made: list[bytes], options: argparse.Namespace) -> None:
    source = find_source(str(siglip(folder / "original", SIZES[options.size])), SourceOptions(folder))
    original = Original(source)
    precisions: list[Precision] = ["fp16"] if options.device == "cuda" else ["fp32", "int8"]
    paths: dict[str, Path] = {}
    for precision in precisions:
        paths[precision] = folder / f"{precision}.onnx"
        manifest = original.manifest(precision)
        write_graph(original, manifest, np.stack(made_pictures(manifest.size)), paths[precision])
    if options.device == "cpu":
        paths |= others(paths["fp32"], folder)
    size = original.manifest("fp32").size
    towers: dict[str, Tower] = {}
    for name, path in paths.items():
        threads = options.threads if options.device == "cuda" else 1
        session = open_session(path, device=options.device, threads=threads)
        towers[name] = Tower(session, threads=options.threads, batch=options.turn)
        line = {"mb": round(path.stat().st_size / 1e6), "memory_mb": memory_mb(path, options)}
        report(file=name, **line, why=session.fallback)
    smaller = np.stack([np.asarray(Image.open(BytesIO(data)).resize((size, size))) for data in made[:64]])
    for name in precisions:
        if towers[name].session.device == options.device:
            batches(paths[name], smaller, options.device, options.threads)
    loop = one_by_one(original, options.device if torch.cuda.is_available() else "cpu")
    ways: dict[str, Way] = {"torch": loop} | {name: tower.encode for name, tower in towers.items()}
    whole = [read_picture(data).pixels for data in made]
    in_turns("decoded", ways, dict.fromkeys(ways, whole), options.turn)
    from_files: dict[str, Way] = {"torch": lambda some: loop([_opened(data) for data in some])}
    for name in precisions:
        from_files[name] = lambda some, tower=towers[name]: tower.encode(_read(some, size, tower))
    speeds = in_turns("files", from_files, dict.fromkeys(from_files, made), options.turn)
    best = max(precisions, key=lambda name: speeds[name])
    hours = round(_MANY / speeds[best] / 3600, 1)
    report(part="projection", pictures=_MANY, way=best, device=towers[best].session.device, hours=hours)
    dimension = towers[best].dimension
    report(part="storage", vectors=_MANY, dimension=dimension, gb=round(_MANY * dimension * 2 / 1e9, 2))


def _opened(data: bytes) -> Any:
    """As a loop in torch has it: Pillow decodes the whole."""
    return np.asarray(Image.open(BytesIO(data)).convert("RGB"))


def _read(some: Sequence[bytes], size: int, tower: Tower) -> list[Any]:
    """As igtool has it, on the tower's threads: a JPEG is decoded at a fraction of its size."""
    return list(tower._pool.map(lambda data: read_picture(data, at_most=_WANTED * size).pixels, some))


if __name__ == "__main__":
    main()
