"""The main job with other encoders than the default one: a folder, and a server that costs money."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from llm_people import creators
from llm_server import KEY, LlmServer
from test_llm_commands import dump
from tiny_encoder import tiny_encoder

from igtool.cli import main


@pytest.fixture(scope="module")
def server() -> Iterator[LlmServer]:
    """A server that embeds."""
    with LlmServer(key=KEY) as opened:
        yield opened


class Shop:
    """A workspace with two creators, and its command line."""

    def __init__(self, folder: Path, server: LlmServer) -> None:
        self.folder = folder
        tiny_encoder(folder / "models" / "tiny")
        (folder / "raw").mkdir()
        for one in creators(2):
            (folder / "raw" / f"{one.handle}.json").write_text(json.dumps(dump(one)))
        names = [one.handle for one in creators(2)]
        (folder / "list.csv").write_text("\n".join(["Handle", *names]) + "\n")
        self._ways = {
            "onnx": {"IGTOOL_ENCODER": "onnx", "IGTOOL_ENCODER_FOLDER": "models/tiny"},
            "openai": {
                "IGTOOL_ENCODER": "openai",
                "EMBEDDING_MODEL": "invented",
                "IGTOOL_EMBEDDING_DIMENSION": "8",
                "IGTOOL_EMBEDDING_PRICE": "2",
                "IGTOOL_EMBEDDING_BASE_URL": server.url,
                "OPENAI_API_KEY": KEY,
            },
        }

    def run(self, encoder: str, *arguments: str) -> Result:
        """One command, in this process."""
        return CliRunner().invoke(
            main, ["--workspace", str(self.folder), *arguments], env=self._ways[encoder], catch_exceptions=False
        )

    def models(self) -> list[dict[str, Any]]:
        """Models in use with the size of their vectors."""
        query = "select distinct model, len(vector) as size from current_embeddings"
        rows: list[dict[str, Any]] = json.loads(self.run("onnx", "sql", query, "--json").stdout)["rows"]
        return rows


@pytest.mark.slow
def test_from_one_encoder_to_another(tmp_path: Path, server: LlmServer) -> None:
    """Creators are found by a folder's encoder, also while a hosted one is out of money; then by the hosted one."""
    shop = Shop(tmp_path, server)
    assert shop.run("onnx", "import", str(tmp_path / "raw")).exit_code == 0
    assert shop.run("onnx", "run", "normalize", "embed", "resolve", "index").exit_code == 0
    before = shop.models()
    assert [row["size"] for row in before] == [16]
    assert before[0]["model"].startswith("onnx/tiny+")

    stopped = shop.run("openai", "run", "embed", "--max-cost", "0")
    assert stopped.exit_code == 6, stopped.output
    assert "max-cost" in stopped.stderr
    assert (shop.models(), len(server.requests)) == (before, 0)
    assert len(json.loads(shop.run("onnx", "search", "street food", "--json").stdout)["results"]) == 2

    assert shop.run("openai", "run", "embed", "index").exit_code == 0
    assert shop.models() == [{"model": "openai/invented@8", "size": 8}]
    assert set(server.paid.values()) == {1}
    asked = len(server.requests)
    assert shop.run("openai", "run", "embed", "--force").exit_code == 0
    assert len(server.requests) == asked
    assert len(json.loads(shop.run("openai", "search", "street food", "--json").stdout)["results"]) == 2
    assert server.paid["street food"] == 1
    assert "invented" in shop.run("openai", "status", "--json").stdout


def test_an_encoder_that_cannot_be_loaded_is_told_at_once(tmp_path: Path, server: LlmServer) -> None:
    """Before anything is done, the command ends with 3 and names the file that is missing."""
    shop = Shop(tmp_path, server)
    (tmp_path / "models" / "tiny" / "encoder.toml").unlink()
    result = shop.run("onnx", "enrich", str(tmp_path / "list.csv"), "--source", str(tmp_path / "raw"))
    assert result.exit_code == 3
    assert "encoder.toml" in result.stderr
