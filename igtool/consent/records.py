"""Consents and declarations written down, and listed with what became of them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time
from typing import Any

from igtool.errors import UsageError
from igtool.lake import Lake
from igtool.notes import account_named, accounts_named, only_account, worded
from igtool.vocabulary.categories import TagVocabulary

Row = dict[str, Any]

ADULT = "adult"
"""The field of `declarations` that says that somebody is an adult."""

_MEMBERS = """
    select l.account_id, l.creator_id, list(o.account_id order by o.account_id) as account_ids
    from creator_links l join creator_links o using (creator_id)
    where l.account_id in (select unnest(?::varchar[])) group by all
"""

_LISTED = """
    with members as (
        select creator_id, list(account_id order by account_id) as accounts from creator_links
        where creator_id in (select creator_id from creator_links semi join consents using (account_id))
        group by creator_id
    )
    select c.consent_id, c.account_id, a.platform, a.handle, l.creator_id, c.category, c.declared_adult, c.evidence,
           c.granted_at, c.revoked_at, c.recorded_at,
           list_filter(m.accounts, lambda one: not list_contains(c.account_ids, one)) as not_covered,
           case when c.revoked_at is not null then if(c.granted_at is null, 'refused', 'revoked')
                when l.creator_id is null then 'the account is not known'
                when list_contains(s.categories, c.category) then 'stands'
                when len(not_covered) > 0 then 'suspended: does not cover ' || not_covered[1]
                when s.creator_id is null then 'suspended: no declared adult'
                else 'suspended: taken back since' end as state
    from consents c
    left join accounts a using (account_id) left join creator_links l using (account_id)
    left join members m on m.creator_id = l.creator_id left join consent_standing s on s.creator_id = l.creator_id
    where ?::varchar[] is null or list_has_any(c.account_ids, ?::varchar[])
    order by a.handle, c.account_id, c.category, c.recorded_at
"""

_DECLARED = """
    select d.declaration_id, d.account_id, a.platform, a.handle, l.creator_id, d.field, d.text, d.evidence,
           d.declared_at, d.withdrawn_at
    from declarations d left join accounts a using (account_id) left join creator_links l using (account_id)
    where ?::varchar[] is null or list_has_any(d.account_ids, ?::varchar[])
    order by a.handle, d.account_id, d.field, d.declared_at
"""


@dataclass(frozen=True)
class Given:
    """That the owner of an account agreed to a category; ``granted_at`` None is now.

    ``where`` goes before the message if it cannot be recorded, for example file and line.
    """

    account: str
    category: str
    evidence: str
    declared_adult: bool
    granted_at: datetime | None = None
    where: str = ""


@dataclass(frozen=True)
class Declared:
    """What the owner of an account says of themselves; ``field`` is `ADULT` or a denied category."""

    account: str
    field: str
    text: str
    evidence: str


def grant(lake: Lake, vocabulary: TagVocabulary, given: Sequence[Given], now: datetime) -> int:
    """Write down all consents of ``given`` in one commit; how many were not known yet.

    With each goes the declaration to be an adult. What is taken back later stays taken back, also when the same is
    written down again. Raises UsageError for an unknown account or category, one that is denied (with the reason) or
    needs no consent, someone who did not declare to be an adult, a missing evidence and a time to come: then nothing
    is written.
    """
    checked = [_checked(one, vocabulary, now) for one in given]
    named = _accounts(lake, checked)
    members = _members(lake, sorted(set(named.values())))
    consents, adults = [], []
    for one in checked:
        account = named[one.account]
        said = {**_owner(members, account, one.where), "evidence": one.evidence}
        at = one.granted_at or now
        consent_id = _id(account, one.category, one.evidence, at.isoformat())
        consents.append(
            {**said, "consent_id": consent_id, "category": one.category, "declared_adult": True, "granted_at": at}
            | {"recorded_at": now}
        )
        adults.append(
            {**said, "declaration_id": _id(account, ADULT, "yes", one.evidence, at.isoformat())}
            | {"field": ADULT, "text": "yes", "declared_at": at}
        )
    with lake.transaction():
        new = lake.append_new("consents", consents)
        lake.append_new("declarations", adults)
    return new


def declare(lake: Lake, vocabulary: TagVocabulary, declared: Declared, now: datetime) -> None:
    """Write down what a creator says of themselves. Raises UsageError for a field that nobody declares."""
    name = declared.field.strip().lower()
    if name not in (ADULT, *vocabulary.declarable):
        fields = ", ".join((ADULT, *vocabulary.declarable))
        raise UsageError(f"there is no field {declared.field!r} that creators declare; there are: {fields}")
    text, evidence = worded(declared.text, "text"), worded(declared.evidence, "evidence")
    account_id = account_named(lake, declared.account)
    row = _owner(_members(lake, [account_id]), account_id)
    row |= {"declaration_id": _id(account_id, name, text, evidence, now.isoformat()), "field": name, "text": text}
    with lake.transaction():
        lake.append_new("declarations", [{**row, "evidence": evidence, "declared_at": now}])


def listed(lake: Lake, account: str | None = None) -> tuple[list[Row], list[Row]]:
    """Consents, each with its ``state``, and declarations; all of them, or those that bear on an account's creator."""
    accounts = None
    if account is not None:
        accounts = accounts_of(lake, account)
    return lake.rows(_LISTED, (accounts, accounts)), lake.rows(_DECLARED, (accounts, accounts))


def accounts_of(lake: Lake, name: str) -> list[str]:
    """All accounts of the creator whose account ``name`` means; of one that is gone, that account alone.

    Raises UsageError for a name that means none or several.
    """
    found = accounts_named(lake, [name])[name]
    if not found:
        recorded = "select account_id from consents union select account_id from declarations"
        gone = lake.rows(f"from ({recorded}) where account_id = ?", (name.strip(),))
        found = [{**row, "handle": "", "platform": "", "is_former": False} for row in gone]
    account = only_account(lake, name, found)
    members: list[str] = _members(lake, [account]).get(account, {"account_ids": [account]})["account_ids"]
    return members


def moment_of(text: str) -> datetime:
    """The moment that ``text`` names, in UTC: a date is its beginning, a time without a zone is UTC.

    Raises UsageError for a text that is neither ``2026-01-31`` nor ``2026-01-31T18:00``.
    """
    try:
        day = date.fromisoformat(text.strip())
        return datetime.combine(day, time.min, UTC)
    except ValueError:
        pass
    try:
        given = datetime.fromisoformat(text.strip())
        return given.astimezone(UTC) if given.tzinfo else given.replace(tzinfo=UTC)
    except (ValueError, OverflowError) as error:
        raise UsageError(f"{text!r} is no date: write it as 2026-01-31 or 2026-01-31T18:00+01:00") from error


@contextmanager
def _said(where: str) -> Iterator[None]:
    """A wrong use is told with the place it stands at."""
    try:
        yield
    except UsageError as error:
        raise UsageError(f"{where}{str(error).rstrip('.')}; nothing was recorded") from error


def _checked(one: Given, vocabulary: TagVocabulary, now: datetime) -> Given:
    with _said(one.where):
        category = vocabulary.consent_category(one.category).slug
        if not one.declared_adult:
            raise UsageError(
                f"consent to {category} counts only of somebody who declared to be an adult; {one.account} did not"
            )
        if one.granted_at is not None and one.granted_at > now:
            raise UsageError(f"{one.granted_at:%Y-%m-%d %H:%M} UTC, when {one.account} agreed, is yet to come")
        return replace(one, category=category, evidence=worded(one.evidence, "evidence"))


def _accounts(lake: Lake, given: Sequence[Given]) -> dict[str, str]:
    """The account of each, found in one query."""
    found = accounts_named(lake, [one.account for one in given])
    named = {}
    for one in given:
        with _said(one.where):
            named[one.account] = only_account(lake, one.account, found[one.account])
    return named


def _members(lake: Lake, accounts: Sequence[str]) -> dict[str, Row]:
    return {row["account_id"]: row for row in lake.rows(_MEMBERS, (list(accounts),))}


def _owner(members: dict[str, Row], account: str, where: str = "") -> Row:
    """Account, its creator and the accounts of it, as they are now."""
    if account not in members:
        raise UsageError(f"{where}{account} has no creator yet: `igtool run resolve` makes it")
    return members[account]


def _id(*parts: str) -> str:
    return hashlib.sha256("|".join(parts).encode()).hexdigest()[:16]
