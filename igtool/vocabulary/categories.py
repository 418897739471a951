"""Categories and tags of pictures, as `igtool.vocabulary.tags` reads them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cached_property
from typing import Literal

from igtool.errors import UsageError
from igtool.vocabulary.guarded import Found, Guarded

THRESHOLD = 0.60
TEMPERATURE = 1.0
LEAST_PICTURES = 2

TagClass = Literal["open", "consent"]
About = Literal["person", "picture"]
Key = tuple[str, str]
"""Category and tag."""


@dataclass(frozen=True)
class Tag:
    """A value that a picture can have."""

    category: str
    slug: str
    label: str
    label_es: str
    prompts: tuple[str, ...]
    """Sentences that are true of a picture with the tag; scores are a mean over them."""
    said_by: frozenset[str]
    """``zero_shot``: an image encoder compares picture and prompts; ``rule``: measured facts."""
    threshold: float = THRESHOLD
    temperature: float = TEMPERATURE
    least_pictures: int = LEAST_PICTURES
    conflicts: frozenset[Key] = frozenset()
    """Tags that never go together with it; holds in both directions."""

    @property
    def key(self) -> Key:
        """Category and tag."""
        return self.category, self.slug


@dataclass(frozen=True)
class Category:
    """Tags of one kind, in the order of the file. There are none of the class denied: see `Denied`."""

    slug: str
    label: str
    label_es: str
    tag_class: TagClass
    about: About
    tags: Mapping[str, Tag]
    background: tuple[str, ...]
    """Prompts of pictures that show none of the tags."""
    one_of: bool = False
    """A creator has one of the tags at most."""
    facts: str | None = None
    """Table of facts that are measured for this category alone."""

    @property
    def needs_consent(self) -> bool:
        """Whether it is computed only for creators who agreed to it."""
        return self.tag_class == "consent"


@dataclass(frozen=True)
class Denied:
    """What is never inferred, and why."""

    slug: str
    label: str
    label_es: str
    reason: str
    is_declarable: bool = False
    """Creators may say it themselves, in their own words."""


@dataclass(frozen=True)
class TagVocabulary:
    """Every category by slug, in the order of the files, and what is never inferred."""

    categories: Mapping[str, Category]
    denied: Mapping[str, Denied]
    fingerprint: str
    """SHA-256 of all files."""
    guarded: Guarded = field(repr=False)

    @cached_property
    def tags(self) -> Mapping[Key, Tag]:
        """Every tag by category and slug."""
        return {tag.key: tag for category in self.categories.values() for tag in category.tags.values()}

    @property
    def consent_categories(self) -> tuple[str, ...]:
        """Categories that need consent."""
        return tuple(slug for slug, category in self.categories.items() if category.needs_consent)

    @property
    def declarable(self) -> tuple[str, ...]:
        """What creators may declare in their own words, and nothing infers."""
        return tuple(slug for slug, denied in self.denied.items() if denied.is_declarable)

    def category(self, name: str) -> Category:
        """The category ``name``. Raises UsageError with the reason if it is denied, else with names that come close."""
        slug = slug_of(name)
        if slug in self.categories:
            return self.categories[slug]
        found = Found(slug, name) if slug in self.denied else self.guarded.find(name)
        if found is not None and found.category in self.denied:
            denied = self.denied[found.category]
            raise UsageError(f"igtool never infers {denied.label} ({name!r}): {denied.reason}")
        raise UsageError(f"there is no category {name!r}{_close(slug, self.categories)}")

    def consent_category(self, name: str) -> Category:
        """The category ``name``, which needs consent. Raises UsageError if it needs none, is denied or not there."""
        category = self.category(name)
        if not category.needs_consent:
            needing = ", ".join(self.consent_categories)
            raise UsageError(f"the category {category.slug} needs no consent; those that do are: {needing}")
        return category

    def tag(self, category: str, name: str) -> Tag:
        """The tag ``name`` of a category. Raises UsageError as `category`, or with the tags that come close."""
        found = self.category(category)
        slug = slug_of(name)
        for one in (slug, slug.replace("_", "-")):
            if one in found.tags:
                return found.tags[one]
        raise UsageError(f"{found.slug} has no tag {name!r}{_close(slug, found.tags)}")


def slug_of(name: str) -> str:
    """How ``name`` is written in the files: lower case, ``_`` for spaces and dashes between words."""
    return "_".join(name.strip().lower().replace("-", " ").split())


def _close(name: str, known: Mapping[str, object]) -> str:
    close = get_close_matches(name, known, n=3, cutoff=0.5)
    return f"; did you mean {', '.join(close)}?" if close else f"; there are: {', '.join(known)}"
