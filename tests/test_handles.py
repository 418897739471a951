"""Which account a cell names, and which column holds the cells."""

from collections.abc import Callable

import pytest

from igtool.errors import UsageError
from igtool.lists.creator_list import CreatorList, from_handles

Make = Callable[..., CreatorList]


def accounts(creators: CreatorList) -> list[tuple[str | None, str | None]]:
    """Platform and handle of each row."""
    return [(row.platform, row.handle) for row in creators.rows]


def reasons(creators: CreatorList) -> list[str | None]:
    """Why each row cannot be used."""
    return [row.reason for row in creators.rows]


@pytest.mark.parametrize(
    ("cell", "account"),
    [
        ("@Some.Name_1", ("instagram", "some.name_1")),
        ("somename", ("instagram", "somename")),
        ("\u200e @somename\u00a0", ("instagram", "somename")),
        ("＠somename", ("instagram", "somename")),
        ("'@somename", ("instagram", "somename")),
        ("https://www.instagram.com/SomeName/?hl=en", ("instagram", "somename")),
        ("instagram.com/some.name", ("instagram", "some.name")),
        ("//m.instagram.com/some.name#x", ("instagram", "some.name")),
        ("https://instagram.com/_u/some.name", ("instagram", "some.name")),
        ("https://www.instagram.com/stories/some.name/123/", ("instagram", "some.name")),
        ("https://www.youtube.com/@Some-Name/videos", ("youtube", "some-name")),
        ("youtube.com/@%C3%91andu", ("youtube", "ñandu")),
        ("https://youtube.com/channel/UCabcdefghijklmnopqrstuv", ("youtube", "UCabcdefghijklmnopqrstuv")),
        ("https://m.youtube.com/c/SomeName", ("youtube", "somename")),
        ("http://www.youtube.com/user/SomeName?x=1", ("youtube", "somename")),
        ("UCabcdefghijklmnopqrstuv", ("youtube", "UCabcdefghijklmnopqrstuv")),
        ("yt: @some-name", ("youtube", "some-name")),
        ("ig:somename", ("instagram", "somename")),
    ],
)
def test_cells_that_name_an_account(cell: str, account: tuple[str, str]) -> None:
    """Handles, prefixed handles and profile addresses in their many spellings name their account."""
    assert accounts(from_handles([cell])) == [account]


@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        ("#N/A", "no-handle"),
        ("#NAME?", "no-handle"),
        ("n/a", "no-handle"),
        ("-", "no-handle"),
        ("two words", "bad-handle"),
        ("someone@example.com", "bad-handle"),
        ("@" + "x" * 31, "bad-handle"),
        ("@ñandu", "bad-handle"),
        ("https://www.instagram.com/p/Cabc123/", "bad-handle"),
        ("https://www.instagram.com/", "bad-handle"),
        ("https://www.youtube.com/watch?v=abc", "bad-handle"),
        ("https://youtu.be/abc", "bad-handle"),
        ("https://youtube.com/channel/xyz", "bad-handle"),
        ("https://[broken", "bad-handle"),
        ("https://www.tiktok.com/@name", "unsupported-platform"),
        ("tiktok.com/@name", "unsupported-platform"),
        ("https://instagram.com.example.org/name", "unsupported-platform"),
    ],
)
def test_cells_that_name_none(make: Make, cell: str, reason: str) -> None:
    """What names no account is a reject with its reason on its line, and an error on the command line."""
    creators = make(f"handle\n@first\n{cell}\n@last\n")
    assert reasons(creators) == [None, reason, None]
    assert creators.rows[1].line == 3
    with pytest.raises(UsageError, match=r"handle|Instagram"):
        from_handles(["@first", cell])


def test_platform_order(make: Make) -> None:
    """The address decides, then the row's platform, then --platform, then Instagram."""
    text = (
        "Handle,Platform\nhttps://youtube.com/@one,instagram\ntwo,YouTube\nthree,IG\nfour,\nfive,tiktok\n"
        "https://instagram.com/six,TikTok\nseven,TikTok / Instagram\neight,web\n"
    )
    listed = [("youtube", "one"), ("youtube", "two"), ("instagram", "three")]
    six_seven = [("instagram", "six"), ("instagram", "seven")]
    assert accounts(make(text)) == [
        *listed,
        ("instagram", "four"),
        (None, None),
        *six_seven,
        ("instagram", "eight"),
    ]
    assert reasons(make(text))[4] == "unsupported-platform"
    by_option = accounts(make(text, platform="yt"))
    assert by_option == [*listed, ("youtube", "four"), (None, None), *six_seven, ("youtube", "eight")]


def test_header_names_the_platform(make: Make) -> None:
    """Handles under "YouTube handle" are YouTube's, unless --platform says else."""
    assert accounts(make("YouTube handle\nsome-name\n")) == [("youtube", "some-name")]
    assert accounts(make("YouTube handle\nsome.name\n", platform="instagram")) == [("instagram", "some.name")]


# Which column holds the handles


@pytest.mark.parametrize(
    "header",
    [
        *(
            "username",
            "User Name",
            "USER_NAME",
            "Handle",
            "Instagram Handle",
            "@name",
            "@",
            "Account",
            "ig",
            "Insta ID",
        ),
        *("Instagram", "instagram-username", "Profile", "Profile URL", "URL", "Link", "Channel", "YouTube handle"),
        *(
            "Instagram name",
            "Usuario",
            "Cuenta",
            "Perfil",
            "Perfil de Instagram",
            "Nombre de usuario",
            "Creator",
            "\nHandle ",
        ),
    ],
)
def test_handle_headers(make: Make, header: str) -> None:
    """Every usual spelling of the header is found, beside columns that could be handles too."""
    creators = make(f'Rank,Name,"{header}",Country,Followers\n1,Ana,ana.one,Spain,1M\n2,Leo,leo_two,Chile,2M\n')
    assert creators.handle_column == header
    assert [row.handle for row in creators.rows] == ["ana.one", "leo_two"]


def test_header_is_verified_by_values(make: Make) -> None:
    """A header that promises handles over values that are none loses to a column with handles."""
    text = "Profile,Channel info,Who\nSings a lot,male,@one\nCooks at home,female,@two\nTravels far,male,@three\n"
    assert make(text).handle_column == "Who"


def test_handles_by_values_alone(make: Make) -> None:
    """Without a telling header the column of distinct one-word values is taken, not numbers or labels."""
    text = "Rank,Name,Kind,Country,Posts,Website\n" + "".join(
        f"{n},maker{n},{'male' if n % 2 else 'female'},Spain,{n}00,site{n}.example\n" for n in range(20)
    )
    assert make(text).handle_column == "Name"


def test_second_handle_column(make: Make) -> None:
    """A row without an Instagram handle is used by its YouTube handle, and says so."""
    creators = make("instagram,youtube\none,\n,two-2\n-,-\n")
    assert accounts(creators) == [("instagram", "one"), ("youtube", "two-2"), (None, None)]
    assert creators.rows[1].flags == ("other-column",)
