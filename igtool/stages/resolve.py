"""Accounts of one person or brand become one creator, by exact rules only.

Two accounts belong together when they

- have the same handle on different platforms (``same_handle``),
- link each other's profile, or one links the other and their display names are equal (``linked_profile``),
- have the same website of their own, on different platforms (``same_website``); hosts shared by many
  (link lists, shops, social networks) do not count, nor does a website that more than three accounts name.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar
from urllib.parse import urlsplit

import pyarrow as pa

from igtool.stages.base import Context, Output, Row, Stage

_SHARED_HOSTS = frozenset(
    [
        "amazon.com",
        "amazon.es",
        "beacons.ai",
        "bio.link",
        "bit.ly",
        "campsite.bio",
        "discord.gg",
        "etsy.com",
        "facebook.com",
        "fb.com",
        "google.com",
        "instabio.cc",
        "instagram.com",
        "koji.to",
        "linkedin.com",
        "linkin.bio",
        "linkr.bio",
        "linktr.ee",
        "lnk.bio",
        "medium.com",
        "msha.ke",
        "patreon.com",
        "pinterest.com",
        "snapchat.com",
        "solo.to",
        "spotify.com",
        "substack.com",
        "t.co",
        "t.me",
        "taplink.cc",
        "telegram.me",
        "threads.net",
        "tiktok.com",
        "twitch.tv",
        "twitter.com",
        "wa.me",
        "whatsapp.com",
        "x.com",
        "youtu.be",
        "youtube.com",
    ]
)
_MOST_ACCOUNTS_A_WEBSITE = 3
_PROFILE = re.compile(
    r"(?:https?://)?(?:www\.|m\.)?(instagram|youtube)\.com/(?:@|c/|user/|channel/)?([\w.\-]{2,40})", re.IGNORECASE
)
_LINK = re.compile(r"https?://\S+", re.IGNORECASE)


@dataclass(frozen=True)
class Link:
    """Two accounts that belong together, by which rule, resting on which value."""

    first: str
    second: str
    rule: str
    evidence: str


class Resolve(Stage):
    """Creators from accounts. Ids are stable: a merge keeps the older creator and logs the other."""

    name: ClassVar[str] = "resolve"
    version: ClassVar[int] = 2
    reads: ClassVar[tuple[str, ...]] = ("accounts",)
    writes: ClassVar[tuple[str, ...]] = ("creators", "creator_links", "link_log")
    key: ClassVar[str] = "account_id"
    whole: ClassVar[bool] = True
    appends: ClassVar[tuple[str, ...]] = ("link_log",)
    keys = """
        select account_id as item_id,
               md5(concat_ws('|', handle, display_name, bio, external_url, array_to_string(links, ' '),
                   followers_count, profile_image_url, country, country_source, language, observed_at)) as fingerprint
        from accounts
    """
    rows = """
        select a.account_id as item_id, a.platform, a.platform_user_id, a.handle, a.display_name, a.bio,
               a.external_url, a.links, a.followers_count, a.profile_image_url, a.country, a.country_source, a.language,
               a.observed_at, l.creator_id, c.first_seen_at
        from accounts a
        left join creator_links l using (account_id)
        left join creators c on c.creator_id = l.creator_id
        order by a.account_id
    """

    def process(self, batch: pa.Table, context: Context) -> Output:
        """All accounts in; creators, their links, and the merges and splits since last time out."""
        accounts: dict[str, Row] = {row["item_id"]: row for row in batch.to_pylist()}
        links = list(find_links(accounts))
        creators: list[Row] = []
        memberships: list[Row] = []
        moves: list[Row] = []
        taken: set[str] = set()
        joined_by = _joined_by(links)
        for members in _components(accounts, links):
            creator_id, first_seen_at = _identity(members, accounts, taken)
            creators.append(_creator(creator_id, first_seen_at, [accounts[member] for member in members]))
            memberships.extend(_memberships(creator_id, members, joined_by))
            moves.extend(_moves(creator_id, members, accounts, context))
        return Output(
            tables={"creators": creators, "creator_links": memberships, "link_log": moves}, done=list(accounts)
        )


def find_links(accounts: dict[str, Row]) -> Iterator[Link]:
    """Every pair of accounts that an exact rule joins, in a fixed order."""
    yield from _same_handle(accounts)
    yield from _linked_profiles(accounts)
    yield from _same_website(accounts)


def _same_handle(accounts: dict[str, Row]) -> Iterator[Link]:
    by_handle: dict[str, list[str]] = defaultdict(list)
    for account_id, row in accounts.items():
        if row["handle"]:
            by_handle[row["handle"].lower()].append(account_id)
    for handle, members in by_handle.items():
        if len({accounts[m]["platform"] for m in members}) == len(members):
            for other in members[1:]:
                yield Link(members[0], other, "same_handle", handle)


def _linked_profiles(accounts: dict[str, Row]) -> Iterator[Link]:
    known: dict[tuple[str, str], str] = {}
    for account_id, row in accounts.items():
        for name in (row["handle"], row["platform_user_id"]):
            if name:
                known[row["platform"], name.lower()] = account_id
    links_to: dict[str, set[str]] = {}
    for account_id, row in accounts.items():
        text = " ".join([row["bio"] or "", row["external_url"] or "", *(row["links"] or [])])
        found = {known.get((host.lower(), name.lower().rstrip("."))) for host, name in _PROFILE.findall(text)}
        links_to[account_id] = {other for other in found if other and other != account_id}
    for account_id, others in links_to.items():
        for other in sorted(others):
            mutual = account_id in links_to[other]
            if mutual and account_id > other:
                continue
            if mutual or _same_name(accounts[account_id], accounts[other]):
                yield Link(account_id, other, "linked_profile", accounts[other]["handle"])


def _same_name(one: Row, other: Row) -> bool:
    names = [re.sub(r"\W+", "", (row["display_name"] or "").casefold()) for row in (one, other)]
    return bool(names[0]) and names[0] == names[1]


def _same_website(accounts: dict[str, Row]) -> Iterator[Link]:
    by_site: dict[str, list[str]] = defaultdict(list)
    for account_id, row in accounts.items():
        for site in sorted(set(_websites(row))):
            by_site[site].append(account_id)
    for site, members in by_site.items():
        if 1 < len(members) <= _MOST_ACCOUNTS_A_WEBSITE:
            for other in members[1:]:
                if accounts[other]["platform"] != accounts[members[0]]["platform"]:
                    yield Link(members[0], other, "same_website", site)


def _websites(row: Row) -> Iterator[str]:
    urls = [row["external_url"] or "", *(row["links"] or []), *_LINK.findall(row["bio"] or "")]
    for url in urls:
        try:
            parts = urlsplit(url if "//" in url else f"//{url}")
            host = (parts.hostname or "").lower().removeprefix("www.").removeprefix("m.")
        except ValueError:
            continue
        if "." in host and host not in _SHARED_HOSTS and ".".join(host.split(".")[-2:]) not in _SHARED_HOSTS:
            yield host + parts.path.rstrip("/").lower()


def _components(accounts: Iterable[str], links: Iterable[Link]) -> list[list[str]]:
    """Groups of accounts joined by links, directly or through others; groups and members sorted."""
    parent = {account: account for account in accounts}

    def root(account: str) -> str:
        while parent[account] != account:
            parent[account] = parent[parent[account]]
            account = parent[account]
        return account

    for link in links:
        first, second = sorted((root(link.first), root(link.second)))
        parent[second] = first
    groups: dict[str, list[str]] = defaultdict(list)
    for account in sorted(parent):
        groups[root(account)].append(account)
    return [groups[key] for key in sorted(groups)]


def _joined_by(links: list[Link]) -> dict[str, Link]:
    """Account to the first link that names it."""
    found: dict[str, Link] = {}
    for link in links:
        found.setdefault(link.first, link)
        found.setdefault(link.second, link)
    return found


def _identity(members: list[str], accounts: dict[str, Row], taken: set[str]) -> tuple[str, Any]:
    """The group's id: its oldest known creator, else a new id made from its first account."""
    known = {(accounts[m]["first_seen_at"], accounts[m]["creator_id"]) for m in members if accounts[m]["creator_id"]}
    for first_seen_at, creator_id in sorted(known):
        if creator_id not in taken:
            taken.add(creator_id)
            return creator_id, first_seen_at
    creator_id = "c_" + hashlib.sha256(members[0].encode()).hexdigest()[:16]
    while creator_id in taken:
        creator_id = "c_" + hashlib.sha256(creator_id.encode()).hexdigest()[:16]
    taken.add(creator_id)
    return creator_id, min(accounts[m]["observed_at"] for m in members)


def _creator(creator_id: str, first_seen_at: Any, rows: list[Row]) -> Row:
    largest = sorted(rows, key=lambda row: (-(row["followers_count"] or 0), row["item_id"]))
    followers = [row["followers_count"] for row in rows if row["followers_count"] is not None]

    def first(column: str) -> Any:
        return next((row[column] for row in largest if row[column]), None)

    return {
        "creator_id": creator_id,
        "name": first("display_name") or first("handle"),
        "canonical_handle": first("handle"),
        "profile_image_url": first("profile_image_url"),
        "total_followers_count": sum(followers) if followers else None,
        "account_count": len(rows),
        "platforms": sorted({row["platform"] for row in rows}),
        "country": first("country"),
        "country_source": next((row["country_source"] for row in largest if row["country"]), None),
        "language": first("language"),
        "first_seen_at": first_seen_at,
    }


def _memberships(creator_id: str, members: list[str], joined_by: dict[str, Link]) -> Iterator[Row]:
    for member in members:
        link = joined_by.get(member)
        yield {
            "account_id": member,
            "creator_id": creator_id,
            "rule": link.rule if link else "only_account",
            "evidence": link.evidence if link else None,
            "confidence_score": 1.0,
            "decided_by": "rule",
        }


def _moves(creator_id: str, members: list[str], accounts: dict[str, Row], context: Context) -> Iterator[Row]:
    """A log row for each other creator from which members of this group came."""
    origins = Counter(accounts[m]["creator_id"] for m in members if accounts[m]["creator_id"])
    for other in sorted(set(origins) - {creator_id}):
        moved = [m for m in members if accounts[m]["creator_id"] == other]
        action = "merge" if creator_id in origins else "split"
        when = context.clock()
        log_id = hashlib.sha256("|".join([action, creator_id, other, *moved, when.isoformat()]).encode()).hexdigest()
        yield {
            "log_id": log_id,
            "action": action,
            "creator_id": creator_id,
            "other_id": other,
            "account_ids": moved,
            "rule": "exact rules",
            "logged_at": when,
        }
