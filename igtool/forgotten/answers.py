"""Raw answers without a person.

An answer of their own goes as a whole. One about others loses the entries about them, and their names in texts; what
it says of others is compared before and after. Where that cannot be had, the whole answer goes as well.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime

from igtool.forgotten.naming import Named, json_text, lowered
from igtool.platforms.base import Parsed, parse

_MOMENT = datetime(2000, 1, 1, tzinfo=UTC)


def without_person(body: str, subject: str | None, named: Named) -> str | None:
    """``body`` as it stays, unchanged where it does not name the person; None where it cannot stay."""
    is_theirs = bool(lowered([subject]) & (named.handles | lowered(named.ids)))
    if not is_theirs and not any(word in body.lower() for word in named.words):
        return body
    ours, others = _told(parse(body, subject=subject, observed_at=_MOMENT), named)
    if is_theirs and (ours or not others or not lowered([subject]) & named.shared):
        return None  # with a shared handle the answer may be about the other one who has it
    if ours and not others:
        return None
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return None if named.in_text(body) else body
    for way in (named.without, named.without_objects):
        left = way(value)
        if left == value:
            return body
        if left is None:
            continue
        text = json_text(left)
        if _told(parse(text, subject=subject, observed_at=_MOMENT), named) == (set(), others):
            return text
    return None


def platforms_of(body: str, subject: str | None) -> set[str]:
    """The platforms that an answer tells of; none where no shape reads it."""
    parsed = parse(body, subject=subject, observed_at=_MOMENT)
    return {one.platform for one in parsed.accounts} | {one.platform for one in parsed.content_items}


def _told(parsed: Parsed, named: Named) -> tuple[set[str], set[str]]:
    """Ids of accounts and items that are the person's, and of the others."""
    mine = {one.account_id for one in parsed.accounts if lowered([one.handle]) & named.handles - named.shared}
    mine |= {one.account_id for one in parsed.accounts if one.platform_user_id in named.ids}
    accounts = {one.account_id for one in parsed.accounts} | {one.account_id for one in parsed.content_items}
    mine |= {one for one in accounts if one in named.keys}
    items = {one.content_id: one.account_id in mine for one in parsed.content_items}
    return (
        mine | {one for one, is_mine in items.items() if is_mine},
        (accounts - mine) | {one for one, is_mine in items.items() if not is_mine},
    )
