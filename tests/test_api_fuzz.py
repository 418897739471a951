"""The API answers what its description says, whatever is sent; `make fuzz-api` sends 20,000 and more."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest
from served_people import make_workspace
from serving import serving

pytest.importorskip("schemathesis")

from benchmarks.api_fuzz import MOST_REQUESTS, Campaign

pytestmark = pytest.mark.slow


def test_every_answer_is_one_that_is_described(tmp_path: Path, empty_lake: Path) -> None:
    """No 5xx, no status, type or shape that is not told of, nothing taken that does not fit, over every route."""
    make_workspace(tmp_path, empty_lake)
    with serving(tmp_path, **MOST_REQUESTS) as served, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        campaign = Campaign(served.address)
        campaign.run(each=8, number=8, with_coverage=False)
    report = campaign.report()
    assert report["findings"] == []
    assert len(report["routes"]) == len(list(campaign.schema.get_all_operations()))
    assert report["cases"] > 150
