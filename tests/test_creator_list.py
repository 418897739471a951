"""Creator lists: every record becomes a row, with its line, its flags, or the reason why it cannot be used."""

import csv
import errno
import json
import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import needs_realdata

from igtool.errors import StorageError, UsageError
from igtool.lists import creator_list
from igtool.lists.creator_list import CreatorList, from_handles, read_list, write_filled

INFLUENCERS = Path(__file__).parents[2] / "shared" / "realdata" / "influencers"
Make = Callable[..., CreatorList]


def reasons(creators: CreatorList) -> list[str | None]:
    """Why each row cannot be used."""
    return [row.reason for row in creators.rows]


def test_every_record_is_a_row(make: Make) -> None:
    """Ragged, empty, repeated, shifted and doubled records are rows with line, reason and flags."""
    creators = make(
        "Rank,Name,Handle\r\n"
        "1,Ana,@ana\r\n"
        "2,Leo\r\n"
        "\r\n"
        "3,Eva,@eva,extra\r\n"
        ",,\r\n"
        "Rank,Name,Handle\r\n"
        '"Ian 🎈\n@ian_5",1.6M,#N/A\r\n'
        "7,Ana again,@ANA\r\n"
        '8,Two lines,"Uma\n@uma"'
    )
    assert [(row.number, row.line, row.handle, row.reason, row.flags) for row in creators.rows] == [
        (1, 2, "ana", None, ()),
        (2, 3, None, "no-handle", ("too-few-cells",)),
        (3, 5, "eva", None, ("too-many-cells",)),
        (4, 6, None, "empty-row", ()),
        (5, 7, None, "repeated-header", ()),
        (6, 8, "ian_5", None, ("shifted-row",)),
        (7, 10, "ana", None, ("duplicate-handle",)),
        (8, 11, "uma", None, ("handle-in-text",)),
    ]
    assert creators.odd_lines == {
        "blank-line": [4],
        "too-few-cells": [3],
        "too-many-cells": [5],
        "shifted-row": [8],
        "duplicate-handle": [10],
        "handle-in-text": [11],
    }


def test_handle_that_is_a_header_word(make: Make) -> None:
    """An account called "instagram" is a creator, not a repeated header."""
    assert reasons(make("Instagram,Name\ninstagram,Instagram\nname,Someone\n")) == [None, None]


def test_all_rows_unusable_is_no_error(make: Make) -> None:
    """A handle column in which no value can be used gives rejects, not an exception."""
    assert reasons(make("username,n\nfoo bar,1\n#N/A,2\n")) == ["bad-handle", "no-handle"]


def test_row_json(make: Make) -> None:
    """A row as JSON keeps every cell, also under doubled, missing and unnamed headers."""
    creators = make("handle,,a,a\n@one,2,3,4,5\n@two\n")
    assert json.loads(creators.row_json(creators.rows[0])) == {
        "handle": "@one",
        "column 2": "2",
        "a": "3",
        "a (2)": "4",
        "column 5": "5",
    }
    assert json.loads(creators.row_json(creators.rows[1])) == {"handle": "@two"}


def test_json_array(make: Make) -> None:
    """Objects become rows with their line; numbers stay as written, nested values are JSON, null is empty."""
    creators = make(
        '[\n{"username": "One.A", "n": 1.50, "big": 123456789012345678901234567890},\n'
        ' {"username": "two", "x": {"a": [1e3, "q"]}, "n": null, "ok": true},\n"three",\n7]',
        "list.json",
    )
    assert creators.columns == ("username", "n", "big", "x", "ok", "handle", "json")
    assert [(row.line, row.handle, row.reason) for row in creators.rows] == [
        (2, "one.a", None),
        (3, "two", None),
        (4, "three", None),
        (5, None, "not-an-object"),
    ]
    assert creators.rows[0].cells[:3] == ("One.A", "1.50", "123456789012345678901234567890")
    assert creators.rows[1].cells[3:5] == ('{"a":[1e3,"q"]}', "true")


def test_json_lines(make: Make) -> None:
    """A broken line of JSON Lines is a reject with its line, the others are rows."""
    creators = make('{"handle": "one"}\n{"handle": "two"\n\n{"handle": "\\ud800x"}\n{"handle": "four"}\n', "l.jsonl")
    found = [(row.line, row.handle, row.reason) for row in creators.rows]
    assert found == [(1, "one", None), (2, None, "bad-json"), (4, None, "bad-handle"), (5, "four", None)]


@pytest.mark.parametrize(
    ("content", "name", "message"),
    [
        ("", "list.csv", "is empty"),
        ("\ufeff \n\r\n", "list.csv", "is empty"),
        (" ", "list.json", "is empty"),
        ("Rank,Name,Handle\n", "list.csv", "has a header and no rows"),
        ("username\n", "list.csv", "has a header and no rows"),
        (
            "Country,Followers\nSpain,1M\nSpain,2M\n",
            "list.csv",
            "no column that can hold handles; .*Country, Followers",
        ),
        ("video_id,views\nabcdefghijk,12\n", "list.csv", "no column that can hold handles"),
        ("[]", "list.json", "no JSON object"),
        ("[1, 2]", "list.json", "no JSON object"),
        ('[{"a": 1},\n{"a": }]', "list.json", "line 2"),
        ('[{"a": 1}', "list.json", "not a JSON list"),
        ('[{"a": 1}] x', "list.json", "text after the end"),
        ("[" * 100_000, "list.json", "nested too deeply"),
        ("hello", "list.json", "no JSON object"),
        ('[{"a": 1}]', "list.json", "no column that can hold handles"),
        (b"PK\x03\x04abc", "list.csv", "Excel workbook"),
        (b"\x1f\x8b\x08", "list.csv.gz", "compressed"),
        (b"\xff\xfea\x00\xd8", "list.csv", "broken UTF-16"),
    ],
)
def test_lists_that_cannot_be_used(make: Make, content: str | bytes, name: str, message: str) -> None:
    """Each unusable file gives a usage error that names the file and the fix."""
    with pytest.raises(UsageError, match=f"(?s){name}.*{message}"):
        make(content, name)


def test_missing_file_and_folder(tmp_path: Path) -> None:
    """A missing file and a folder are usage errors."""
    with pytest.raises(UsageError, match=r"no file .*none\.csv"):
        read_list(tmp_path / "none.csv")
    with pytest.raises(UsageError, match="is a folder"):
        read_list(tmp_path)
    with pytest.raises(UsageError, match="no file name"):
        read_list(Path("a\0b"))


def test_unreadable_file(monkeypatch: pytest.MonkeyPatch, make: Make) -> None:
    """A file without permission is a storage error that says what to check."""

    def forbidden(path: Path, *_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))

    monkeypatch.setattr(Path, "write_bytes", lambda *_: 0)
    monkeypatch.setattr(Path, "open", forbidden)
    with pytest.raises(StorageError, match=r"no permission for .*list\.csv"):
        make("handle\n@one\n")


def test_too_large_file(monkeypatch: pytest.MonkeyPatch, make: Make) -> None:
    """A file over the cap is refused before it is parsed."""
    monkeypatch.setattr(creator_list, "MAX_BYTES", 10)
    with pytest.raises(UsageError, match="larger than 10 bytes"):
        make("handle\n@one\n@two\n")


def test_bad_arguments() -> None:
    """No handle and an unknown platform are usage errors."""
    with pytest.raises(UsageError, match="no handle was given"):
        from_handles([])
    with pytest.raises(UsageError, match="platform 'tiktok' is not known"):
        from_handles(["@one"], platform="tiktok")


@needs_realdata
@pytest.mark.parametrize(
    ("name", "count", "column", "rejected", "flagged"),
    [
        (
            "spain_top4000__Influencers.csv",
            *(
                2700,
                "Instagram Handle",
                {"no-handle": 10, "empty-row": 1},
                {"shifted-row": 1, "duplicate-handle": 2},
            ),
        ),
        ("starngage_spain_2026.csv", 3111, "handle", {}, {}),
        ("hypeauditor_instagram_sep2022.csv", 1050, "Instagram name", {}, {"duplicate-handle": 67}),
        ("starngage_like_top200.json", 200, "Name", {}, {"duplicate-handle": 2}),
    ],
)
def test_real_lists(name: str, count: int, column: str, rejected: dict[str, int], flagged: dict[str, int]) -> None:
    """The real lists load with their exact number of records, the right column, and a report of what is odd."""
    creators = read_list(INFLUENCERS / name)
    assert len(creators.rows) == count
    assert creators.handle_column == column
    assert Counter(filter(None, reasons(creators))) == rejected
    assert creators.odd == flagged


@needs_realdata
@pytest.mark.parametrize(
    "name",
    ["spain_top4000__Influencers.csv", "starngage_spain_2026.csv", "hypeauditor_instagram_sep2022.csv"],
)
def test_real_lists_match_csv_module(name: str, tmp_path: Path) -> None:
    """Cells equal those of the csv module, and a copy without fills equals the file byte for byte."""
    path = INFLUENCERS / name
    creators = read_list(path)
    with path.open(encoding="utf-8-sig", newline="") as file:
        header, *records = csv.reader(file)
    assert list(creators.columns) == header
    assert [list(row.cells) for row in creators.rows] == records
    copy = tmp_path / name
    write_filled(creators, {}, [header[0], header[-1]], copy)
    assert copy.read_bytes() == path.read_bytes()
