"""The ledger: no window, quota or budget is exceeded, by however many processes; and clocks that jump."""

from __future__ import annotations

import multiprocessing
import random
import threading
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest
from fetch_world import dead_pid

from igtool.errors import ConfigError
from igtool.journal import Journal
from igtool.journal.ledger import (
    Claimant,
    Grant,
    Ledger,
    Nothing,
    Price,
    Spent,
    StoredAnswer,
    Wait,
    next_jobs,
)
from igtool.journal.queue import DONE, Change, Queue, Wanted, owner_name
from igtool.pacing import Limit, Pace, Policy, Quota, answered, exhausted, limited, next_midnight, opened

NOW = 1_790_000_000.0
HOUR, YEAR = 3_600.0, 31_536_000.0
FREE = Policy(limits=(), jitter_s=(0.0, 0.0), batch_size=0)


@pytest.fixture
def ledger(journal: Journal) -> Ledger:
    """A ledger with forty jobs that wait for the run ``r``."""
    fill(journal, 40)
    return Ledger(journal)


def fill(journal: Journal, count: int) -> None:
    """Make jobs wait."""
    Queue(journal).enqueue((Wanted("instagram", f"h{n}", "profile", "web") for n in range(count)), run="r", now=0)


def attempt(
    ledger: Ledger,
    now: float,
    policy: Policy,
    *,
    price: Price = Price("e", 1, 0.0),  # noqa: B008 - frozen
    keys: tuple[str, ...] = ("-",),
    owner: str = "me",
    max_cost_usd: float | None = None,
) -> Grant | Wait | Nothing | Spent:
    """What a claim gives."""
    claimant = Claimant("web", policy, "r", owner, max_cost_usd)
    jobs = next_jobs(claimant, now, lambda _job: 1)
    return ledger.claim(claimant, lambda _jobs, _key: price, keys, now=now, jitter_s=0.0, jobs=jobs)


def finish(ledger: Ledger, grant: Grant, now: float, policy: Policy, owner: str = "me") -> None:
    """Record a good answer."""
    changes = [Change(job.job_id, DONE) for job in grant.jobs]
    ledger.record(
        Claimant("web", policy, "r", owner),
        grant,
        outcome="ok",
        status=200,
        now=now,
        pace=lambda pace: answered(pace, policy, now, 0.0),
        changes=changes,
    )


def granted(found: object) -> Grant:
    """A claim that was granted."""
    assert isinstance(found, Grant)
    return found


def test_a_window_counts_from_the_end_of_each_answer(ledger: Ledger) -> None:
    """Two in ten seconds: the third may go ten seconds after the first answer was complete, not its request."""
    policy = Policy(limits=(Limit(2, 10),), batch_size=0)
    for at in (NOW, NOW + 4):
        finish(ledger, granted(attempt(ledger, at, policy)), at + 3, policy)
    found = attempt(ledger, NOW + 10, policy)
    assert isinstance(found, Wait)
    assert (found.decision.at, found.decision.why) == (NOW + 13, "window")
    assert isinstance(attempt(ledger, NOW + 13, policy), Grant)


def test_what_is_under_way_counts_until_it_is_answered(ledger: Ledger) -> None:
    """An answer that takes longer than the window makes no room for another request; a lost one does in the end."""
    policy = Policy(limits=(Limit(1, 10),), jitter_s=(0.0, 0.0), batch_size=0)
    grant = granted(attempt(ledger, NOW, policy))
    assert isinstance(attempt(ledger, NOW + 500, policy), Wait)
    finish(ledger, grant, NOW + 501, policy)
    assert isinstance(attempt(ledger, NOW + 510, policy), Wait)
    granted(attempt(ledger, NOW + 511, policy))
    assert isinstance(attempt(ledger, NOW + 511 + HOUR, policy), Grant)


def test_limits_of_an_endpoint_hold_for_that_endpoint_only(ledger: Ledger) -> None:
    """And for each key by itself."""
    policy = Policy(limits=(Limit(1, 100, "search"),), batch_size=0)
    search, other = Price("search", 1, 0.0), Price("other", 1, 0.0)
    for price, keys, is_granted in (
        (search, ("a",), True),
        (search, ("a",), False),
        (other, ("a",), True),
        (search, ("a", "b"), True),
        (search, ("a", "b"), False),
    ):
        assert isinstance(attempt(ledger, NOW, policy, price=price, keys=keys), Grant) == is_granted


def test_the_next_key_is_taken_when_a_quota_is_used_up(ledger: Ledger) -> None:
    """Then the wait is the shortest of all keys', until midnight Pacific, and a new day begins with nothing used."""
    policy = Policy(limits=(), quotas=(Quota(100),), batch_size=0)
    price = Price("e", 60, 0.0)
    assert [granted(attempt(ledger, NOW, policy, price=price, keys=("a", "b"))).key for _ in range(2)] == ["a", "b"]
    found = attempt(ledger, NOW, policy, price=price, keys=("a", "b"))
    assert isinstance(found, Wait)
    assert (found.decision.at, found.decision.why) == (next_midnight(NOW), "quota")
    granted(attempt(ledger, next_midnight(NOW), policy, price=price, keys=("a", "b")))
    ledger.change_pace("web", "a", lambda pace: exhausted(pace, next_midnight(NOW), "quotaExceeded"))
    assert granted(attempt(ledger, next_midnight(NOW), policy, keys=("a", "b"))).key == "b"


def test_no_request_goes_over_the_money_limit(ledger: Ledger, journal: Journal) -> None:
    """Neither the request nor the lease is made; the sum of many small prices is no obstacle."""
    price = Price("e", 1, 0.1)
    for _ in range(3):
        granted(attempt(ledger, NOW, FREE, price=price, max_cost_usd=0.3))
    found = attempt(ledger, NOW, FREE, price=price, max_cost_usd=0.3)
    assert isinstance(found, Spent)
    assert ledger.run_totals("r") == (3, pytest.approx(0.3))
    assert Queue(journal).under_way("r") == 3
    granted(attempt(ledger, NOW, FREE, max_cost_usd=0.3))


def test_half_pace_holds_in_the_windows_too(ledger: Ledger) -> None:
    """With the breaker not recovered four requests become two."""
    policy = Policy(limits=(Limit(4, 100),), jitter_s=(0.0, 0.0), batch_size=0)
    ledger.change_pace("web", "-", lambda pace: opened(pace, NOW - 1e4, "shut"))
    for _ in range(2):
        granted(attempt(ledger, NOW, policy))
    assert isinstance(attempt(ledger, NOW, policy), Wait)


def test_a_record_that_fails_leaves_everything_as_it_was(ledger: Ledger, journal: Journal) -> None:
    """The answer, the pace and the job's state come together or not at all."""
    grant = granted(attempt(ledger, NOW, FREE))
    answer = StoredAnswer("id", "instagram", "web", "e", "h0", 200, "ok", b"{}", "sha", NOW)
    with pytest.raises(ZeroDivisionError):
        ledger.record(
            Claimant("web", FREE, "r", "me"),
            grant,
            outcome="ok",
            status=200,
            now=NOW,
            pace=lambda pace: limited(pace, NOW, None, "x"),
            answer=answer,
            changes=(Change(1 // 0, DONE) for _ in range(1)),
        )
    assert ledger.answer_count() == 0
    assert ledger.paces()["web", "-"].strikes == 0
    assert journal.read("select outcome from requests") == [(None,)]


def test_answers_leave_the_outbox_in_their_order_and_only_when_told(ledger: Ledger) -> None:
    """In portions by number and size, one at least; the same answer twice is one."""
    for number in (1, 2, 2, 3):
        answer = StoredAnswer(str(number), "instagram", "web", "e", "h", 200, "ok", b"x" * 10, "sha", NOW)
        grant = granted(attempt(ledger, NOW, FREE))
        ledger.record(
            Claimant("web", FREE, "r", "me"), grant, outcome="ok", status=200, now=NOW, pace=lambda p: p, answer=answer
        )
    portions = [
        [one.answer_id for one in ledger.answers(most=most, most_bytes=size)]
        for most, size in ((9, 1000), (2, 1000), (9, 25), (9, 1), (0, 9))
    ]
    assert portions == [["1", "2", "3"], ["1", "2"], ["1", "2"], ["1"], []]
    ledger.delete_answers(["1", "3"])
    assert [one.answer_id for one in ledger.answers(most=9, most_bytes=99)] == ["2"]


@pytest.mark.parametrize("jump", [HOUR, YEAR, -HOUR])
def test_a_clock_that_jumps_a_little_back_or_far_forward_needs_nobody(ledger: Ledger, jump: float) -> None:
    """After an hour back everything counts as just done: the window is full, and no wait became longer."""
    policy = Policy(limits=(Limit(1, 60),), batch_size=0)
    finish(ledger, granted(attempt(ledger, NOW, policy)), NOW, policy)
    ledger.change_pace("web", "-", lambda pace: limited(pace, NOW, 500.0, "slow down"))
    ledger.check_clock(NOW + jump)
    found = attempt(ledger, NOW + jump, policy)
    if jump > 0:
        assert isinstance(found, Grant)
    else:
        assert isinstance(found, Wait)
        assert 60 <= found.decision.at - (NOW + jump) <= 500
        assert isinstance(attempt(ledger, NOW + jump + 500, policy), Grant)


def test_a_clock_a_year_back_stops_until_a_person_has_looked(ledger: Ledger, journal: Journal) -> None:
    """The message names both times and the command; after it the same pace holds from now on."""
    policy = Policy(limits=(Limit(1, 60),), batch_size=0)
    queue, back = Queue(journal), NOW - YEAR
    grant = granted(attempt(ledger, NOW, policy))
    change = Change(grant.jobs[0].job_id, "failed", due_at=NOW + 100)
    ledger.record(
        Claimant("web", policy, "r", "me"),
        grant,
        outcome="transient",
        status=None,
        now=NOW,
        pace=lambda pace: limited(pace, NOW, 500.0, "slow down"),
        changes=[change],
    )
    with pytest.raises(ConfigError, match="igtool queue accept-clock"):
        ledger.check_clock(back)
    ledger.accept_clock(back)
    ledger.check_clock(back)
    found = attempt(ledger, back, policy)
    assert isinstance(found, Wait)
    assert found.decision.at == back + 500
    (standing,) = queue.standings([("instagram", "h0")], "profile").values()
    assert (standing.due_at, standing.ended_at) == (back + 100, back)
    before = (ledger.paces(), journal.read("select * from requests"))
    ledger.accept_clock(back)
    assert (ledger.paces(), journal.read("select * from requests")) == before


def test_old_requests_are_forgotten_and_newer_ones_are_not(ledger: Ledger) -> None:
    """And what was used is told since any time."""
    for at in (NOW, NOW + 10):
        finish(ledger, granted(attempt(ledger, at, FREE)), at, FREE)
    assert ledger.usage(NOW)[0]["requests"] == 2
    ledger.prune(NOW + 5)
    assert ledger.usage(0)[0]["requests"] == 1
    assert ledger.paces()["web", "-"] == Pace(next_at=NOW + 10, last_at=NOW + 10, batch_count=2)


WINDOW = Policy(limits=(Limit(20, 0.5),), jitter_s=(0.0, 0.0), batch_size=0)


def take_jobs(folder: Path, seed: int) -> None:
    """Claim and end jobs until none is left, as a process or a thread of its own."""
    rng, owner = random.Random(seed), f"{owner_name()}/{seed}"
    with Journal(folder, writable=False, shared=True) as journal:
        ledger = Ledger(journal)
        while not isinstance(found := attempt(ledger, time.time(), WINDOW, owner=owner), Nothing):
            if isinstance(found, Grant):
                time.sleep(rng.choice([0.0, 0.001, 0.02]))
                finish(ledger, found, time.time(), WINDOW, owner)
            else:
                assert isinstance(found, Wait)
                time.sleep(max(found.decision.at - time.time(), 0.001))


def in_processes(folder: Path, count: int) -> None:
    """Take all jobs with so many processes."""
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=take_jobs, args=(folder, seed)) for seed in range(count)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(300)
    assert [worker.exitcode for worker in workers] == [0] * count


def in_threads(folder: Path, count: int) -> None:
    """Take all jobs with so many threads."""
    workers = [threading.Thread(target=take_jobs, args=(folder, seed)) for seed in range(count)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(300)


@pytest.mark.slow
@pytest.mark.parametrize(("take", "count"), [(in_processes, 2), (in_processes, 8), (in_threads, 8)])
def test_however_many_take_part_no_window_is_exceeded_and_no_job_is_taken_twice(
    tmp_path: Path, take: Callable[[Path, int], None], count: int
) -> None:
    """Of all answers in the ledger no 21 lie within half a second; every job was asked for once and is done."""
    with Journal(tmp_path, writable=True) as journal:
        fill(journal, 70)
        take(tmp_path, count)
        ends = [at for (at,) in journal.read("select at from requests order by at")]
        assert len(ends) == 70
        assert min(late - early for early, late in zip(ends, ends[20:], strict=False)) >= 0.5
        assert all(late >= early for early, late in pairwise(ends))
        assert Queue(journal).states("r") == {"done": 70}
        assert {outcome for (outcome,) in journal.read("select outcome from requests")} == {"ok"}


def test_what_a_dead_process_asked_fills_the_window_from_when_that_is_noticed(ledger: Ledger, journal: Journal) -> None:
    """Nobody knows when its request went out: the latest possible time counts."""
    policy = Policy(limits=(Limit(1, 60),), jitter_s=(0.0, 0.0), batch_size=0)
    granted(attempt(ledger, NOW, policy, owner=f"{dead_pid()}:0"))
    Queue(journal).release_dead(now=NOW + 50)
    found = attempt(ledger, NOW + 61, policy)
    assert isinstance(found, Wait)
    assert found.decision.at == NOW + 110


def test_how_long_answers_took(ledger: Ledger) -> None:
    """Half and 95 in 100, by source; a clock that went back counts as no time, and what is pruned counts no more."""
    for number in range(20):
        at = NOW + 100 * number
        finish(ledger, granted(attempt(ledger, at, FREE)), at + number, FREE)
    finish(ledger, granted(attempt(ledger, NOW + 5_000, FREE)), NOW + 4_000, FREE)
    (found,) = ledger.seconds(NOW)
    assert found == {"source": "web", "median": 9.0, "p95": 18.0}
    assert ledger.seconds(NOW + 10_000) == []
    ledger.prune(NOW + 10_000)
    assert ledger._journal.read("select count(*) from request_times") == [(0,)]
