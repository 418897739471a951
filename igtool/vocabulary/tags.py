"""What pictures may be asked for: `tags.toml` of igtool, and one of the user's own, checked when loaded.

A category is ``open``, ``consent`` (only for creators who agreed to it and declared to be adults) or ``denied``. What
is denied, or says a denied thing in other words, does not load: there is no way to ask a picture for it.
"""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, cast

from igtool.errors import ConfigError
from igtool.vocabulary.categories import (
    LEAST_PICTURES,
    TEMPERATURE,
    THRESHOLD,
    About,
    Category,
    Denied,
    Key,
    Tag,
    TagClass,
    TagVocabulary,
)
from igtool.vocabulary.guarded import ADULT, Guarded, plain, strange, youngest

FOLDER = Path(__file__).parent
OWN = "tags.toml"
"""Name of the user's own file, in the workspace."""
Table = dict[str, Any]

_LARGEST_BYTES = 1 << 20
_LONGEST = 300
_SLUG = re.compile(r"[a-z0-9][a-z0-9_+-]{0,39}")
_FIELD = re.compile(r"\{([^{}]*)\}|[{}]")
_ARTICLE = re.compile(r"\{article\} (\W*)(\w+)", re.IGNORECASE)
_VOWEL = re.compile(r"(?!uni|use|eu|one|once|u\b)[aeiou]|hour|honest", re.IGNORECASE)
_NUMBER = re.compile(r"(?<![0-9])[0-9]{1,2}(?![0-9])")
_SAID_BY = frozenset({"zero_shot", "rule"})
_CLASSES = ("open", "consent")
_FACTS = ("body_facts",)
"""Tables of facts that are measured for one category alone: gone with the consent to it."""
_NUMBERS = {"threshold": (0.0, 1.0), "temperature": (0.001, 1000.0), "least_pictures": (1, 10_000)}
_SHOWN = frozenset({"label", "label_es", "prompts", *_NUMBERS})
_OF_TAG = _SHOWN | {"phrases", "conflicts", "said_by"}
_CHANGEABLE = _SHOWN | {"background", "tags"}
_OF_CATEGORY = _CHANGEABLE | {"class", "about", "said_by", "one_of", "facts", "words", "of_people"}
_OF_DENIED = frozenset({"class", "label", "label_es", "reason", "declarable"})


@lru_cache(maxsize=1)
def shipped() -> TagVocabulary:
    """The vocabulary that comes with igtool, read once per process. Raises ConfigError."""
    return read(FOLDER)


def load(workspace: Path) -> TagVocabulary:
    """The vocabulary of a workspace: that of igtool, with what `tags.toml` there adds and changes.

    Raises ConfigError naming file, category, tag and what to do: an unknown field or reference, a wrong number, and
    whatever is denied, with the reason.
    """
    own = workspace / OWN
    return read(FOLDER, own) if own.exists() else shipped()


def read(folder: Path, own: Path | None = None) -> TagVocabulary:
    """The vocabulary of ``folder``, which holds tags.toml and denied.toml, with what the file ``own`` adds to it.

    Raises ConfigError as `load`.
    """
    contents = [_bytes(path) for path in (folder / "tags.toml", folder / "denied.toml", own) if path is not None]
    tables = [_toml(data, name) for data, name in zip(contents, ("tags.toml", "denied.toml", own), strict=False)]
    given, words = tables[0], tables[1]
    names = dict.fromkeys(given, "tags.toml")
    denied = {slug: _denied(f"tags.toml: [{slug}]", slug, table) for slug, table in given.items() if _is_denied(table)}
    if missing := set(denied) ^ {slug for slug, table in words.items() if isinstance(table, dict)}:
        raise ConfigError(f"tags.toml and denied.toml do not name the same denied categories: {sorted(missing)[0]}")
    if own is not None:
        _add_own(given, tables[2], denied, own, names)
    asked = {slug: table for slug, table in given.items() if slug not in denied}
    guarded = _guarded(words, asked)
    check = _Check(guarded, denied)
    categories = {slug: _category(f"{names[slug]}: [{slug}]", slug, table, check) for slug, table in asked.items()}
    categories = _with_conflicts(categories, asked, names)
    digest = hashlib.sha256(b"\0".join(contents)).hexdigest()
    return TagVocabulary(MappingProxyType(categories), MappingProxyType(denied), digest, guarded)


def _bytes(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(_LARGEST_BYTES + 1)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    if len(data) > _LARGEST_BYTES:
        raise ConfigError(f"{path}: is larger than {_LARGEST_BYTES >> 20} MiB; no vocabulary is")
    return data


def _toml(data: bytes, name: Path | str | None) -> Table:
    try:
        return tomllib.loads(data.decode())
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{name}: cannot be read as TOML: {error}") from error


def _is_denied(table: Any) -> bool:
    return isinstance(table, dict) and table.get("class") == "denied"


def _denied(where: str, slug: str, table: Table) -> Denied:
    _known_fields(where, table, _OF_DENIED)
    reason = _text(where, table, "reason")
    return Denied(slug, *_labels(where, table), reason, _flag(where, table, "declarable"))


def _guarded(words: Table, asked: Mapping[str, Any]) -> Guarded:
    """The words of what is denied, and of each category that needs consent."""
    phrases: dict[str, list[str]] = {}
    beside: dict[str, list[str]] = {}
    for slug, table in words.items():
        if isinstance(table, dict):
            phrases[slug] = [*table.get("words", []), *table.get("of_pictures", [])]
            beside[slug] = table.get("of_people", [])
    for slug, table in asked.items():
        if isinstance(table, dict) and table.get("class") == "consent":
            phrases[slug] = _texts(slug, table, "words")
            beside[slug] = _texts(slug, table, "of_people")
    return Guarded.of(phrases, beside, words.get("people", []), words.get("between", []))


# A file of the user's own ------------------------------------------------------------------------------------------


def _add_own(given: Table, added: Table, denied: Mapping[str, Denied], own: Path, names: dict[str, str]) -> None:
    """Put the tables of the file ``own`` into those that are ``given``; what protects people cannot be changed."""
    for slug, table in added.items():
        where = f"{own}: [{slug}]"
        if slug in denied:
            raise ConfigError(f"{where} is denied: igtool never infers {denied[slug].label}. {denied[slug].reason}")
        if _is_denied(table):
            raise ConfigError(f"{where}: a category of your own is open or consent; leave a denied one out")
        if slug not in given:
            given[slug] = table
        else:
            given[slug] = _changed(where, given[slug], table)
        names[slug] = str(own)


def _changed(where: str, before: Table, table: Any) -> Table:
    """A category that comes with igtool, as changed by the user."""
    if not isinstance(table, dict):
        raise ConfigError(f"{where} must be a table")
    fixed = sorted(name for name in set(table) - _CHANGEABLE if table[name] != before.get(name))
    if fixed:
        raise ConfigError(f"{where}: {fixed[0]} of a category that comes with igtool cannot be changed; remove it")
    tags = dict(before["tags"])
    if not isinstance(table.get("tags", {}), dict):
        raise ConfigError(f"{where}: tags must be tables, [CATEGORY.tags.TAG]")
    for slug, tag in table.get("tags", {}).items():
        tags[slug] = {**tags.get(slug, {}), **tag} if isinstance(tag, dict) else tag
    return {**before, **table, "tags": tags}


# Checks ------------------------------------------------------------------------------------------------------------


class _Check:
    """Refuses texts that name what is denied, what needs consent elsewhere, or people where there are to be none."""

    def __init__(self, guarded: Guarded, denied: Mapping[str, Denied]) -> None:
        self._guarded = guarded
        self._denied = denied

    def texts(self, where: str, category: str, about: str, needs_consent: bool, texts: Iterable[str]) -> None:
        for text in texts:
            ages = _NUMBER.findall(plain(text)) if needs_consent else []
            youth = min([*map(int, ages), youngest(text) or ADULT])
            if youth < ADULT:
                raise ConfigError(f"{where}: {text!r} names an age under {ADULT}. {self._denied['minors'].reason}")
            self._text(where, category, about, text)

    def _text(self, where: str, category: str, about: str, text: str) -> None:
        if (odd := strange(text)) is not None:
            raise ConfigError(
                f"{where}: {text!r} holds {odd!r}, which cannot be held against what igtool never infers: "
                "use Latin letters, digits and punctuation"
            )
        found = self._guarded.find(text)
        if found is not None and found.category in self._denied:
            denied = self._denied[found.category]
            raise ConfigError(
                f"{where}: {text!r} names what igtool never infers: {denied.label} ({found.word}). {denied.reason}"
            )
        if found is not None and found.category != category:
            raise ConfigError(
                f"{where}: {text!r} belongs to {found.category} ({found.word}), which needs consent; say it otherwise"
            )
        if about == "picture" and (word := self._guarded.speaks_of_people(text)) is not None:
            raise ConfigError(f"{where}: {text!r} is about people ({word}): its category needs about = 'person'")


def _known_fields(where: str, table: Any, fields: Iterable[str]) -> None:
    if not isinstance(table, dict):
        raise ConfigError(f"{where} must be a table")
    if unknown := sorted(set(table) - set(fields)):
        raise ConfigError(f"{where} has the unknown field {unknown[0]!r}; known are {', '.join(sorted(fields))}")


def _text(where: str, table: Table, name: str) -> str:
    text = table.get(name)
    if not isinstance(text, str) or not 0 < len(text.strip()) <= _LONGEST or not text.isprintable():
        raise ConfigError(f"{where} needs a {name}: one line of 1 to {_LONGEST} characters")
    return text


def _texts(where: str, table: Table, name: str) -> list[str]:
    texts = table.get(name, [])
    if not isinstance(texts, list) or not all(isinstance(text, str) and 0 < len(text) <= _LONGEST for text in texts):
        raise ConfigError(f"{where}: {name} must be a list of texts of 1 to {_LONGEST} characters")
    return texts


def _labels(where: str, table: Table) -> tuple[str, str]:
    label = _text(where, table, "label")
    return label, _text(where, {"label_es": label, **table}, "label_es")


def _choice(where: str, table: Table, name: str, choices: Sequence[str]) -> str:
    if table.get(name) not in choices:
        raise ConfigError(f"{where}: {name} must be one of {', '.join(choices)}")
    return str(table[name])


def _flag(where: str, table: Table, name: str) -> bool:
    value = table.get(name, False)
    if not isinstance(value, bool):
        raise ConfigError(f"{where}: {name} must be true or false")
    return value


def _number(where: str, table: Table, name: str, default: float) -> float:
    value = table.get(name, default)
    least, most = _NUMBERS[name]
    fits = isinstance(value, int if name == "least_pictures" else (int, float)) and not isinstance(value, bool)
    if not fits or not least <= value <= most or (name == "threshold" and value in (least, most)):
        raise ConfigError(f"{where}: {name} must be a number between {least:g} and {most:g}")
    return float(value)


def _said_by(where: str, table: Table, default: Iterable[str]) -> frozenset[str]:
    said = frozenset(_texts(where, {"said_by": list(default), **table}, "said_by"))
    if not said or said - _SAID_BY:
        raise ConfigError(f"{where}: said_by must hold zero_shot, rule, or both")
    return said


# Categories and tags -----------------------------------------------------------------------------------------------


def _category(where: str, slug: str, table: Any, check: _Check) -> Category:
    _known_fields(where, table, _OF_CATEGORY)
    _slug(where, slug)
    tag_class = cast(TagClass, _choice(where, table, "class", _CLASSES))
    about = cast(About, _choice(where, table, "about", ("person", "picture")))
    if tag_class == "consent" and about != "person":
        raise ConfigError(f"{where}: what needs consent is about a person")
    label, label_es = _labels(where, table)
    background = _texts(where, table, "background")
    texts = [slug.replace("_", " "), label, label_es, *background]
    check.texts(where, slug, about, tag_class == "consent", texts)
    given = table.get("tags")
    if not isinstance(given, dict) or not given:
        raise ConfigError(f"{where} needs tags: [{slug}.tags.NAME] with a label and phrases or prompts")
    tags = {}
    for name, tag in given.items():
        within = f"{where[:-1]}.tags.{name}]"
        tags[name] = _tag(within, slug, name, tag, table)
        told = [name.replace("_", " "), tags[name].label, tags[name].label_es, *tags[name].prompts]
        check.texts(within, slug, about, tag_class == "consent", [*told, *tag.get("phrases", [])])
    facts = _choice(where, table, "facts", _FACTS) if "facts" in table else None
    one_of = _flag(where, table, "one_of")
    return Category(slug, label, label_es, tag_class, about, MappingProxyType(tags), tuple(background), one_of, facts)


def _slug(where: str, slug: str) -> None:
    if not _SLUG.fullmatch(slug):
        raise ConfigError(f"{where}: a name has 1 to 40 lower-case letters, digits, _, + and -")


def _tag(where: str, category: str, slug: str, table: Any, above: Table) -> Tag:
    """A tag; what its table does not say its category ``above`` does."""
    _known_fields(where, table, _OF_TAG)
    _slug(where, slug)
    said_by = _said_by(where, table, _said_by(where, above, ["zero_shot"]))
    prompts = list(_prompts(where, table, _texts(where, above, "prompts")))
    if "zero_shot" in said_by and not prompts:
        raise ConfigError(f"{where} needs phrases, for the prompts of its category, or prompts")
    both = {**{name: above[name] for name in _NUMBERS if name in above}, **table}
    return Tag(
        category,
        slug,
        *_labels(where, table),
        tuple(dict.fromkeys(prompts)),
        said_by,
        _number(where, both, "threshold", THRESHOLD),
        _number(where, both, "temperature", TEMPERATURE),
        int(_number(where, both, "least_pictures", LEAST_PICTURES)),
    )


def _prompts(where: str, table: Table, patterns: Sequence[str]) -> Iterator[str]:
    """Every pattern with every phrase, then the tag's own prompts."""
    phrases = _texts(where, table, "phrases")
    for pattern in (*patterns, *_texts(where, table, "prompts")):
        unknown = [match[0] for match in _FIELD.finditer(pattern) if match[1] not in ("phrase", "article")]
        if unknown:
            raise ConfigError(f"{where}: {pattern!r} has {unknown[0]!r}; known are {{phrase}} and {{article}}")
    for pattern in patterns:
        if "{phrase}" not in pattern:
            raise ConfigError(f"{where}: {pattern!r}, a prompt of the category, needs {{phrase}}")
        yield from (_with_articles(pattern.replace("{phrase}", phrase)) for phrase in phrases)
    for prompt in _texts(where, table, "prompts"):
        yield from (_with_articles(prompt.replace("{phrase}", one)) for one in phrases if "{phrase}" in prompt)
        if "{phrase}" not in prompt:
            yield _with_articles(prompt)


def _with_articles(prompt: str) -> str:
    """``prompt`` with ``a`` or ``an`` for each ``{article}``, by the sound of the word that follows."""

    def chosen(match: re.Match[str]) -> str:
        return f"{'an' if _VOWEL.match(match[2]) else 'a'} {match[1]}{match[2]}"

    return _ARTICLE.sub(chosen, prompt).replace("{article}", "a")


def _with_conflicts(
    categories: Mapping[str, Category], asked: Mapping[str, Table], names: Mapping[str, str]
) -> dict[str, Category]:
    """``categories`` whose tags know what they do not go together with, in both directions."""
    conflicts: dict[Key, set[Key]] = {tag.key: set() for c in categories.values() for tag in c.tags.values()}
    for slug, category in categories.items():
        for name, tag in category.tags.items():
            others = [(slug, other) for other in category.tags if other != name] if category.one_of else []
            where = f"{names[slug]}: [{slug}.tags.{name}]"
            for text in _texts(where, asked[slug]["tags"][name], "conflicts"):
                first, _, rest = text.partition(":")
                other = (first, rest) if rest else (slug, first)
                if other not in conflicts or other == tag.key:
                    raise ConfigError(f"{where}: conflicts: {text!r} is no other tag; write tag or category:tag")
                others.append(other)
            for other in others:
                conflicts[tag.key].add(other)
                conflicts[other].add(tag.key)
    return {
        slug: replace(
            category,
            tags=MappingProxyType(
                {name: replace(tag, conflicts=frozenset(conflicts[tag.key])) for name, tag in category.tags.items()}
            ),
        )
        for slug, category in categories.items()
    }
