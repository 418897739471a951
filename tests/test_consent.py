"""Consent as a security property: what was not agreed to is not there, and what is taken back leaves nothing."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from conftest import NOW
from consent_world import ALL, MARK, agree, derive, files_with, holders, link, people, say_adult
from hypothesis import given
from hypothesis import settings as with_settings
from hypothesis import strategies as st
from search_tables import Tables

from igtool.consent.records import Given, accounts_of, grant, listed
from igtool.consent.removal import Removed, Stores, TakenBack, keep_swept, revoke, sweep
from igtool.consent.standing import has_consent, standings
from igtool.errors import UsageError
from igtool.integrity.catalog import catalog_files
from igtool.integrity.files import check_files
from igtool.journal import Journal
from igtool.journal.models import Bound, CallLimits, Ended, ModelLedger
from igtool.lake import Lake
from igtool.pipeline import stages_of
from igtool.schema import EXPORTED
from igtool.settings import load
from igtool.vision.guard import UNSAID
from igtool.vocabulary import tags

WORDS = tags.shipped()
LATER = NOW + timedelta(days=1)


@pytest.fixture
def world(lake: Lake) -> Lake:
    """Anna with one account, Bea with two, and Cleo."""
    people(lake, anna=["instagram:anna"], bea=["instagram:bea", "youtube:bea"], cleo=["instagram:cleo"])
    return lake


@pytest.fixture
def stores(world: Lake, journal: Journal, tmp_path: Path) -> Stores:
    """The same with the journal and a folder for an index."""
    return Stores(world, journal, tmp_path / "data" / "index")


def standing(lake: Lake) -> dict[str, list[str]]:
    """Creator to what stands, for declared adults."""
    return {row["creator_id"]: row["categories"] for row in lake.rows("from consent_standing")}


def take_back(stores: Stores, account: str, *categories: str, fields: tuple[str, ...] = (), days: float = 1) -> Removed:
    """Somebody takes back what they said."""
    return revoke(stores, WORDS, account, TakenBack(categories, fields), NOW + timedelta(days=days))


# What stands --------------------------------------------------------------------------------------------------------


def test_nobody_agreed_until_somebody_did(world: Lake) -> None:
    """A creator who said nothing has no consent and is no declared adult; agreeing covers that creator alone."""
    assert standing(world) == {}
    agree(world, "instagram:anna", "build")
    assert standing(world) == {"c_anna": ["build"]}
    assert has_consent(world, "c_anna", "build")
    assert not has_consent(world, "c_anna", "age_band")
    found = standings(world, ["c_anna", "c_bea", "nobody"])
    assert (found["c_bea"], found["nobody"]) == (UNSAID, UNSAID)
    assert found["c_anna"].is_declared_adult


def test_one_account_speaks_for_all_of_its_creator_then(world: Lake) -> None:
    """Who agrees as one of two linked accounts agrees for the creator."""
    agree(world, "youtube:bea", "build", "age_band")
    assert standing(world) == {"c_bea": ["age_band", "build"]}


def test_being_an_adult_is_declared_without_agreeing_to_anything(world: Lake) -> None:
    """A declaration makes a declared adult, and no category stands."""
    say_adult(world, "instagram:anna")
    assert standing(world) == {"c_anna": []}


def test_an_account_that_is_merged_in_suspends_the_consent(world: Lake) -> None:
    """Consent never widens: with an account that nobody spoke for the creator has none, without it has it again."""
    agree(world, "instagram:anna")
    link(world, "c_anna", ["instagram:cleo"])
    assert standing(world) == {}
    link(world, "c_cleo", ["instagram:cleo"])
    assert standing(world) == {"c_anna": ["build"]}


def test_consent_follows_the_account_into_another_creator(world: Lake) -> None:
    """A merge that keeps the other id suspends it too; when the others agree as well it stands under that id."""
    agree(world, "instagram:anna")
    link(world, "c_cleo", ["instagram:anna"])
    assert standing(world) == {}
    agree(world, "instagram:cleo", days=1)
    assert standing(world) == {"c_cleo": ["build"]}


def test_what_is_split_off_is_no_longer_covered(world: Lake) -> None:
    """Linked by mistake when the other agreed: alone, the account has agreed to nothing."""
    agree(world, "youtube:bea")
    link(world, "c_other", ["instagram:bea"])
    assert standing(world) == {"c_bea": ["build"]}


def test_both_of_two_merged_people_must_agree_to_the_same(world: Lake) -> None:
    """One agreed to build, the other to the age band: together they agreed to neither, and are declared adults."""
    agree(world, "instagram:anna", "build")
    agree(world, "instagram:cleo", "age_band")
    link(world, "c_anna", ["instagram:cleo"])
    assert standing(world) == {"c_anna": []}


def test_without_being_a_declared_adult_no_consent_stands(stores: Stores) -> None:
    """Who takes back to be an adult has agreed to nothing any more, nor when an adult again."""
    agree(stores.lake, "instagram:anna", "build")
    take_back(stores, "instagram:anna", fields=("adult",))
    assert standing(stores.lake) == {}
    say_adult(stores.lake, "instagram:anna", days=2)
    assert standing(stores.lake) == {"c_anna": []}
    assert {row["state"] for row in listed(stores.lake, "anna")[0]} == {"revoked", "refused"}


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"declared_adult": False}, "did not; nothing was recorded"),
        ({"category": "hair"}, "hair needs no consent"),
        ({"category": "ethnicity"}, "never infers ethnicity"),
        ({"category": "Hautfarbe"}, "no category"),
        ({"category": "biuld"}, "did you mean build"),
        ({"account": "ana"}, "there is no account 'ana'; close are: anna"),
        ({"account": "bea"}, "2 accounts: say which"),
        ({"evidence": " "}, "evidence has 1 to"),
        ({"granted_at": LATER}, "yet to come"),
    ],
)
def test_what_cannot_be_granted_is_said_and_nothing_is_written(
    world: Lake, changed: dict[str, object], message: str
) -> None:
    """One wrong consent among right ones, and none is recorded."""
    right = {"account": "anna", "category": "build", "evidence": "a form", "declared_adult": True}
    words = [Given(**right), Given(**{**right, **changed})]  # type: ignore[arg-type]
    with pytest.raises(UsageError, match=message):
        grant(world, WORDS, words, NOW)
    assert listed(world) == ([], [])


def test_the_same_words_are_recorded_once(world: Lake) -> None:
    """Writing the same down again changes nothing."""
    words = [Given("anna", "build", "a form", True, NOW)]
    assert grant(world, WORDS, words, NOW) == 1
    assert grant(world, WORDS, words, LATER) == 0
    assert len(listed(world)[0]) == 1
    assert len(listed(world)[1]) == 1


Words = list[tuple[str, str, list[str], int | None, int | None, bool]]


@st.composite
def histories(draw: st.DrawFn) -> tuple[dict[str, str], Words]:
    """Which account is whose, and words: category, account, those it covers, when said, when ended, whether adult."""
    accounts = ["a", "b", "c"]
    owners = {one: draw(st.sampled_from(["c1", "c2"])) for one in accounts}
    moment = st.none() | st.integers(0, 4)
    words = []
    for _ in range(draw(st.integers(0, 6))):
        account = draw(st.sampled_from(accounts))
        covered = sorted({account, *draw(st.sets(st.sampled_from(accounts)))})
        said = (draw(st.sampled_from(["", "build"])), account, covered)
        words.append((*said, draw(moment), draw(moment), draw(st.booleans())))
    return owners, words


@with_settings(max_examples=60, deadline=None)
@given(histories())
def test_consent_stands_exactly_where_every_account_is_covered(history: tuple[dict[str, str], Words]) -> None:
    """The view against its rule in words, over any history of agreeing, taking back, merging and splitting."""
    owners, words = history
    tables = Tables()
    tables.add("creator_links", [{"account_id": one, "creator_id": creator} for one, creator in owners.items()])
    for number, (category, account, covered, said, ended, is_adult) in enumerate(words):
        at, until = (None if day is None else NOW + timedelta(days=day) for day in (said, ended))
        row = {"account_id": account, "account_ids": covered}
        if category:
            row |= {"consent_id": str(number), "category": category, "declared_adult": is_adult}
            tables.add("consents", [{**row, "granted_at": at, "revoked_at": until}])
        else:
            row |= {"declaration_id": str(number), "field": "adult"}
            tables.add("declarations", [{**row, "declared_at": at, "withdrawn_at": until}])

    def stands(creator: str, category: str) -> bool:
        own = [one for one, owner in owners.items() if owner == creator]
        return bool(own) and all(
            any(
                kind == category
                and speaker in own
                and one in covered
                and said is not None
                and ended is None
                and (is_adult or not category)
                and not any(k == category and s == one and e is not None and e >= said for k, s, _, _, e, _ in words)
                for kind, speaker, covered, said, ended, is_adult in words
            )
            for one in own
        )

    expected = {one: ["build"] if stands(one, "build") else [] for one in ("c1", "c2") if stands(one, "")}
    rows = tables.arrow("from consent_standing").to_pylist()
    assert {row["creator_id"]: row["categories"] for row in rows} == expected


# What is removed ----------------------------------------------------------------------------------------------------


def test_a_revoked_category_is_gone_from_every_table_and_file(stores: Stores, tmp_path: Path) -> None:
    """No table, older snapshot, statistics of a column or index holds a value; what others agreed to stays."""
    lake = stores.lake
    for name in ("anna", "cleo"):
        agree(lake, f"instagram:{name}")
        derive(lake, f"c_{name}", f"instagram:{name}", "build", "slim")
    (stores.index / "v1").mkdir(parents=True)
    (stores.index / "v1" / "manifest.json").write_text(MARK)
    (stores.index / "current").write_text("v1\n")
    assert sweep(lake, WORDS) == {}
    assert holders(lake, "c_anna", "build") == ALL | {"body_facts"}
    removed = take_back(stores, "anna", "build")
    assert (removed.words, removed.is_clean, set(removed.rows)) == (1, True, ALL | {"body_facts"})
    assert holders(lake, "c_anna", "build") == set()
    assert holders(lake, "c_cleo", "build") == ALL | {"body_facts"}
    assert not (stores.index / "v1").exists()
    take_back(stores, "cleo", "build")
    assert files_with(tmp_path) == []


@pytest.mark.slow
def test_what_waits_in_the_journal_is_gone_too(stores: Stores, tmp_path: Path) -> None:
    """An answer of a vision-language model that a killed run left in the journal does not come back."""
    agree(stores.lake, "instagram:anna")
    ledger = ModelLedger(stores.journal)
    entered = ledger.enter(("local", "m"), [Bound(1, 0.0)], run="r", limits=CallLimits(), now=1.0)
    row = {"answer_id": "x", "kind": "tag:build", "item_id": "c_anna|sha", "answer": MARK, "prompt": "[]"}
    row["answered_at"] = NOW.isoformat()
    ledger.end([Ended(entered.call_ids[0], "stop", 1, 0.0, "x", row)], now=1.0)
    assert files_with(tmp_path)
    take_back(stores, "anna", "build")
    assert stores.lake.value("select count(*) from llm_answers") == 0
    assert files_with(tmp_path) == []


@pytest.mark.slow
def test_a_revocation_that_is_killed_is_finished_by_the_next(
    stores: Stores, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed before the files are made anew: the tables are clean already, the next call cleans the files."""

    def killed(lake: Lake, tables: object) -> bool:
        raise KeyboardInterrupt

    agree(stores.lake, "instagram:anna")
    derive(stores.lake, "c_anna", "instagram:anna", "build", "slim")
    with monkeypatch.context() as patch:
        patch.setattr(Lake, "purge", killed)
        with pytest.raises(KeyboardInterrupt):
            take_back(stores, "anna", "build")
    assert holders(stores.lake, "c_anna", "build") == set()
    assert files_with(tmp_path)
    take_back(stores, "anna", "build", days=2)
    assert files_with(tmp_path) == []


@pytest.mark.slow
def test_open_categories_outlive_the_consent(stores: Stores) -> None:
    """Only what was taken back goes: hair, measured with no minor in sight, and what is about the picture."""
    agree(stores.lake, "instagram:anna", "build", "age_band")
    for category, tag in (("build", "slim"), ("age_band", "25-34"), ("hair", "blonde"), ("setting", "beach")):
        derive(stores.lake, "c_anna", "instagram:anna", category, tag)
    take_back(stores, "anna", "build")
    assert holders(stores.lake, "c_anna", "build") == set()
    for category in ("age_band", "hair", "setting"):
        assert holders(stores.lake, "c_anna", category) == ALL
    take_back(stores, "anna", days=2)
    assert holders(stores.lake, "c_anna", "age_band") == set()
    assert holders(stores.lake, "c_anna", "hair") == ALL
    assert standing(stores.lake) == {}


def test_who_is_no_declared_adult_any_more_has_no_tags_that_rested_on_it(stores: Stores) -> None:
    """Without a verdict of the safety check tags about a person go, those about pictures stay."""
    say_adult(stores.lake, "instagram:anna")
    derive(stores.lake, "c_anna", "instagram:anna", "hair", "blonde", minor=None)
    derive(stores.lake, "c_anna", "instagram:anna", "setting", "beach", minor=None)
    assert sweep(stores.lake, WORDS) == {}
    take_back(stores, "anna", fields=("adult",))
    assert holders(stores.lake, "c_anna", "hair") == {"reviews"}
    assert holders(stores.lake, "c_anna", "setting") == ALL


def test_a_creators_own_word_about_an_open_category_stays(stores: Stores) -> None:
    """What creators say of their own hair is theirs; nobody inferred it."""
    key = {"creator_id": "c_anna", "category": "hair", "tag": "blonde"}
    with stores.lake.transaction():
        stores.lake.merge("creator_tags", [{**key, "confidence_score": 1.0}])
        stores.lake.merge("reviews", [{**key, "review_id": "r", "is_own_correction": True}])
    assert sweep(stores.lake, WORDS) == {}


@pytest.mark.parametrize(
    ("category", "tag", "minor", "agreed", "kept"),
    [
        ("build", "slim", False, True, True),
        ("build", "slim", None, True, False),
        ("build", "slim", True, True, False),
        ("build", "slim", False, False, False),
        ("hair", "blonde", True, True, False),
        ("hair", "blonde", None, False, False),
        ("hair", "blonde", None, True, True),
        ("hair", "blonde", False, False, True),
        ("setting", "beach", True, False, True),
        ("star_sign", "leo", False, True, False),
        ("ethnicity", "any", False, True, False),
    ],
)
def test_whatever_wrote_it_the_rules_hold_for_what_is_stored(
    world: Lake, category: str, tag: str, minor: bool | None, agreed: bool, kept: bool
) -> None:
    """A row that the guard would not have allowed is removed; a category that the vocabulary lacks is never allowed."""
    if agreed:
        agree(world, "instagram:anna")
    derive(world, "c_anna", "instagram:anna", category, tag, minor=minor)
    sweep(world, WORDS)
    left = holders(world, "c_anna", category) & {"image_tags", "creator_tags", "llm_answers", "body_facts"}
    assert bool(left) is kept
    assert "reviews" in holders(world, "c_anna", category)


def test_a_merge_removes_what_was_inferred_and_a_split_brings_no_value_back(stores: Stores) -> None:
    """Nothing that one person agreed to is shown of two; what people reviewed waits for the end of the doubt."""
    lake = stores.lake
    agree(lake, "instagram:anna")
    derive(lake, "c_anna", "instagram:anna", "build", "slim")
    link(lake, "c_anna", ["instagram:cleo"])
    assert set(keep_swept(lake, stores.journal, WORDS)) >= {"image_tags", "creator_tags", "body_facts"}
    assert keep_swept(lake, stores.journal, WORDS) == {}
    assert holders(lake, "c_anna", "build") == {"reviews"}
    link(lake, "c_cleo", ["instagram:cleo"])
    assert standing(lake) == {"c_anna": ["build"]}
    assert take_back(stores, "anna", "build").rows == {"reviews": 1}


@pytest.mark.slow
def test_taking_back_reaches_rows_under_an_id_that_was_merged_away(stores: Stores) -> None:
    """Reviews of a creator that is now part of another go when the account's owner revokes."""
    lake = stores.lake
    agree(lake, "instagram:anna")
    derive(lake, "c_anna", "instagram:anna", "build", "slim")
    link(lake, "c_cleo", ["instagram:anna"])
    take_back(stores, "anna", "build")
    assert holders(lake, "c_anna", "build") == set()


def test_a_refusal_outlives_an_older_consent_that_comes_later(stores: Stores) -> None:
    """A file from before that is imported afterwards brings nothing back, also where nobody had agreed yet."""
    take_back(stores, "anna", days=2)
    agree(stores.lake, "instagram:anna", days=1)
    assert standing(stores.lake) == {}
    agree(stores.lake, "instagram:anna", days=3)
    assert standing(stores.lake) == {"c_anna": ["build"]}


def test_one_owner_does_not_take_back_what_another_agreed_to(stores: Stores) -> None:
    """After a split each account's owner speaks for it alone."""
    agree(stores.lake, "youtube:bea")
    link(stores.lake, "c_other", ["instagram:bea"])
    take_back(stores, "instagram:bea")
    assert standing(stores.lake) == {"c_bea": ["build"]}


@pytest.mark.slow
def test_consent_of_an_account_that_is_gone_can_be_taken_back(stores: Stores) -> None:
    """Whoever was forgotten by the platform still has the last word."""
    agree(stores.lake, "instagram:anna")
    stores.lake.execute("delete from accounts where account_id = 'instagram:anna'")
    stores.lake.execute("delete from creator_links where account_id = 'instagram:anna'")
    assert accounts_of(stores.lake, "instagram:anna") == ["instagram:anna"]
    assert take_back(stores, "instagram:anna").words == 2


@pytest.mark.parametrize(
    ("taken", "message"),
    [
        (TakenBack(("biuld",)), "did you mean build"),
        (TakenBack(("hair",)), "needs no consent"),
        (TakenBack((), ("height",)), "nothing is declared as 'height'"),
    ],
)
def test_taking_back_what_there_is_not_is_said(stores: Stores, taken: TakenBack, message: str) -> None:
    """A category or field that is not there is named with those that are."""
    with pytest.raises(UsageError, match=message):
        revoke(stores, WORDS, "anna", taken, LATER)


@pytest.mark.slow
def test_a_purge_keeps_every_other_row_findable(stores: Stores) -> None:
    """Rows, least and greatest values and pruning are right after files and statistics were made anew."""
    lake = stores.lake
    agree(lake, "instagram:anna")
    rows = [{"creator_id": f"c{n:04}", "category": "setting", "tag": "beach"} for n in range(2_000)]
    with lake.transaction():
        lake.merge("creator_tags", rows)
    derive(lake, "c_anna", "instagram:anna", "build", "slim")
    take_back(stores, "anna", "build")
    with lake.transaction():
        lake.merge("creator_tags", [{**rows[0], "creator_id": "zz"}])
    found = lake.rows("select count(*) as n, min(creator_id) as low, max(creator_id) as high from creator_tags")
    assert found == [{"n": 2_001, "low": "c0000", "high": "zz"}]
    assert lake.value("select count(*) from creator_tags where creator_id in ('c0007', 'zz')") == 2
    recorded = stores.journal.lake_files(lake.lake_id)
    assert not any(one.problem for one in check_files(lake.store, catalog_files(lake.folder), recorded))


@pytest.mark.slow
def test_after_a_purge_every_table_counts_as_changed(stores: Stores) -> None:
    """A stage that was behind does not take the loss of older commits for rest."""
    before = stores.lake.snapshot
    agree(stores.lake, "instagram:anna")
    take_back(stores, "anna")
    assert {"consents", "accounts"} <= stores.lake.changed_since(before)
    assert stores.lake.changed_since(stores.lake.snapshot) == set()


@pytest.mark.slow
def test_a_reader_beside_is_told_of(stores: Stores, tmp_path: Path) -> None:
    """Rows are gone for a process that reads meanwhile; whether bytes are left is said."""
    agree(stores.lake, "instagram:anna")
    derive(stores.lake, "c_anna", "instagram:anna", "build", "slim")
    with Lake(tmp_path / "data", writable=False) as reader:
        assert reader.value("select count(*) from image_tags") == 1
        removed = take_back(stores, "anna")
        assert reader.value("select count(*) from image_tags") == 0
    assert removed.is_clean is (files_with(tmp_path) == [])


def test_nothing_of_this_is_exported() -> None:
    """What needs consent, and the words about it, stay in the workspace."""
    held = ALL | {"body_facts", "consents", "declarations", "media", "image_facts", "image_vectors"}
    assert held.isdisjoint(EXPORTED)


def test_what_people_typed_survives_a_rebuild(tmp_path: Path) -> None:
    """No stage writes consents, declarations or reviews: rebuilding reaches none of them."""
    written = {table for stage in stages_of(load(tmp_path)) for table in stage.writes}
    assert written.isdisjoint({"consents", "declarations", "reviews"})
