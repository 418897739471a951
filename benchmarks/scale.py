"""The arithmetic of docs/growth.md: bytes, hours, requests and dollars for many creators, from measured unit costs.

    python -m benchmarks.scale             # writes the tables of docs/growth.md anew

Everything is a product of a unit cost (`unit_costs.toml`: value, what of, where and on how many measured; renewed by
`benchmarks.unit_costs`), an assumption (`Assumptions`, each with its source) and a number of creators. What grows
with the square is computed so.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from benchmarks.page import number
from benchmarks.unit_costs import PRICED, Unit, load
from igtool.schedule.scenario import INSTAGRAM_WEB, TIKHUB, YOUTUBE
from igtool.schedule.simulate import capacity

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "growth.md"
SIZES = (1_000_000, 50_000_000, 250_000_000)
EXAMPLE = 50_000_000
_GB, _TB = 1e9, 1e12
_MS_HOUR = 3_600_000
KEYS = "keys compared at commits, in one lake"
"""Grows with the square: each commit reads the keys of all items, and there are more of both."""


@dataclass(frozen=True)
class Assumptions:
    """What is assumed of creators and settings, each named in docs/growth.md."""

    accounts: float = 1.3
    """Of a creator: three in ten have a channel too (docs/schedule.md)."""
    items: int = 12
    """Content items of an account that the first look brings: one page."""
    new_items_a_day: float = 0.3
    """Of an account: the mean of the posting rates that docs/schedule.md assumes (median one a week, σ 1.5; three in
    ten post nothing)."""
    looks_a_day: float = 0.54
    """At an account, in its own cadence: 700,000 a day for 1.3 million (docs/schedule.md)."""
    raw_days: int = 180
    """Raw answers are kept so long (``retention = { raw_responses = "180d" }``)."""
    vector_bytes: int = 384 * 4 + 40
    """A vector of the default encoder in ``embeddings``: floats, which hardly compress."""
    text_vector_bytes: int = 384 * 2 + 40
    """A text's vector in ``text_vectors``: 16 bits a number, and the key."""
    pictures: int = 10
    """Of an account, as `pictures_per_account` has it."""
    prompt_tokens: tuple[int, int] = (630, 930)
    """Of a description: what `igtool llm estimate` reckons for the 72 creators of the example."""
    answer_tokens: tuple[int, int] = (150, 450)
    """Of a description, as `igtool llm estimate` reckons."""
    file_mb: int = 512
    """Files of the lake are merged up to this size (DuckLake's target_file_size)."""
    commit: int = 5_000
    """Answers that `normalize` commits together."""
    shard: int = 1_000_000
    """Creators of a shard: the size at which the unit costs were measured."""
    cores: int = 16
    """Of a machine."""


# What is computed ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class World:
    """So many creators, with unit costs and assumptions."""

    creators: int
    units: Mapping[str, Unit]
    given: Assumptions = Assumptions()

    def of(self, name: str) -> float:
        """A unit cost."""
        return self.units[name].value

    @property
    def accounts(self) -> float:
        """Accounts on all platforms."""
        return self.creators * self.given.accounts

    @property
    def items(self) -> float:
        """Content items after the first look at every account."""
        return self.accounts * self.given.items

    @property
    def items_a_year(self) -> float:
        """Content items that come in a year."""
        return self.accounts * self.given.new_items_a_day * 365

    @property
    def looks(self) -> float:
        """Looks a day that keep every account fresh."""
        return self.accounts * self.given.looks_a_day

    @property
    def texts(self) -> float:
        """Texts embedded in the first pass: a biography, all items together, and each item."""
        return self.accounts * (self.given.items + 2)

    def hours(self, name: str, count: float) -> float:
        """Hours of one core for ``count`` things."""
        return self.of(name) * count / _MS_HOUR

    @property
    def first_hours(self) -> dict[str, float]:
        """Hours of one core for the first pass, by stage; no pictures, no language model."""
        return {
            "fetch": self.hours("fetch_ms", self.accounts * 1.5),
            "normalize": self.hours("normalize_ms", self.accounts),
            "embed": self.hours("text_ms", self.texts) + self.stage_hours("embed"),
            "resolve": self.hours("resolve_ms", self.accounts),
            KEYS: self.key_hours(self.accounts, self.items / 2),
            **{name: self.stage_hours(name) for name in ("analyze", "index", "export", "verify")},
        }

    def key_hours(self, answers: float, stored: float) -> float:
        """Hours in which commits of ``answers`` compare their items with the keys of all that are ``stored``."""
        return answers / self.given.commit * stored * self.of("key_ns") / 1e6 / _MS_HOUR

    def stage_hours(self, stage: str) -> float:
        """Hours of one core for a stage whose cost is known by creator."""
        return self.hours(f"{stage}_creator_ms", self.creators)

    @property
    def daily_hours(self) -> float:
        """Hours of one core a day: looks fetched and read, new texts embedded, creators analysed, the index built."""
        new = self.accounts * self.given.new_items_a_day
        seen = min(self.looks, self.accounts) / self.given.accounts
        return (
            self.hours("fetch_ms", self.looks * 1.5)
            + self.hours("normalize_ms", self.looks)
            + self.hours("text_ms", new)
            + self.hours("analyze_creator_ms", seen)
            + self.stage_hours("index")
            + self.hours("resolve_ms", self.accounts)
            + self.key_hours(self.looks, self.items + self.items_a_year)
        )

    @property
    def stores(self) -> dict[str, float]:
        """Bytes on disk after the first pass and a year of looks in every account's cadence."""
        given = self.given
        return {
            "raw answers, one of each account": self.accounts * self.of("answer_bytes"),
            f"raw answers of {given.raw_days} days": self.looks * given.raw_days * self.of("answer_bytes"),
            "accounts and their first states": self.accounts * self.of("account_bytes"),
            "content items after a year": (self.items + self.items_a_year) * self.of("item_bytes"),
            "metric snapshots of a year": self.looks * 365 * self.of("metrics_an_answer") * self.of("metric_bytes"),
            "vectors of accounts": self.accounts * 2 * given.vector_bytes,
            "vectors of texts, first pass": self.texts * given.text_vector_bytes,
            "search index": self.creators * self.of("index_bytes"),
        }


# Tables ----------------------------------------------------------------------------------------------------------


def size(count: float) -> str:
    """Bytes for people: GB up to a thousand, then TB."""
    return f"{_digits(count / _GB)} GB" if count < 1e12 else f"{_digits(count / _TB)} TB"


def _digits(value: float) -> str:
    """Two digits, thousands apart."""
    if value >= 100:
        return f"{float(f'{value:.2g}'):,.0f}"
    return f"{value:.2g}" if value < 10 else f"{value:.0f}"


def count(value: float) -> str:
    """A count for people: 1.3 million, 700,000."""
    if value >= 1e9:
        return f"{_digits(value / 1e9)} billion"
    return f"{_digits(value / 1e6)} million" if value >= 1e6 else _digits(value)


def dollars(low: float, high: float | None = None) -> str:
    """US dollars, two digits."""
    return f"${_digits(low)}" if high is None else f"${_digits(low)}–{_digits(high)}"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)])


def _across(worlds: Sequence[World], rows: Sequence[tuple[str, Callable[[World], str]]]) -> str:
    head = ["creators", *(count(world.creators) for world in worlds)]
    return table(head, [[name, *(show(world) for world in worlds)] for name, show in rows])


def units_table(worlds: Sequence[World]) -> str:
    """Every unit cost, where it was measured, and on how many."""
    rows = [
        [one.of, f"{number(one.value)} {one.unit}", one.measured, f"{one.n:,}" if one.n > 1 else ""]
        for one in worlds[0].units.values()
    ]
    return table(["of", "costs", "measured by", "n"], rows)


def things_table(worlds: Sequence[World]) -> str:
    """What there is, and what is asked for."""
    return _across(worlds, [
        ("accounts", lambda w: count(w.accounts)),
        ("content items after the first look", lambda w: count(w.items)),
        ("new content items a day", lambda w: count(w.items_a_year / 365)),
        ("looks a day that all cadences want", lambda w: count(w.looks)),
        ("looks a second, on average", lambda w: _digits(w.looks / 86_400)),
        ("rows of metric snapshots a day", lambda w: count(w.looks * w.of("metrics_an_answer"))),
    ])  # fmt: skip


def bytes_table(worlds: Sequence[World]) -> str:
    """What lies on disks."""
    names = list(worlds[0].stores)
    rows: list[tuple[str, Callable[[World], str]]] = [
        (name, partial(lambda name, w: size(w.stores[name]), name)) for name in names
    ]
    kept = [name for name in names if not name.endswith("of each account")]
    rows += [
        ("**together**, with raw answers of the retention", lambda w: size(sum(w.stores[name] for name in kept))),
        ("memory of a server that searches all", lambda w: size(w.creators * w.of("index_memory_bytes"))),
    ]
    return _across(worlds, rows)


def hours_table(worlds: Sequence[World]) -> str:
    """Hours of a core for the first pass and for a day, and machines."""
    rows: list[tuple[str, Callable[[World], str]]] = [
        (name, partial(lambda name, w: _digits(w.first_hours[name]), name)) for name in worlds[0].first_hours
    ]
    cores = worlds[0].given.cores
    pictures = ("picture_ms", "picture_vector_ms")
    rows += [
        ("**first pass**, core hours", lambda w: _digits(sum(w.first_hours.values()))),
        (f"days on one machine of {cores} cores", lambda w: _digits(sum(w.first_hours.values()) / 24 / cores)),
        ("**every day** after a year, core hours", lambda w: _digits(w.daily_hours)),
        (f"machines of {cores} cores for a day's work in a day", lambda w: _digits(w.daily_hours / 24 / cores)),
        ("pictures of all, once, core hours",
         lambda w: _digits(sum(w.hours(one, w.accounts * w.given.pictures) for one in pictures))),
    ]  # fmt: skip
    return _across(worlds, rows)


def requests_table(worlds: Sequence[World]) -> str:
    """How long sources take at their quotas, how many keys it would need, and what a paid one costs."""
    web, videos, paid = (capacity(pace, 1) for pace in (INSTAGRAM_WEB, YOUTUBE, TIKHUB))
    share = worlds[0].given.accounts - 1

    def channels(w: World) -> float:
        return w.creators * share

    def looked(w: World) -> float:
        return w.creators * w.given.looks_a_day

    cost = TIKHUB.requests_per_look * TIKHUB.cost_per_request_usd
    return _across(worlds, [
        (f"first look at all Instagram accounts by `instagram_web` ({web:,} looks a day)",
         lambda w: f"{_digits(w.creators / web)} days"),
        (f"first look at all channels by one YouTube key ({videos:,} looks a day)",
         lambda w: f"{_digits(channels(w) / videos)} days"),
        ("YouTube keys that keep all channels fresh",
         lambda w: _digits(channels(w) * w.given.looks_a_day / videos)),
        (f"first look by `tikhub` ({paid:,} looks a day, {TIKHUB.requests_per_look:g} requests each)",
         lambda w: f"{_digits(w.creators / paid)} days, {dollars(w.creators * cost)}"),
        ("a month of fresh Instagram accounts by `tikhub`", lambda w: dollars(looked(w) * 30 * cost)),
        ("requests a second for that", lambda w: _digits(looked(w) * TIKHUB.requests_per_look / 86_400)),
    ])  # fmt: skip


def dollars_table(worlds: Sequence[World]) -> str:
    """A description of every creator by hosted models."""
    rows: list[tuple[str, Callable[[World], str]]] = []
    for _, model in PRICED:

        def cost(w: World, factor: float, model: str = model) -> str:
            asked, said = w.of(f"{model} prompts"), w.of(f"{model} answers")
            pairs = zip(w.given.prompt_tokens, w.given.answer_tokens, strict=True)
            low, high = (w.creators * factor * (one * asked + other * said) / 1e6 for one, other in pairs)
            return dollars(low, high)

        rows.append((f"{model}: all creators once", partial(cost, factor=1.0)))
        rows.append((f"{model}, by batches at half the price", partial(cost, factor=0.5)))
    return _across(worlds, rows)


def example_table(worlds: Sequence[World]) -> str:
    """Shards, files and machines at fifty million."""
    world = replace(worlds[0], creators=EXAMPLE)
    given, shards = world.given, EXAMPLE / world.given.shard
    one = replace(world, creators=given.shard)
    file = given.file_mb * 1e6
    items, snapshots = one.stores["content items after a year"], one.stores["metric snapshots of a year"]
    seen = min(one.looks * 30 * given.items, one.items + one.items_a_year)
    return table(["", "a shard", "all"], [
        ["creators", count(given.shard), count(EXAMPLE)],
        ["shards", "1", _digits(shards)],
        ["content items a month seen again or for the first time, at most", count(seen), count(seen * shards)],
        ["files of `content_items` after a year", *_files(items, file, shards, months=12)],
        ["files of `metric_snapshots` after a year", *_files(snapshots, file, shards, months=12)],
        ["data files of raw answers", *_files(one.stores[f"raw answers of {given.raw_days} days"], file, shards)],
        ["first pass, core hours", *_times(sum(one.first_hours.values()), shards)],
        ["the same in one lake", "", _digits(sum(world.first_hours.values()))],
        ["every day after a year, core hours", *_times(one.daily_hours, shards)],
        ["the same in one lake", "", _digits(world.daily_hours)],
        ["disk, with raw answers of the retention",
         *(size(sum(v for k, v in w.stores.items() if not k.endswith("of each account"))) for w in (one, world))],
        [f"machines of {given.cores} cores for a day's work in a day",
         *_times(one.daily_hours / 24 / given.cores, shards)],
    ])  # fmt: skip


def _times(value: float, shards: float) -> list[str]:
    return [_digits(value), _digits(value * shards)]


def _files(size_bytes: float, file: float, shards: float, months: int = 1) -> list[str]:
    """Files of a shard and of all: at least one a month."""
    own = max(months, size_bytes / file)
    return [_digits(own), count(own * shards)]


TABLES: dict[str, Callable[[Sequence[World]], str]] = {
    "units": units_table,
    "things": things_table,
    "bytes": bytes_table,
    "hours": hours_table,
    "requests": requests_table,
    "dollars": dollars_table,
    "example": example_table,
}
_PLACE = "<!-- computed: {} -->"
_END = "<!-- end -->"


def page(text: str, units: Mapping[str, Unit]) -> str:
    """The page with its tables as they are computed. Raises KeyError for a table that there is not."""
    worlds = [World(creators, units) for creators in SIZES]

    def filled(found: re.Match[str]) -> str:
        name = found.group(1)
        return f"{_PLACE.format(name)}\n\n{TABLES[name](worlds)}\n\n{_END}"

    pattern = _PLACE.format("(\\w+)") + ".*?" + re.escape(_END)
    return re.sub(pattern, filled, text, flags=re.DOTALL)


def main() -> None:
    """Write the page anew."""
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8"), load()), encoding="utf-8")


if __name__ == "__main__":
    main()
