"""The question about a creator, and what is left of its answer: nothing that the prompt does not show."""

from __future__ import annotations

import json
import random
import re
from typing import Any

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st
from llm_people import Creator, creators, decent_answer, item, lines_of

from igtool import vocabulary
from igtool.description import LABELS, PROFILE, Description, PromptOptions, question_for
from igtool.description.prompt import sample
from igtool.llms.questions import Question, WrongAnswer, longer, read_json, repaired
from igtool.vocabulary import fold

WORDS = vocabulary.load()
SHOWN = PromptOptions()


def facts_of(one: Creator, **more: Any) -> dict[str, Any]:
    """What the stages know of a creator, as far as the question looks at it."""
    account = {"account_id": one.account_id, "category": None, "display_name": one.name, "bio": one.bio}
    texts = [{**row, "text": row["title_or_caption"], "view_count": None, "play_count": None} for row in one.items()]
    return {"item_id": f"c{one.number}", "accounts": [account], "texts": texts[::-1], **more}


def asked(number: int = 0, *, labelled: bool = False, options: PromptOptions = SHOWN, **more: Any) -> Question:
    """The question about an invented creator."""
    return question_for(facts_of(creators(5)[number], **more), options, labelled=labelled)


def text_of(question: Question) -> str:
    """What the prompt shows of the creator."""
    return question.prompt.messages[1].content


def answer_to(question: Question, **other: Any) -> str:
    """A decent answer, with ``other`` fields."""
    return json.dumps(decent_answer(text_of(question), question.prompt.schema) | other)


def checked(question: Question, **other: Any) -> Description:
    """What is left of a decent answer with ``other`` fields."""
    found: Description = question.check(answer_to(question, **other))
    return found


# --- what is asked -------------------------------------------------------------------------------------------------


def test_the_instruction_is_the_same_for_all_creators() -> None:
    """Providers keep what they computed of it; what is particular comes after it."""
    assert len({asked(number).prompt.messages[0].content for number in range(5)}) == 1
    assert len({text_of(asked(number)) for number in range(5)}) == 5


def test_labels_are_asked_for_only_where_they_are_wanted() -> None:
    """Kind, schema and instruction go together, and every label of the vocabulary is there."""
    plain, full = asked(), asked(labelled=True)
    assert (plain.kind, full.kind) == (PROFILE, LABELS)
    assert "niche" not in plain.prompt.schema["properties"]
    properties = full.prompt.schema["properties"]
    assert properties["niche"]["enum"] == list(WORDS.niches)
    assert properties["style"]["enum"] == list(WORDS.styles)
    assert properties["tone"]["items"]["enum"] == list(WORDS.tones)
    assert properties["kinds"]["items"]["enum"] == list(WORDS.kinds)
    assert set(full.prompt.schema["required"]) == set(properties)
    assert all(slug in full.prompt.messages[0].content for slug in WORDS.niches)


@pytest.mark.parametrize("labelled", [False, True])
def test_a_small_model_is_asked_for_less(labelled: bool) -> None:
    """Topics are words of the prompt, and so their own evidence; what is not asked for is empty and not invented."""
    whole = asked(labelled=labelled)
    question = asked(labelled=labelled, options=PromptOptions(is_brief=True))
    properties = set(question.prompt.schema["properties"])
    assert properties == {"tone", "topics", "persona", "summary"} | ({"niche", "also", "style"} if labelled else set())
    assert set(question.prompt.schema["required"]) == properties
    assert len(question.prompt.messages[0].content) < len(whole.prompt.messages[0].content) - 200
    item = facts_of(creators(5)[0])["texts"][0]
    word = max(item["text"].split(), key=len)
    found = checked(question, topics=[word.upper(), "words that nobody wrote"])
    (topic,) = found.topics
    assert (topic.what, topic.content_ids, topic.quotes) == (word.upper(), (item["content_id"],), (word.upper(),))
    assert (found.claims, found.ungrounded) == (2, 1)
    assert (found.interests, found.audience, found.brands, found.kinds) == ((), None, (), {})
    assert (found.niche in WORDS.niches) is labelled
    assert found.persona
    assert found.summary


def test_the_prompt_shows_name_biography_and_items_as_numbered_lines() -> None:
    """Whatever the creator wrote stands on one line of its own, between the marks."""
    one = creators(1)[0]
    lines = lines_of(text_of(asked()))
    assert [number for number, _, _ in lines] == list(range(1, 3 + len(one.captions)))
    assert [(label, text) for _, label, text in lines[:2]] == [("name", one.name), ("bio", one.bio)]
    assert [text for _, label, text in lines if label == "post"] == list(one.captions[::-1])


def test_nobody_can_be_reached_by_what_a_prompt_shows() -> None:
    """E-mail addresses and telephone numbers are masked in every part."""
    one = creators(1)[0]
    written = "Write to nora.number@example.com or call +34 612 345 678"
    account = {"account_id": "a", "category": written, "display_name": written, "bio": written}
    texts = [item("a", 1, written) | {"text": written, "view_count": None, "play_count": None}]
    question = question_for(facts_of(one, accounts=[account], texts=texts), SHOWN, labelled=True)
    shown = text_of(question)
    assert "Write to" in shown
    assert "example.com" not in shown
    assert not re.search(r"\d{3}", shown.replace(shown.splitlines()[0], "").replace(shown.splitlines()[-1], ""))


def test_a_creator_without_any_fact_is_a_question_too() -> None:
    """Nothing breaks where a list is missing."""
    question = question_for({"item_id": "c", "accounts": None, "texts": None}, SHOWN, labelled=True)
    assert lines_of(text_of(question)) == []


def test_equal_facts_make_equal_prompts_whoever_it_is() -> None:
    """Nothing of igtool's own, no id, no time, is in a prompt."""
    facts = facts_of(creators(1)[0])
    first = question_for(facts, SHOWN, labelled=False)
    other = question_for({**facts, "item_id": "c999"}, SHOWN, labelled=False)
    assert first.prompt == other.prompt
    assert all(str(row["content_id"]) not in text_of(first) for row in facts["texts"])


def test_a_sample_is_half_of_the_newest_and_half_of_the_best() -> None:
    """Forms take turns, and items without text are not shown."""
    one = Creator(1, "bread", "Nora", "Bakes.", tuple(f"caption {number}" for number in range(40)))
    facts = facts_of(one)
    for row in facts["texts"]:
        row["like_count"] = 1_000 if row["content_id"].endswith(("-003", "-011")) else 10
        row["text"] = "" if row["content_id"].endswith("-039") else row["text"]
    chosen = [row["content_id"].split("-")[1] for row in sample(facts, 8)]
    assert chosen == sorted(chosen, reverse=True)
    assert "039" not in chosen
    assert {"003", "011"} <= set(chosen)
    assert sum(number >= "033" for number in chosen) >= 4
    types = [row["type"] for row in sample(facts, 8)]
    assert types.count("reel") >= 2
    assert len(sample(facts, 100)) == 39


def test_a_shorter_prompt_shows_less_and_less_and_then_there_is_none() -> None:
    """Fewer items, then less of each; each shorter than the last, and the check knows what is left."""
    words = "flour water salt time oven steam crust crumb knead fold rest shape proof score bake cool slice share " * 3
    long = Creator(1, "bread", "Nora", "Bakes.", tuple(f"caption {number} {words}" for number in range(12)))
    question: Question | None = question_for(facts_of(long), SHOWN, labelled=False)
    sizes = []
    while question is not None:
        lines = lines_of(text_of(question))
        sizes.append(len(text_of(question)))
        last = lines[-1][0]
        found = checked(question, topics=[{"is": "bread", "of": [last]}, {"is": "more bread", "of": [last + 1]}])
        assert (len(found.topics), found.ungrounded) == (1, 1)
        question = question.shorter()
    assert sizes == sorted(sizes, reverse=True)
    assert len(set(sizes)) == len(sizes) >= 5
    assert sizes[-1] < 300


# --- what is left of an answer -------------------------------------------------------------------------------------


def test_a_decent_answer_is_taken_whole() -> None:
    """Every claim with its evidence; the same after it was stored and read."""
    question = asked(labelled=True)
    found = checked(question)
    assert found.claims == 5
    assert (found.ungrounded, found.refused) == (0, 0)
    assert found.persona is not None
    assert found.summary is not None
    assert (found.niche, found.style) == (next(iter(WORDS.niches)), next(iter(WORDS.styles)))
    assert set(found.kinds.values()) == {"tutorial"}
    assert Description.from_json(found.to_json()) == found


def test_numbers_lead_to_the_items_of_their_lines() -> None:
    """A line of the prompt is the item whose id is stored, and a line about the creator a quotation."""
    one = creators(1)[0]
    question = asked()
    by_text = {text: number for number, _, text in lines_of(text_of(question))}
    for row in one.items():
        number = by_text[row["title_or_caption"]]
        (claim,) = checked(question, topics=[{"is": "a topic", "of": [number]}]).topics
        assert (claim.content_ids, claim.quotes) == ((row["content_id"],), ())
    (claim,) = checked(question, topics=[{"is": "a topic", "of": [by_text[one.bio]]}]).topics
    assert (claim.content_ids, claim.quotes) == ((), (one.bio,))


@pytest.mark.parametrize("of", [[0], [99], [-1], ["99"], [10**30], ["nobody wrote this"], ["it"], [""], [1, 99]])
def test_a_claim_without_evidence_in_the_prompt_is_dropped_and_counted(of: list[Any]) -> None:
    """A number that no line has, a quotation that stands nowhere or is too short to be one, or one of several."""
    found = checked(asked(), topics=[{"is": "a topic", "of": of}], interests=[], audience=[], brands=[])
    assert (found.topics, found.claims, found.ungrounded) == ((), 1, 1)


def test_quotations_are_found_whatever_their_case_accents_and_spaces() -> None:
    """In a biography without an id, in an item with its own."""
    account = {"account_id": "a", "category": None, "display_name": "Nora", "bio": "Pan  de MASA madre, cada día"}
    texts = [{**item("a", 7, "x"), "text": "Recién horneado hoy", "view_count": None, "play_count": None}]
    question = asked(accounts=[account], texts=texts)
    topics = [{"is": "bread", "of": ["pan de masa madre"]}, {"is": "baking", "of": ["recien HORNEADO"]}]
    first, second = checked(question, topics=topics, interests=[], audience=[], brands=[], kinds=[]).topics
    assert (first.content_ids, first.quotes) == ((), ("pan de masa madre",))
    assert (second.content_ids, second.quotes) == (("a-007",), ("recien HORNEADO",))


@pytest.mark.parametrize(
    "said",
    [
        "Follow @somebody_else for more",
        "Has 77 million followers",
        "See https://example.com/now",
        "Visit example.com today",
        "Suffers from depression",
        "A devout Catholic",
        "Nice <b>bold</b> words",
        "Take [a link](x) too",
        "The numbers of the lines that show it, or words copied",
    ],
)
def test_what_may_not_be_said_is_left_out_and_the_rest_stays(said: str) -> None:
    """Other handles, figures, links, denied matters, markup and the instruction itself: the sentence goes, alone."""
    question = asked()
    found = checked(question, persona=f"They bake bread. {said}. They film it.", topics=[{"is": said, "of": [3]}])
    assert found.persona is not None
    assert "They bake bread." in found.persona
    assert said not in found.persona
    assert found.topics == ()
    assert found.refused >= 2


def test_figures_and_handles_that_the_prompt_shows_may_be_said() -> None:
    """They are the creator's own words."""
    account = {"account_id": "a", "category": None, "display_name": "Nora", "bio": "Baking since 2011 with @my_bakery"}
    found = checked(asked(accounts=[account]), persona="Nora bakes since 2011 with @my_bakery.")
    assert found.persona == "Nora bakes since 2011 with @my_bakery."
    assert found.refused == 0


@pytest.mark.parametrize("said", ["3", "?!", "A 3", "Warm.", "a b c"])
def test_what_says_nothing_is_no_prose(said: str) -> None:
    """A figure, signs or a single word are no persona; a topic is a word at least."""
    found = checked(asked(), persona=said, topics=[{"is": "3", "of": [3]}, {"is": "bread", "of": [3]}])
    assert found.persona is None
    assert [topic.what for topic in found.topics] == ["bread"]


def test_labels_are_those_of_the_vocabulary() -> None:
    """An unknown niche or style is a wrong answer; unknown tones and further niches are left out."""
    question = asked(labelled=True)
    for name in ("niche", "style"):
        with pytest.raises(WrongAnswer, match="is not one of") as caught:
            checked(question, **{name: "no such label"})
        assert caught.value.reason == "llm-unknown-label"
    food, travel = "food", "travel"
    found = checked(question, niche="Food", also=[travel, "food", "no such", travel], tone=["Warm", "shouting"])
    assert (found.niche, found.also, found.tone) == (food, (travel,), ("warm",))


def test_kinds_belong_to_items_only_if_there_is_one_for_each() -> None:
    """A list of another length says nothing about which is which."""
    question = asked()
    count = len(creators(1)[0].captions)
    assert len(checked(question, kinds=["tutorial"] * count).kinds) == count
    assert checked(question, kinds=["tutorial"] * (count - 1)).kinds == {}
    odd = checked(question, kinds=["tutorial", "no such kind", *["review"] * (count - 2)]).kinds
    assert sorted(odd.values()) == ["review"] * (count - 2) + ["tutorial"]


def test_prose_in_another_language_is_a_wrong_answer() -> None:
    """The data may be in any language; the tables are in English."""
    spanish = "Esta creadora comparte recetas de pan de masa madre y enseña cada paso con mucha paciencia y cariño."
    with pytest.raises(WrongAnswer) as caught:
        checked(asked(), persona=spanish, summary=spanish)
    assert caught.value.reason == "llm-wrong-language"
    assert "'es'" in str(caught.value)


def test_texts_are_cut_and_lists_shortened_without_paying_for_another_answer() -> None:
    """Whatever is too long is no mistake worth a repair."""
    question = asked()
    topics = [{"is": f"topic {name} " + "word " * 40, "of": [3] * 40} for name in "abcdefghijkl"]
    found = checked(question, topics=topics, tone=["warm"] * 9, persona="They bake bread every day. " * 60)
    assert len(found.topics) <= 6
    assert all(len(claim.what) <= 60 for claim in found.topics)
    assert len(found.persona or "") <= 420


# --- answers of every kind -----------------------------------------------------------------------------------------

GARBLED = {
    "llm-empty": ["", "  \n "],
    "llm-invalid-json": [
        "I cannot say.",
        "{'persona': 'a'}",
        '{"persona": "a"',
        "[1, 2]",
        '"a text"',
        "null",
        "7",
        "NaN",
        "[" * 100_000,
        '{"a":' * 100_000,
        '{"a": ' + "1" * 5_000 + "}",
        "\x00\x01",
    ],
    "llm-wrong-fields": [
        "{}",
        '{"persona": NaN}',
        '{"persona": 1e999}',
        '{"persona": {"a": {"b": []}}}',
        '{"persona": "\\ud800 alone"}',
        '[{"persona": "a"}] {"b": 1}',
    ],
}


@pytest.mark.parametrize(("reason", "text"), [(reason, text) for reason, texts in GARBLED.items() for text in texts])
def test_garbled_answers_have_a_reason(reason: str, text: str) -> None:
    """Each is refused with its slug, in bounded time, and the message fits a prompt."""
    with pytest.raises(WrongAnswer) as caught:
        asked().check(text)
    if "[{" not in text:
        assert caught.value.reason == reason
    assert 0 < len(str(caught.value)) <= 1_000


@pytest.mark.parametrize(
    "wrap",
    [
        "{}",
        "```json\n{}\n```",
        "```\n{}",
        "Here it is:\n{}\nAnything else?",
        "\ufeff{}",
        "<think>hm</think>{}",
        "```JSON\n{}\n```\nBye",
    ],
)
def test_an_object_is_found_in_its_wrapping(wrap: str) -> None:
    """Fences, words and marks around it cost nothing."""
    question = asked()
    assert question.check(wrap.replace("{}", answer_to(question))) == checked(question)


def test_of_equal_names_the_last_one_counts() -> None:
    """As in any JSON reader; both are checked by the same rules."""
    assert read_json('{"a": 1, "a": 2}') == {"a": 2}


def test_a_repair_and_a_longer_prompt_keep_what_was_asked() -> None:
    """They add turns or room, and change neither schema nor question."""
    prompt = asked().prompt
    again = repaired(prompt, "x" * 5_000 + "\n\n", WrongAnswer("llm-empty", "it is empty"))
    assert again.messages[:2] == prompt.messages
    assert len(again.messages[2].content) <= 2_000
    assert again.schema is prompt.schema
    assert longer(prompt).max_tokens == 2 * prompt.max_tokens
    assert longer(prompt).messages == prompt.messages


_CLAIM_WORDS = (
    "bread", "@nora", "12", "https://x.io", "vegan", "Catholic", "the tone", "x" * 90, "", "ñandú", "{", "2 million"
)  # fmt: skip


def _any(chance: random.Random, text: str, depth: int = 0) -> Any:
    """Something that a model could put anywhere."""
    choices = [
        lambda: None,
        lambda: chance.random() < 0.5,
        lambda: chance.randint(-3, 40),
        lambda: chance.uniform(-1, 30),
        lambda: chance.choice(_CLAIM_WORDS),
        lambda: text[(start := chance.randrange(max(len(text), 1))) : start + chance.randint(1, 40)],
        lambda: [_any(chance, text, depth + 1) for _ in range(chance.randint(0, 4))] if depth < 3 else [],
        lambda: {"is": _any(chance, text, depth + 1), "of": _any(chance, text, depth + 1)} if depth < 3 else {},
    ]
    return chance.choice(choices)()


def _claims(chance: random.Random, text: str) -> list[Any]:
    """Claims of which some have evidence."""

    def evidence() -> Any:
        start = chance.randrange(len(text))
        return chance.choice(
            [chance.randint(-1, 14), text[start : start + chance.randint(2, 30)], "made up by me", "7"]
        )

    return [
        {
            "is": chance.choice([*_CLAIM_WORDS, text[: chance.randint(3, 30)]]),
            "of": [evidence() for _ in range(chance.randint(1, 3))],
        }
        for _ in range(chance.randint(0, 7))
    ]


@settings(max_examples=300, deadline=None)
@given(seed=st.integers(0, 1 << 32))
def test_nothing_is_left_that_the_prompt_does_not_show(seed: int) -> None:
    """For any answer that is taken: every claim cites a line or words of the prompt, and adds no figure."""
    chance = random.Random(seed)
    question = asked(chance.randrange(5), labelled=chance.random() < 0.5)
    text = text_of(question)
    answer = decent_answer(text, question.prompt.schema)
    for name in list(answer):
        if chance.random() < 0.01:
            answer[name] = _any(chance, text)
        elif name in ("topics", "interests", "audience", "brands"):
            answer[name] = _claims(chance, text)
        elif name in ("persona", "summary") and chance.random() < 0.3:
            answer[name] += f" {chance.choice(_CLAIM_WORDS)} is what they do. {_any(chance, text)}"
    try:
        found = question.check(json.dumps(answer))
    except WrongAnswer as error:
        event(error.reason)
        return
    known = {f"{one.account_id}-{place:03}" for one in creators(5) for place in range(6)}
    folded = re.sub(r"\s+", " ", fold(text))
    said = [*found.topics, *found.interests, *found.brands, *([found.audience] if found.audience else [])]
    for claim in said:
        assert claim.content_ids or claim.quotes
        assert set(claim.content_ids) <= known
        assert all(re.sub(r"\s+", " ", fold(quote)).strip(" \"'“”«»…") in folded for quote in claim.quotes)
    prose = [found.persona or "", found.summary or "", *(claim.what for claim in said)]
    assert {figure for one in prose for figure in re.findall(r"\d+", one)} <= set(re.findall(r"\d+", text))
    assert not any(WORDS.is_denied(one) for one in prose)
    assert len(said) + found.ungrounded <= found.claims
    assert set(found.tone) <= set(WORDS.tones)
    assert set(found.kinds.values()) <= set(WORDS.kinds)
    assert Description.from_json(found.to_json()) == found
