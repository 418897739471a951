"""Files of conversations: formats, keys that stay the same, rows that are refused; and ``igtool insights``."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from conftest import REALDATA, needs_realdata
from conversation_runs import one_encoder

from igtool.cli import main
from igtool.conversations.files import Line, read_conversations
from igtool.errors import UsageError
from igtool.lake import Lake

TWEETS = """,tweet_id,author_id,inbound,created_at,text,response_tweet_id,in_response_to_tweet_id
7,11,shop,False,Tue Oct 31 22:10:47 +0000 2017,"@123 So sorry,
please tell us more",,12.0
8,12,123,True,Tue Oct 31 22:04:47 +0100 2017,@shop on hold for two hours 🤥,"11,13",15.0
"""


@pytest.fixture(scope="module", autouse=True)
def _one_encoder() -> Iterator[None]:
    """One engine for the module."""
    with one_encoder():
        yield


def lines(path: Path, content: str | bytes, **columns: str) -> list[Line]:
    """What is read of a file with this content."""
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return list(read_conversations(path, columns))


def run(*arguments: str | Path) -> Result:
    """One command."""
    return CliRunner().invoke(main, [str(one) for one in arguments], catch_exceptions=False)


def test_customer_support_on_twitter(tmp_path: Path) -> None:
    """Known by its header; ids are keys, times have a zone, what it answers is kept as a whole number."""
    one, other = lines(tmp_path / "twcs.csv", TWEETS)
    assert one == Line(
        2,
        {
            "text": "@123 So sorry,\nplease tell us more",
            "author": "shop",
            "raw_data": {"tweet_id": "11", "inbound": False, "in_response_to_tweet_id": "12"},
            "timestamp": "2017-10-31T22:10:47Z",
        },
        "twcs:11",
    )
    assert (other.line, other.given["timestamp"], other.given["author"]) == (4, "2017-10-31T21:04:47Z", "123")


def test_columns_by_name(tmp_path: Path) -> None:
    """Any delimiter and encoding; what is not named is kept; without a key a row's is made of what it holds."""
    text = (
        "when;who;what;mood\n2015-02-24 11:15:48 -0800;Zoë;On hold;bad\n2015-02-24;Zoë;On hold;bad\n1424775600;;Late;\n"
    )
    columns = {"text": "what", "author": "who", "timestamp": "when"}
    one, two, three = lines(tmp_path / "a.csv", text.encode("cp1252"), **columns)
    assert one.given == {
        "text": "On hold", "author": "Zoë", "raw_data": {"mood": "bad"}, "timestamp": "2015-02-24T19:15:48Z"
    }  # fmt: skip
    assert (two.given["timestamp"], three.given["timestamp"]) == ("2015-02-24T00:00:00Z", "2015-02-24T11:00:00Z")
    again = lines(tmp_path / "b.csv", text.encode("utf-16"), **columns)
    assert [line.key for line in again] == [one.key, two.key, three.key]
    keyed = lines(tmp_path / "c.csv", text, **columns, key="when")
    assert keyed[1].key == "2015-02-24"


def test_equal_rows_are_conversations_of_their_own(tmp_path: Path) -> None:
    """The same row twice has two keys, the same whenever the file is read."""
    first = lines(tmp_path / "a.csv", "text\nHi\nHi\nBye\n")
    assert len({line.key for line in first}) == 3
    assert lines(tmp_path / "a.csv", "text\nHi\nHi\nBye\n") == first


def test_json_lines(tmp_path: Path) -> None:
    """Objects as a client would send them, or others by names; what cannot be read says so."""
    text = (
        '{"text": "a", "idempotency_key": "k", "raw_data": {"x": 1}, "lang": "es"}\n\n[]\n{"text": "b"\n{"body": 7}\n'
    )
    one, two, three, four = lines(tmp_path / "a.jsonl", text)
    assert one == Line(1, {"text": "a", "raw_data": {"x": 1, "lang": "es"}}, "k")
    assert (two.line, two.error) == (3, "this is JSON, but not an object")
    assert (three.line, str(three.error)[:16]) == (4, "this is not JSON")
    assert "text" not in four.given
    assert lines(tmp_path / "b.jsonl", '{"body": "x", "who": 7}\n', text="body", author="who")[0].given == {
        "text": "x", "author": "7", "raw_data": {}
    }  # fmt: skip


@pytest.mark.parametrize("stamp", ["24-02-2015 11.35", "soon", "2015-02-30T00:00:00Z", "9" * 13 + "9"])
def test_a_time_that_is_none_costs_the_row(tmp_path: Path, stamp: str) -> None:
    """The row says why it is refused."""
    (line,) = lines(tmp_path / "a.csv", f"text,timestamp\nHi,{stamp}\n")
    assert str(line.error).startswith(f"'{stamp}' is no time")


@pytest.mark.parametrize(
    ("content", "columns", "message"),
    [
        ("a,b\n1,2\n", {}, "which column of x.csv is the text"),
        ("a,b\n1,2\n", {"text": "c"}, "x.csv has no column 'c' for text; it has: a, b"),
        ("", {}, "which column"),
    ],
)
def test_files_that_cannot_be_read(tmp_path: Path, content: str, columns: dict[str, str], message: str) -> None:
    """The message names the file, its columns and the option."""
    with pytest.raises(UsageError, match=message):
        lines(tmp_path / "x.csv", content, **columns)
    with pytest.raises(UsageError, match="there is no file"):
        list(read_conversations(tmp_path / "absent.csv"))


def test_a_quote_that_is_never_closed(tmp_path: Path) -> None:
    """A cell of a megabyte is refused and not stored."""
    found = lines(tmp_path / "a.csv", 'text\n"Hi\n' + ("x" * 999 + "\n") * 1_100)
    assert any("quote that is never closed" in str(line.error) for line in found)


def test_ingest_and_list(tmp_path: Path) -> None:
    """Rows are taken, read, moved and listed; the same command again takes nothing; refused rows are told."""
    path = tmp_path / "twcs.csv"
    path.write_text(TWEETS + "9,13,123,True,never,Hi,,\n9,14,123,True,Tue Oct 31 22:04:47 +0100 2017,,,\n")
    for accepted, known in ((2, 0), (0, 2)):
        result = run("--workspace", tmp_path, "insights", "ingest", path, "--json")
        assert result.exit_code == 8, result.output
        found = json.loads(result.stdout)
        (row,) = found["rows"]
        assert (row["accepted"], row["known"], row["refused_count"], found["left"]) == (accepted, known, 2, 0)
        assert [one["line"] for one in row["refused"]] == [5, 6]
    with Lake(tmp_path / "data", writable=False) as lake:
        assert lake.value("select count(*) from insights join conversations using (conversation_id)") == 2
        assert lake.value("select count(*) from conversations where source = 'twcs.csv'") == 2
    listed = json.loads(run("--workspace", tmp_path, "insights", "list", "--json").stdout)
    assert listed["metadata"]["total_count"] == 2
    assert [one["timestamp"] for one in listed["rows"]] == ["2017-10-31T22:10:47Z", "2017-10-31T21:04:47Z"]
    some = run("--workspace", tmp_path, "insights", "list", "--end", "2017-10-31T22:00:00Z", "--min-confidence", "0.2")
    assert "on hold" in some.stdout
    assert "sorry" not in some.stdout
    assert run("--workspace", tmp_path, "insights", "list", "--start", "soon").exit_code == 2
    status = json.loads(run("--workspace", tmp_path, "status", "--json").stdout)
    assert status["conversations"]["total"]["moved"] == 2


def test_only_accepting(tmp_path: Path) -> None:
    """With --no-analyze they wait, for a server or for the next time; no failures are none."""
    path = tmp_path / "a.csv"
    path.write_text("text\nHi\n")
    result = run("--workspace", tmp_path, "insights", "ingest", path, "--no-analyze")
    assert "1 rows name no time" in result.output
    document = json.loads(run("--workspace", tmp_path, "insights", "ingest", path, "--no-analyze", "--json").stdout)
    assert (document["analysed"], document["left"]) == (0, 1)
    assert run("--workspace", tmp_path, "insights", "failed").stdout == "failed: none\n"
    assert "0 are read again" in run("--workspace", tmp_path, "insights", "failed", "--retry").output


@pytest.mark.parametrize("option", ["text", "colour=x", "text="])
def test_maps_that_are_none(tmp_path: Path, option: str) -> None:
    """The message says what there is."""
    (tmp_path / "a.csv").write_text("text\nHi\n")
    result = run("--workspace", tmp_path, "insights", "ingest", tmp_path / "a.csv", "--map", option)
    assert result.exit_code == 2
    assert "text, author, timestamp, key" in result.output


@needs_realdata
def test_real_samples(tmp_path: Path) -> None:
    """Rows of real files have a text and a time, and keys of their own; mangled ids and times are refused."""
    folder = REALDATA / "support"
    airline = {"text": "text", "author": "name", "timestamp": "tweet_created", "key": "tweet_id"}
    files: list[tuple[str, dict[str, str], int]] = [
        ("twcs_sample.csv", {}, 3376), ("twcs_kaggle_sample.csv", {}, 93), ("airline_Tweets.csv", airline, 9884)
    ]  # fmt: skip
    for name, columns, count in files:
        found = list(read_conversations(folder / name, columns))
        assert len(found) == count
        assert all(line.error is None and line.given["text"] and line.given["timestamp"] for line in found)
    mangled: list[Any] = list(read_conversations(folder / "airline_Tweets_excel_mangled.csv", airline))
    assert all(line.error is not None for line in mangled)
