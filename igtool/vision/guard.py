"""Which categories may be computed from a picture of a creator: the rules of docs/ethics.md, and nothing else.

Whoever looks at pictures asks here first and computes nothing more, not even to throw it away.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from igtool.vocabulary.categories import Category

ANSWER_KIND = "tag:"
"""How the kind of a row of ``llm_answers`` begins that is about a picture; the category follows."""


@dataclass(frozen=True)
class Standing:
    """What a creator agreed to, as it holds now: a row of ``consent_standing``, or nothing.

    Agreeing without being a declared adult counts for nothing.
    """

    is_declared_adult: bool = False
    consented: frozenset[str] = frozenset()

    @classmethod
    def of(cls, categories: Collection[str] | None) -> Standing:
        """From the column ``categories`` of ``consent_standing``; None where the creator has no row there."""
        return cls() if categories is None else cls(is_declared_adult=True, consented=frozenset(categories))


UNSAID = Standing()
"""Of a creator who said nothing."""


def allowed(categories: Iterable[Category], standing: Standing, may_be_minor: bool | None) -> frozenset[str]:
    """The ``categories`` that may be computed from one picture of one creator.

    ``may_be_minor`` is the verdict of the safety check on the picture; None where no estimator is installed or it gave
    none. ::

        verdict            about the picture   person, open       person, consent
        may be a minor     yes                 no                 no
        not given          yes                 declared adult     no
        no minor           yes                 yes                declared adult who agreed to it
    """
    return frozenset(one.slug for one in categories if _is_allowed(one, standing, may_be_minor))


def _is_allowed(category: Category, standing: Standing, may_be_minor: bool | None) -> bool:
    if category.tag_class != "open":
        agreed = standing.is_declared_adult and category.slug in standing.consented
        return agreed and may_be_minor is False
    if category.about == "picture":
        return True
    return may_be_minor is False or (may_be_minor is None and standing.is_declared_adult)


def answer_item(creator_id: str, sha256: str) -> str:
    """The ``item_id`` of a row of ``llm_answers`` about a picture: what is removed with a consent is found by it."""
    return f"{creator_id}|{sha256}"
