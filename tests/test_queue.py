"""The queue: jobs wait, are leased, end, and come back, and never get lost or doubled on the way."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from fetch_world import dead_pid

from igtool.journal import Journal
from igtool.journal.ledger import Claimant, Grant, Ledger, Nothing, Price, next_jobs
from igtool.journal.queue import ENDED, LEASE_S, Change, Job, Queue, Wanted, apply, is_alive, owner_name
from igtool.pacing import Policy

FREE = Policy(limits=(), jitter_s=(0.0, 0.0), batch_size=0)
DEAD_OWNER = f"{dead_pid()}:0"


@pytest.fixture
def queue(journal: Journal) -> Queue:
    """A queue in an empty journal."""
    return Queue(journal)


def wanted(*handles: str, kind: str = "profile", source: str = "web", **more: object) -> list[Wanted]:
    """Jobs for handles of Instagram."""
    return [Wanted("instagram", handle, kind, source, **more) for handle in handles]  # type: ignore[arg-type]


def claim(
    journal: Journal, owner: str = DEAD_OWNER, *, run: str = "r1", source: str = "web", now: float = 1.0
) -> Grant:
    """The right to ask for the next job."""
    found = attempt(journal, owner, run=run, source=source, now=now)
    assert isinstance(found, Grant)
    return found


def attempt(journal: Journal, owner: str, *, run: str, source: str, now: float, together: int = 1) -> object:
    """What a claim gives."""
    claimant = Claimant(source, FREE, run, owner)
    jobs = next_jobs(claimant, now, lambda job: together if job.kind == "profile" else 1)
    price = Price("e", 1, 0.0)
    return Ledger(journal).claim(claimant, lambda _jobs, _key: price, ["-"], now=now, jitter_s=0.0, jobs=jobs)


def end(journal: Journal, job: Job, state: str, *, owner: str = DEAD_OWNER, due_at: float = 0.0) -> None:
    """Let a leased job end."""
    with journal.transaction() as cursor:
        apply(cursor, [Change(job.job_id, state, "why", due_at, progress="{}")], owner=owner, now=9.0)


def rows(queue: Queue) -> dict[tuple[str, str], tuple[str, str]]:
    """(handle, kind) to (state, source)."""
    return {(one["handle"], one["kind"]): (one["state"], one["source"]) for one in queue.entries(limit=99)}


def full(journal: Journal) -> list[tuple[object, ...]]:
    """Everything that is known of all jobs."""
    return journal.read("select * from jobs order by job_id")


def test_enqueueing_twice_changes_nothing(journal: Journal, queue: Queue) -> None:
    """One job for each account and kind, in the order in which they came."""
    queue.enqueue(wanted("a", "b"), run="r1", now=1)
    before = full(journal)
    queue.enqueue(wanted("b", "a"), run="r1", now=2)
    assert full(journal) == before
    assert claim(journal).jobs[0].handle == "a"


def test_a_higher_priority_goes_first_and_stays(journal: Journal, queue: Queue) -> None:
    """Also when the job is wanted again with a lower one."""
    queue.enqueue([*wanted("a"), *wanted("b", priority=5)], run="r1", now=1)
    queue.enqueue(wanted("b", priority=1), run="r1", now=1)
    assert [claim(journal).jobs[0].handle for _ in range(2)] == ["b", "a"]


@pytest.mark.parametrize("state", ENDED)
def test_ended_jobs_open_again_from_the_beginning(journal: Journal, queue: Queue, state: str) -> None:
    """Without the progress, reason and rest of last time; how often it failed is remembered for failed ones."""
    queue.enqueue(wanted("a"), run="r1", now=1)
    job = claim(journal).jobs[0]
    with journal.transaction() as cursor:
        apply(cursor, [Change(job.job_id, state, "why", 1e12, "{}", rounds=2)], owner=DEAD_OWNER, now=9.0)
    queue.enqueue(wanted("a"), run="r2", now=10)
    again = claim(journal, run="r2", now=11).jobs[0]
    assert (again.job_id, again.progress, again.rounds) == (job.job_id, "", 2 if state == "failed" else 0)


def test_a_job_under_way_keeps_its_progress_when_it_is_wanted_again(journal: Journal, queue: Queue) -> None:
    """Waiting between two pages, or leased: it goes on; with another source it begins anew."""
    queue.enqueue(wanted("a", kind="posts"), run="r1", now=1)
    job = claim(journal).jobs[0]
    queue.enqueue(wanted("a", kind="posts", progress="new"), run="r2", now=2)
    assert rows(queue)["a", "posts"] == ("leased", "web")
    end(journal, job, "waiting")
    queue.enqueue(wanted("a", kind="posts", progress="new"), run="r2", now=3)
    assert claim(journal, run="r2").jobs[0].progress == "{}"
    end(journal, job, "waiting")
    queue.enqueue(wanted("a", kind="posts", progress="new", source="other"), run="r3", now=3)
    assert claim(journal, run="r3", source="other").jobs[0].progress == "new"


def test_a_run_adopts_what_waits_and_nothing_else(journal: Journal, queue: Queue) -> None:
    """Only of the accounts it was asked for, and not what is leased or has ended."""
    queue.enqueue(wanted("a", "b", "c"), run="r1", now=1)
    end(journal, claim(journal).jobs[0], "done")
    queue.adopt([("instagram", "a"), ("instagram", "b")], run="r2", first={"instagram": "web"})
    assert queue.states("r1") == {"done": 1, "waiting": 1}
    assert queue.states("r2") == {"waiting": 1}


def test_an_adopted_job_moves_only_when_its_source_is_not_asked_any_more(journal: Journal, queue: Queue) -> None:
    """What was handed on to a later source stays there; pages stay with the source that began them."""
    queue.enqueue(wanted("a"), run="r1", now=1)
    queue.enqueue([*wanted("b", source="second"), *wanted("c", source="gone")], run="r1", now=1)
    queue.enqueue(wanted("c", kind="posts", source="gone"), run="r1", now=1)
    handles = [("instagram", handle) for handle in "abc"]
    queue.adopt(handles, run="r2", first={"instagram": "web"}, asked=["web", "second"])
    assert rows(queue) == {
        ("a", "profile"): ("waiting", "web"),
        ("b", "profile"): ("waiting", "second"),
        ("c", "profile"): ("waiting", "web"),
        ("c", "posts"): ("waiting", "gone"),
    }


def test_failed_jobs_revive_when_they_are_due_and_dead_letters_when_everything_is_wanted(
    journal: Journal, queue: Queue
) -> None:
    """Where they were: with their progress and their number of rounds."""
    queue.enqueue(wanted("a", "b", "c"), run="r1", now=1)
    for state, due_at in (("failed", 50.0), ("failed", 500.0), ("dead", 0.0)):
        end(journal, claim(journal).jobs[0], state, due_at=due_at)
    handles = [("instagram", handle) for handle in "abc"]
    queue.revive(handles, run="r2", now=49, everything=False)
    assert queue.states("r2") == {}
    queue.revive(handles, run="r2", now=50, everything=False)
    assert claim(journal, run="r2").jobs[0].progress == "{}"
    queue.revive(handles, run="r3", now=50, everything=True)
    assert queue.states("r3") == {"waiting": 2}


def test_waiting_jobs_are_handed_to_another_source_as_far_as_it_knows_their_kind(queue: Queue) -> None:
    """Profiles go, reels stay; without another source nothing goes."""
    queue.enqueue([*wanted("a", "b"), *wanted("a", kind="reels")], run="r1", now=1)
    assert queue.reroute("r1", "web", None, ["profile"]) == 0
    assert queue.reroute("r1", "web", "second", ["profile", "posts"]) == 2
    assert rows(queue)["a", "profile"] == ("waiting", "second")
    assert rows(queue)["a", "reels"] == ("waiting", "web")


def test_a_kind_that_is_refused_is_closed_for_this_run_and_source_only(queue: Queue) -> None:
    """Profiles go on; the reason is kept."""
    queue.enqueue(
        [*wanted("a"), *wanted("a", "b", kind="posts"), *wanted("c", kind="posts", source="x")], run="r", now=1
    )
    assert queue.close_kind("r", "web", "posts", "auth: no", 5.0) == 2
    assert queue.states("r") == {"dead": 2, "waiting": 2}
    assert {one["reason"] for one in queue.entries(["dead"])} == {"auth: no"}


def test_retry_and_drop_leave_alone_what_is_under_way(journal: Journal, queue: Queue) -> None:
    """A retried job waits from its time on; a dropped one is gone; a leased one is neither."""
    queue.enqueue(wanted("a", "b", "c"), run="r1", now=1)
    dead, leased = claim(journal).jobs[0], claim(journal).jobs[0]
    end(journal, dead, "dead")
    ids = [one["job_id"] for one in queue.entries()]
    assert queue.retry(ids, now=77.0) == 1
    assert queue.next_due("r1", "web") == 0.0
    assert queue.drop(ids) == 2
    assert rows(queue) == {("b", "profile"): ("leased", "web")}
    assert queue.drop([leased.job_id]) == 0
    assert (queue.retry([], now=1), queue.drop([])) == (0, 0)


def test_jobs_are_claimed_together_only_with_their_like(journal: Journal, queue: Queue) -> None:
    """As many as one request serves, of the same kind; each once."""
    queue.enqueue([*wanted("a", "b", "c", "d", "e"), *wanted("a", kind="posts")], run="r1", now=1)
    sizes = []
    while isinstance(found := attempt(journal, "me", run="r1", source="web", now=1, together=2), Grant):
        assert len({job.kind for job in found.jobs}) == 1
        sizes.append(len(found.jobs))
    assert (sizes, found) == ([2, 2, 1, 1], Nothing(None))


def test_a_job_that_rests_is_not_due_and_says_when_it_will_be(journal: Journal, queue: Queue) -> None:
    """Nothing is claimed before its time."""
    queue.enqueue(wanted("a"), run="r1", now=1)
    end(journal, claim(journal).jobs[0], "waiting", due_at=100.0)
    assert attempt(journal, "me", run="r1", source="web", now=99) == Nothing(100.0)
    assert queue.next_due("r1", "web") == 100.0
    assert isinstance(attempt(journal, "me", run="r1", source="web", now=100), Grant)


def test_what_a_dead_process_held_is_taken_back_and_counts_as_asked(journal: Journal, queue: Queue) -> None:
    """Its job waits with its progress; its request counts from now on, since nobody knows when it went out."""
    queue.enqueue(wanted("a", progress="here"), run="r1", now=1)
    claim(journal, now=1.0)
    assert queue.under_way("r1") == 1
    assert queue.release_dead(now=500.0) == 1
    assert journal.read("select at, outcome from requests") == [(500.0, "lost")]
    assert claim(journal, now=501.0).jobs[0].progress == "here"


def test_what_a_living_process_holds_stays_with_it(journal: Journal, queue: Queue) -> None:
    """This one, however long it takes, as long as no lease has run out."""
    queue.enqueue(wanted("a"), run="r1", now=1)
    claim(journal, owner_name(), now=1.0)
    assert queue.release_dead(now=LEASE_S) == 0
    assert queue.states("r1") == {"leased": 1}


def test_a_process_that_lost_its_lease_changes_nothing_any_more(journal: Journal, queue: Queue) -> None:
    """What it brings too late does not end the job of the one that has it now."""
    queue.enqueue(wanted("a"), run="r1", now=1)
    late = claim(journal).jobs[0]
    queue.release_dead(now=2)
    claim(journal, owner_name(), now=3)
    end(journal, late, "dead")
    queue.release([late], owner=DEAD_OWNER)
    assert queue.states("r1") == {"leased": 1}
    queue.release([late], owner=owner_name())
    assert queue.states("r1") == {"waiting": 1}


def test_a_process_is_told_from_another_with_the_same_id(monkeypatch: pytest.MonkeyPatch) -> None:
    """By when it started, also where the other belongs to another user; nonsense is no process."""
    assert is_alive(owner_name())
    assert not is_alive(f"{os.getpid()}:1")
    assert not is_alive(DEAD_OWNER)
    assert not any(is_alive(owner) for owner in ("", "x:1", f"{2**80}:1", "999999999:1"))

    def not_ours(_pid: int, _signal: int) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "kill", not_ours)
    assert is_alive(owner_name())
    assert not is_alive(f"{os.getpid()}:1")


def test_follow_ups_come_in_the_transaction_of_their_answer_or_not_at_all(tmp_path: Path) -> None:
    """A failure within it leaves neither the new job nor the end of the old one."""
    with Journal(tmp_path, writable=True) as journal:
        queue = Queue(journal)
        queue.enqueue(wanted("a"), run="r1", now=1)
        grant = claim(journal)
        claimant = Claimant("web", FREE, "r1", DEAD_OWNER)
        broken = (one for one in [*wanted("a", kind="posts"), None])
        with pytest.raises(AttributeError):
            Ledger(journal).record(
                claimant,
                grant,
                outcome="ok",
                status=200,
                now=9.0,
                pace=lambda pace: pace,
                changes=[Change(grant.jobs[0].job_id, "done")],
                follow_ups=broken,  # type: ignore[arg-type]
            )
    with Journal(tmp_path, writable=False) as journal:
        assert rows(Queue(journal)) == {("a", "profile"): ("leased", "web")}
