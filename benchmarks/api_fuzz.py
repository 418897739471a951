"""Thousands of requests made from the description of the API, well formed and not; what comes back is checked by it.

    python -m benchmarks.api_fuzz                 # at least 20,000 requests over every route
    python -m benchmarks.api_fuzz --each 40       # a short form

A workspace of invented creators is served on loopback. Every answer has to have a status, a content type, headers and a
body that `/openapi.json` tells of; 5xx never. What does not fit the description has to be refused, and what fits it may
be refused only for its meaning (``invalid_request``, or one of `MEANT`).
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi import checks as told

Case = Any
Operation = Any

MEANT = (
    "must not be after",
    "Trends are of at most",
    "lies in the future",
    "lines of JSON",
    "holds NUL",
    "raw_data must have at most",
    "must be a time of RFC 3339",  # JSON Schema has a format for times, which allows a second 60 and a year 0000
)
"""What the description cannot say: how two values go together, and what is not a time."""
CHECKS = [
    not_a_server_error,
    told.status_code_conformance,
    told.content_type_conformance,
    told.response_headers_conformance,
    told.response_schema_conformance,
    told.negative_data_rejection,
    told.missing_required_header,
    told.unsupported_method,
    told.allow_header_conformance,
]
KNOWN: dict[str, list[Any]] = {
    "username": ["anna", "@bea", "c_in_cleo", "ANNA"],
    "platform": ["instagram", "yt"],
    "niche": [["travel"], ["food", "fashion"]],
    "style": [["vlog"]],
    "sort": ["followers", "handle", "name", "first_seen", "quality", "growth"],
    "fields": [["handle"], ["creator_id,topics"]],
    "country": [["ES"]],
    "like": ["@bea", "trains"],
    "start_time": ["2026-01-01T00:00:00Z"],
    "end_time": ["2026-01-20T00:00:00+01:00"],
}
"""Names of what the invented creators have, put in by chance, so that requests are answered and not only refused."""
MOST_REQUESTS = {"serve_requests_per_second": 100_000, "conversation_requests_per_second": 100_000}
_ALIKE = 20
"""Requests of a route that takes nothing: all are alike."""
_MOST = {"POST /api/v1/sql": 100}
"""Cases of routes that start a process for each."""
_MODES = (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
_LINES = st.lists(
    st.one_of(
        st.text(max_size=20),
        st.dictionaries(
            st.sampled_from(["text", "author", "timestamp", "raw_data", "idempotency_key", "more"]),
            st.one_of(st.none(), st.text(max_size=20), st.integers(), st.dictionaries(st.text(), st.text())),
        ).map(json.dumps),
    ),
    max_size=8,
).map("\n".join)


@schemathesis.serializer("application/x-ndjson")
def as_lines(_: Any, value: Any) -> bytes:
    """A body of lines as it is sent; what is no text, as JSON."""
    text = value if isinstance(value, str) else json.dumps(value)
    return text.encode("utf-8", "replace")


@dataclass
class Campaign:
    """Requests to the server at ``address``: how many of each route, with which answers, and what was wrong."""

    address: str
    sent: Counter[str] = field(default_factory=Counter)
    statuses: Counter[tuple[str, int]] = field(default_factory=Counter)
    findings: dict[tuple[str, str], str] = field(default_factory=dict)
    known: dict[str, list[Any]] = field(default_factory=lambda: dict(KNOWN))

    def __post_init__(self) -> None:
        self.schema = schemathesis.openapi.from_url(f"{self.address}/openapi.json")
        self.session = requests.Session()

    def run(self, each: int, number: int, *, with_coverage: bool = True) -> None:
        """``each`` cases at most of each route and mode, and those that go through every keyword one by one."""
        for found in self.schema.get_all_operations():
            operation = found.ok()
            for mode in _MODES:
                if mode == GenerationMode.POSITIVE or _takes_something(operation):
                    self._draw(operation, mode, each, number)
            for case in _each_keyword(operation) if with_coverage else ():
                self._try(case)
            print(f"{operation.label}: {self.sent[operation.label]} cases", file=sys.stderr)

    def _draw(self, operation: Operation, mode: GenerationMode, each: int, number: int) -> None:
        is_lines = operation.label.endswith("/bulk")
        is_positive = mode == GenerationMode.POSITIVE
        strategy = operation.as_strategy(generation_mode=mode)

        chance = random.Random(number)  # not drawn by hypothesis: what there is to choose from grows
        most = min(each, _MOST.get(operation.label, each if _takes_something(operation) else _ALIKE))

        @seed(number)
        @settings(
            max_examples=most,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(strategy, _LINES if is_lines else st.none())
        def drawn(case: Case, lines: str | None) -> None:
            if is_positive and lines is not None:
                case.body = lines
            if is_positive and chance.random() < 0.5:
                self._name_known(case, chance)
            self._try(case)

        with suppress(Unsatisfiable):  # nothing of this kind can be sent
            drawn()

    def _name_known(self, case: Case, chance: random.Random) -> None:
        """Put names of what there is into a request, where it has a place for them."""
        for place in (case.path_parameters, case.query):
            for name in list(place or {}):
                if there := self.known.get(name):
                    place[name] = chance.choice(there)

    def _try(self, case: Case) -> None:
        """Send one request and judge the answer."""
        route = case.operation.label
        answer = case.call(base_url=self.address, session=self.session, timeout=60)
        self.sent[route] += 1
        self.statuses[route, answer.status_code] += 1
        self._remember(answer)
        # Whatever is sent as lines is text: nothing that can be sent does not fit.
        checks = [one for one in CHECKS if not (route.endswith("/bulk") and one is told.negative_data_rejection)]
        try:
            case.validate_response(answer, checks=checks)
        except FailureGroup as group:
            for one in group.exceptions:
                self._found(case, type(one).__name__, str(one))
        if answer.status_code == 400 and case.meta is not None and case.meta.generation.mode == GenerationMode.POSITIVE:
            said = json.loads(answer.content)
            if said["error"] != "invalid_request" and not any(one in said["details"] for one in MEANT):
                self._found(case, "fits and is refused", said["details"])

    def _remember(self, answer: Any) -> None:
        """Keep conversations and cursors that an answer names."""
        document = answer.json() if "json" in answer.headers["content-type"][0] else {}
        for name, place in (("conversation_id", "conversation_id"), ("next_cursor", "cursor")):
            if isinstance(document, dict) and document.get(name):
                self.known[place] = [*self.known.get(place, [])[-20:], document[name]]

    def _found(self, case: Case, what: str, text: str) -> None:
        self.findings.setdefault((case.operation.label, what), f"{text[:600]}\n{case.as_curl_command()[:600]}")

    def report(self) -> dict[str, Any]:
        """How many requests, by route and by status, and what was found."""
        routes = {
            route: {
                "cases": count,
                "statuses": {status: n for (of, status), n in sorted(self.statuses.items()) if of == route},
            }
            for route, count in self.sent.items()
        }
        findings = [
            {"route": route, "what": what, "example": example} for (route, what), example in self.findings.items()
        ]
        return {"cases": self.sent.total(), "routes": routes, "findings": findings}


def _takes_something(operation: Operation) -> bool:
    """Whether there is anything about a request that may be wrong."""
    return bool(list(operation.iter_parameters())) or bool(operation.body)


def _each_keyword(operation: Operation) -> Iterator[Case]:
    """Cases that each bend one keyword of the description."""
    config = operation.schema.config.generation_for(operation=operation, phase="coverage")
    yield from operation.schema.iter_coverage_cases(operation, generation_modes=list(_MODES), generation_config=config)


def main() -> int:
    """Serve, send, and print the report as JSON; 1 where anything was found."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--each", type=int, default=1_000, help="cases of each route and kind of data at most")
    parser.add_argument("--seed", type=int, default=random.randrange(2**32))
    given_here = parser.parse_args()
    sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
    warnings.simplefilter("ignore")
    from served_people import make_workspace
    from serving import serving

    from igtool.lake import Lake

    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as kept:
        folder = Path(kept)
        with Lake(folder / "empty", writable=True):
            pass
        make_workspace(folder / "here", folder / "empty")
        with serving(folder / "here", serve_sql=True, **MOST_REQUESTS) as served:
            campaign = Campaign(served.address)
            with suppress(KeyboardInterrupt):  # what was found until then is told
                campaign.run(given_here.each, given_here.seed)
    report = campaign.report() | {"seed": given_here.seed, "seconds": round(time.perf_counter() - began, 1)}
    print(json.dumps(report, indent=2))
    return 1 if report["findings"] else 0


if __name__ == "__main__":
    sys.exit(main())
