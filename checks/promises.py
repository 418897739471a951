"""What each extra promises, as a program that ends well where the promise is kept."""

from __future__ import annotations

_EXTENSION = """
import duckdb
from igtool.extensions import load_extension
with duckdb.connect() as connection:
    assert load_extension(connection, "{name}") == "bundled"
"""

_PICTURE = """
import io
import numpy as np
from PIL import Image
from igtool.vision.pictures import read_picture
import ai_edge_litert.interpreter, onnx
stripes = np.zeros((64, 64, 3), dtype=np.uint8)
stripes[::2] = 200
for form in ("JPEG", "PNG", "WEBP"):
    file = io.BytesIO()
    Image.fromarray(stripes).save(file, form)
    assert read_picture(file.getvalue()).pixels.shape == (64, 64, 3)
"""

_VIDEO = """
import io
import av
import numpy as np
from igtool.vision.keyframes import keyframes
file = io.BytesIO()
with av.open(file, "w", format="mp4") as container:
    stream = container.add_stream("mpeg4", rate=10)
    stream.width = stream.height = 64
    stream.pix_fmt = "yuv420p"
    for number in range(20):
        pixels = np.random.default_rng(number).integers(0, 255, (64, 64, 3), dtype=np.uint8)
        container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels)))
    container.mux(stream.encode())
assert keyframes(file.getvalue())
"""

_MCP = """
import json, subprocess, sys
asked = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {"protocolVersion": "2025-06-18",
         "capabilities": {}, "clientInfo": {"name": "check", "version": "0"}}}
program = [sys.executable, "-c", "from igtool.cli import main; main()", "--workspace", "demo", "mcp"]
with subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as talking:
    talking.stdin.write(json.dumps(asked) + chr(10))
    talking.stdin.flush()
    assert "tools" in json.loads(talking.stdout.readline())["result"]["capabilities"]
    talking.stdin.close()
assert talking.returncode == 0
"""

_LOCAL = """
import xllamacpp
from igtool import registry
from igtool.errors import ConfigError
assert registry.load("llms", "local").__name__ == "Local"
"""

PROMISES = {
    "export": "import onnx, onnxscript, PIL, sentencepiece, torch, transformers\nimport igtool.tower_export.graph",
    "local": _LOCAL,
    "mcp": _MCP,
    "postgres": _EXTENSION.format(name="postgres_scanner"),
    "ray": "import ray.data",
    "s3": "import boto3\n" + _EXTENSION.format(name="httpfs"),
    "video": _VIDEO,
    "vision": _PICTURE,
}
"""Extra to program; ``gpu`` needs another machine."""
