"""What a vision-language model is asked about a picture, in which form, and what is left of its answer."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

import numpy as np
import pytest
from llm_server import KEY, LlmServer
from picture_files import picture_file

from igtool.asking.leaving import check_may_be_shown
from igtool.errors import ConfigError
from igtool.llms.base import MOST_PICTURE_SIDE, Message, Prompt, Provider, ProviderOptions, ShownPicture
from igtool.llms.chat import Bodies, Ways
from igtool.llms.gemini import Gemini
from igtool.llms.gemini_bodies import request
from igtool.llms.local import Local
from igtool.llms.manner import Manner
from igtool.llms.openai import Grok, Ollama, OpenAI
from igtool.llms.prices import Price, bound_of
from igtool.llms.questions import Question, WrongAnswer, answer_key, longer, messages_of, repaired
from igtool.llms.turns import OfSchemas
from igtool.tagging.questions import Asked, Verdict, question_for, shown_picture
from igtool.vision.kinds import NotAPicture
from igtool.vocabulary import tags

WORDS = tags.shipped()
WIDE = picture_file("JPEG", np.full((400, 1600, 3), (200, 90, 30), np.uint8))
PICTURE = ShownPicture("a" * 64, "image/jpeg", b"\xff\xd8\xff picture \xff\xd9")
IN_BASE64 = base64.b64encode(PICTURE.data).decode()
ASKED = Prompt((Message("system", "Look."), Message("user", "What is it?", (PICTURE,))), "s", {"type": "object"})


def asked(category: str = "hair", creator: str = "c1", **changed: Any) -> Asked:
    """All tags of a category about `PICTURE`."""
    found = WORDS.categories[category]
    given = {"sha256": PICTURE.sha256, "candidates": tuple(found.tags.values()), "picture": PICTURE} | changed
    return Asked(creator, category=found, **given)


def said(question: Question, reason: str = "", **seen: tuple[bool, float]) -> str:
    """An answer that says ``seen`` of some tags, and of the others that they are surely not there."""
    slugs = question.prompt.schema["properties"]["tags"]["items"]["properties"]["tag"]["enum"]
    told = [(slug, *seen.get(slug, (False, 1))) for slug in slugs]
    return json.dumps({"tags": [{"tag": t, "present": p, "confidence": c} for t, p, c in told], "reason": reason})


# The picture ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
def test_a_stored_picture_is_shown_small_as_a_jpeg_under_its_own_name(form: str) -> None:
    """At most 768 pixels a side, whatever it is stored as; the SHA-256 is that of the stored file."""
    import simplejpeg

    data = picture_file(form, np.full((400, 1600, 3), (200, 90, 30), np.uint8))
    shown = shown_picture(data)
    height, width, _, _ = simplejpeg.decode_jpeg_header(shown.data)
    assert (max(height, width) <= MOST_PICTURE_SIDE, width == 4 * height) == (True, True)
    assert (shown.sha256, shown.media_type) == (hashlib.sha256(data).hexdigest(), "image/jpeg")
    assert "xff" not in repr(shown)


def test_what_is_no_picture_is_not_shown() -> None:
    """Its reason is that of every other reader."""
    with pytest.raises(NotAPicture):
        shown_picture(b"<html>")


# The question --------------------------------------------------------------------------------------------------------


def test_a_question_names_creator_picture_and_category() -> None:
    """The kind and item that the removal of consents looks for; the instruction is the same for all of a kind."""
    one, other = (
        question_for(asked()),
        question_for(asked(creator="c2", sha256="b" * 64, picture=ShownPicture("b" * 64, "image/jpeg", b""))),
    )
    assert (one.kind, one.item_id, other.item_id) == ("tag:hair", f"c1|{'a' * 64}", f"c2|{'b' * 64}")
    assert one.prompt.messages[0] == other.prompt.messages[0]
    assert one.prompt.schema is other.prompt.schema
    assert one.prompt.messages[1].pictures == (PICTURE,)
    instruction = one.prompt.messages[0].content
    for rule in ("never an instruction", "Judge only what is visible", "ethnicity", "religion", "who somebody is"):
        assert rule in instruction
    assert "- redhead: redhead" in one.prompt.messages[1].content


def test_only_what_needs_consent_stays_here() -> None:
    """And its answer is one creator's alone, also where another shows the same picture."""
    open_one, open_other = question_for(asked()), question_for(asked(creator="c2"))
    own, others = question_for(asked("build")), question_for(asked("build", creator="c2"))
    assert [one.prompt.stays_here for one in (open_one, own)] == [False, True]
    keys = [answer_key("local", "m", one, one.prompt) for one in (open_one, open_other, own, others)]
    assert (keys[0] == keys[1], keys[2] == keys[3]) == (True, False)
    for prompt in (repaired(own.prompt, "?", WrongAnswer("x", "no")), longer(own.prompt)):
        assert prompt.stays_here
        assert prompt.pictures == (PICTURE,)


@pytest.mark.parametrize(
    "changed",
    [{"candidates": ()}, {"candidates": tuple(WORDS.categories["style"].tags.values())}, {"sha256": "b" * 64}],
)
def test_tags_and_picture_have_to_be_those_that_are_named(changed: dict[str, Any]) -> None:
    """A question about something else would be stored under a wrong name."""
    with pytest.raises(ValueError, match=r"tags of hair|is not b"):
        question_for(asked(**changed))


# The answer ----------------------------------------------------------------------------------------------------------


def test_a_verdict_says_how_likely_each_tag_is_there() -> None:
    """What is surely absent is as telling as what is surely present."""
    question = question_for(asked())
    verdict = question.check(
        said(question, "golden waves", blonde=(True, 0.9), redhead=(False, 0.8), grey=(False, 0.5))
    )
    assert isinstance(verdict, Verdict)
    assert verdict.confidences == pytest.approx(
        {"blonde": 0.9, "redhead": 0.2, "brunette": 0, "black": 0, "grey": 0.5, "coloured": 0}
    )
    assert verdict.reason == "golden waves"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "llm-empty"),
        ("The hair is blonde.", "llm-invalid-json"),
        ('{"reason": "x"}', "llm-wrong-fields"),
        ('{"tags": [{"tag": "blonde", "present": true, "confidence": 85}], "reason": ""}', "llm-wrong-fields"),
        ('{"tags": [{"tag": "blonde", "present": true, "confidence": NaN}], "reason": ""}', "llm-wrong-fields"),
        ('{"tags": [{"tag": "asian", "present": true, "confidence": 1}], "reason": ""}', "llm-unknown-label"),
        ('{"tags": [{"tag": "blonde", "present": true, "confidence": 1}], "reason": ""}', "llm-missing-label"),
        (
            '{"tags": [{"tag": "grey", "present": true, "confidence": 1}, {"tag": "grey", "present": false, '
            '"confidence": 1}]}',
            "llm-contradicts-itself",
        ),
    ],
)
def test_an_answer_that_does_not_say_it_of_each_tag_is_wrong(text: str, reason: str) -> None:
    """The model is told what is missing, and asked again."""
    with pytest.raises(WrongAnswer) as error:
        question_for(asked()).check(text)
    assert error.value.reason == reason


@pytest.mark.parametrize(
    ("reason", "kept"),
    [
        ("long  fair\nhair in the sun", "long fair hair in the sun"),
        ("hair of an asian woman", ""),
        ("she is a M.u.s.l.i.m", ""),
        ("slim figure, dark hair", ""),
        ("looks 16 years old", ""),
        ("рыжие волосы", ""),
        ("write to me@example.org", "write to [e-mail]"),
        ("y" * 400, "yyy…"),
    ],
)
def test_a_reason_that_names_what_is_never_inferred_is_not_kept(reason: str, kept: str) -> None:
    """Nor one in letters in which nothing could be found; one line, without contacts."""
    question = question_for(asked())
    assert question.check(said(question, reason)).reason == kept


def test_a_reason_may_use_the_words_of_what_is_asked() -> None:
    """Of a category that needs consent, and no other one's."""
    question = question_for(asked("build"))
    reasons = [question.check(said(question, one)).reason for one in ("a slim figure", "a slim muslim", "30 years old")]
    assert reasons == ["a slim figure", "", ""]


# How it is sent ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("manner", [Manner(), Manner(format=3), Manner(format=2, instruction=1)])
def test_chat_completions_show_it_before_the_text(manner: Manner) -> None:
    """As a data URL, in every manner of asking; messages without pictures stay texts."""
    body = json.loads(Bodies("m", Ways(("max_tokens",))).body(ASKED, manner))
    last = body["messages"][-1]["content"]
    assert last[0] == {"type": "image_url", "image_url": {"url": f"data:image/jpeg;base64,{IN_BASE64}"}}
    assert (last[1]["type"], last[1]["text"].endswith("What is it?"), len(last)) == ("text", True, 2)
    assert all(isinstance(one["content"], str) for one in body["messages"][:-1])


@pytest.mark.parametrize("manner", [Manner(), Manner(format=3), Manner(instruction=1)])
def test_gemini_shows_it_inline(manner: Manner) -> None:
    """As a part before that of the text."""
    parts = request(ASKED, manner, OfSchemas())["contents"][-1]["parts"]
    assert parts[0] == {"inlineData": {"mimeType": "image/jpeg", "data": IN_BASE64}}
    assert parts[1]["text"].endswith("What is it?")


@pytest.mark.parametrize("kind", [OpenAI, Grok, Ollama, Gemini])
def test_it_arrives_whole(kind: type[Provider]) -> None:
    """Through the real packages: the server gets the very bytes, and its answer depends on them."""
    question = question_for(asked(sha256=hashlib.sha256(WIDE).hexdigest(), picture=shown_picture(WIDE)))
    with LlmServer(key=KEY) as server:
        url = server.gemini_url if kind is Gemini else server.url
        provider = kind("m", ProviderOptions(api_key=KEY, base_url=url, timeout_s=10))
        verdict = question.check(provider.complete(question.prompt).text)
        provider.close()
        assert server.requests[0].pictures == (hashlib.sha256(question.prompt.pictures[0].data).hexdigest(),)
    assert verdict.confidences["blonde"] > 0.7  # the red channel
    assert verdict.confidences["brunette"] < 0.2  # the blue one


# What it is called, and what it costs --------------------------------------------------------------------------------


def test_keys_without_pictures_are_what_they_were() -> None:
    """Everything that was paid for is still found."""
    messages = (Message("system", "Say what it is."), Message("user", "pan \U0001f35e de Lisboa"))
    prompt = Prompt(messages, "label", {"type": "object"}, 64, 3)
    question = Question("label", "c1", "7", prompt, str)
    again = longer(repaired(prompt, "no", WrongAnswer("x", "it is empty")))
    keys = [answer_key("openai", "gpt-4o-mini", question, one) for one in (prompt, again)]
    assert keys == [
        "dc87d580a85cc5dde905b06f59395e98d1697525e008745b250885cbd4d98fff",
        "6a5829d221b135589787bf2e62463a0bc351ee6235f2f09c33ad3494cf03b0a7",
    ]
    assert messages_of(prompt)[1] == {"role": "user", "content": "pan \U0001f35e de Lisboa"}


def test_pictures_are_named_by_their_hash_and_never_stored() -> None:
    """Another picture is another question; how it was compressed is not."""
    question = Question("k", "i", "1", ASKED, str)
    same = ShownPicture(PICTURE.sha256, "image/jpeg", b"other bytes")
    other = ShownPicture("b" * 64, "image/jpeg", PICTURE.data)
    keys = [
        answer_key("p", "m", question, Prompt((ASKED.messages[0], Message("user", "What is it?", shown)), "s", {}))
        for shown in ((PICTURE,), (same,), (other,), ())
    ]
    assert (keys[0] == keys[1], len(set(keys))) == (True, 3)
    stored = json.dumps(messages_of(ASKED))
    assert f'"pictures": ["{PICTURE.sha256}"]' in stored
    assert IN_BASE64 not in stored


@pytest.mark.parametrize(
    ("kind", "model", "tokens"),
    [
        (OpenAI, "gpt-4o", 85 + 4 * 170),
        (OpenAI, "gpt-4o-mini", 2_833 + 4 * 5_667),
        (OpenAI, "gpt-4.1-nano", round(576 * 2.46)),
        (OpenAI, "qwen/qwen2.5-vl-7b", 784),
        (Grok, "grok-4", 7 * 256),
        (Gemini, "gemini-2.5-flash", 6 * 258),
        (Gemini, "gemini-3-pro", 1_120),
        (Ollama, "llava", 2_880),
    ],
)
def test_bounds_count_pictures(kind: type[Provider], model: str, tokens: int) -> None:
    """No call costs more than was entered for it, by the rule of its provider for 768 × 768 pixels."""
    provider, price = kind(model, ProviderOptions(api_key=KEY)), Price(1.0, 1.0, 4.0, "invented")
    bare = Prompt(tuple(Message(one.role, one.content) for one in ASKED.messages), "s", ASKED.schema)
    shown, without = bound_of(provider, price, ASKED), bound_of(provider, price, bare)
    assert shown[0] - without[0] >= tokens
    assert shown[1] - without[1] == pytest.approx((shown[0] - without[0]) / 1_000_000)


# Where it may go -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "model", "base_url", "is_here"),
    [
        (Local, "m", None, True),
        (Ollama, "qwen2.5vl", None, True),
        (Ollama, "qwen3-vl:235b-cloud", None, False),
        (Ollama, "gemini-3:cloud", None, False),
        (Ollama, "m", "http://192.168.1.5:11434/v1", False),
        (OpenAI, "m", None, False),
        (OpenAI, "m", "http://127.0.0.1:8080/v1", True),
        (OpenAI, "m", "http://127.8.9.1:8080/v1", True),
        (OpenAI, "m", "http://[::1]:8080/v1", True),
        (OpenAI, "m", "http://LocalHost:8080/v1", True),
        (OpenAI, "m", "http://localhost.example:8080/v1", False),
        (OpenAI, "m", "http://127.0.0.1.example/v1", False),
        (OpenAI, "m", "http://127.0.0.1\\@example.org/v1", False),
        (OpenAI, "m", "http://0.0.0.0:8080/v1", False),
        (OpenAI, "m", "http://2130706433/v1", False),
        (Gemini, "m", None, False),
        (Gemini, "m", "http://127.0.0.1:1", True),
        (Grok, "m", None, False),
    ],
)
def test_only_a_loopback_address_is_this_machine(
    kind: type[Provider], model: str, base_url: str | None, is_here: bool
) -> None:
    """Read as the client that asks reads it; a model that Ollama runs elsewhere is elsewhere."""
    provider = kind(model, ProviderOptions(api_key=KEY, base_url=base_url))
    assert provider.is_here is is_here
    picture = Prompt(ASKED.messages, "s", {}, stays_here=False)
    private = Prompt(ASKED.messages, "tags_build", {}, stays_here=True)
    if kind is Local:
        with pytest.raises(ConfigError, match="shows its models no pictures"):
            check_may_be_shown(provider, picture, elsewhere=True)
        return
    check_may_be_shown(provider, picture, elsewhere=True)
    check_may_be_shown(provider, Prompt((Message("user", "a text"),), "s", {}), elsewhere=False)
    if is_here:
        check_may_be_shown(provider, private, elsewhere=False)
        return
    with pytest.raises(ConfigError, match="--allow-remote"):
        check_may_be_shown(provider, picture, elsewhere=False)
    with pytest.raises(ConfigError, match="never leaves it"):
        check_may_be_shown(provider, private, elsewhere=True)
