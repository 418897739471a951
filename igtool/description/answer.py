"""The answer about a creator: its schema, and the checks that every claim goes through."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from igtool.language import identify
from igtool.llms.questions import WrongAnswer, read_model
from igtool.text import one_line
from igtool.vocabulary import Vocabulary, fold

_SHORTEST_QUOTE = 3
_EVIDENCE = 5
"""At most so many content ids and quotes a claim."""
_COPIED_WORDS = 10
"""So many words of the instruction in a row are a leak of it, not a description."""
_SPACES = re.compile(r"\s+")
_SENTENCE = re.compile(r"[^.!?…]+(?:[.!?…]+|$)")
_LINK = re.compile(r"https?:|www\.|\b\w+\.(?:com|net|org|io|ly|me)\b|[<>{}`|]|\[[^\]]*\]\(", re.IGNORECASE)
_HANDLE = re.compile(r"@[\w.]+")
_FIGURE = re.compile(r"\d+")
_WORD = re.compile(r"\w+")


def _text(limit: int) -> Any:
    """A text on one line, cut at ``limit``: too long a text is no reason to pay for another."""
    return Annotated[
        str,
        BeforeValidator(lambda value: one_line(value, limit) if isinstance(value, str) else value),
        Field(max_length=limit),
    ]


def _list(limit: int) -> Any:
    return BeforeValidator(lambda value: value[:limit] if isinstance(value, list) else value)


class Claim(BaseModel):
    """Something said of a creator, and what it rests on: numbers of items, or words of name, biography or items."""

    model_config = ConfigDict(extra="ignore", populate_by_name=True)

    what: _text(60) = Field(alias="is")  # type: ignore[valid-type]
    of: Annotated[list[int | _text(120)], _list(4)] = Field(min_length=1, max_length=4)  # type: ignore[valid-type]


class ProfileAnswer(BaseModel):
    """What a model answers when it is asked for prose."""

    model_config = ConfigDict(extra="ignore")

    persona: _text(420)  # type: ignore[valid-type]
    tone: Annotated[list[str], _list(3)] = Field(max_length=3)
    interests: Annotated[list[Claim], _list(5)] = Field(max_length=5)
    topics: Annotated[list[Claim], _list(6)] = Field(max_length=6)
    audience: Annotated[list[Claim], _list(1)] = Field(max_length=1)
    brands: Annotated[list[Claim], _list(4)] = Field(max_length=4)
    kinds: Annotated[list[str], _list(50)] = Field(max_length=50)
    summary: _text(180)  # type: ignore[valid-type]


class LabelledAnswer(ProfileAnswer):
    """What a model answers when it is asked for niche and style too."""

    niche: str
    also: Annotated[list[str], _list(3)] = Field(max_length=3)
    style: str


@dataclass(frozen=True)
class Grounded:
    """A claim whose evidence was in the prompt."""

    what: str
    content_ids: tuple[str, ...] = ()
    quotes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Description:
    """What is left of an answer. ``kinds``: content id to the kind of that item.

    ``claims``: how many the answer held; ``ungrounded``: how many of them were dropped because an id was not in the
    prompt or a quote not in the text; ``refused``: sentences and claims dropped because of what they say.
    """

    persona: str | None
    tone: tuple[str, ...]
    interests: tuple[Grounded, ...]
    topics: tuple[Grounded, ...]
    audience: Grounded | None
    brands: tuple[Grounded, ...]
    kinds: dict[str, str]
    summary: str | None
    niche: str | None = None
    also: tuple[str, ...] = ()
    style: str | None = None
    claims: int = 0
    ungrounded: int = 0
    refused: int = 0

    def to_json(self) -> str:
        """As it is stored."""
        return json.dumps(asdict(self), ensure_ascii=False, sort_keys=True)

    @staticmethod
    def from_json(text: str) -> Description:
        """From what `to_json` wrote."""
        stored = json.loads(text)
        for name in ("interests", "topics", "brands"):
            stored[name] = tuple(_grounded(claim) for claim in stored[name])
        stored["audience"] = stored["audience"] and _grounded(stored["audience"])
        return Description(**{**stored, "tone": tuple(stored["tone"]), "also": tuple(stored["also"])})


def _grounded(claim: Mapping[str, Any]) -> Grounded:
    return Grounded(claim["what"], tuple(claim["content_ids"]), tuple(claim["quotes"]))


@dataclass(frozen=True)
class Shown:
    """What a prompt showed: ``instruction``, ``own`` texts (name, category, biography), items by number from 1.

    ``vocabulary`` holds the labels there are.
    """

    instruction: str
    own: Sequence[str]
    items: Sequence[tuple[str, str]]
    """(content id, text) of each."""
    vocabulary: Vocabulary
    labelled: bool = False
    _folded: dict[str, str] = field(default_factory=dict, repr=False)

    def check(self, text: str) -> Description:
        """The description that the answer ``text`` holds. Raises WrongAnswer."""
        answer = read_model(LabelledAnswer if self.labelled else ProfileAnswer, text)
        _check_language(answer)
        sieve = _Sieve(self)
        words = self.vocabulary
        labels: dict[str, Any] = {}
        if self.labelled:
            labels = {
                "niche": _one_of(answer.niche, words.niches, "niche"),
                "also": tuple(slug for slug in _known(answer.also, words.niches) if slug != answer.niche),
                "style": _one_of(answer.style, words.styles, "style"),
            }
        audience = sieve.claims(answer.audience)
        return Description(
            persona=sieve.prose(answer.persona),
            tone=_known(answer.tone, words.tones),
            interests=sieve.claims(answer.interests),
            topics=sieve.claims(answer.topics),
            audience=audience[0] if audience else None,
            brands=sieve.claims(answer.brands),
            kinds=self._kinds(answer.kinds),
            summary=sieve.prose(answer.summary),
            claims=sieve.count,
            ungrounded=sieve.ungrounded,
            refused=sieve.refused,
            **labels,
        )

    def _kinds(self, kinds: Sequence[str]) -> dict[str, str]:
        """Content id to kind; a list of another length says nothing about which is which."""
        if len(kinds) != len(self.items):
            return {}
        named = zip(self.items, map(_slug, kinds), strict=True)
        return {content_id: kind for (content_id, _), kind in named if kind in self.vocabulary.kinds}

    def where(self, quote: str) -> tuple[str | None, str] | None:
        """The item a quote stands in (None: name, category or biography), with the quote; None when it is nowhere."""
        wanted = _squeezed(quote)
        if len(wanted) < _SHORTEST_QUOTE:
            return None
        if any(wanted in _squeezed(text) for text in self.own):
            return None, quote
        return next(((content_id, quote) for content_id, text in self.items if wanted in _squeezed(text)), None)


class _Sieve:
    """Lets through what rests on the prompt and may be said, and counts what does not."""

    def __init__(self, shown: Shown) -> None:
        self._shown = shown
        self._sources = " ".join([*shown.own, *(text for _, text in shown.items)])
        self._handles = {handle.lower().strip(".") for handle in _HANDLE.findall(self._sources)}
        self._figures = set(_FIGURE.findall(self._sources))
        self._instruction = " ".join(_WORD.findall(fold(shown.instruction)))
        self.count = self.ungrounded = self.refused = 0

    def claims(self, claims: Sequence[Claim]) -> tuple[Grounded, ...]:
        """The claims that have evidence and say nothing that is never said, each once."""
        found: dict[str, Grounded] = {}
        for claim in claims:
            self.count += 1
            grounded = self._ground(claim)
            if grounded is None:
                self.ungrounded += 1
            elif not _WORD.search(claim.what) or self._is_refused(claim.what):
                self.refused += 1
            else:
                found.setdefault(fold(claim.what), grounded)
        return tuple(found.values())

    def _ground(self, claim: Claim) -> Grounded | None:
        ids: list[str] = []
        quotes: list[str] = []
        for evidence in claim.of:
            number = int(evidence) if isinstance(evidence, int) or evidence.isdecimal() else None
            if number is not None and 1 <= number <= len(self._shown.items):
                ids.append(self._shown.items[number - 1][0])
            elif number is not None or (place := self._shown.where(str(evidence))) is None:
                return None
            else:
                quotes.append(place[1])
                ids += [place[0]] if place[0] else []
        return Grounded(claim.what, tuple(dict.fromkeys(ids))[:_EVIDENCE], tuple(dict.fromkeys(quotes))[:_EVIDENCE])

    def prose(self, text: str) -> str | None:
        """``text`` without the sentences that may not be said; None when nothing is left."""
        kept = []
        for sentence in _SENTENCE.findall(text):
            if self._is_refused(sentence):
                self.refused += 1
            elif _WORD.search(sentence):
                kept.append(sentence.strip())
        return " ".join(kept) or None

    def _is_refused(self, text: str) -> bool:
        """Whether ``text`` names what is never inferred, leads somewhere, or holds what the prompt did not show.

        Figures and handles that were not shown are made up; words of the instruction are a leak.
        """
        said = " ".join(_WORD.findall(fold(text)))
        leaks = any(part in self._instruction for part in _runs(said.split(), _COPIED_WORDS))
        return (
            leaks
            or bool(_LINK.search(text))
            or self._shown.vocabulary.is_denied(text)
            or not {handle.lower().strip(".") for handle in _HANDLE.findall(text)} <= self._handles
            or not set(_FIGURE.findall(text)) <= self._figures
        )


def _runs(words: Sequence[str], size: int) -> Iterable[str]:
    return (" ".join(words[start : start + size]) for start in range(len(words) - size + 1))


def _squeezed(text: str) -> str:
    return _SPACES.sub(" ", fold(text)).strip(" \"'“”«»")


def _slug(text: str) -> str:
    return "_".join(_WORD.findall(fold(text)))


def _known(names: Iterable[str], labels: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(slug for slug in map(_slug, names) if slug in labels))


def _one_of(name: str, labels: Mapping[str, Any], what: str) -> str:
    slug = _slug(name)
    if slug not in labels:
        raise WrongAnswer("llm-unknown-label", f"{what} {name[:40]!r} is not one of: {', '.join(labels)}")
    return slug


def _check_language(answer: ProfileAnswer) -> None:
    """Raises WrongAnswer when the prose is surely not English."""
    language = identify(f"{answer.persona} {answer.summary}")
    if language not in (None, "en"):
        raise WrongAnswer("llm-wrong-language", f"it is written in the language {language!r}, not in English")


def schema_of(model: type[BaseModel], enums: Mapping[str, Iterable[str]]) -> dict[str, Any]:
    """The JSON schema of ``model`` as it is sent, with the labels that the vocabulary has in ``enums``."""
    schema = model.model_json_schema(by_alias=True)
    for name, labels in enums.items():
        if name in schema["properties"]:
            place = schema["properties"][name]
            (place["items"] if place.get("type") == "array" else place)["enum"] = list(labels)
    return schema


Check = Callable[[str], Description]
