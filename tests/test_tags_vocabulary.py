"""What pictures may be asked for: all of it has its class, and nothing denied loads, however it is spelled."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from dataclasses import FrozenInstanceError
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from igtool import vocabulary
from igtool.errors import ConfigError, UsageError
from igtool.schema import TABLES
from igtool.vocabulary import tags
from igtool.vocabulary.categories import Category, TagVocabulary

WORDS = tags.shipped()
FOLDER = Path(vocabulary.__file__).parent
OF_THE_BRIEF = {
    "hair": "blonde redhead brunette black grey coloured",
    "style": "alt goth e_girl natural tomboy sporty formal street",
    "tattoos": "visible",
    "piercings": "visible",
    "eye_colour": "blue green brown hazel grey",
    "build": "petite slim athletic average curvy plus_size",
    "age_band": "18-24 25-34 35-44 45-54 55+",
}

Own = Callable[[str], TagVocabulary]


@pytest.fixture
def own(tmp_path: Path) -> Own:
    """The vocabulary with a file of the user's own."""

    def load(text: str) -> TagVocabulary:
        (tmp_path / "tags.toml").write_text(text, encoding="utf-8")
        return tags.load(tmp_path)

    return load


def category(name: str = "mood", *, label: str = "Mood", about: str = "person", more: str = "", tag: str = "") -> str:
    """A category of the user's own with one tag; ``tag`` replaces its phrases."""
    phrases = tag or 'phrases = ["cheerful"]'
    return (
        f'[{name}]\nclass = "open"\nabout = "{about}"\nlabel = "{label}"\nprompts = ["a {{phrase}} picture"]\n{more}\n'
        f'[{name}.tags.one]\nlabel = "One"\n{phrases}\n'
    )


# What is there ------------------------------------------------------------------------------------------------------


def test_every_tag_of_the_brief_is_there_with_its_class() -> None:
    """Hair, style, tattoos, piercings and eyes are open; build and age band need consent; all are about a person."""
    for name, listed in OF_THE_BRIEF.items():
        found = WORDS.categories[name]
        assert set(listed.split()) <= set(found.tags), name
        assert (found.needs_consent, found.about) == (name in ("build", "age_band"), "person")
    assert WORDS.consent_categories == ("build", "age_band")
    assert {one.slug for one in WORDS.categories.values() if one.about == "picture"} == {
        "setting",
        "activity",
        "composition",
    }


def test_what_is_denied_says_why_in_words() -> None:
    """Each denied category has a reason, and creators may declare two of them themselves."""
    needed = {
        "ethnicity",
        "height",
        "health",
        "religion",
        "orientation",
        "explicit",
        "body_parts",
        "minors",
        "identity",
    }
    assert set(WORDS.denied) == needed
    assert all(len(denied.reason.split()) >= 6 for denied in WORDS.denied.values())
    assert WORDS.declarable == ("ethnicity", "height")
    assert set(WORDS.denied).isdisjoint(WORDS.categories)


@pytest.mark.parametrize("found", WORDS.categories.values(), ids=lambda one: one.slug)
def test_every_tag_is_complete(found: Category) -> None:
    """Two names, several prompts with the right articles, sensible numbers, and conflicts in both directions."""
    assert found.background
    for tag in found.tags.values():
        assert tag.label
        assert tag.label_es
        assert len(tag.prompts) >= 3
        assert not any("{" in prompt or " a e" in prompt for prompt in tag.prompts)
        assert (tag.threshold, tag.temperature) == (0.60, 1.0)
        assert tag.least_pictures >= 2
        assert tag.said_by <= {"zero_shot", "rule"}
        for other in tag.conflicts:
            assert tag.key in WORDS.tags[other].conflicts


def test_prompts_are_made_of_patterns_and_phrases() -> None:
    """Each pattern with each phrase, with a or an by the sound of the next word."""
    assert WORDS.tag("style", "alt").prompts[2] == "a person wearing an alternative outfit"
    assert "an e-girl fashion look" in WORDS.tag("style", "e-girl").prompts
    assert "a close-up of a person with jet black hair" in WORDS.tag("hair", "black").prompts


def test_one_of_a_category_excludes_the_others() -> None:
    """A creator is blonde or grey; a goth may be sporty, and glam is not natural."""
    assert ("hair", "grey") in WORDS.tag("hair", "blonde").conflicts
    assert ("style", "sporty") not in WORDS.tag("style", "goth").conflicts
    assert ("style", "natural") in WORDS.tag("style", "glam").conflicts


def test_only_the_build_has_facts_of_its_own() -> None:
    """Proportions are measured for it alone, in a table that there is."""
    assert {one.slug: one.facts for one in WORDS.categories.values() if one.facts} == {"build": "body_facts"}
    assert "body_facts" in TABLES


def test_nothing_of_it_can_be_changed_by_code() -> None:
    """Mappings and classes are read-only: no caller can open what is closed."""
    with pytest.raises(TypeError):
        WORDS.categories["religion"] = WORDS.categories["hair"]  # type: ignore[index]
    with pytest.raises(FrozenInstanceError):
        WORDS.categories["build"].tag_class = "open"  # type: ignore[misc]
    with pytest.raises(TypeError):
        WORDS.categories["hair"].tags["x"] = WORDS.tag("hair", "grey")  # type: ignore[index]


def test_words_of_texts_are_what_they_were() -> None:
    """Words that only pictures are guarded against do not touch what is said of texts."""
    texts = vocabulary.load()
    assert texts.is_denied("her mental health")
    assert not texts.is_denied("nude lipstick for tall people, abs and bare feet")


def test_tags_are_no_reason_to_analyse_creators_again() -> None:
    """The fingerprint of what creators are about does not depend on what pictures are asked for."""
    assert "tags" in vocabulary._OF_OTHERS


# What is refused ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", WORDS.denied)
def test_a_denied_category_fails_to_load_with_its_reason(own: Own, name: str) -> None:
    """Whoever adds it reads which it is and why it is not there."""
    with pytest.raises(ConfigError) as error:
        own(category(name))
    assert f"[{name}] is denied" in str(error.value)
    assert WORDS.denied[name].reason in str(error.value)


@pytest.mark.parametrize(
    ("text", "denied"),
    [
        ("an asian person", "ethnicity"),
        ("mujer negra", "ethnicity"),
        ("a person who is black", "ethnicity"),
        ("skin colour", "ethnicity"),
        ("SKIN_COLOR", "ethnicity"),
        ("a very tall man", "height"),
        ("chico muy alto", "height"),
        ("pregnant", "health"),
        ("una persona enferma", "health"),
        ("in a hijab", "religion"),
        ("católica", "religion"),
        ("lesbian couple", "orientation"),
        ("género", "orientation"),
        ("lingerie", "explicit"),
        ("desnuda", "explicit"),
        ("big breasts", "body_parts"),
        ("escote", "body_parts"),
        ("nalgas", "body_parts"),
        ("teenager", "minors"),
        ("niña", "minors"),
        ("a 16-year-old", "minors"),
        ("chica de 15 años", "minors"),
        ("looks like a celebrity", "identity"),
        # spelling tricks
        ("L E S B I A N", "orientation"),
        ("les-bi.an", "orientation"),
        ("l3sb14n", "orientation"),
        ("les\u200bbi\u00adan", "orientation"),
        ("ＬＥＳＢＩＡＮ", "orientation"),
        ("𝓁𝑒𝓈𝒷𝒾𝒶𝓃", "orientation"),
        ("lésbïän", "orientation"),
        ("lesssbian", "orientation"),
        ("$exy", "explicit"),
        ("seeexxxy", "explicit"),
        ("blackwoman", "ethnicity"),
        ("TallMan", "height"),
        ("mujer-negra", "ethnicity"),
        ("l\u0335e\u0335s\u0335b\u0335i\u0335a\u0335n", "orientation"),
    ],
)
@pytest.mark.parametrize("place", ["label", "slug", "phrase", "prompt", "background", "tag"])
def test_what_is_denied_fails_to_load_wherever_it_stands(own: Own, text: str, denied: str, place: str) -> None:
    """In labels, names, phrases, prompts and backgrounds, in English and Spanish, whatever its spelling."""
    quoted = text.replace('"', "")
    files = {
        "label": category(label=quoted),
        "slug": category(f'"{quoted}"'),
        "phrase": category(tag=f'phrases = ["{quoted}"]'),
        "prompt": category(tag=f'prompts = ["{quoted}"]'),
        "background": category(more=f'background = ["{quoted}"]'),
        "tag": category().replace("tags.one", f'tags."{quoted}"'),
    }
    with pytest.raises(ConfigError) as error:
        own(files[place])
    reason = WORDS.denied[denied].reason
    unreadable = {"slug": "a name has", "tag": "a name has", "label": "one line of"}.get(place, reason)
    assert reason in str(error.value) or unreadable in str(error.value)


@pytest.mark.parametrize("text", ["лесби", "亚洲人", "аsian", "łesbian", "🍑", "عربي", "leѕbian"])
def test_what_cannot_be_checked_is_refused(own: Own, text: str) -> None:
    """Other alphabets, letters that only look Latin, and pictures could hide anything."""
    with pytest.raises(ConfigError, match=r"cannot be held against|name has"):
        own(category(label=text))


@pytest.mark.parametrize(
    ("text", "needing"),
    [
        ("slim people", "build"),
        ("a curvy person", "build"),
        ("plus-size fashion", "build"),
        ("chica delgada", "build"),
        ("a young woman", "age_band"),
        ("elderly", "age_band"),
        ("30 years old", "age_band"),
        ("joven", ""),
    ],
)
def test_an_open_category_cannot_ask_for_what_needs_consent(own: Own, text: str, needing: str) -> None:
    """The words of build and age band stand in no other category; alone, a word that counts beside people does not."""
    if not needing:
        assert own(category(label=text)).categories["mood"].label == text
        return
    with pytest.raises(ConfigError, match=f"belongs to {needing} .*needs consent"):
        own(category(label=text))


@pytest.mark.parametrize("text", ["a person on a beach", "blue eyes of a woman", "una mujer", "the skin"])
def test_a_category_about_pictures_does_not_speak_of_people(own: Own, text: str) -> None:
    """Else its tags would be given without the rules for people."""
    with pytest.raises(ConfigError, match="about = 'person'"):
        own(category(about="picture", tag=f'prompts = ["{text}"]'))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[build]\nclass = "open"\n', "class of a category that comes with igtool cannot be changed"),
        ('[hair]\nabout = "picture"\n', "about of a category"),
        ("[build]\nwords = []\n", "words of a category"),
        ('[mine]\nclass = "denied"\nlabel = "x"\n', "is open or consent"),
        ("mood = 3\n", "must be a table"),
        (category(more='facts = "accounts"'), "facts must be one of body_facts"),
        (category(more='colour = "red"'), "unknown field 'colour'"),
        (category(more="one_of = 1"), "one_of must be true or false"),
        (category(more='said_by = ["guess"]'), "said_by must hold"),
        (category(more="threshold = 1.5"), "threshold must be a number between 0 and 1"),
        (category(more="temperature = 0"), "temperature must be"),
        (category(more="least_pictures = 0"), "least_pictures must be"),
        (category(tag='phrases = "x"'), "phrases must be a list"),
        (category(tag='prompts = ["{colour}"]'), "known are {phrase} and {article}"),
        (category(tag='said_by = ["zero_shot"]'), "needs phrases"),
        (category(tag='phrases = ["x"]\nconflicts = ["two"]'), "'two' is no other tag"),
        (category(tag='phrases = ["x"]\nconflicts = ["mood:one"]'), "is no other tag"),
        (category(label="x\\ty"), "one line of"),
        (category("Mood"), "lower-case letters"),
        ('[mood]\nclass = "open"\nabout = "person"\nlabel = "x"\n', "needs tags"),
        (category().replace('"open"', '"secret"'), "class must be one of open, consent"),
        (category(about="picture").replace('"open"', '"consent"'), "needs consent is about a person"),
        (category().replace('"open"', '"consent"').replace("cheerful", "16 to 17"), "names an age under 18"),
        ('[hair.tags.pink]\nphrases = ["pink hair"]\n', "needs a label"),
        ("[hair]\ntags = 3\n", "tags must be tables"),
        ("[mood", "cannot be read as TOML"),
        ("x = 1\n" * 250_000, "larger than 1 MiB"),
    ],
)
def test_what_does_not_fit_is_refused_with_its_place(own: Own, tmp_path: Path, text: str, message: str) -> None:
    """The file, the category or tag, and what to do."""
    with pytest.raises(ConfigError) as error:
        own(text)
    assert message in str(error.value)
    assert str(tmp_path / "tags.toml") in str(error.value)


def test_an_own_file_adds_and_changes(own: Own) -> None:
    """A new category, a new tag of igtool's, and other numbers for one; the rest is as it comes."""
    found = own(
        category()
        + '[hair.tags.auburn]\nlabel = "auburn"\nphrases = ["auburn hair"]\n'
        + "[hair.tags.blonde]\nthreshold = 0.8\ntemperature = 0.5\n"
    )
    assert found.tag("mood", "one").prompts == ("a cheerful picture",)
    assert ("hair", "blonde") in found.tag("hair", "auburn").conflicts
    blonde, before = found.tag("hair", "blonde"), WORDS.tag("hair", "blonde")
    assert (blonde.threshold, blonde.temperature, blonde.prompts) == (0.8, 0.5, before.prompts)
    assert found.tag("hair", "grey") == WORDS.tag("hair", "grey").__class__(
        **{**vars(WORDS.tag("hair", "grey")), "conflicts": found.tag("hair", "grey").conflicts}
    )
    assert found.fingerprint != WORDS.fingerprint
    assert WORDS.tag("hair", "blonde").threshold == 0.60


def test_without_an_own_file_the_vocabulary_is_igtools(tmp_path: Path) -> None:
    """It is read once."""
    assert tags.load(tmp_path) is WORDS


def test_names_are_found_or_those_that_come_close(own: Own) -> None:
    """Whatever their case and dashes; a denied one says why."""
    assert WORDS.category(" Eye Colour ").slug == "eye_colour"
    assert WORDS.tag("age-band", "18-24").key == ("age_band", "18-24")
    for call, message in (
        (lambda: WORDS.category("stile"), "did you mean style"),
        (lambda: WORDS.category("zzz"), "there are: hair"),
        (lambda: WORDS.category("Religion"), "never infers religion"),
        (lambda: WORDS.category("skin tone"), "never infers ethnicity"),
        (lambda: WORDS.tag("hair", "blond"), "did you mean blonde"),
        (lambda: WORDS.consent_category("style"), "needs no consent"),
    ):
        with pytest.raises(UsageError, match=message):
            call()


# However it is spelled ----------------------------------------------------------------------------------------------

PHRASES = sorted(
    word
    for word, phrase in WORDS.guarded.phrases.items()
    if phrase.found.category in WORDS.denied and phrase.words == 1 and len(word) >= 6
)
_TRICKS: tuple[Callable[[str, Random], str], ...] = (
    lambda word, chance: "".join(chance.choice((one.upper(), one)) for one in word),
    lambda word, chance: " ".join(word),
    lambda word, chance: ".".join(word),
    lambda word, chance: word[:3] + chance.choice("-_.*'") + word[3:],
    lambda word, chance: word[:2] + chance.choice("\u200b\u200d\u2060\u00ad\ufe0f\u034f") + word[2:],
    lambda word, chance: unicodedata.normalize("NFC", word[0] + chance.choice("\u0301\u0308\u0327") + word[1:]),
    lambda word, chance: "".join(chr(ord(one) + 0xFEE0) for one in word),
    lambda word, chance: word[:2] + word[2] * 3 + word[3:],
    lambda word, chance: word.replace("e", "3").replace("o", "0") if word[0] not in "eo" else word,
    lambda word, chance: f"a photo of {word}s, at night",
)


@given(st.sampled_from(PHRASES), st.sampled_from(_TRICKS), st.randoms(use_true_random=False))
def test_no_spelling_hides_a_denied_word(word: str, trick: Callable[[str, Random], str], chance: Random) -> None:
    """Capitals, spaces, signs, invisible characters, marks, wide letters, many letters, digits: it is found."""
    found = WORDS.guarded.find(trick(word, chance))
    assert found is not None
    assert found.category in WORDS.denied


@pytest.mark.parametrize(
    "text",
    [
        "a person with black hair in a white dress on a red carpet",
        "but t-shirt weather",
        "a class of bass guitar players in high heels",
        "a shortbread biscuit, a tall building and a white background",
        "short hair, a brown coat and dark glasses",
        "hip hop dancing in an abstract gallery",
        "una chaqueta negra y zapatos blancos",
        "pelo corto y gafas de sol",
        "a scarf, a button-up shirt and trousers",
        "playing football at 18:30 in 2024",
    ],
)
def test_harmless_sentences_are_left_alone(text: str) -> None:
    """Colours, garments and things are no people."""
    assert WORDS.guarded.find(text) is None
