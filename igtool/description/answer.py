"""The answer about a creator: its schema, and the checks that every claim goes through."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from igtool.language import identify
from igtool.llms.questions import WrongAnswer, cut_at, read_model, text_of
from igtool.llms.sieve import Sieve
from igtool.text import one_line
from igtool.vocabulary import Vocabulary, fold

_SHORTEST_QUOTE = 3
_EVIDENCE = 5
"""At most so many content ids and quotes a claim."""
_QUOTED = 120
"""At most so many characters of a text that is evidence as a whole."""
_RECITED = 3
"""So many labels one after the other, in the order of the instruction, are recited and not chosen."""
_SPACES = re.compile(r"\s+")
_WORD = re.compile(r"\w+")


class Claim(BaseModel):
    """Something said of a creator, and what it rests on: numbers of lines of the prompt, or words that stand there."""

    model_config = ConfigDict(extra="ignore", populate_by_name=True)

    what: text_of(60) = Field(alias="is")  # type: ignore[valid-type]
    of: Annotated[list[int | text_of(120)], cut_at(4)] = Field(min_length=1, max_length=4)  # type: ignore[valid-type]


class ProfileAnswer(BaseModel):
    """What a model answers when it is asked for prose: what it rests on first, so that the prose can rest on that."""

    model_config = ConfigDict(extra="ignore")

    tone: Annotated[list[str], cut_at(3)] = Field(max_length=3)
    topics: Annotated[list[Claim], cut_at(5)] = Field(min_length=1, max_length=5)
    interests: Annotated[list[Claim], cut_at(4)] = Field(max_length=4)
    audience: Annotated[list[Claim], cut_at(1)] = Field(max_length=1)
    brands: Annotated[list[Claim], cut_at(3)] = Field(max_length=3)
    persona: text_of(360)  # type: ignore[valid-type]
    summary: text_of(180)  # type: ignore[valid-type]
    kinds: Annotated[list[str], cut_at(50)] = Field(max_length=50)


class Labels(BaseModel):
    """Niche and style."""

    niche: str
    also: Annotated[list[str], cut_at(3)] = Field(max_length=3)
    style: str


class LabelledAnswer(ProfileAnswer, Labels):
    """What a model answers when it is asked for niche and style too: these first, for they are the shortest."""


class BriefAnswer(BaseModel):
    """What a small model answers: topics are words that stand in the prompt, and so their own evidence.

    Asked for more, it names the same two lines for everything, copies whole posts and recites the list of kinds.
    """

    model_config = ConfigDict(extra="ignore")

    tone: Annotated[list[str], cut_at(2)] = Field(max_length=2)
    topics: Annotated[list[text_of(40)], cut_at(5)] = Field(min_length=1, max_length=5)  # type: ignore[valid-type]
    persona: text_of(280)  # type: ignore[valid-type]
    summary: text_of(160)  # type: ignore[valid-type]

    @property
    def whole(self) -> ProfileAnswer:
        """As a longer answer that leaves out the rest."""
        topics = [{"is": topic, "of": [topic]} for topic in self.topics]
        nothing: dict[str, Any] = {"interests": [], "audience": [], "brands": [], "kinds": []}
        of_model = LabelledAnswer if isinstance(self, Labels) else ProfileAnswer
        return of_model.model_validate(self.model_dump() | nothing | {"topics": topics})


class BriefLabelledAnswer(BriefAnswer, Labels):
    """The same with niche and style."""


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
    """What a prompt showed: ``instruction``, then by number from 1 ``own`` texts (name, category, biography) and items.

    ``vocabulary`` holds the labels there are.
    """

    instruction: str
    own: Sequence[str]
    items: Sequence[tuple[str, str]]
    """(content id, text) of each."""
    vocabulary: Vocabulary
    form: type[ProfileAnswer | BriefAnswer] = ProfileAnswer

    def check(self, text: str) -> Description:
        """The description that the answer ``text`` holds. Raises WrongAnswer."""
        read = read_model(self.form, text)
        answer = read.whole if isinstance(read, BriefAnswer) else read
        _check_language(answer)
        sources = [*self.own, *(text for _, text in self.items)]
        sieve = Sieve(self.instruction, sources, self.vocabulary.is_denied)
        claims = _Claims(self, sieve)
        words = self.vocabulary
        labels: dict[str, Any] = {}
        if isinstance(answer, LabelledAnswer):
            labels = {
                "niche": _one_of(answer.niche, words.niches, "niche"),
                "also": _further(answer.niche, answer.also, list(words.niches)),
                "style": _one_of(answer.style, words.styles, "style"),
            }
        audience = claims.of(answer.audience)
        return Description(
            persona=sieve.prose(answer.persona),
            tone=_known(answer.tone, words.tones),
            interests=claims.of(answer.interests),
            topics=claims.of(answer.topics),
            audience=audience[0] if audience else None,
            brands=claims.of(answer.brands),
            kinds=self._kinds(answer.kinds),
            summary=sieve.prose(answer.summary),
            claims=claims.count,
            ungrounded=claims.ungrounded,
            refused=sieve.refused,
            **labels,
        )

    def _kinds(self, kinds: Sequence[str]) -> dict[str, str]:
        """Content id to kind; a list of another length, or the list of the instruction said again, says nothing."""
        slugs = list(map(_slug, kinds))
        if len(slugs) != len(self.items) or _is_recital(slugs, list(self.vocabulary.kinds)):
            return {}
        named = zip(self.items, slugs, strict=True)
        return {content_id: kind for (content_id, _), kind in named if kind in self.vocabulary.kinds}

    def where(self, quote: str) -> tuple[str | None, str] | None:
        """The item a quote stands in (None: name, category or biography), with the quote; None when it is nowhere."""
        wanted = _squeezed(quote)
        if len(wanted) < _SHORTEST_QUOTE:
            return None
        if any(wanted in _squeezed(text) for text in self.own):
            return None, quote
        return next(((content_id, quote) for content_id, text in self.items if wanted in _squeezed(text)), None)


class _Claims:
    """Claims that rest on the prompt, and how many there were."""

    def __init__(self, shown: Shown, sieve: Sieve) -> None:
        self._shown = shown
        self._sieve = sieve
        self.count = self.ungrounded = 0

    def of(self, claims: Sequence[Claim]) -> tuple[Grounded, ...]:
        """The claims that have evidence and may be said, each once."""
        found: dict[str, Grounded] = {}
        for claim in claims:
            self.count += 1
            grounded = self._ground(claim)
            if grounded is None:
                self.ungrounded += 1
            elif self._sieve.lets(claim.what):
                found.setdefault(fold(claim.what), grounded)
        return tuple(found.values())

    def _ground(self, claim: Claim) -> Grounded | None:
        """The claim with what it rests on; None when any part of its evidence was not in the prompt."""
        ids: list[str] = []
        quotes: list[str] = []
        own, items = self._shown.own, self._shown.items
        for evidence in claim.of:
            number = int(evidence) if isinstance(evidence, int) or evidence.isdecimal() else None
            if number is not None and 1 <= number <= len(own):
                quotes.append(one_line(own[number - 1], _QUOTED))
            elif number is not None and len(own) < number <= len(own) + len(items):
                ids.append(items[number - len(own) - 1][0])
            elif number is not None or (place := self._shown.where(str(evidence))) is None:
                return None
            else:
                quotes.append(place[1])
                ids += [place[0]] if place[0] else []
        return Grounded(claim.what, tuple(dict.fromkeys(ids))[:_EVIDENCE], tuple(dict.fromkeys(quotes))[:_EVIDENCE])


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


def _further(niche: str, also: Sequence[str], niches: Sequence[str]) -> tuple[str, ...]:
    """The further niches, unless they are three in a row of the instruction's list."""
    slugs = [slug for slug in map(_slug, also) if slug in niches and slug != _slug(niche)]
    return () if _is_recital(slugs, niches) else tuple(dict.fromkeys(slugs))


def _is_recital(slugs: Sequence[str], labels: Sequence[str]) -> bool:
    """Whether ``slugs`` go through ``labels`` in their order; one in two may be left out of a long list."""
    places = [labels.index(slug) for slug in slugs if slug in labels]
    steps = [later - earlier for earlier, later in pairwise(places)]
    gaps = 0 if len(places) == _RECITED else len(steps)
    return len(places) >= _RECITED and all(step > 0 for step in steps) and sum(steps) <= len(steps) + gaps


def _check_language(answer: ProfileAnswer) -> None:
    """Raises WrongAnswer when the prose is surely not English."""
    language = identify(f"{answer.persona} {answer.summary}")
    if language not in (None, "en"):
        raise WrongAnswer("llm-wrong-language", f"it is written in the language {language!r}, not in English")
