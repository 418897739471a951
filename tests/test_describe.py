"""Creators described by a language model, in a real workspace: asked when it is worth it, and never twice."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from llm_people import Creator, creator_id, creator_row, creators, decent, item, lines_of, link_row, store, vector_row
from llm_runs import ENCODER, RawServer, Studio
from llm_server import KEY
from test_asking_batches import Killed, kill

from igtool import pipeline
from igtool.description import prompt
from igtool.description.answer import Description
from igtool.errors import BudgetError, Interrupted, RateLimitedError
from igtool.journal.models import ModelLedger
from igtool.lake import Lake
from igtool.llms.openai import OpenAI
from igtool.runner import Runner
from igtool.stages import describe
from igtool.vocabulary import fold

PEOPLE = 11
NOW = datetime.now(UTC)
BEGUN = NOW - timedelta(days=30)


def people() -> list[Creator]:
    """The creators of these tests: twenty items each; the last has no content vector."""
    return creators(PEOPLE, items=20)


@pytest.fixture(scope="module")
def shared_server() -> Iterator[RawServer]:
    """One server for the module."""
    with RawServer(key=KEY) as opened:
        yield opened


@pytest.fixture
def server(shared_server: RawServer) -> RawServer:
    """A server that answers decently, without scripts."""
    shared_server.reset()
    shared_server.raw = lambda _: None
    shared_server.answer = decent
    shared_server.latency_s = 0.0
    return shared_server


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace after the stages that need no model."""
    folder = tmp_path_factory.mktemp("stored")
    with Lake(folder / "data", writable=True) as lake:
        store(lake, people(), BEGUN)
        vectors = ENCODER.encode([one.bio for one in people()]).tolist()
        with lake.transaction():
            rows = zip(people()[:-1], vectors, strict=False)
            lake.merge("embeddings", [vector_row(one.account_id, vector) for one, vector in rows])
    with RawServer() as nobody, Studio(nobody, folder) as opened:
        opened.run("analyze", llm="never")
    return folder


@pytest.fixture
def studio(server: RawServer, stored: Path, tmp_path: Path) -> Iterator[Studio]:
    """A workspace in which nobody was asked yet."""
    shutil.copytree(stored, tmp_path / "workspace")
    with Studio(server, tmp_path / "workspace") as opened:
        yield opened


@pytest.fixture(scope="module")
def described(shared_server: RawServer, stored: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace in which everybody is described."""
    folder = tmp_path_factory.mktemp("described") / "workspace"
    shutil.copytree(stored, folder)
    shared_server.reset()
    shared_server.raw = lambda _: None
    shared_server.answer = decent
    with Studio(shared_server, folder) as opened:
        assert opened.run("describe", "analyze").counts == (PEOPLE, 0, 0, 0)
    return folder


@pytest.fixture
def known(server: RawServer, described: Path, tmp_path: Path) -> Iterator[Studio]:
    """A workspace in which everybody is described; the server has heard nothing yet."""
    shutil.copytree(described, tmp_path / "workspace")
    with Studio(server, tmp_path / "workspace") as opened:
        yield opened


# --- what comes of it ----------------------------------------------------------------------------------------------


def test_everybody_is_described_and_what_is_said_reaches_profiles_and_niches(known: Studio) -> None:
    """Fields that the model wrote say so, the row names provider and model, and nothing is paid twice."""
    rows = known.rows("from descriptions order by creator_id")
    assert [row["creator_id"] for row in rows] == [creator_id(number) for number in range(PEOPLE)]
    answers = {row["answer_id"]: row for row in known.rows("from llm_answers")}
    for row in rows:
        answer = answers[row["llm_answer_id"]]
        assert (answer["item_id"], answer["provider"], answer["model"]) == (row["creator_id"], "openai", "gpt-4o-mini")
        assert (row["provider"], row["model"], row["prompt_version"]) == ("openai", "gpt-4o-mini", prompt.VERSION)
        assert (row["claim_count"], row["ungrounded_count"]) == (5, 0)
        assert len(row["content_ids"]) == 20
    for row in known.rows("from profiles"):
        methods = json.loads(row["methods"])
        written = ["user_style.persona", "user_style.tone", "user_style.interests", "audience_type", "brand_fit"]
        assert {methods[name] for name in written} == {"model"}
        assert methods["content_topics"].startswith("model")
        assert (row["model"], row["prompt_version"]) == ("openai/gpt-4o-mini", prompt.VERSION)
        assert row["content_topics"][:2] == ["making things by hand", "learning slowly"]
        assert methods["posting_pattern"] == "sql"
    for row in known.rows("from niches"):
        assert json.loads(row["methods"])["llm_summary"] == "model"
        assert row["llm_summary"].startswith("A patient maker")
        assert row["model"] == "openai/gpt-4o-mini"


def test_every_claim_in_the_tables_cites_what_is_there(studio: Studio) -> None:
    """Whatever a model answers: ids exist, belong to the creator, and words stand in its texts; the rest is counted."""
    chance = random.Random(5)
    words = ("bread", "vegan", "https://x.io", "12", "nobody wrote this", "a Catholic", "the oven")

    def random_answer(ask: Any) -> Any:
        text = ask.text
        answer = decent(ask)
        for name in ("topics", "interests", "audience", "brands"):
            start = chance.randrange(len(text) - 40)
            evidence = [chance.randint(-1, 30), text[start : start + chance.randint(2, 40)], chance.choice(words)]
            answer[name] = [
                {"is": f"{chance.choice(words)} {'abcd'[place]}", "of": chance.sample(evidence, chance.randint(1, 3))}
                for place in range(chance.randint(0, 4))
            ]
        return answer

    studio.server.answer = random_answer
    studio.run("describe", "analyze")
    by_creator = {creator_id(one.number): one for one in people()}
    ungrounded = shown = 0
    for row in studio.rows("from descriptions"):
        found, one = Description.from_json(row["description"]), by_creator[row["creator_id"]]
        texts = [fold(text) for text in (one.name, one.bio, *one.captions)]
        ids = {row["content_id"] for row in one.items()}
        claims = [*found.topics, *found.interests, *found.brands, *([found.audience] if found.audience else [])]
        for claim in claims:
            assert claim.content_ids or claim.quotes
            assert set(claim.content_ids) <= ids
            assert all(any(fold(quote).strip(" .…") in text for text in texts) for quote in claim.quotes)
        ungrounded, shown = ungrounded + row["ungrounded_count"], shown + len(claims)
    assert ungrounded > 10
    assert shown > 3
    items = {row["content_id"] for row in studio.rows("select content_id from content_items")}
    for row in studio.rows("from profiles"):
        methods, evidence = json.loads(row["methods"]), json.loads(row["evidence"])
        for name in ("content_topics", "user_style.interests", "audience_type", "brand_fit"):
            if methods[name].startswith("model"):
                assert evidence[name].get("content_ids") or evidence[name].get("quotes")
        assert all(set(found.get("content_ids", [])) <= items for found in evidence.values())


def test_without_a_model_nothing_is_asked_and_all_fields_are_there(studio: Studio) -> None:
    """--llm never, and no provider at all."""
    for settings in ({"llm": "never"}, {"provider": None}):
        assert studio.run("analyze", **settings).trouble is None
    assert studio.prompts() == []
    assert studio.count("profiles") == PEOPLE
    assert studio.count("descriptions") == 0


def test_what_a_model_said_stays_when_it_is_asked_no_more(known: Studio) -> None:
    """A later run without a provider does not throw away what was paid for."""
    known.run("analyze", llm="never", force=True)
    assert {row["model"] for row in known.rows("from profiles")} == {"openai/gpt-4o-mini"}


def test_a_creator_that_says_nothing_is_not_asked_about(studio: Studio) -> None:
    """Without any text there is no question, no row and no reject."""
    silent = Creator(99, "", "", "", ())
    studio.change(
        accounts=[silent.account() | {"display_name": None, "bio": " "}],
        creators=[creator_row(99)],
        creator_links=[link_row(silent)],
    )
    told = studio.run()
    assert told.tally.asked == PEOPLE
    assert told.counts == (PEOPLE + 1, 0, 0, 0)
    assert studio.run().counts == (0, 0, PEOPLE + 1, 0)


def test_what_was_said_of_a_creator_goes_with_it(known: Studio) -> None:
    """A creator that is gone leaves no description."""
    known.change(
        *(f"delete from {name} where creator_id = '{creator_id(3)}'" for name in ("creators", "creator_links"))
    )
    known.run()
    assert creator_id(3) not in {row["creator_id"] for row in known.rows("from descriptions")}


# --- nothing twice -------------------------------------------------------------------------------------------------


def test_a_second_run_asks_nothing_and_force_takes_every_answer_from_the_store(known: Studio) -> None:
    """Not a single request, and the same rows."""
    before = known.rows("select * exclude (described_at) from descriptions order by creator_id")
    again = known.run()
    assert (again.counts, again.tally.cached) == ((0, 0, PEOPLE, 0), 0)
    forced = known.run(force=True)
    assert (forced.counts, forced.tally.cached, forced.tally.asked) == ((0, PEOPLE, 0, 0), PEOPLE, 0)
    assert known.prompts() == []
    assert known.rows("select * exclude (described_at) from descriptions order by creator_id") == before
    assert known.run().counts == (0, 0, PEOPLE, 0)


STEPS = [
    (ModelLedger, "enter", False),
    (ModelLedger, "end", True),
    (ModelLedger, "end", False),
    (ModelLedger, "delete_answers", True),
    (Runner, "_store", False),
    (Lake, "append_new", False),
]


@pytest.mark.slow
def test_a_run_that_dies_at_any_step_is_gone_on_with(studio: Studio) -> None:
    """Interrupted then resumed equals uninterrupted; only what was under way, four calls, may be paid for again."""
    for number, (owner, name, before) in enumerate(STEPS):
        studio.server.reset()
        how = {"chat_model": f"model-{number}", "llm_input_price": 1.0, "llm_output_price": 1.0, "stage_batch_size": 8}
        with pytest.MonkeyPatch.context() as patch:
            kill(patch, owner, name, before=before)
            with pytest.raises(Killed):
                studio.run(**how)
        assert studio.run(**how).trouble is None, name
        assert {row["model"] for row in studio.rows("from descriptions")} == {f"model-{number}"}, name
        answers = [row["answer_id"] for row in studio.rows(f"from llm_answers where model = 'model-{number}'")]
        assert len(answers) == len(set(answers)) == PEOPLE, name
        in_flight = 4 if name in ("enter", "end") else 0
        assert sum(count - 1 for count in studio.server.paid.values()) <= in_flight, name


def test_a_run_that_was_stopped_is_gone_on_with(studio: Studio) -> None:
    """Ctrl-C: answers under way are stored, and the next run asks only for the others."""
    with studio.session() as session:
        session.stopping = lambda: len(studio.prompts()) >= 3
        assert session.asker is not None
        session.asker.stopping = session.stopping
        with pytest.raises(Interrupted):
            pipeline.run_passes(session, session.runner(), ["describe"])
    told = studio.run()
    assert told.trouble is None
    assert set(studio.server.paid.values()) == {1}
    assert studio.count("descriptions") == PEOPLE


# --- when asking has to stop ---------------------------------------------------------------------------------------


def test_what_cannot_be_asked_stays_pending_and_all_else_is_done(studio: Studio) -> None:
    """A rate limit in the middle: every creator has its profile, those that were asked have the model's."""
    studio.server.script(["rate_limited_empty"], skip=6, forever=True)
    told = studio.run("describe", "analyze")
    assert isinstance(told.trouble, RateLimitedError)
    assert (told.tally.asked, told.tally.postponed) == (6, PEOPLE - 6)
    assert studio.count("profiles") == PEOPLE
    models = [row["model"] for row in studio.rows("select model from profiles")]
    assert models.count("openai/gpt-4o-mini") == 6
    studio.server.reset()
    rest = studio.run("describe", "analyze")
    assert (rest.tally.asked, rest.trouble) == (PEOPLE - 6, None)
    assert {row["model"] for row in studio.rows("select model from profiles")} == {"openai/gpt-4o-mini"}


def test_one_creator_that_cannot_be_asked_holds_up_no_other_batch(studio: Studio) -> None:
    """Its question fails again and again; everybody after it is described, and the run ends with exit 4."""
    studio.server.script(["server_error"], containing="number0.", forever=True)
    told = studio.run(stage_batch_size=3)
    assert isinstance(told.trouble, RateLimitedError)
    assert (told.tally.asked, told.tally.postponed) == (PEOPLE - 1, 1)
    studio.server.reset()
    assert studio.run(stage_batch_size=3).tally.asked == 1


def test_the_money_of_a_run_ends_it_and_the_next_goes_on(studio: Studio) -> None:
    """What was asked is stored, what is left is pending."""
    told = studio.run(max_cost_usd=0.0025)
    assert isinstance(told.trouble, BudgetError)
    assert 0 < told.tally.asked < PEOPLE
    assert told.tally.cost_usd <= 0.0025
    rest = studio.run()
    assert rest.tally.asked == PEOPLE - told.tally.asked
    assert set(studio.server.paid.values()) == {1}


def test_an_answer_that_cannot_be_used_is_a_reject_and_the_creator_keeps_its_profile(studio: Studio) -> None:
    """With a slug, after two repairs, charged; the next run does not ask again."""
    studio.server.raw = lambda ask: f"no JSON {random.random()}" if "number3." in ask.text else None
    told = studio.run()
    assert told.counts == (PEOPLE - 1, 0, 0, 1)
    (reject,) = studio.rows("from rejects where stage = 'describe'")
    assert (reject["item_id"], reject["reason"]) == (creator_id(3), "llm-invalid-json")
    assert len(studio.rows(f"from llm_answers where item_id = '{creator_id(3)}'")) == 3
    assert studio.count("profiles") == PEOPLE
    assert studio.run().counts == (0, 0, PEOPLE, 0)


# --- who is asked for labels ---------------------------------------------------------------------------------------


@pytest.mark.slow
def test_niche_and_style_are_asked_for_where_they_are_uncertain(studio: Studio) -> None:
    """Or always; prose is asked of everybody."""
    for settings, labelled in (
        ({"llm_uncertain_below": 0.0}, 0),
        ({"llm_uncertain_below": 1.0}, PEOPLE),
        ({"llm_uncertain_below": 0.0, "llm": "always"}, PEOPLE),
    ):
        studio.run("describe", "analyze", **settings)
        query = "select kind from llm_answers a join descriptions d on d.llm_answer_id = a.answer_id"
        kinds = [row["kind"] for row in studio.rows(query)]
        assert (kinds.count("profile_labels"), len(kinds)) == (labelled, PEOPLE)
        methods = [json.loads(row["methods"]) for row in studio.rows("select methods from niches")]
        assert sum("model" in one["primary_niche"] for one in methods) == labelled
        assert sum("model" in one["content_style"] for one in methods) == labelled
    assert len(studio.prompts()) == 2 * PEOPLE


def test_a_small_model_is_not_asked_for_labels(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    """Unless somebody insists; prose is asked of everybody, and what was not asked is left to the rules."""
    monkeypatch.setattr(OpenAI, "is_small", True)
    for settings, labelled in (({"llm_uncertain_below": 1.0}, 0), ({"llm": "always"}, PEOPLE)):
        studio.run("describe", "analyze", **settings)
        query = "select kind from llm_answers a join descriptions d on d.llm_answer_id = a.answer_id"
        kinds = [row["kind"] for row in studio.rows(query)]
        assert (kinds.count("profile_labels"), len(kinds)) == (labelled, PEOPLE)
        profiles = studio.rows("select user_style, methods from profiles")
        assert all(json.loads(row["user_style"])["persona"] for row in profiles)
        assert "model" not in {json.loads(row["methods"])["brand_fit"] for row in profiles}


def test_the_certain_are_not_asked_for_what_is_known(studio: Studio) -> None:
    """A creator whose own words name the niche again and again is asked for prose alone."""
    clear = Creator(50, "", "Chef Nora", "Chef. Recipes, cooking, baking, food.", ("A recipe for dinner",) * 3)
    studio.change(
        accounts=[clear.account() | {"category": "Chef"}],
        content_items=clear.items(BEGUN),
        creators=[creator_row(50)],
        creator_links=[link_row(clear)],
    )
    studio.run(llm_uncertain_below=0.5)
    kinds = {row["item_id"]: row["kind"] for row in studio.rows("select item_id, kind from llm_answers")}
    assert kinds[creator_id(50)] == "profile"
    assert "profile_labels" in kinds.values()


# --- asked again ---------------------------------------------------------------------------------------------------


def aged(studio: Studio, days: float) -> None:
    """Let everybody have been described so many days ago."""
    studio.change(f"update descriptions set described_at = now() - to_seconds({round(86_400 * days)})")


def with_new_items(studio: Studio, number: int, count: int) -> None:
    """Let a creator post ``count`` more items."""
    account = f"instagram:{number}"
    studio.change(content_items=[item(account, 20 + place, f"new {place}", BEGUN) for place in range(count)])


def asked_again(studio: Studio, **settings: Any) -> list[str]:
    """Whom a run asks about."""
    before = {row["answer_id"] for row in studio.rows("select answer_id from llm_answers")}
    studio.run(**settings)
    return sorted(row["item_id"] for row in studio.rows("from llm_answers") if row["answer_id"] not in before)


def test_who_has_not_changed_is_never_asked_about_again(known: Studio) -> None:
    """However long ago it was."""
    aged(known, 1_000)
    assert asked_again(known) == []


def test_a_share_of_new_items_asks_again(known: Studio) -> None:
    """Of the twenty newest items 25 % are not enough and 35 % are, by default more than 30 %."""
    aged(known, 20)
    with_new_items(known, 1, 5)
    with_new_items(known, 2, 6)
    with_new_items(known, 3, 7)
    assert asked_again(known) == [creator_id(3)]
    assert asked_again(known, llm_new_share=0.29) == [creator_id(2)]
    assert asked_again(known, llm_new_share=0.1) == [creator_id(1)]
    assert asked_again(known, llm_new_share=0.1) == []


def test_a_content_vector_that_moved_asks_again(known: Studio) -> None:
    """By more than the distance that is set."""
    aged(known, 20)
    for number, distance in ((1, 0.05), (2, 0.1)):
        (row,) = known.rows(f"from embeddings where owner_id = 'instagram:{number}'")
        old = row["vector"]
        axis = max(range(len(old)), key=lambda place: -abs(old[place]))
        cosine = 1 - distance
        moved = [cosine * value for value in old]
        moved[axis] += (1 - cosine**2) ** 0.5
        known.change(embeddings=[vector_row(f"instagram:{number}", moved)])
    assert asked_again(known) == []  # the prompt shows no vector: the same answer
    described = known.rows("select creator_id from descriptions where described_at > now() - interval 1 hour")
    assert [row["creator_id"] for row in described] == [creator_id(2)]


def test_what_creators_change_of_themselves_asks_again(known: Studio) -> None:
    """Name, category and biography."""
    aged(known, 20)
    for number, column in enumerate(("bio", "display_name", "category")):
        where = f"set {column} = 'something new' where account_id = 'instagram:{number}'"
        known.change(f"update accounts {where}", f"update account_states {where}")
    assert asked_again(known) == [creator_id(0), creator_id(1), creator_id(2)]


def test_nobody_is_asked_about_again_too_soon(known: Studio) -> None:
    """Not before the days that are set, longer for those who post rarely; then at once."""
    with_new_items(known, 1, 15)
    assert asked_again(known) == []
    aged(known, 13)
    assert asked_again(known) == []
    assert asked_again(known, llm_again_days=12) == [creator_id(1)]
    with_new_items(known, 2, 15)
    known.change(
        "update content_items set published_at = published_at - interval 45 days where account_id = 'instagram:2'"
    )
    aged(known, 20)
    assert asked_again(known) == []
    aged(known, 61)
    assert asked_again(known) == [creator_id(2)]


def test_another_model_describes_everybody_again(known: Studio) -> None:
    """And going back costs nothing."""
    assert len(asked_again(known, chat_model="gpt-4o")) == PEOPLE
    assert {row["model"] for row in known.rows("from descriptions")} == {"gpt-4o"}
    back = known.run()
    assert (back.counts, back.tally.cached, back.tally.asked) == ((0, PEOPLE, 0, 0), PEOPLE, 0)


def test_another_prompt_describes_everybody_again(known: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its version is part of what is remembered, of the question and of the row."""
    monkeypatch.setattr(prompt, "VERSION", "next")
    real = pipeline.describe_stage

    def newer(settings: Any) -> Any:
        stage = real(settings)
        assert stage is not None
        stage.options = describe.DescribeOptions(**{**vars(stage.options), "prompt_version": "next"})
        return stage

    monkeypatch.setattr(pipeline, "describe_stage", newer)
    assert len(asked_again(known)) == PEOPLE
    assert {row["prompt_version"] for row in known.rows("from descriptions")} == {"next"}


def test_a_small_change_before_force_is_not_paid_for_later(known: Studio) -> None:
    """After a run by force, or with another model, a creator who changed a little is not asked about once more."""
    with_new_items(known, 1, 2)
    known.run(force=True)
    with_new_items(known, 1, 3)
    assert asked_again(known) == []


def test_vectors_that_are_missing_or_of_another_length_stop_nothing(known: Studio) -> None:
    """From files as from the catalog: DuckDB is particular about NULL inside lists."""
    aged(known, 100)
    known.lake.upkeep(least_commits=0)
    known.change("update embeddings set vector = [1.0, 0.0]::float[] where owner_id = 'instagram:5'")
    assert asked_again(known) == []
    assert known.rows("select content_vector from descriptions order by creator_id desc limit 1")[0] == {
        "content_vector": None
    }


# --- what leaves the machine ---------------------------------------------------------------------------------------


def test_contacts_keys_and_other_creators_stay_here(studio: Studio) -> None:
    """No e-mail address or telephone number is sent, no key but in its header, nothing of another creator."""
    told = "Write to nora77@example.org or nora77 (at) example (dot) org, WhatsApp +34 612 345 678"
    studio.change(
        f"update accounts set bio = bio || ' {told}'",
        f"update content_items set title_or_caption = title_or_caption || ' {told}'",
    )
    studio.run()
    bodies = [json.dumps(record.data, ensure_ascii=False) for record in studio.server.requests]
    assert len(bodies) == PEOPLE
    for body in bodies:
        for secret in ("example.org", "nora77", "612", "345 678", KEY, str(studio.folder), "invented_0"):
            assert secret not in body
    owners = [{word for word in text.split() if word.startswith("#n")} for text in studio.prompts()]
    assert all(len(one) == 1 for one in owners)
    everything = b"".join(path.read_bytes() for path in studio.folder.rglob("*") if path.is_file())
    assert KEY.encode() not in everything


def test_a_prompt_shows_recent_and_best_items_up_to_the_settings(studio: Studio) -> None:
    """Fewer items and fewer characters where the user wants that."""
    studio.run(llm_items=3, llm_item_characters=40)
    for text in studio.prompts():
        posts = [said for _, label, said in lines_of(text) if label == "post"]
        assert len(posts) == 3
        assert all(len(said) <= 40 for said in posts)
