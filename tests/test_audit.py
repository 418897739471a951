"""The audit log: what was changed or taken out is found, wherever an entry is, and details can be forgotten."""

from __future__ import annotations

import json
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from igtool.auditing import adopt_head, forget_details, move_entries, verify
from igtool.cli import main
from igtool.journal import Journal
from igtool.journal.audit import BEGINNING, AuditLog, Entry, chain_sha256, detail_sha256
from igtool.lake import Lake
from igtool.outbox import hand_over
from igtool.settings import load

AT = 1_790_000_000.25
WRITER = (
    "import sys; from pathlib import Path; from igtool.journal import Journal\n"
    "from igtool.journal.audit import AuditLog, Entry\n"
    "folder, name, most = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])\n"
    "for number in range(most):\n"
    "    with Journal(folder, writable=False, shared=True) as journal:\n"
    "        AuditLog(journal).write([(1.0, Entry(name, name, 'x', {'number': number}))] * 2)\n"
    "    print(number, flush=True)\n"
)


def write(journal: Journal, count: int, *, first: int = 0) -> None:
    """Append ``count`` entries, each with a time and a detail of its own."""
    found = [
        (AT + n, Entry("acme", "k1", "search", {"query": f"größe {n}", "n": n})) for n in range(first, first + count)
    ]
    AuditLog(journal).write(found)


@pytest.fixture
def both(lake: Lake, journal: Journal) -> tuple[Lake, Journal]:
    """Six entries in the lake and three in the journal."""
    write(journal, 6)
    move_entries(lake, journal)
    write(journal, 3, first=6)
    return lake, journal


def test_an_entry_is_hashed_as_documented(journal: Journal) -> None:
    """The chain by hand: lengths before parts, a salt before the detail, 32 zero bytes at the beginning."""
    write(journal, 2)
    first, second = AuditLog(journal).entries()
    assert first.detail == '{"n":0,"query":"größe 0"}'
    assert first.salt is not None
    assert first.detail_sha256 == detail_sha256(first.salt, first.detail)
    words = ("acme", "k1", "search")
    assert first.chain_sha256 == chain_sha256(BEGINNING, 1, 1_790_000_000_250_000, words, first.detail_sha256)
    assert second.follows(first.chain_sha256)
    assert not second.follows(BEGINNING)


def test_entries_move_and_the_chain_goes_on(both: tuple[Lake, Journal]) -> None:
    """In both stores it is one chain; the newest entry stays, and moving again changes nothing."""
    lake, journal = both
    whole = verify(lake, journal)
    assert (whole.entries, whole.problem) == (9, None)
    hand_over(lake, journal, commits=0)  # for who must not take long: conversations deleted, nothing moved
    assert lake.value("select count(*) from audit_log") == 6
    for _ in range(2):
        hand_over(lake, journal)
        assert verify(lake, journal) == whole
        assert lake.value("select count(*) from audit_log") == 9
        assert [one.number for one in AuditLog(journal).entries()] == [9]
    row = lake.rows("from audit_log where entry_number = 1")[0]
    assert json.loads(row["detail"]) == {"n": 0, "query": "größe 0"}
    assert row["logged_at"].timestamp() == AT


def test_a_move_that_was_killed_is_made_again(lake: Lake, journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    """After the commit of the lake and before that of the journal: no entry twice, none lost."""
    write(journal, 3)
    with monkeypatch.context() as patch:
        patch.setattr(AuditLog, "moved", lambda log, up_to: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            move_entries(lake, journal)
    write(journal, 1, first=3)
    assert verify(lake, journal).problem is None
    move_entries(lake, journal)
    assert (verify(lake, journal).entries, verify(lake, journal).problem) == (4, None)


CHANGES: dict[str, tuple[str, int, str]] = {
    "a detail": ("update audit_log set detail = '{}' where entry_number = 3", 3, "detail of entry 3"),
    "a detail that is gone": ("update audit_log set detail = null, salt = null where entry_number = 2", 2, "is gone"),
    "a salt": ("update audit_log set salt = null where entry_number = 5", 5, "detail of entry 5"),
    "who": ("update audit_log set tenant_id = 'blue' where entry_number = 4", 4, "entry 4"),
    "a key": ("update audit_log set actor = 'k2' where entry_number = 1", 1, "entry 1"),
    "when": (
        "update audit_log set logged_at = logged_at + interval 1 microsecond where entry_number = 2",
        2,
        "entry 2",
    ),
    "a hash": ("update audit_log set chain_sha256 = 'no hash' where entry_number = 2", 2, "entry 2"),
    "one removed": ("delete from audit_log where entry_number = 3", 3, "entry 3 is missing"),
    "the first": ("delete from audit_log where entry_number = 1", 1, "entry 1 is missing"),
    "the middle": ("delete from audit_log where entry_number between 2 and 4", 2, "entries 2 to 4 are missing"),
    "the end": ("delete from audit_log where entry_number > 4", 5, "entry 5 is missing"),
    "two swapped": ("update audit_log set entry_number = 7 - entry_number where entry_number in (3, 4)", 3, "entry 3"),
    "one twice": ("insert into audit_log from audit_log where entry_number = 2", 2, "two entries 2"),
    "all renumbered": (
        "delete from audit_log where entry_number = 3; "
        "update audit_log set entry_number = entry_number - 1 where entry_number > 3",
        3,
        "entry 3",
    ),
}


@pytest.mark.parametrize(("query", "number", "words"), CHANGES.values(), ids=CHANGES)
def test_what_was_changed_is_found(both: tuple[Lake, Journal], query: str, number: int, words: str) -> None:
    """The first entry that is not what was written, in the lake."""
    lake, journal = both
    for one in query.split("; "):
        lake.execute(one)
    found = verify(lake, journal)
    assert found.problem is not None
    assert words in found.problem
    assert found.entry_number == number


@pytest.mark.parametrize(
    ("query", "number"),
    [
        ("update audit set detail = '{}' where number = 8", 8),
        ("update audit set action = 'x' where number = 9", 9),
        ("delete from audit where number = 7", 7),
        ("update audit set chain_sha256 = zeroblob(32) where number = 6", 6),
    ],
)
def test_what_was_changed_on_its_way_is_found(both: tuple[Lake, Journal], query: str, number: int) -> None:
    """The same in the journal."""
    lake, journal = both
    with sqlite3.connect(journal.path) as connection:
        connection.execute(query)
    connection.close()
    assert verify(lake, journal).entry_number == number


def test_a_log_that_was_cut_off_or_made_anew_shows_by_its_head(both: tuple[Lake, Journal]) -> None:
    """Who owns the files can take the end away, of both stores: a hash that was noted elsewhere tells."""
    lake, journal = both
    head = verify(lake, journal).head
    write(journal, 1, first=9)
    assert verify(lake, journal, head).is_whole
    with sqlite3.connect(journal.path) as connection:
        connection.execute("delete from audit where number > 6")
    connection.close()
    assert verify(lake, journal).is_whole
    assert "cut off" in str(verify(lake, journal, head).problem)


def test_details_are_forgotten_and_the_chain_holds(lake: Lake, journal: Journal) -> None:
    """Those that name a creator, in both stores, as a word of its own; that they are gone is an entry."""
    queries = ["like @anna", "hannah", "anna.k", "about c_1 and c_10", "ANNA"]
    said = [(AT, Entry("acme", "k1", "search", {"query": text})) for text in queries]
    AuditLog(journal).write(said[:2])
    move_entries(lake, journal)
    AuditLog(journal).write(said[2:])
    assert forget_details(lake, journal, ["@Anna", "c_1"], now=AT) == 3
    for _ in range(2):
        found = verify(lake, journal)
        assert (found.problem, found.forgotten, found.entries) == (None, 3, 6)
        move_entries(lake, journal)
    rows = lake.rows("select entry_number, detail, salt from audit_log order by 1")
    assert [row["entry_number"] for row in rows if row["detail"] is None] == [1, 4, 5]
    assert [row["entry_number"] for row in rows if row["salt"] is None] == [1, 4, 5]
    assert json.loads(rows[-1]["detail"]) == {"entries": [1, 4, 5]}
    assert forget_details(lake, journal, ["anna", ""], now=AT) == 0
    lake.execute("update audit_log set detail = null, salt = null where entry_number = 2")
    assert verify(lake, journal).entry_number == 2


def test_a_new_journal_goes_on_where_the_lake_ends(both: tuple[Lake, Journal], tmp_path: Path) -> None:
    """Adopted before anything is written, or chained anew when it is moved."""
    lake, journal = both
    move_entries(lake, journal)
    with Journal(tmp_path / "second", writable=True) as second:
        adopt_head(load(tmp_path), second)
        write(second, 1)
        assert [one.number for one in AuditLog(second).entries()] == [9, 10]
        assert verify(lake, second).is_whole
        move_entries(lake, second)
    with Journal(tmp_path / "third", writable=True) as third:
        write(third, 2)
        assert "two entries 1" in str(verify(lake, third).problem)
        move_entries(lake, third)
        assert (verify(lake, third).entries, verify(lake, third).problem) == (12, None)


def test_two_processes_append_at_once(tmp_path: Path) -> None:
    """One chain, without gaps, with every entry of both."""
    Journal(tmp_path, writable=True).close()
    arguments = [sys.executable, "-c", WRITER, str(tmp_path)]
    running = [subprocess.Popen([*arguments, name, "25"], stdout=subprocess.DEVNULL) for name in ("acme", "blue")]
    assert [one.wait(60) for one in running] == [0, 0]
    with Journal(tmp_path, writable=False) as journal:
        found = AuditLog(journal).entries()
        assert verify(None, journal).entries == len(found) == 100
        assert verify(None, journal).is_whole
    assert [one.tenant_id for one in found].count("acme") == 50


def test_entries_survive_a_kill(tmp_path: Path) -> None:
    """What was written when the process was killed is there, whole, and the chain goes on."""
    Journal(tmp_path, writable=True).close()
    running = subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path), "acme", "100000"], stdout=subprocess.PIPE)
    assert running.stdout is not None
    told = [int(running.stdout.readline()) for _ in range(20)][-1]
    running.send_signal(signal.SIGKILL)
    running.communicate(timeout=30)
    with Journal(tmp_path, writable=True) as journal:
        write(journal, 1)
        found = verify(None, journal)
    assert found.is_whole
    assert found.entries >= 2 * (told + 1) + 1


@settings(max_examples=30, deadline=None)
@given(st.lists(st.text(st.characters(codec="utf-8"), max_size=20), max_size=4), st.text(max_size=5))
def test_words_cannot_be_taken_for_others(texts: list[str], more: str) -> None:
    """Tenant, actor and action that are split elsewhere have another hash."""
    words = (*texts, "", "", "")[:3]
    moved = (words[0] + more, words[1], words[2]), (words[0], more + words[1], words[2])
    hashes = [chain_sha256(BEGINNING, 1, 1, (a, b, c), b"") for a, b, c in moved]
    assert (hashes[0] == hashes[1]) == (more == "")


def test_the_commands_tell_and_end_with_5(lake: Lake, journal: Journal, tmp_path: Path) -> None:
    """`audit list` shows what is in both stores, `audit verify` prints the head, and 5 is a log that is not whole."""
    write(journal, 2)
    move_entries(lake, journal)
    write(journal, 1, first=2)

    def run(*arguments: str) -> tuple[int, str, str]:
        shown = CliRunner().invoke(main, ["--workspace", str(tmp_path), "audit", *arguments])
        return shown.exit_code, shown.stdout, shown.stderr

    code, printed, _ = run("list", "-n", "2", "--json")
    assert code == 0
    assert [row["entry_number"] for row in json.loads(printed)["rows"]] == [3, 2]
    code, head, _ = run("verify")
    assert (code, head.strip()) == (0, verify(lake, journal).head)
    assert run("verify", "--head", head.strip().upper())[0] == 0
    assert run("verify", "--head", "00")[0] == 5
    lake.execute("update audit_log set actor = 'k2' where entry_number = 1")
    code, printed, told = run("verify", "--json")
    assert code == 5
    assert json.loads(printed)["entry_number"] == 1
    assert "entry 1" in told
    assert run("list", "--since", "yesterday")[0] == 2


def test_nothing_is_verified_where_there_is_nothing(tmp_path: Path) -> None:
    """A new folder has an empty log, which is whole."""
    shown = CliRunner().invoke(main, ["--workspace", str(tmp_path), "audit", "verify", "--json"])
    assert shown.exit_code == 0
    assert json.loads(shown.stdout)["head"] == BEGINNING.hex()
