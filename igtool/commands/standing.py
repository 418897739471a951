"""What ``igtool status`` and ``igtool doctor`` say about live data."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from igtool.clock import Clock
from igtool.console import print_json, print_rows, say
from igtool.errors import ConfigError, FinishedWithRejects, RateLimitedError, UsageError
from igtool.fetching.probe import probe
from igtool.fetching.status import alerts, live_status, tell
from igtool.health import Check, status
from igtool.journal import Journal
from igtool.journal.models import ModelLedger
from igtool.lake import Lake
from igtool.reviews.queue import in_words, standing
from igtool.settings import Settings

_USAGE_S = 30 * 86_400.0


def print_status(settings: Settings, *, as_json: bool) -> None:
    """Tables, runs, and how live data stands."""
    clock = Clock()
    state = {**status(settings), **live_status(settings, clock), "language_models": _model_usage(settings, clock)}
    state["tags"] = _tags(settings) if state["tables"].get("image_tags") else None
    if as_json:
        print_json({"command": "status", **state})
        return
    filled = [{"table": name, "rows": rows} for name, rows in state["tables"].items() if rows]
    print_rows(filled)
    if empty := len(state["tables"]) - len(filled):
        say(f"{empty} tables are empty: --json names them")
    print_rows(state["runs"], title="\nlast runs")
    if state["language_models"]:
        print_rows(state["language_models"], title="\nlanguage models, last 30 days")
        say(f"spent on them: {sum(row['cost_usd'] for row in state['language_models']):.4f} US dollars")
    if state["tags"]:
        say(f"{in_words(state['tags'])}: `igtool review`")
    if state["forgetting"]:
        say(f"{state['forgetting']} people are not wholly forgotten yet: `igtool forget --resume` finishes it")
    _print_live(state)


def _tags(settings: Settings) -> dict[str, Any]:
    """How many tags of pictures are not sure, and wait for a person."""
    with Lake(settings.lake, writable=False, offline=settings.offline) as lake:
        return standing(lake)


def _model_usage(settings: Settings, clock: Clock) -> list[dict[str, Any]]:
    """Calls of the last 30 days by provider, model and outcome; one under way counts at its highest price."""
    with Journal(settings.cache, writable=False) as journal:
        return ModelLedger(journal).usage(clock.now() - _USAGE_S)


def _print_live(state: dict[str, Any]) -> None:
    if state["sources"]:
        print_rows(state["sources"], title="\nlive sources")
    if state["answers_on_their_way"]:
        say(f"{state['answers_on_their_way']} answers are stored and on their way into the tables")
    _print_conversations(state.get("conversations"))
    progress = state.get("progress")
    if progress and progress["status"] == "running":
        done, total = progress.get("done", 0), progress.get("total")
        say(f"\nrunning or killed in {progress['stage']}: {done} of {total or '?'}; the same command goes on")


def _print_conversations(counts: dict[str, Any] | None) -> None:
    if counts:
        names = ("waiting", "unsure", "done", "moving", "dead", "deletions")
        print_rows([{name: counts[name] for name in names}], title="\nconversations on their way into the tables")


def watch_status(settings: Settings, every_s: float) -> None:
    """The live part of the status, again and again."""
    from igtool.health import progress_of

    clock = Clock()
    try:
        while True:
            if sys.stdout.isatty():
                sys.stdout.write("\x1b[2J\x1b[H")
            print_rows([{"at": clock.moment()}])
            _print_live({**live_status(settings, clock), "progress": progress_of(settings)})
            sys.stdout.flush()
            clock.sleep(every_s)
    except KeyboardInterrupt:
        return


def check(settings: Settings, *, as_json: bool) -> None:
    """Print and tell what breaks a rule. Raises FinishedWithRejects when anything does."""
    clock = Clock()
    with Journal(settings.cache, writable=False) as journal:
        try:
            with Lake(settings.lake, writable=False, offline=settings.offline) as lake:
                found = alerts(settings, lake, journal, clock)
        except UsageError:
            found = alerts(settings, None, journal, clock)
    rows = [asdict(alert) for alert in found]
    if as_json:
        print_json({"command": "status", "rows": rows})
    elif rows:
        print_rows(rows)
    for trouble in tell(settings, found):
        say(f"igtool: {trouble}")
    if found:
        raise FinishedWithRejects(f"{len(found)} rules are broken: {', '.join(alert.rule for alert in found)}")
    if not as_json:
        say("all rules are kept")


def source_checks(settings: Settings, *, offline: bool) -> list[Check]:
    """A check for each live source that the settings name; the others are not asked."""
    from igtool import registry

    known = registry.names("sources")
    named = [name for name in settings.sources if name in known or not Path(name).expanduser().exists()]
    return [_source_check(settings, name, offline=offline) for name in named]


def model_checks(settings: Settings) -> list[Check]:
    """Whether the language model that the settings name could be asked; nothing is asked. Empty without one."""
    from igtool.asking.opening import price_for, provider_of

    name = "language model"
    try:
        provider = provider_of(settings)
        if provider is None:
            return []
        provider.check()
        price = price_for(settings, provider)
    except ConfigError as error:
        return [Check(name, False, str(error), "see docs/language-models.md")]
    cost = "free" if price.is_free else f"{price.input:g} and {price.output:g} US dollars a million tokens"
    return [Check(name, True, f"{provider.name} {provider.model}, {cost} ({price.source}); not asked")]


def _source_check(settings: Settings, name: str, *, offline: bool) -> Check:
    from igtool import registry

    try:
        source = registry.load("sources", name)(settings)
        keys = len(source.keys())
        if offline:
            return Check(name, True, f"{keys} key(s) set; not asked")
        return Check(name, True, probe(source, settings, Clock()))
    except ConfigError as error:
        return Check(name, False, str(error), "correct its name, key or address: see docs/live.md")
    except RateLimitedError as error:
        return Check(name, False, str(error), "check the network, or wait: `igtool status` shows the next wake")
