"""An invented world of accounts for measuring identity: people with one to four accounts, and everything that misleads.

Nobody in it exists. Names are drawn from lists with Zipf's law, so that many are shared; handles are made as people
make them; a third of the people have a website of their own, a third a link page that others use too, some an agency
whose site and address dozens share; some accounts are of fans, parodists and impersonators.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

PLATFORMS = ("instagram", "youtube", "tiktok", "twitter")
SEEN_AT = datetime(2026, 10, 1, tzinfo=UTC)
_WORDS = {
    "given": """
ana maria lucia carmen sofia paula laura marta elena irene carlos jose juan luis pedro diego pablo mario ivan
hugo emma olivia ava mia zoe chloe lily grace ruby ella jack noah liam leo max oscar theo finn sam ben lea
jade manon camille louis jules arthur gabriel lena hanna klara greta felix jonas paul moritz giulia chiara
sara luca marco matteo joana ines beatriz tiago rui aisha fatima omar yusuf ali nour layla priya ananya rohan
arjun dev mei yuki hana kenji sakura min jun soo wei lin chen kofi ama zuri thabo lindiwe ngozi chidi freya
astrid lars sven ingrid anouk daan bram katya dmitri oksana taras milena jelena nikola petra marek zofia kasia
janek
""",
    "surnames": """
garcia martinez lopez sanchez perez gomez ruiz diaz torres ramirez flores rivera morales ortiz silva santos
costa ferreira almeida smith jones taylor brown wilson evans thomas roberts walker wright robinson thompson
white hughes green hall wood harris martin jackson clarke lewis dubois moreau laurent girard bonnet muller
schmidt schneider fischer weber wagner becker rossi russo ferrari bianchi romano colombo khan ahmed hassan
ibrahim patel sharma gupta singh kumar mehta tanaka sato suzuki kim park lee nguyen tran wang zhang liu okafor
mensah dlamini hansen larsen nilsson berg vandijk bakker visser novak kovacs horvat petrov ivanova kowalski
nowak zielinski
""",
    "stems": """
ba be bo da di do fa fi ga go ka ke ki ko la le li lo lu ma me mi mo na ne ni no pa pe po ra re ri ro sa se si
so ta te ti to va vi vo xa ya yo za ze zu
""",
    "things": """
travel food fit style beauty art music game tech book garden home kitchen yoga run bike photo dance craft
vegan
""",
}
_GIVEN, _SURNAMES, _STEMS, _THINGS = (text.split() for text in _WORDS.values())
_BEFORE = ("the", "its", "real", "iam", "hey", "official")
_AFTER = ("official", "tv", "yt", "ig", "vlogs", "live", "oficial")
_HOSTS = ("linktr.ee", "beacons.ai", "linkin.bio", "bio.link", "stan.store")
_COUNTRIES = ("ES", "US", "GB", "FR", "DE", "BR", "MX", "IT", "IN", None, None, None, None)


@dataclass
class World:
    """Accounts as rows of ``accounts``, and which person each is of: a fan account is of a person of its own."""

    accounts: list[dict[str, Any]] = field(default_factory=list)
    owners: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class _Person:
    number: int
    given: str
    surname: str
    handle: str
    brand: str | None
    website: str | None
    agency: int | None
    email: str | None
    country: str | None
    followers: int


class _Maker:
    def __init__(self, seed: int, surnames: int) -> None:
        self.rng = random.Random(seed)
        self.world = World()
        self.taken: set[str] = set()
        self.persons = 0
        self.bare: dict[str, int] = {}
        made = ["".join(self.rng.choices(_STEMS, k=self.rng.choice((2, 3, 3, 4)))) for _ in range(surnames)]
        self.surnames = [*_SURNAMES, *made]
        self.surname_weights = _summed([1 / (rank + 6) for rank in range(len(self.surnames))])
        self.given_weights = _summed([1 / (rank + 6) for rank in range(len(_GIVEN))])

    def person(self) -> _Person:
        rng = self.rng
        self.persons += 1
        given = rng.choices(_GIVEN, cum_weights=self.given_weights)[0]
        surname = rng.choices(self.surnames, cum_weights=self.surname_weights)[0]
        invented = "".join(rng.choices(_STEMS, k=rng.choice((3, 4, 4, 5))))
        kind = rng.random()
        digits = str(rng.choice((rng.randrange(100), 1980 + rng.randrange(30), rng.randrange(1000))))
        handle = (
            given + surname
            if kind < 0.25
            else f"{given}.{surname}"
            if kind < 0.35
            else f"{given}_{surname}{digits}"
            if kind < 0.5
            else given + surname[:1] + digits
            if kind < 0.56
            else invented
            if kind < 0.72
            else given + rng.choice(_THINGS)
            if kind < 0.8
            else f"{invented}{rng.choice(_THINGS)}"
        )
        owner = self.bare.setdefault(letters(handle), self.persons)
        if (
            owner != self.persons and rng.random() < 0.97
        ):  # a platform has each handle once: who comes later adds digits
            handle = f"{handle}{rng.randrange(10, 10_000)}"
        brand = handle.title() if kind >= 0.56 and rng.random() < 0.5 else None
        word, ending = invented if brand else given + surname, rng.choice(("com", "es", "net", "example"))
        site = f"https://{rng.choice(('', 'www.'))}{word}{self.persons % 97}.{ending}"
        agency = rng.randrange(4000) if rng.random() < 0.08 else None
        email = f"{handle}{self.persons}@mail.example" if rng.random() < 0.15 else None
        own = rng.random()
        website = site if own < 0.3 else f"https://{rng.choice(_HOSTS)}/{handle}" if own < 0.6 else None
        followers = int(min(5e7, 800 * rng.paretovariate(0.7)))
        return _Person(
            self.persons, given, surname, handle, brand, website, agency, email, rng.choice(_COUNTRIES), followers
        )

    def handle(self, person: _Person, first: bool) -> str:
        rng, draw, plain = self.rng, self.rng.random(), person.handle.replace(".", "").replace("_", "")
        if first or draw < 0.55:
            return person.handle
        if draw < 0.67:
            return plain
        if draw < 0.75:
            return plain + rng.choice(_AFTER)
        if draw < 0.8:
            return rng.choice(_BEFORE) + plain
        if draw < 0.86:
            return self.own(person, f"{person.given}{person.surname}")
        if draw < 0.9:
            return plain + str(rng.randrange(10))
        if draw < 0.94:
            return self.own(person, person.given + rng.choice(_THINGS))
        return "".join(rng.choices(_STEMS, k=4))

    def own(self, person: _Person, handle: str) -> str:
        """``handle``, or with digits where it is somebody else's."""
        is_own = self.bare.setdefault(letters(handle), person.number) == person.number
        return handle if is_own or self.rng.random() < 0.03 else f"{handle}{self.rng.randrange(10, 10_000)}"

    def name(self, person: _Person, first: bool) -> str | None:
        rng, draw, full = self.rng, self.rng.random(), f"{person.given} {person.surname}".title()
        base = person.brand or full
        if first or draw < 0.6:
            return base
        if draw < 0.7:
            return f"{base} {rng.choice(('TV', 'Official', '✨', '🎬 Vlogs'))}"
        if draw < 0.8:
            return full
        if draw < 0.9:
            return person.given.title()
        return person.handle if draw < 0.95 else None

    def add(self, platform: str, handle: str, name: str | None, owner: int, **more: Any) -> dict[str, Any] | None:
        handle = handle.lower()[:30]
        while f"{platform}:{handle}" in self.taken:
            handle = f"{handle[:24]}{self.rng.randrange(1000)}"
        self.taken.add(f"{platform}:{handle}")
        number = f"{len(self.world.accounts)}"
        row = {
            "account_id": f"{platform}:{number}",
            "platform": platform,
            "platform_user_id": number,
            "handle": handle,
            "display_name": name,
            "observed_at": SEEN_AT,
            "answer_id": "invented",
            **more,
        }
        self.world.accounts.append(row)
        self.world.owners[row["account_id"]] = owner
        return row

    def accounts_of(self, person: _Person) -> None:
        rng = self.rng
        count = rng.choices((1, 2, 3, 4), cum_weights=(62, 86, 96, 100))[0]
        rows = []
        for place, platform in enumerate(rng.sample(PLATFORMS, count)):
            has_site = person.website is not None and (place == 0 or rng.random() < 0.6)
            agency = person.agency is not None and rng.random() < 0.7
            emails = [f"booking@agency{person.agency}.example"] if agency else []
            emails += [person.email] if person.email and rng.random() < 0.6 else []
            links = [f"https://agency{person.agency}.example"] if agency and rng.random() < 0.5 else []
            rows.append(
                self.add(
                    platform,
                    self.handle(person, place == 0),
                    self.name(person, place == 0),
                    person.number,
                    external_url=person.website if has_site else None,
                    links=links,
                    emails=emails,
                    country=person.country if rng.random() < 0.4 else None,
                    followers_count=max(1, int(person.followers * rng.lognormvariate(0, 1.4))),
                    bio=rng.choice(("", "hola 👋", f"{rng.choice(_THINGS)} & more", "new video every week")),
                )
            )
        if count > 1 and rng.random() < 0.25:
            one, other = rows[0], rows[1]
            for at, to in ((one, other), (other, one)) if rng.random() < 0.6 else ((one, other),):
                at["bio"] += f" {to['platform']}.com/{'@' if to['platform'] != 'instagram' else ''}{to['handle']}"
        if rng.random() < 0.04:
            self.lookalike(person, rows[0])

    def lookalike(self, person: _Person, row: dict[str, Any]) -> None:
        """An account that is not the person's: a fan's, a parodist's or an impersonator's, on any platform."""
        rng, plain = self.rng, person.handle.replace(".", "").replace("_", "")
        self.persons += 1
        platform = rng.choice(PLATFORMS)
        handle, name, bio = rng.choice(
            (
                (plain + "fans", f"{row['display_name']} fans", f"fan page of {row['platform']}.com/{row['handle']}"),
                (plain + "updates", f"{row['display_name']} Updates", "news, not affiliated"),
                ("parody" + plain, row["display_name"], "parody"),
                ("fan." + plain, row["display_name"], f"fan account ❤ @{row['handle']}"),
                (plain.replace("o", "0", 1).replace("i", "l", 1) + "_", row["display_name"], ""),
                (plain + str(rng.randrange(1000, 9999)), row["display_name"], "dm for promo"),
            )
        )
        if handle.strip("_") == plain:
            handle += "1"
        self.add(
            platform, handle, name, self.persons, bio=bio, links=[], emails=[], followers_count=rng.randrange(2000)
        )


def world(accounts: int, seed: int) -> World:
    """An invented world of at least ``accounts`` accounts; the same for the same seed."""
    maker = _Maker(seed, surnames=200 + accounts // 20)
    while len(maker.world.accounts) < accounts:
        maker.accounts_of(maker.person())
    return maker.world


def letters(handle: str) -> str:
    """A handle without signs."""
    return "".join(letter for letter in handle.lower() if letter.isalnum())


def lookalikes_of(rows: list[dict[str, Any]], seed: int) -> Iterator[tuple[dict[str, Any], str]]:
    """For some of ``rows`` a fan's, a parodist's, an impersonator's and a stranger's account: the row, and its kind."""
    rng = random.Random(seed)
    for row in rows:
        if not row.get("handle") or rng.random() > 0.15:
            continue
        plain = "".join(letter for letter in row["handle"].lower() if letter.isalnum())
        name = row["display_name"]
        others = [platform for platform in (*PLATFORMS, "facebook") if platform != row["platform"]]
        kinds = {
            "fan": (plain + "fans", f"{name} Fans", "fan page"),
            "updates": (plain + "_updates", f"{name} updates", None),
            "parody": (f"not{plain}", f"{name} (parody)", "Parody account"),
            "impersonator": (plain.replace("o", "0", 1) if "o" in plain else plain + "1", name, None),
            "stranger": ("".join(rng.choices(_STEMS, k=5)), name, None),
        }
        kind = rng.choice(sorted(kinds))
        handle, shown, bio = kinds[kind]
        yield {"platform": rng.choice(others), "handle": handle, "display_name": shown, "bio": bio}, kind


def _summed(weights: list[float]) -> list[float]:
    total, found = 0.0, []
    for weight in weights:
        total += weight
        found.append(total)
    return found
