"""igtool from Python."""

from __future__ import annotations

from pathlib import Path

import pytest

import igtool
from igtool.enrich import EnrichOptions
from igtool.errors import UsageError

ROOT = Path(__file__).parents[1]


@pytest.mark.slow
def test_open_gives_the_main_job_and_every_look_at_its_result(tmp_path: Path) -> None:
    """enrich, show, search, sql and table over two invented creators."""
    workspace = igtool.open(tmp_path)
    raw = ROOT / "examples" / "raw" / "youtube"
    dumps = (*raw.glob("channels_*"), *raw.glob("videos_theobrantquist_*"))
    summary = workspace.enrich(["https://www.youtube.com/@theobrantquist"], EnrichOptions(sources=dumps))
    assert summary.status == {"enriched": 1}
    (creator,) = workspace.show("theobrantquist")
    assert creator["accounts"][0]["platform"] == "youtube"
    assert workspace.search("science explained", limit=1).document()["results"][0]["handle"] == "theobrantquist"
    assert workspace.sql("select count(*) as n from accounts where handle = ?", ["theobrantquist"]).to_pylist() == [
        {"n": 1}
    ]
    assert workspace.table("creator_overview").num_rows == workspace.table("creators").num_rows
    with pytest.raises(UsageError, match="accounts"):
        workspace.table("nothing")
