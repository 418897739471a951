"""One night as a process of its own: fetches invented handles under a fast clock and prints what it took as JSON.

``benchmarks.fetch`` starts it, measures it and kills it. ``--naive`` is the loop that people write instead.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SPECIAL = {1: "private", 2: "missing", 3: "gone", 4: "html", 5: "empty", 6: "pinned", 7: "private", 8: "missing"}
"""Of every hundred handles these are no plain accounts; see tests/platform_server/population.py."""


@dataclass(frozen=True)
class Night:
    """What is asked where: ``pages`` of posts (0: profiles only), a clock ``factor`` times as fast since ``epoch``.

    ``only_new``: what is known is not asked for again, however old it is.
    """

    workspace: Path
    url: str
    handles: int
    pages: int
    factor: float
    epoch: float
    batch_size: int | None
    only_new: bool = False


def handles(count: int) -> list[str]:
    """``count`` invented handles, the same every time."""
    return [f"{SPECIAL.get(number % 100, 'night')}_{number}" for number in range(count)]


def peak_mb() -> float:
    """The peak resident size of this process since it began, in MB."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def fetch(night: Night) -> dict[str, Any]:
    """The night with igtool, as ``igtool fetch`` does it. Raises what that raises."""
    from igtool.clock import ScaledClock
    from igtool.commands.base import Stop
    from igtool.errors import Interrupted
    from igtool.fetching.plan import FetchOptions
    from igtool.fetching.run import Fetcher
    from igtool.fetching.sources import sources_of
    from igtool.session import open_session
    from igtool.settings import load

    settings = load(
        night.workspace,
        instagram_web_url=f"{night.url}/web",
        allow_loopback=True,
        post_pages=night.pages,
        batch_size=night.batch_size,
    )
    clock = ScaledClock(night.factor, night.epoch)
    stop = Stop()
    with stop.listening(), open_session(settings, "fetch", stop) as session:
        options = FetchOptions(("instagram_web",), only_new=night.only_new)
        fetcher = Fetcher(session, sources_of(settings, options.sources), options, clock)
        started = _now()
        report = fetcher.run(("instagram", handle) for handle in handles(night.handles))
        fetched, peak_fetch_mb, virtual_s = _now(), peak_mb(), clock.now() - night.epoch
        if report.error is not None:
            raise report.error
        if stop():
            raise Interrupted("stopped; the same command goes on")
        from igtool.pipeline import run_stages

        run_stages(session, ["normalize"])
    return {
        "states": report.states,
        "requests": report.requests,
        "answers": report.answers,
        "virtual_s": virtual_s,
        "start": {"wall_s": started["wall_s"] - _BEGAN, "cpu_s": started["cpu_s"]},
        "fetch": _between(started, fetched) | {"peak_mb": peak_fetch_mb},
        "normalize": _between(fetched, _now()) | {"peak_mb": peak_mb()},
    }


def naive(night: Night) -> dict[str, Any]:
    """The same night as a loop with ``time.sleep`` and a file for each answer: no ledger, no resume, no tables."""
    import httpx2

    started = _now()
    folder = night.workspace / "naive"
    folder.mkdir(parents=True, exist_ok=True)
    with httpx2.Client(headers={"x-ig-app-id": "936619743392459"}, timeout=60) as client:
        for number, handle in enumerate(handles(night.handles), 1):
            answer = client.get(f"{night.url}/web/api/v1/users/web_profile_info/", params={"username": handle})
            if answer.status_code == 200 and answer.headers["content-type"].startswith("application/json"):
                (folder / f"{handle}.json").write_text(json.dumps(answer.json()))
            time.sleep((1_800 if number % 100 == 0 else 6) / night.factor)
    return {
        "requests": night.handles,
        "start": {"wall_s": started["wall_s"] - _BEGAN, "cpu_s": started["cpu_s"]},
        "fetch": _between(started, _now()) | {"peak_mb": peak_mb()},
    }


def _now() -> dict[str, float]:
    return {"wall_s": time.monotonic(), "cpu_s": time.process_time()}


def _between(first: dict[str, float], last: dict[str, float]) -> dict[str, float]:
    return {name: last[name] - first[name] for name in first}


_BEGAN = time.monotonic()


def main() -> None:
    """Run one night; the exit code of an igtool error is that of the command line."""
    from igtool.errors import IgtoolError

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("workspace", type=Path)
    parser.add_argument("--url", required=True)
    parser.add_argument("--handles", type=int, default=4_000)
    parser.add_argument("--pages", type=int, default=0)
    parser.add_argument("--factor", type=float, default=1_000)
    parser.add_argument("--epoch", type=float, required=True)
    parser.add_argument("--batch-size", type=int)
    parser.add_argument("--naive", action="store_true")
    given = vars(parser.parse_args())
    run = naive if given.pop("naive") else fetch
    try:
        print(json.dumps(run(Night(**given))))
    except IgtoolError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
