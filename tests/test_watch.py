"""``igtool watch``, and which account a handle means when accounts are renamed."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from conftest import NOW

from igtool import linking
from igtool.cli import main
from igtool.consent.records import Given, grant, listed
from igtool.errors import UsageError
from igtool.facts import FACTS, FACTS_KEYS
from igtool.fetching.outlook import outlook
from igtool.fetching.plan import FetchOptions
from igtool.fetching.sources import sources_of
from igtool.journal import Journal
from igtool.lake import Lake
from igtool.notes import accounts_named, creators_named, creators_of_handles, kept
from igtool.schedule.plan import due_now
from igtool.settings import load
from igtool.tiers import Tiers
from igtool.vocabulary import tags

Call = Callable[..., Result]


@pytest.fixture
def folder(empty_lake: Path, tmp_path: Path) -> Path:
    """A workspace with Anna, who was anna.old, and Bea, both on a list that is a file, and Cleo, who is on none."""
    shutil.copytree(empty_lake, tmp_path / "data")
    with Lake(tmp_path / "data", writable=True) as lake:
        people(lake)
    return tmp_path


@pytest.fixture
def call(folder: Path) -> Call:
    """Runs igtool in this process."""
    return lambda *words: CliRunner().invoke(main, ["--workspace", str(folder), *words])


def people(lake: Lake) -> None:
    """Three accounts, each of a creator."""
    seen = {"platform": "instagram", "observed_at": NOW, "answer_id": "x", "is_profile": True}
    handles = {"1": ("anna.old", "anna"), "2": ("bea",), "3": ("cleo",)}
    states = [(n, handle) for n, names in handles.items() for handle in names]
    with lake.transaction():
        lake.append(
            "account_states",
            [seen | {"account_id": f"instagram:{n}", "handle": h, "answer_id": f"x{h}"} for n, h in states],
        )
        lake.append(
            "accounts", [seen | {"account_id": f"instagram:{n}", "handle": one[-1]} for n, one in handles.items()]
        )
        lake.append("creators", [{"creator_id": f"c{n}", "canonical_handle": one[-1]} for n, one in handles.items()])
        lake.append("creator_links", [{"account_id": f"instagram:{n}", "creator_id": f"c{n}"} for n in handles])
        listed = {"list_name": "my.csv", "platform": "instagram", "row": "{}"}
        for line, handle in enumerate(["anna.old", "bea"], start=2):
            row = listed | {"watch_id": f"my.csv:instagram:{handle}", "handle": handle, "line": line}
            lake.append("watchlist", [row])


def looked_at(folder: Path) -> list[str]:
    """The handles that the schedule would ask for, in a year."""
    with Lake(folder / "data", writable=False) as lake:
        later = NOW.replace(year=NOW.year + 1)
        due = due_now(lake, later, Tiers(), limit=None, backfill=10, platforms=("instagram", "youtube"))
    return sorted(one.handle for one in due)


def rows(result: Result) -> dict[str, Any]:
    """Rows of `watch list`, by handle."""
    assert result.exit_code == 0, result.output
    return {row["handle"]: row for row in json.loads(result.stdout)["rows"]}


def test_who_is_removed_is_not_looked_at_until_added_again(call: Call, folder: Path) -> None:
    """By a former handle too; a list that is a file stays, and a cadence that is set or cleared brings nobody back."""
    assert looked_at(folder) == ["anna", "bea", "cleo"]
    assert call("watch", "add", "@new.one", "cleo").exit_code == 0
    assert call("schedule", "set", "bea", "--every", "6h").exit_code == 0
    result = call("watch", "remove", "anna.old", "bea", "cleo")
    assert "still on my.csv" in result.stderr
    assert "off watched" in result.stderr
    assert looked_at(folder) == ["new.one"]
    found = rows(call("watch", "list", "--json"))
    assert {handle: (row["lists"], row["is_watched"], row["handle_now"]) for handle, row in found.items()} == {
        "anna.old": (["my.csv"], False, "anna"),
        "bea": (["my.csv"], False, "bea"),
        "cleo": ([], False, "cleo"),
        "new.one": (["watched"], True, None),
    }
    assert call("schedule", "set", "bea", "cleo", "--clear").exit_code == 0
    assert call("schedule", "set", "anna", "--every", "6h").exit_code == 0
    assert looked_at(folder) == ["new.one"]
    assert "1 added to watched" in call("watch", "add", "anna").stderr
    assert "0 added to watched, 1 were on it" in call("watch", "add", "anna").stderr
    assert "1 added to mine" in call("watch", "add", "bea", "--list", "mine").stderr
    assert looked_at(folder) == ["anna", "bea", "new.one"]
    assert sorted(rows(call("watch", "list", "--list", "mine", "--json"))) == ["bea"]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("add", "x", "--list", "my.csv"), "what `igtool enrich` was given last"),
        (("add", "x", "--list", "command line"), "what `igtool enrich` was given last"),
        (("add", "not a handle"), "cannot be a handle"),
        (("list", "--list", "none"), "there are: my.csv"),
        (("remove", "bea", "--platform", "youtube"), "nobody is watched or stored as bea on youtube"),
    ],
)
def test_what_cannot_be_watched_ends_with_2_and_says_why(call: Call, words: tuple[str, ...], says: str) -> None:
    """And nothing is written."""
    result = call("watch", *words)
    assert result.exit_code == 2
    assert says in " ".join(result.stderr.split())


def test_what_is_typed_while_a_run_writes_counts_afterwards(call: Call, folder: Path) -> None:
    """It waits in the journal, is told so, and the next command that writes makes it."""
    with Lake(folder / "data", writable=True):
        for words in (("watch", "remove", "bea"), ("note", "anna", "soon"), ("hide", "cleo")):
            result = call(*words)
            assert (result.exit_code, "another process is writing" in result.stderr) == (0, True), result.output
    assert looked_at(folder) == ["anna", "bea", "cleo"]
    assert call("watch", "add", "new.one").exit_code == 0
    assert looked_at(folder) == ["anna", "cleo", "new.one"]
    with Lake(folder / "data", writable=False) as lake:
        assert kept(lake).hidden == ["c3"]
        assert lake.value("select note from tenant_notes where creator_id = 'c1'") == "soon"


def test_a_former_handle_leads_to_who_had_it(folder: Path, call: Call) -> None:
    """In commands, which say so, and in lists; who has the handle now goes before who had it."""
    told: list[str] = []
    with Lake(folder / "data", writable=True) as lake:
        assert creators_named(lake, "@Anna.Old", told.append) == ["c1"]
        assert told == ["anna.old is now anna on instagram"]
        assert kept(lake).lists == {"my.csv": ["c1", "c2"]}
        with pytest.raises(UsageError, match="close are"):
            creators_named(lake, "anna.older")
    shown = call("show", "anna.old", "--json")
    assert json.loads(shown.stdout)["rows"][0]["creator_id"] == "c1"
    assert shown.stderr.strip() == "anna.old is now anna on instagram"
    with Lake(folder / "data", writable=True) as lake, lake.transaction():
        lake.execute("update accounts set handle = 'anna.old' where account_id = 'instagram:3'")
    assert json.loads(call("show", "anna.old", "--json").stdout)["rows"][0]["creator_id"] == "c3"
    with Lake(folder / "data", writable=False) as lake:
        assert kept(lake).lists == {"my.csv": ["c2", "c3"]}


def test_consents_links_and_judgements_follow_a_former_handle(folder: Path) -> None:
    """Each of several names in its own way; one that two accounts had has to say its platform."""
    with Lake(folder / "data", writable=True) as lake:
        told = accounts_named(lake, ["anna.old", "instagram:@Anna.Old", "youtube:anna.old", "bea", "nobody", "a\0b"])
        assert {name: [row["account_id"] for row in found] for name, found in told.items()} == {
            "anna.old": ["instagram:1"],
            "instagram:@Anna.Old": ["instagram:1"],
            "youtube:anna.old": [],
            "bea": ["instagram:2"],
            "nobody": [],
            "a\0b": [],
        }
        assert creators_of_handles(lake, ["anna.old", "anna", "nobody"]) == {"anna.old": ["c1"], "anna": ["c1"]}
        assert grant(lake, tags.shipped(), [Given("anna.old", "build", "a mail", True, NOW)], NOW) == 1
        assert [row["account_id"] for row in listed(lake, "anna.old")[0]] == ["instagram:1"]
        for name in ("anna.old", "@Anna", "instagram:1", "c1"):
            assert [row["account_id"] for row in linking.shown(lake, name)] == ["instagram:1"]
        lake.append(
            "accounts", [{"account_id": "youtube:9", "platform": "youtube", "handle": "new", "observed_at": NOW}]
        )
        state = {"account_id": "youtube:9", "platform": "youtube", "handle": "anna.old", "answer_id": "y"}
        lake.append("account_states", [state | {"observed_at": NOW, "is_profile": True}])
        with pytest.raises(
            UsageError, match="was the handle of 2 accounts: say which, one of instagram:anna, youtube:new"
        ):
            listed(lake, "anna.old")


def test_what_a_list_says_of_a_creator_follows_a_former_handle(folder: Path) -> None:
    """In the facts, and in what tells whether they changed."""
    with Lake(folder / "data", writable=True) as lake, lake.transaction():
        lake.execute("create temp view batch as select creator_id as item_id from creators")
        said = {row["item_id"]: row["listed_rows"] for row in lake.rows(FACTS)}
        assert said == {"c1": ["{}"], "c2": ["{}"], "c3": None}
        before = {row["item_id"]: row["fingerprint"] for row in lake.rows(FACTS_KEYS)}
        lake.execute("update watchlist set row = '{\"GENRE\": \"art\"}' where handle = 'anna.old'")
        after = {row["item_id"]: row["fingerprint"] for row in lake.rows(FACTS_KEYS)}
        assert [one for one in before if before[one] != after[one]] == ["c1"]


def test_forget_by_a_former_handle_takes_the_account(folder: Path, call: Call) -> None:
    """And says whom the name means now, before it asks; nothing is left under either name."""
    assert "anna.old is now anna on instagram\n" in call("forget", "anna.old", "--dry-run").stderr
    result = call("forget", "anna.old", "--yes")
    assert (result.exit_code, "1 person forgotten" in result.stderr) == (0, True), result.output
    with Lake(folder / "data", writable=False) as lake:
        names = "select handle from accounts union select handle from account_states union select handle from watchlist"
        assert [row["handle"] for row in lake.rows(f"from ({names}) order by 1")] == ["bea", "cleo"]
        assert lake.value("select count(*) from tombstones") >= 2


def test_the_name_of_who_was_forgotten_does_not_mean_who_had_it_before(folder: Path, call: Call) -> None:
    """A list of people to forget may come again every night: only those on it go, once."""
    with Lake(folder / "data", writable=True) as lake, lake.transaction():
        lake.execute("update accounts set handle = 'anna.old' where account_id = 'instagram:3'")
        lake.execute("update account_states set handle = 'anna.old' where account_id = 'instagram:3'")
    for said in ("1 person forgotten", "forgotten already: anna.old"):
        result = call("forget", "anna.old", "--yes")
        assert (result.exit_code, said in result.stderr) == (0, True), result.output
        with Lake(folder / "data", writable=False) as lake:
            assert [row["account_id"] for row in lake.rows("from accounts order by 1")] == [
                "instagram:1",
                "instagram:2",
            ]
            assert accounts_named(lake, ["anna.old"]) == {"anna.old": []}
            assert creators_of_handles(lake, ["anna.old", "a\0b"]) == {}


def test_a_fetch_asks_for_a_renamed_account_by_the_handle_that_it_has(folder: Path) -> None:
    """Once, also where a list has both; ``--force-handle`` may still name the former one."""
    settings = load(folder)
    with Journal(settings.cache, writable=True):
        pass
    wanted = [("instagram", handle) for handle in ("anna.old", "bea", "anna", "new.one")]
    for forced, steps in (("", ["fresh", "fresh", "ask"]), ("anna.old", ["ask", "fresh", "ask"])):
        options = FetchOptions(("instagram_web",), force_handles=frozenset([forced]))
        with outlook(settings, sources_of(settings, options.sources), options) as seen:
            seen.clock.now = lambda: NOW.timestamp()  # type: ignore[method-assign]
            assert seen.plan(wanted).steps == dict(
                zip([("instagram", one) for one in ("anna", "bea", "new.one")], steps, strict=True)
            )
