"""How accounts are compared and joined: names and handles without titles, doubts, rivals, one account a platform."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from identity_runs import account, groups, resolve

from igtool.errors import ConfigError
from igtool.identity import model
from igtool.identity.clusters import Decision, Pair, group
from igtool.identity.traits import make_traits
from igtool.journal import Journal
from igtool.lake import Lake


def traits(lake: Lake, *accounts: dict[str, Any]) -> list[dict[str, Any]]:
    """The traits of accounts, in their order."""
    with lake.transaction():
        lake.merge("accounts", accounts)
    lake.execute("create temp table wanted as select account_id from accounts")
    make_traits(lake, "temp.wanted")
    rows = {row["account_id"]: row for row in lake.rows("from temp.traits")}
    return [rows[one["account_id"]] for one in accounts]


def test_titles_posts_and_platform_words_come_off_handles_and_names(lake: Lake) -> None:
    """What is left is what two accounts of one person share, in any script that Unicode makes plain."""
    handles = [
        "the.Real_Ana",
        "usrepkeating",
        "ana.official",
        "anatv",
        "therese",
        "UCabcdefghijklmnopqrstuv",
        "12345678",
    ]
    names = ["Dr. Ana Ruiz", "Rep. William R. Keating", "𝓐𝓷𝓪 Ruiz ✨", "Ana Ruiz TV", "José Núñez Jr.", "", None]
    found = traits(
        lake,
        *(
            account("x", str(n), handle.lower(), display_name=name)
            for n, (handle, name) in enumerate(zip(handles, names, strict=True))
        ),
    )
    assert [row["core"] for row in found] == ["ana", "keating", "ana", "ana", "rese", None, None]
    assert [row["name"] for row in found] == [
        "ana ruiz",
        "william keating",
        "ana ruiz",
        "ana ruiz",
        "jose nunez",
        None,
        None,
    ]
    assert [row["is_office"] for row in found] == [False, True, False, False, False, None, None]


def test_own_websites_are_told_from_shared_hosts(lake: Lake) -> None:
    """Link pages, shops and networks are nobody's own; subdomains of blog hosts are."""
    (row,) = traits(
        lake,
        account(
            "x",
            "1",
            "ana",
            external_url="HTTPS://WWW.Ana.Example/",
            bio="see https://m.ana.example/shop?x=1, bye",
            links=[
                "https://linktr.ee/ana",
                "http://shop.amazon.com/ana",
                "ana.wordpress.com",
                "https://youtube.com/@Ana.",
                "//[bad",
            ],
        ),
    )
    assert sorted(row["sites"]) == ["ana.example", "ana.example/shop", "ana.wordpress.com"]
    assert row["points"] == ["youtube/ana"]


@pytest.mark.parametrize(
    ("columns", "marker"),
    [
        ({"handle": "anafans"}, "fan"),
        ({"handle": "fanpage.ana"}, "fan"),
        ({"handle": "ana", "bio": "Fan page of the one and only"}, "fan"),
        ({"handle": "notana", "display_name": "Ana (parody)"}, "parody"),
        ({"handle": "ana2", "bio": "my backup account"}, "own"),
        ({"handle": "fantasia", "bio": "big fan of coffee"}, None),
    ],
)
def test_markers_tell_accounts_about_somebody_from_their_own(
    lake: Lake, columns: dict[str, Any], marker: str | None
) -> None:
    """In a handle, a name or a text; being a fan of something is none."""
    (row,) = traits(lake, account("x", "1", columns.pop("handle"), **columns))
    assert row["marker"] == marker


@pytest.fixture
def together(lake: Lake, journal: Journal, tmp_path: Path):
    """Resolve accounts; whether the first two are one creator, and the pair between them."""

    def run(*accounts: dict[str, Any]) -> tuple[bool, dict[str, Any] | None]:
        creators = resolve(lake, journal, tmp_path, accounts)
        one, other = sorted(row["account_id"] for row in accounts[:2])
        pairs = lake.rows("from link_pairs where account_a = ? and account_b = ?", (one, other))
        return creators[one] == creators[other], pairs[0] if pairs else None

    return run


SURE = {"display_name": "Ana Ruizlopez", "external_url": "https://ana.example"}


@pytest.mark.parametrize(
    ("one", "other", "doubt"),
    [
        ({"display_name": "Ana Ruiz"}, {"handle": "anaruizfans", "display_name": "Ana Ruiz fans"}, None),
        ({"display_name": "Ana Ruiz"}, {"bio": "parody"}, "one is a parody account"),
        (
            {"handle": "sunny", "display_name": "Ana Ruiz"},
            {"handle": "sunny", "display_name": "Karl Weber"},
            "the names are others",
        ),
        (
            {"display_name": "Ana Ruiz"},
            {"handle": "anaru1z", "display_name": "Ana Ruiz"},
            "one handle imitates the other",
        ),
        ({"display_name": "Ana Ruiz"}, {"handle": "senanaruiz", "display_name": "Ana Ruiz"}, "only one names a post"),
        (SURE, SURE | {"external_url": "https://other.example"}, "the websites are others"),
        ({"country": "ES"}, {"country": "MX"}, "the countries are others"),
        ({"display_name": "Ana Ruiz"}, {"handle": "zokiresa", "display_name": "Ana Ruiz"}, None),
    ],
)
def test_lookalikes_are_not_linked(together, one: dict[str, Any], other: dict[str, Any], doubt: str | None) -> None:
    """Fans, parodists, strangers, impersonators: what speaks against a pair is said, and it is left to people."""
    first, second = ({"handle": "anaruiz", **columns} for columns in (one, other))
    linked, pair = together(account("instagram", "1", **first), account("youtube", "2", **second))
    assert not linked
    assert (pair or {"doubt": None})["doubt"] == doubt


def test_an_agency_is_no_evidence_and_a_persons_own_address_is(together) -> None:
    """An address or website that several accounts of a platform name is shared."""
    agency = {"emails": ["hi@agency.example"], "external_url": "https://agency.example"}
    clients = [account("youtube", str(n), f"client{word}", **agency) for n, word in enumerate(("kilo", "lima", "mike"))]
    assert not together(account("instagram", "a", "solveig", **agency), clients[0], *clients[1:])[0]
    own = {"emails": ["me@mine.example"]}
    assert together(account("instagram", "b", "zorrilla", **own), account("youtube", "b", "tamborim", **own))[0]


def test_of_two_that_fit_equally_well_neither_is_linked(together) -> None:
    """Two accounts of a platform with the same name and like handles: a person has to look."""
    mine = account("instagram", "1", "anaruizlopez", display_name="Ana Ruizlopez")
    first = account("youtube", "2", "theanaruizlopez", display_name="Ana Ruizlopez")
    second = account("youtube", "3", "anaruizlopeztv", display_name="Ana Ruizlopez")
    assert together(mine, first)[0]
    assert not together(mine, first, second)[0]


def test_two_accounts_of_a_platform_need_to_link_each_other(together) -> None:
    """A backup account that is named and names back is the same person's; the same website is not enough."""
    main = account("instagram", "1", "solveig", bio="backup: instagram.com/solveig.b", display_name="Solveig")
    backup = account("instagram", "2", "solveig.b", bio="main account instagram.com/solveig", display_name="Solveig")
    assert together(main, backup)[0]
    site = {"external_url": "https://ines.example", "display_name": "Ines Prado"}
    assert not together(account("instagram", "3", "inesprado", **site), account("instagram", "4", "ines.p", **site))[0]


PLATFORMS = {f"{platform}:{n}": platform for platform in "xyz" for n in range(3)}
PAIRS = st.builds(
    lambda ends, weight, strong, verdict: Pair(*sorted(ends), "model", "", weight, 0.9, strong, verdict),
    st.lists(st.sampled_from(sorted(PLATFORMS)), min_size=2, max_size=2, unique=True),
    st.sampled_from([5.0, 14.0, 20.0, 30.0]),
    st.booleans(),
    st.sampled_from(["link", "link", "review"]),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(PAIRS, max_size=12, unique_by=lambda p: (p.a, p.b)), st.randoms(use_true_random=False))
def test_groups_do_not_depend_on_the_order_of_pairs(pairs: list[Pair], rng: random.Random) -> None:
    """The same pairs give the same groups, and only strong pairs bring two of a platform together."""
    made, why = group(PLATFORMS, pairs, [])
    shuffled = pairs[:]
    rng.shuffle(shuffled)
    assert group(PLATFORMS, shuffled, [])[0] == made
    assert {account for members in made if len(members) > 1 for account in members} == set(why)
    if not any(pair.is_strong for pair in pairs):
        assert all(len({PLATFORMS[one] for one in members}) == len(members) for members in made)


@settings(max_examples=100, deadline=None)
@given(st.lists(PAIRS, max_size=12, unique_by=lambda p: (p.a, p.b)), st.lists(PAIRS, max_size=3))
def test_what_people_decided_apart_is_apart(pairs: list[Pair], said: list[Pair]) -> None:
    """Whatever links two accounts, directly or through others, a decision keeps them in different groups."""
    decisions = [Decision(pair.a, pair.b, False, None, "ana") for pair in said]
    made, _ = group(PLATFORMS, pairs, decisions)
    assert not [d for d in decisions for members in made if d.a in members and d.b in members]


def test_a_damaged_model_is_said(tmp_path: Path) -> None:
    """The message names the file and what to do."""
    path = tmp_path / "model.json"
    path.write_text('{"link_from": 1}')
    with pytest.raises(ConfigError, match=r"model\.json.*reinstall"):
        model.load.__wrapped__(path)


def test_confidence_grows_with_the_weight_and_is_a_probability(lake: Lake) -> None:
    """The calibrated curve: 0-1, and never down."""
    curve = model.load().confidence("w")
    shares = [row["p"] for row in lake.rows(f"select {curve} as p from range(-60, 80) t(w)")]
    assert shares == sorted(shares)
    assert 0 <= shares[0] < 0.01 < 0.99 < shares[-1] <= 1


def test_what_is_made_up_of_nothing_stays_apart(lake: Lake, journal: Journal, tmp_path: Path) -> None:
    """No handle, no name, hostile texts: every account is a creator of its own, and nothing breaks."""
    odd = ["", "'; drop table accounts; --", "\u202e\u0000x".replace("\u0000", ""), "%_\\", "a" * 5000, "{}[]()*+?"]
    rows = [
        account("x", f"n{n}", text or None, display_name=text, bio=text, external_url=text)
        for n, text in enumerate(odd)
    ]
    assert len(groups(resolve(lake, journal, tmp_path, rows))) == len(odd)
