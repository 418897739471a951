"""Pages where curators decide: tags of pictures, one after the other, and pairs of accounts. By keyboard too."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, cast

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response

from igtool.errors import UsageError
from igtool.journal.tenants import CURATE
from igtool.lake import Lake
from igtool.linking import Verdict
from igtool.reviews.words import ANSWERS
from igtool.serve.api.base import services_of
from igtool.serve.api.reviews import picture
from igtool.serve.callers import who_of
from igtool.serve.judging import NONE, Judge
from igtool.serve.login import PAGE
from igtool.serve.pages.forms import Filled, Form, back
from igtool.serve.pages.frame import href, page
from igtool.vocabulary import tags

router = APIRouter(prefix="/review", dependencies=PAGE, include_in_schema=False)

Row = dict[str, Any]
At = Annotated[int, Query(ge=0, le=999)]
"""How many of the queue were put off: which one is shown."""
_VERDICTS = ("together", "apart")
_ACCOUNTS = """
    select a.account_id, a.platform, a.platform_user_id, a.handle, a.display_name, a.bio, a.external_url, a.links,
           a.followers_count, a.observed_at, l.creator_id
    from accounts a left join creator_links l using (account_id) where a.account_id in (?, ?)
"""


def _judge(request: Request) -> Judge:
    return Judge(services_of(request), who_of(request))


def _may_judge(request: Request) -> bool:
    return CURATE in who_of(request).rights


@router.get("")
def tag_page(request: Request, at: At = 0, category: Annotated[str, Query(max_length=200)] = "") -> Response:
    """A tag of a picture that waits, and what can be said of it."""
    judge, only = _judge(request), [category] if category.strip() else []
    waiting, place = _shown(judge.tags(only, at + 2), at)
    vocabulary = tags.load(services_of(request).settings.workspace)
    item = waiting[place] if waiting else None
    of = vocabulary.categories.get(item["category"]) if item else None
    others = [(one.slug, one.label) for one in of.tags.values() if one.slug != (item or {}).get("tag")] if of else []
    return page(
        request,
        "review.html",
        item=item,
        place=place,
        category=category,
        categories=[(one.slug, one.label) for one in vocabulary.categories.values()],
        category_label=of.label if of else None,
        tag_label=of.tags[item["tag"]].label if of and item and item["tag"] in of.tags else (item or {}).get("tag"),
        others=others,
        no_tag=NONE,
        standing=judge.standing(),
        may_judge=_may_judge(request),
        **_ways("/review", waiting, place, category=category),
    )


@router.post("")
def say(request: Request, form: Filled) -> Response:
    """Writes down what is right of a tag, and goes on to the next one."""
    answer = form.text("answer")
    if answer not in ANSWERS:
        raise UsageError(f"{answer[:40]!r} is no answer here: {', '.join(ANSWERS)}")
    corrected = form.text("to") if answer == "edit" else None
    _judge(request).say(form.text("item"), answer, corrected)
    return back(href("/review", {"at": _place(form) or None, "category": form.get("category")}), "told")


@router.get("/links")
def pair_page(request: Request, at: At = 0) -> Response:
    """Two accounts that may be one creator's, beside each other."""
    waiting, place = _shown(_judge(request).pairs(at + 2), at)
    pair = waiting[place] if waiting else None
    found: dict[str, Row] = {}
    if pair is not None:
        ends = (pair["account_a"], pair["account_b"])

        def ask(lake: Lake) -> dict[str, Row]:
            return {row["account_id"]: row for row in lake.rows(_ACCOUNTS, ends)}

        found = services_of(request).readers.read(ask)
    accounts = [found[pair[name]] for name in ("account_a", "account_b") if pair[name] in found] if pair else []
    return page(
        request,
        "review_links.html",
        pair=pair,
        place=place,
        accounts=accounts,
        may_judge=_may_judge(request),
        **_ways("/review/links", waiting, place),
    )


@router.post("/links")
def decide(request: Request, form: Filled) -> Response:
    """Writes down that two accounts are one creator's or not, and goes on to the next pair."""
    verdict = form.text("verdict")
    if verdict not in _VERDICTS:
        raise UsageError(f"{verdict[:40]!r} is no verdict here: {', '.join(_VERDICTS)}")
    _judge(request).decide(form.text("pair"), cast(Verdict, verdict))
    return back(href("/review/links", {"at": _place(form) or None}), "decided")


@router.get("/picture/{sha256}")
def shown_picture(request: Request, sha256: Annotated[str, Path(pattern=r"^[0-9a-f]{64}$")]) -> Response:
    """A picture that igtool keeps, for those who are logged in."""
    return picture(request, sha256)


def _shown(waiting: Sequence[Row], at: int) -> tuple[Sequence[Row], int]:
    """What waits, and the place of what is shown: the first one again when all others were put off."""
    return waiting, at if at < len(waiting) else 0


def _place(form: Form) -> int:
    """How many were put off, as a form says."""
    given = form.get("at")
    return min(int(given), 999) if given.isascii() and given.isdigit() and len(given) < 4 else 0


def _ways(path: str, waiting: Sequence[Row], place: int, **more: str) -> Row:
    """Addresses of the one before and of the one after; None where there is none."""
    return {
        "before": href(path, {"at": place - 1 or None, **more}) if place > 0 else None,
        "after": href(path, {"at": place + 1, **more}) if place + 1 < len(waiting) and place < 999 else None,
    }
