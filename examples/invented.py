"""The invented people of the example and what they write: read from ``people.txt`` and ``texts.toml``."""

from __future__ import annotations

import hashlib
import math
import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

SEED = "igtool examples 1"
REFERENCE = datetime(2026, 10, 1, tzinfo=UTC)
"""Everything was published in the six months before."""

HERE = Path(__file__).parent
_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
_LARGEST = 8_100_000
_HOURS = {
    "evening": (17, 18, 19, 20, 20),
    "lunch": (11, 12, 12, 13),
    "morning": (5, 6, 7),
    "any": tuple(range(6, 23)),
}
"""UTC hours of publishing, by habit."""
_AD = {"es": "#publi", "en": "#ad", "pt": "#publi", "fr": "#partenariat", "de": "#werbung"}
_THANKS = {
    "es": ("Gracias por estar ahí 🙌", "Os leo en comentarios.", "Enlace en la bio.", "Feliz semana ✨"),
    "en": ("Thanks for being here 🙌", "Tell me below.", "Link in bio.", "Have a good week ✨"),
    "pt": ("Obrigada por estarem aí 🙌", "Contem-me tudo.", "Boa semana ✨"),
    "fr": ("Merci d'être là 🙌", "Dites-moi tout.", "Bonne semaine ✨"),
    "de": ("Danke fürs Mitlesen 🙌", "Schreibt es mir.", "Schöne Woche ✨"),
}
_ODD_BIOS = {
    "formula": "=cmd|' /C calc'!A0 — {bio}",
    "rtl": "{bio} · مرحبا بكم في بيتي \u202bתודה שבאתם\u202c",
    "markup": "<script>alert('bio')</script> {bio} <b>javascript:alert(1)</b>",
}


@dataclass(frozen=True)
class Person:
    """An invented creator, as ``people.txt`` describes it; ``order`` counts from 0, most followers first."""

    order: int
    name: str
    handle: str
    language: str
    city: str
    country: str
    niche: str
    marks: tuple[str, ...]

    def rng(self, purpose: str) -> random.Random:
        """Random numbers that are this person's alone: adding people changes nobody else."""
        return random.Random(f"{SEED}|{self.handle}|{purpose}")

    @property
    def channel(self) -> str | None:
        """How the YouTube channel can be known to be theirs: handle, website, bio; None without a channel."""
        marks = [mark for mark in self.marks if mark.startswith("yt:")]
        return marks[0].removeprefix("yt:") if marks else "handle" if "only-yt" in self.marks else None

    @property
    def channel_handle(self) -> str:
        """Handle on YouTube."""
        return self.handle if self.channel == "handle" else f"{self.handle.split('.')[0]}tv"

    @property
    def website(self) -> str | None:
        """Their own site; every third creator has none."""
        own = self.channel == "website" or self.order % 3 != 2
        return f"https://{self.handle.replace('.', '-')}.example" if own else None

    @property
    def followers(self) -> int:
        """A power law with some noise: 8.1 million for the first, about a thousand for the last."""
        noise = self.rng("followers").uniform(0.88, 1.12)
        return round(_LARGEST * math.pow(1 + self.order / 3, -2.78) * (noise if self.order else 1))


def people() -> list[Person]:
    """Everyone in ``people.txt``, in order."""
    lines = (HERE / "people.txt").read_text(encoding="utf-8").splitlines()
    rows = [[cell.strip() for cell in line.split("|")] for line in lines if not line.startswith("#")]
    return [
        Person(order, row[0], row[1], row[2], row[3], row[4], row[5], tuple(row[6].split()))
        for order, row in enumerate(rows)
    ]


class Writer:
    """What a person writes: bios, captions, titles, in their language, about their niche."""

    def __init__(self, person: Person, texts: dict[str, Any], purpose: str) -> None:
        self.person = person
        self.niche = texts[person.niche]
        self.texts = self.niche.get(person.language) or self.niche["en"]
        self.language = person.language if person.language in self.niche else "en"
        self.rng = person.rng(purpose)

    def about(self) -> str:
        """Channel text: another than the profile's, where the niche has two."""
        bios = self.texts["bios"]
        if len(bios) < 2:
            return f"{self.person.name}, {self.person.city}."
        return self._filled(bios[(self.person.order + 1) % len(bios)])

    def bio(self) -> str:
        """Profile text, with a city where it names one."""
        bios = self.texts["bios"]
        bio = self._filled(bios[self.person.order % len(bios)])
        for mark, odd in _ODD_BIOS.items():
            if mark in self.person.marks:
                bio = odd.format(bio=bio)
        return bio

    def captions(self, count: int) -> list[str]:
        """Different captions with tags; some end with thanks, sponsored ones with the word for it."""
        pairs = [(c, t) for c in self.texts["captions"] for t in self.texts["things"]]
        captions = []
        for number, (template, thing) in enumerate(self.rng.sample(pairs, count)):
            caption = self._filled(template, thing)
            if self.rng.random() < 0.5:
                caption += "\n\n" + self.rng.choice(_THANKS[self.language])
            tags = self.rng.sample(self.niche["tags"], self.rng.randint(1, 4))
            caption += "\n" + " ".join(f"#{tag}" for tag in tags)
            if "sponsored" in self.person.marks and number % 4 == 1:
                caption += f" @{self.person.niche}.brand.example {_AD[self.language]}"
            captions.append(caption)
        return captions

    def titles(self, count: int) -> list[str]:
        """Different video titles; a number tells repeated ones apart."""
        pairs = [(c, t) for c in self.texts["titles"] for t in self.texts["things"]]
        chosen = self.rng.sample(pairs, min(count, len(pairs)))
        titles = [self._filled(template, thing) for template, thing in chosen]
        return titles + [f"{title} (2)" for title in titles[: count - len(titles)]]

    def _filled(self, template: str, thing: str = "") -> str:
        text = template.format(thing=thing, city=self.person.city, n=self.rng.randint(3, 12))
        return text[0].upper() + text[1:]


def published(person: Person, purpose: str, count: int) -> list[datetime]:
    """Times of ``count`` items, newest first, in the person's rhythm, none older than six months."""
    rng = person.rng(f"times {purpose}")
    habit = rng.choice(["evening", "evening", "evening", "lunch", "lunch", "morning", "any"])
    gap = rng.uniform(1.5, 14.0)
    day = REFERENCE - timedelta(days=1 + rng.uniform(0, gap))
    times = []
    for _ in range(count):
        if day.weekday() in (0, 1) and rng.random() < 0.5:
            day -= timedelta(days=day.weekday() + 1)
        hour = rng.choice(_HOURS[habit if rng.random() < 0.85 else "any"])
        times.append(day.replace(hour=hour, minute=rng.randrange(60), second=rng.randrange(60), microsecond=0))
        day -= timedelta(days=max(0.6, rng.gauss(gap, gap / 4)))
    return [max(time, REFERENCE - timedelta(days=182, hours=-time.hour)) for time in times]


def likes(person: Person, rng: random.Random, followers: int) -> int:
    """Likes of one item: the share of followers falls with their number, from about 9 % to 1.5 %."""
    share = 0.085 * math.pow(max(followers, 1000) / 1000, -0.2) * rng.lognormvariate(0, 0.35)
    return max(3, round(followers * share * (1.6 if person.niche in {"stand_up", "dogs"} else 1)))


def number_of(text: str, digits: int) -> int:
    """A number of exactly ``digits`` digits that belongs to ``text``."""
    low = int("1" + "0" * (digits - 1))
    return low + int(hashlib.sha256(f"{SEED}|{text}".encode()).hexdigest(), 16) % (9 * low)


def code_of(number: int) -> str:
    """``number`` as Instagram writes it in addresses: base 64, most significant first."""
    code = ""
    while number:
        number, digit = divmod(number, 64)
        code = _ALPHABET[digit] + code
    return code
