"""People are forgotten: nothing of them is left in any byte, others stay as they were, and they do not come back."""

from __future__ import annotations

import json
import random
import shutil
import signal
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import forget_world as world
import pytest
from click.testing import CliRunner
from conftest import contents
from forget_world import HANDLE, USER_ID, holders
from live_commands import IGTOOL
from llm_people import decent
from llm_runs import RawServer, quick
from llm_server import KEY
from picture_server import photo
from served_people import PEOPLE, add_people
from serving import serving
from test_llm_commands import MODEL, Office

from igtool import erase, health
from igtool.changes import store
from igtool.cli import main
from igtool.consent.records import Given, grant
from igtool.erase import Wish, tables
from igtool.erase.person import find, person_of
from igtool.errors import UsageError
from igtool.fetching.plan import FetchOptions
from igtool.fetching.run import Fetcher
from igtool.forgotten.answers import without_person
from igtool.forgotten.naming import Named
from igtool.forgotten.tombstones import Tombstones
from igtool.journal import Journal
from igtool.journal.audit import Entry
from igtool.journal.queue import Queue, Wanted
from igtool.journal.said import Change, SaidLog
from igtool.lake import Lake
from igtool.notes import hiding, noting, on_list
from igtool.pictures.store import PictureStore
from igtool.search.log import store_searches
from igtool.session import Session, open_session
from igtool.settings import load
from igtool.vocabulary import tags

NOW = datetime(2026, 10, 1, 12, tzinfo=UTC)
SHA = "a" * 64


@pytest.fixture(scope="module", autouse=True)
def _quick() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        quick(patch)
        yield


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Everything that igtool can know of her, come by real ways."""
    folder = tmp_path_factory.mktemp("filled") / "workspace"
    world.write_inputs(folder)
    with RawServer(key=KEY) as server:
        server.answer = decent
        office = Office(server, folder, {"llm": "always", "search_log": True})
        office.set()
        office.enrich("--log-file", str(folder / "run.log"), *MODEL)
        office.run("search", HANDLE)
        office.run("search", "wool lighthouses")
        office.set(openai_base_url=None)
    _typed(folder)
    (folder / "igtool-error-1.txt").write_text(f"an error about {HANDLE}")
    return folder


def _typed(folder: Path) -> None:
    """What people typed, what waits in the journal, and pictures."""
    with Journal(folder / "cache", writable=True) as journal, Lake(folder / "data", writable=True) as lake:
        account = f"instagram:{USER_ID}"
        creator = lake.value("select creator_id from creator_links where account_id = ?", (account,))
        other = lake.value("select min(creator_id) from creator_links where account_id <> ?", (account,))
        store(lake, [on_list("best", [creator, other], NOW, "t1"), noting([creator], "QQBIOMARK note", NOW)])
        store(lake, [hiding([creator], "Zzsurname", NOW, "t2"), noting([other], f"like {HANDLE}", NOW)])
        grant(lake, tags.shipped(), [Given(account, "build", f"mail of {HANDLE}", True, NOW)], NOW)
        with lake.transaction():
            picture = {"media_id": f"folder:{account}/{SHA}", "account_id": account, "sha256": SHA, "fetched_at": NOW}
            lake.merge("media", [picture])
            lake.merge("image_facts", [{"sha256": SHA, "persons_count": 1}])
            tag = {"creator_id": creator, "category": "setting", "tag": "beach", "reasoning": "QQBIOMARK"}
            lake.merge("creator_tags", [tag])
            lake.merge("image_tags", [{**tag, "sha256": SHA}])
            lake.merge("creator_tag_history", [{**tag, "changed_at": NOW, "state_after": json.dumps(tag)}])
            said = {"text": f"I like {HANDLE[:2]} wool", "author": "somebody", "said_at": NOW}
            lake.merge("conversations", [{**said, "conversation_id": "c1"}])
            lake.merge("conversations", [{**said, "conversation_id": "c2", "author": f"@{HANDLE}"}])
        PictureStore(folder / "cache" / "images").put(SHA, photo(1) + b"QQPICMARK")
        Queue(journal).enqueue([Wanted("instagram", HANDLE, "posts", "instagram_web", target=USER_ID)], run="r", now=0)
        change = Change("tenant_lists", [{"tenant_id": "t1", "list_name": "b", "creator_id": creator, "added_at": NOW}])
        entry = Entry("t1", "key", "list.add", {"creators": [creator], "handle": HANDLE})
        SaidLog(journal).say([change], entry, now=1.0)


@pytest.fixture
def place(filled: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    shutil.copytree(filled, tmp_path / "w")
    return tmp_path / "w"


def igtool(place: Path, *arguments: str, code: int = 0) -> Any:
    """One command in this process; what it prints as JSON, if it does."""
    result = CliRunner().invoke(main, ["--workspace", str(place), *arguments], catch_exceptions=False)
    assert result.exit_code == code, result.output
    return json.loads(result.stdout) if "--json" in arguments else result.output


@pytest.mark.slow
def test_nothing_of_her_is_left_in_any_byte_and_she_does_not_come_back(place: Path) -> None:
    """Every mark is in the stores before; afterwards none is, also when the same dumps and list are given again."""
    assert {one.rpartition(": ")[2] for one in holders(place)} == set(world.MARKS)
    told = igtool(place, "forget", HANDLE, "--dry-run", "--json")
    assert holders(place), "a dry run removes nothing"
    done = igtool(place, "forget", HANDLE, "--yes", "--json")
    assert holders(place) == []
    assert not (place / "igtool-error-1.txt").exists()
    rows = {row["table"]: row["rows"] for row in done["rows"]}
    expected = {
        "accounts": 1,
        "content_items": 3,
        "creators": 1,
        "profiles": 1,
        "consents": 1,
        "media": 1,
        "watchlist": 1,
    }
    assert rows.items() >= expected.items()
    assert {row["table"] for row in told["rows"]} - {"jobs", "source_files"} <= set(rows)
    assert f"posts({HANDLE})_20261001T081500.json" in done["sources"]
    assert (place / "raw" / f"posts({HANDLE})_20261001T081500.json").exists(), "files of the user stay"
    _again(place)
    assert holders(place) == []
    assert igtool(place, "forget", HANDLE, "--yes") == f"forgotten already: {HANDLE}\nnothing to forget\n"
    with Lake(place / "data", writable=False) as lake:
        assert lake.value("select count(*) from conversations") == 1, "what others wrote stays"
        assert lake.value("select count(*) from tenant_lists") == 1
        assert [row["reason"] for row in lake.rows("from rejects where reason = 'forgotten'")] == ["forgotten"] * 3
    igtool(place, "audit", "verify")


def _again(place: Path) -> None:
    """The main job once more with the same inputs: her row is empty, with a note."""
    (place / "raw" / f"posts({HANDLE})_20261002T081500.json").write_text(json.dumps(world.marked() | {"again": 1}))
    (place / "raw" / f"posts({HANDLE})_20261001T081500.json").touch()
    other = world.others()[1]
    news = world.mention(world.dump(other), marked=True)
    (place / "raw" / f"posts({other.handle})_20261003T081500.json").write_text(json.dumps(news))
    igtool(place, "enrich", str(place / "list.csv"), code=8)
    lines = (place / "data/export/creators_enriched.csv").read_text().splitlines()
    assert lines[-1].startswith(",forgotten,")
    (place / "raw" / f"posts({HANDLE})_20261002T081500.json").unlink()


@pytest.mark.slow
def test_others_are_as_if_she_had_never_been(tmp_path: Path) -> None:
    """Tables of others equal those of a workspace made from dumps in which she does not stand."""
    places = {}
    for name in ("forgot", "never"):
        places[name] = tmp_path / name
        world.write_inputs(places[name], is_marked=name == "forgot")
        igtool(places[name], "import", str(places[name] / "raw"))
    igtool(places["forgot"], "forget", HANDLE, "--yes")
    found = {}
    for name, place in places.items():
        igtool(place, "run", "normalize", "embed", "resolve", "analyze")
        found[name] = _rows(place)
    assert found["forgot"] == found["never"]
    assert len(found["never"]["accounts"]) == world.OTHERS


def _rows(place: Path) -> dict[str, list[str]]:
    """Tables without what tells from which bytes they were read: a body that lost entries is another one."""
    names = (
        *("accounts", "account_states", "content_items", "metric_snapshots", "creators", "creator_links"),
        *("account_traits", "link_pairs", "niches", "profiles", "embeddings", "text_vectors"),
    )
    with Lake(place / "data", writable=False) as lake:
        return {
            name: sorted(str({k: v for k, v in row.items() if k != "answer_id"}) for row in lake.rows(f"from {name}"))
            for name in names
        }


@pytest.mark.slow
def test_one_account_of_several_goes_alone(place: Path) -> None:
    """The creator stays with the other account, and what was made of both is made anew."""
    with Lake(place / "data", writable=False) as lake:
        other = lake.value("select min(account_id) from accounts where account_id <> ?", (f"instagram:{USER_ID}",))
    igtool(place, "link", "pin", f"instagram:{USER_ID}", other, "--reason", "one person")
    igtool(place, "run", "resolve")
    igtool(place, "forget", HANDLE, "--account-only", "--yes")
    about_both = ("QQBIOMARK", "Zzsurname")  # in notes that somebody typed about the creator
    assert [one for one in holders(place) if not one.endswith(about_both)] == []
    with Lake(place / "data", writable=False) as lake:
        assert lake.value("select count(*) from creators") == world.OTHERS
        assert lake.value("select account_count from creators join creator_links using (creator_id) "
                          "where account_id = ?", (other,)) == 1  # fmt: skip


@pytest.mark.slow
def test_a_killed_call_is_finished_and_its_tombstone_tells_no_name(place: Path) -> None:
    """--resume finishes; nobody is told who was forgotten; without the tombstone the same dump is stored again."""
    assert "add --yes" in igtool(place, "forget", "invented_00000", code=2)
    _killed(place)
    igtool(place, "forget", "--resume")
    assert holders(place) == []
    assert igtool(place, "forget", "--list", "--json") == {"command": "forget", "forgotten": 1, "under_way": 0}
    assert (place / "data" / "tombstones.key").stat().st_mode & 0o777 == 0o600
    with Lake(place / "data", writable=False) as lake:
        stones = Tombstones(lake)
        assert stones.has("instagram", HANDLE.upper())
        assert stones.has("instagram", USER_ID)
        assert not stones.has("youtube", HANDLE)
    with open_session(load(place), "test", lambda: False) as session:
        plan = Fetcher(session, [], FetchOptions(())).plan([("instagram", HANDLE), ("instagram", "somebody")])
        _noted(session)
    assert list(plan.steps) == [("instagram", "somebody")]
    output = igtool(place, "forget", "qqmark.handle_78", "--yes", code=2)
    assert "close are" in output
    assert HANDLE not in output
    igtool(place, "forget", "--undo", "nobody.like.that", code=2)
    igtool(place, "forget", "--undo", HANDLE)
    igtool(place, "import", str(place / "raw"))
    igtool(place, "run", "normalize", "resolve")
    assert HANDLE in igtool(place, "show", HANDLE)


def _noted(session: Session) -> None:
    """A search that a server had in memory comes late: it is stored without her."""
    (known,) = session.lake.rows("select min(creator_id) as creator_id from creators")
    candidates = [{"creator_id": "c_gone", "parts": {}}, {**known, "parts": {}}]
    row = {"search_id": "late", "query": f"like {HANDLE}, wool", "candidates": json.dumps(candidates)}
    session.journal.note_searches([json.dumps({**row, "filters": "{}", "searched_at": NOW.isoformat()})])
    store_searches(session.lake, session.journal)
    (stored,) = session.lake.rows("from search_log where search_id = 'late'")
    assert stored["query"] == "like [forgotten] wool"
    assert [one["creator_id"] for one in json.loads(stored["candidates"])] == [known["creator_id"]]


def _killed(place: Path) -> None:
    """A call that dies when the tables are changed and files are not; status and doctor say so."""

    def die(*_: object, **__: object) -> None:
        raise RuntimeError("killed")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(erase.files, "remove", die)
        with pytest.raises(RuntimeError, match="killed"):
            erase.forget(load(place), Wish((f"instagram:{HANDLE}",)))
    assert igtool(place, "status", "--json")["forgetting"] == 1
    (told,) = [check for check in health.doctor(load(place)) if check.name == "forgetting"]
    assert (told.ok, told.fix) == (False, "run `igtool forget --resume`")
    assert holders(place)


@pytest.mark.slow
def test_a_backup_does_not_bring_her_back(place: Path, tmp_path: Path) -> None:
    """What a restore brings of people who were forgotten since is forgotten again at its end."""
    igtool(place, "backup", str(tmp_path / "backup"))
    igtool(place, "forget", HANDLE, "--yes")
    (row,) = igtool(place, "restore", str(tmp_path / "backup"), "--yes", "--json")["rows"]
    assert row["forgotten_again"] == 1
    with Lake(place / "data", writable=False) as lake:
        assert lake.value("select count(*) from accounts where handle = ?", (HANDLE,)) == 0
        assert lake.value("select count(*) from raw_responses where contains(body, ?)", (HANDLE,)) == 0
    assert igtool(place, "forget", HANDLE, "--yes", "--json")["already"] == [HANDLE]


@pytest.mark.slow
def test_a_writer_beside_is_waited_for_by_nobody(place: Path) -> None:
    """While another process writes, nothing is begun: exit code 7."""
    with Lake(place / "data", writable=True):
        igtool(place, "forget", HANDLE, "--yes", code=7)
    assert igtool(place, "forget", "--list", "--json")["under_way"] == 0


@pytest.mark.slow
def test_a_server_forgets_at_once(place: Path) -> None:
    """When another process has forgotten her, a server that had her open says 404, finds nobody, and never failed."""
    with serving(place) as served:
        creator = served.get("/api/creators/list", limit=10).json()["creators"]
        (hers,) = [one["creator_id"] for one in creator if one["handle"] == HANDLE]
        path = f"/api/creators/{hers}"
        assert served.get(path).status_code == 200
        process = subprocess.Popen([*IGTOOL, "--workspace", str(place), "forget", HANDLE, "--yes"])
        seen = set()
        while process.poll() is None:
            seen.add(served.get(path).status_code)
            seen.add(served.get("/api/creators/list", limit=10).status_code)
            time.sleep(0.02)
        assert process.returncode == 0
        assert served.get(path).status_code == 404
        assert seen <= {200, 404}
        served.settle()
        found = served.client.post("/api/v1/search", json={"query": "wool lighthouses"}).json()
        assert hers not in {one["creator_id"] for one in found["results"]}
    assert holders(place) == []


@pytest.mark.slow
def test_killed_at_random_moments_it_is_finished_by_the_next_call(filled: Path, tmp_path: Path) -> None:
    """Three kills (the fault campaign does more): whenever it died, calling it again leaves no byte of her."""
    moments = random.Random(3)
    kills = 0
    place = tmp_path / "w"
    shutil.copytree(filled, place)
    command = [*IGTOOL, "--workspace", str(place), "forget", HANDLE, "--yes"]
    began = time.monotonic()
    assert subprocess.run(command, check=False).returncode == 0
    took = time.monotonic() - began
    for _ in range(3):
        shutil.rmtree(place)
        shutil.copytree(filled, place)
        process = subprocess.Popen(command)
        time.sleep(moments.uniform(0.3, 1.0) * took)
        process.send_signal(signal.SIGKILL)
        kills += process.wait() == -signal.SIGKILL
        igtool(place, "forget", HANDLE, "--yes")
        assert holders(place) == []
        assert igtool(place, "status", "--json")["forgetting"] == 0
        igtool(place, "verify")
    assert kills >= 1


HER = Named(frozenset({"anna", "anna.b"}), frozenset({"123456789012"}), frozenset({"c_anna"}))


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("with @anna today", "with [forgotten] today"),
        ("anna is a name", "anna is a name"),
        ("anna.b is none", "[forgotten] is none"),
        ("@annab and @anna.c", "@annab and @anna.c"),
        ("see https://www.instagram.com/anna/?x=1 now", "see [forgotten] now"),
        ("id 123456789012.", "id [forgotten]"),
        ("1123456789012", "1123456789012"),
        ("recipes.example/anna", "recipes.example/anna"),
    ],
)
def test_words_are_told_from_names(text: str, left: str) -> None:
    """Only what means her is taken out of a text of others."""
    assert HER.redacted(text) == left


def test_a_handle_that_two_people_have_names_only_the_profile() -> None:
    """Where somebody else has the handle on another platform, what mentions it stays."""
    named = Named(frozenset({"anna"}), shared=frozenset({"anna"}), profiles=frozenset({"instagram.com/anna"}))
    assert named.redacted("@anna") == "@anna"
    assert named.redacted("https://instagram.com/anna") == "[forgotten]"
    assert named.without({"users": [{"username": "anna", "id": "5"}]}) == {"users": [{"username": "anna", "id": "5"}]}


def test_a_stranger_with_the_same_handle_stays_as_they_are(lake: Lake) -> None:
    """Of two people with one handle on two platforms the one that is named goes, with nothing of the other."""
    add_people(lake, PEOPLE)
    with lake.transaction():
        body = json.dumps({"items": [{"snippet": {"title": "anna", "channelTitle": "anna"}}]})
        answer = {"answer_id": "a1", "source": "youtube", "subject": "anna", "body": body}
        lake.merge("raw_responses", [answer])
    with pytest.raises(UsageError, match="several creators"):
        find(lake, "anna")
    person = person_of(lake, find(lake, "anna", "instagram"), account_only=False)
    assert person.shared == ["anna"]
    before = contents(lake)
    told = tables.count(lake, person)
    with lake.transaction():
        gone, _ = tables.erase(lake, person)
    assert gone == {name: number for name, number in told.items() if name != "raw_responses"}
    after = contents(lake)
    lost = {name: len(before[name]) - len(after[name]) for name in before if before[name] != after[name]}
    assert lost == {"accounts": 1, "creators": 1, "creator_links": 1, "niches": 1, "profiles": 1}
    assert all(set(after[name]) <= set(before[name]) for name in after)
    with lake.transaction():
        assert tables.erase(lake, person)[0] == {}, "doing it again changes nothing"


def test_lists_of_people_lose_one() -> None:
    """Of a list the entry goes; of an object that is no list only it; an answer about her goes as a whole."""
    users = [{"user": {"username": "anna.b", "pk": 1}}, {"user": {"username": "bea"}}]
    body = {"users": users, "mentions": ["anna", "bea"], "hashtags": ["anna", "anna.b"]}
    left = without_person(json.dumps(body), None, HER)
    assert left is not None
    assert json.loads(left) == {"users": [{"user": {"username": "bea"}}], "mentions": ["bea"], "hashtags": ["anna"]}
    alone = without_person(json.dumps({"reply": {"to": {"username": "anna.b"}}, "text": "hi"}), None, HER)
    assert alone is not None
    assert json.loads(alone) == {"reply": {"to": None}, "text": "hi"}
    assert without_person("{}", "anna.b", HER) is None
    assert without_person(json.dumps({"views": 123456789012}), None, HER) == json.dumps({"views": 123456789012})


@pytest.mark.slow
def test_names_of_the_wish_are_checked_first(place: Path) -> None:
    """Of several names one that nobody has stops all of it."""
    with pytest.raises(UsageError, match="nobody"):
        erase.forget(load(place), Wish((HANDLE, "nobody.like.that")))
    assert holders(place)
    with sqlite3.connect(place / "cache" / "journal.sqlite") as connection:
        assert connection.execute("select count(*) from forgetting").fetchone() == (0,)
    connection.close()
