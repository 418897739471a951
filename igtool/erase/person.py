"""Who is forgotten: every name under which the stores know them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from igtool.errors import UsageError
from igtool.forgotten.naming import Named, lowered
from igtool.forgotten.tombstones import Tombstones
from igtool.history import close_to
from igtool.lake import Lake
from igtool.notes import accounts_named, now_named, with_former

_PHRASE = 12
"""Characters from which on a bio or display name tells in a file whose it is."""


@dataclass(frozen=True)
class Person:
    """All accounts of a creator, or one of them, with their names.

    ``names``: (platform, handle or id) of each, lower case. ``creators``: ids that go; ``reduced``: those of creators
    who stay with their other accounts. ``phrases``: bios and display names, ``texts``: first 60 bits of the SHA-256
    of texts that were embedded. ``group``: what their tombstones have in common.
    """

    accounts: list[str]
    names: list[tuple[str, str]]
    ids: list[str] = field(default_factory=list)
    creators: list[str] = field(default_factory=list)
    reduced: list[str] = field(default_factory=list)
    addresses: list[str] = field(default_factory=list)
    shared: list[str] = field(default_factory=list)
    phrases: list[str] = field(default_factory=list)
    texts: list[int] = field(default_factory=list)
    group: str = ""

    @classmethod
    def of(cls, stored: dict[str, Any]) -> Person:
        """The person that `stored` described."""
        return cls(**{**stored, "names": [(platform, name) for platform, name in stored["names"]]})

    def stored(self) -> dict[str, Any]:
        """What JSON can hold of it."""
        return asdict(self)

    @property
    def named(self) -> Named:
        """How texts name them."""
        handles = lowered(name for _, name in self.names) - lowered(self.ids)
        profiles = {
            f"{platform}.com/{sign}{name}" for platform, name in self.names for sign in ("", "@", "c/", "user/")
        }
        return Named(
            handles=handles,
            ids=frozenset(self.ids),
            keys=frozenset([*self.accounts, *self.creators]),
            addresses=frozenset(self.addresses),
            shared=frozenset(self.shared),
            profiles=frozenset(profiles),
        )

    @property
    def authors(self) -> list[str]:
        """Names under which they wrote conversations: those that nobody else has."""
        return sorted(self.named.handles - self.named.shared)


def find(lake: Lake, name: str, platform: str | None = None, told: Callable[[str], None] = lambda _: None) -> list[str]:
    """Accounts that ``name`` means: a handle, account id, ``platform:handle`` or id of a creator; none if unknown.

    A handle that nobody has now means who had it last, which ``told`` hears. Raises UsageError where they are of
    several creators.
    """
    sought = name if platform is None or ":" in name else f"{platform}:{name.strip().removeprefix('@')}"
    found = accounts_named(lake, [sought])[sought]
    for row in found:
        if row["is_former"]:
            told(now_named(name, row))
    accounts = [row["account_id"] for row in found]
    query = "select distinct creator_id from creator_links where account_id in (select unnest(?::varchar[]))"
    creators = [row["creator_id"] for row in lake.rows(query, (accounts,))]
    linked = "select account_id from creator_links where creator_id in (select unnest(?::varchar[]))"
    same = {row["account_id"] for row in lake.rows(linked, (creators[:1],))}
    if len(accounts) > 1 and not set(accounts) <= same:
        raise UsageError(f"{name!r} means several creators: say which, one of {', '.join(accounts[:5])}")
    return accounts


def unknown(lake: Lake, name: str, platform: str | None) -> Person | None:
    """Who has no account yet, but was asked for: on a list, or a file or answer about them; None if nothing is."""
    given, _, rest = name.strip().lower().partition(":")
    handle = (rest or given).removeprefix("@")
    of = platform or (given if rest else None)
    asked = lake.rows(
        "select distinct platform from watchlist where lower(handle) = ? and platform = coalesce(?, platform) "
        "union select platform from schedule_overrides where lower(handle) = ? and platform = coalesce(?, platform)",
        (handle, of, handle, of),
    )
    answered = lake.value("select exists (from raw_responses where lower(subject) = ?)", (handle,))
    platforms = sorted({row["platform"] for row in asked} or ({of or "instagram"} if answered else set()))
    if not platforms:
        return None
    shared = handle if _others_with(lake, [handle], []) else None
    return Person(
        accounts=[account for one in platforms for account in (f"{one}:@{handle}", f"{one}:{handle}")],
        names=[(one, handle) for one in platforms],
        shared=[shared] if shared else [],
    )


def not_found(lake: Lake, name: str) -> UsageError:
    """That nobody has this name, with handles that come close."""
    return UsageError(f"there is nobody {name!r} to forget{close_to(lake, name.lower().removeprefix('@'))}")


def is_forgotten(lake: Lake, name: str, platform: str | None) -> bool:
    """Whether there is a tombstone of this name."""
    given, _, rest = name.strip().partition(":")
    return Tombstones(lake).has(platform or (given if rest else None), rest or given)


def person_of(lake: Lake, accounts: Sequence[str], *, account_only: bool) -> Person:
    """Everything that is known of how the creator of ``accounts`` is named, or these accounts alone."""
    links = lake.rows(
        "select creator_id, list(account_id) as accounts from creator_links where creator_id in "
        "(select creator_id from creator_links where account_id in (select unnest(?::varchar[]))) group by 1",
        (list(accounts),),
    )
    of_creator = sorted({one for row in links for one in row["accounts"]})
    chosen = sorted(accounts) if account_only else sorted({*accounts, *of_creator})
    whole = [row["creator_id"] for row in links if set(row["accounts"]) <= set(chosen)]
    told = lake.rows(
        "select distinct platform, platform_user_id, lower(handle) as handle, display_name, bio, emails, external_url "
        "from (select * from account_states union all by name select * exclude (filled_from) from accounts) "
        "where account_id in (select unnest(?::varchar[]))",
        (chosen,),
    )
    names = {(row["platform"], name) for row in told for name in lowered([row["handle"], row["platform_user_id"]])}
    stand_ins = {f"{platform}:{sign}{name}" for platform, name in names for sign in ("", "@")}
    every = sorted({*chosen, *stand_ins})
    creators = with_former(lake, whole) if whole else []
    phrases = {row[key].strip() for row in told for key in ("display_name", "bio") if row[key]}
    return Person(
        accounts=every,
        names=sorted(names),
        ids=sorted({row["platform_user_id"] for row in told if row["platform_user_id"]}),
        creators=creators,
        reduced=sorted({row["creator_id"] for row in links} - set(whole)),
        addresses=_addresses(lake, chosen, told),
        shared=_others_with(lake, sorted({name for _, name in names}), every),
        phrases=sorted(one for one in phrases if len(one) >= _PHRASE),
        texts=_texts(lake, [*every, *creators]),
    )


def _others_with(lake: Lake, names: Sequence[str], accounts: Sequence[str]) -> list[str]:
    """Those of ``names`` that accounts besides ``accounts`` have, or had."""
    rows = lake.rows(
        "select distinct lower(handle) as handle from (select account_id, handle from account_states "
        "union all select account_id, handle from accounts) where lower(handle) in (select unnest(?::varchar[])) "
        "and account_id not in (select unnest(?::varchar[])) order by 1",
        (list(names), list(accounts)),
    )
    return [row["handle"] for row in rows]


def _addresses(lake: Lake, accounts: Sequence[str], told: Sequence[dict[str, Any]]) -> list[str]:
    """E-mail addresses and websites of these accounts that no other account has."""
    sites = lake.rows(
        "select distinct unnest(sites) as site from account_traits where account_id in (select unnest(?::varchar[]))",
        (list(accounts),),
    )
    own = lowered([*(mail for row in told for mail in row["emails"] or ()), *(row["site"] for row in sites)])
    others = lake.rows(
        "select distinct lower(one) as one from (select unnest(list_concat(coalesce(sites, []), coalesce(emails, []))) "
        "as one from account_traits where account_id not in (select unnest(?::varchar[]))) "
        "where lower(one) in (select unnest(?::varchar[]))",
        (list(accounts), sorted(own)),
    )
    return sorted(own - {row["one"] for row in others})


def _texts(lake: Lake, owners: Sequence[str]) -> list[int]:
    """The texts of their vectors that nobody else's are made of."""
    rows = lake.rows(
        "select distinct text from (select unnest(texts) as text from embeddings "
        "where owner_id in (select unnest(?::varchar[]))) where text not in "
        "(select unnest(texts) from embeddings where owner_id not in (select unnest(?::varchar[]))) order by 1",
        (list(owners), list(owners)),
    )
    return [row["text"] for row in rows]
