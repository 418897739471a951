"""Servers that misbehave: some questions are first answered in a hostile way, and the process is killed besides.

Only behaviours after which a client is to get its answer in the end: the tables are those of an undisturbed run. What
becomes of the others is in the tests of hostile answers.
"""

from __future__ import annotations

import random
import signal

from benchmarks.faults.attempt import Attempt
from benchmarks.faults.judge import Tally
from benchmarks.faults.servers import Servers
from benchmarks.faults.stage import Stage
from tests.platform_server.catalogue import BEHAVIOURS

_PLATFORM = tuple(
    name
    for name, one in BEHAVIOURS.items()
    if (one.expected.once, one.expected.always == "done") == ("done", False) and one.suits("web", "profile")
)
_MODEL = ("rate_limited_soon", "reset", "half_body", "fenced", "request_timeout")
_TABLES = {"platform": ("accounts", "content_items", "metric_snapshots"), "people": ("descriptions",)}
"""What is compared: not the answers themselves, of which useless ones are kept too."""


def hostile(stage: Stage, tally: Tally, wanted: int, chance: random.Random) -> None:
    """The scripted server misbehaves, another way each time; half of the runs are killed on the way as well."""
    names = [name for name in stage.scene.servers if name in _TABLES]
    if not names:
        tally.skipped = "asks nobody who could misbehave"
        return
    usual = stage.servers
    for _ in range(wanted):
        behaviour = chance.choice(_PLATFORM if names == ["platform"] else _MODEL)
        stage.servers = Servers(stage.scene.servers, stage.folder, script=behaviour)
        try:
            attempt = Attempt(stage, tally)
            attempt.what = f"{stage.scene.name}, {behaviour}"
            attempt.tables, attempt.counts_questions = _TABLES[names[0]], False
            after_s = chance.uniform(0.1, 2.0) * stage.length_s
            (ended,) = stage.run([attempt.workspace], [{"after_s": after_s, "signal": signal.SIGKILL}])
            tally.count_exit(ended.code, ended.said, stage.scene.exits | {4, 6, -signal.SIGKILL}, attempt.what)
            attempt.broke()
            attempt.finish()
        finally:
            stage.servers.close()
            stage.servers = usual
