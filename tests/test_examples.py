"""The example: invented people, always the same bytes, in the shapes that the platforms answer with."""

from __future__ import annotations

import csv
import gzip
import io
import json
import re
import subprocess
import sys
import zipfile
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from conftest import REALDATA
from payload_rows import Read, read

from igtool.lists.creator_list import read_list

EXAMPLES = Path(__file__).parents[1] / "examples"
FROM, UNTIL = datetime(2026, 4, 1, tzinfo=UTC), datetime(2026, 10, 1, tzinfo=UTC)


def contents(path: Path) -> dict[str, bytes]:
    """A file by its name, an archive by its members: compressed bytes depend on the version of zlib."""
    if path.suffix == ".gz":
        return {path.name: gzip.decompress(path.read_bytes())}
    if path.suffix == ".zip":
        with zipfile.ZipFile(path) as archive:
            return {
                f"{path.name}/{entry.filename}|{entry.date_time}": archive.read(entry) for entry in archive.filelist
            }
    return {path.name: path.read_bytes()}


def tree(folder: Path) -> dict[str, bytes]:
    """Everything that the script writes, by path."""
    paths = [folder / "creators.csv", folder / "later.zip", *sorted((folder / "raw").rglob("*.*"))]
    return {
        f"{path.relative_to(folder).parent}/{name}": data for path in paths for name, data in contents(path).items()
    }


def bodies() -> Iterator[tuple[str, bytes]]:
    """Every raw answer of the example."""
    for name, data in tree(EXAMPLES).items():
        if name.endswith(".gz"):
            yield from ((f"{name}#{n}", line) for n, line in enumerate(data.splitlines()))
        elif "raw" in name:
            yield name, data


@pytest.fixture(scope="module")
def parsed() -> dict[str, Read]:
    """Every raw answer as igtool reads it."""
    return {name: read(body, observed_at=UNTIL) for name, body in bodies()}


def test_the_script_writes_the_same_bytes_again(tmp_path: Path) -> None:
    """What is committed is what the script makes, and making it twice changes nothing."""
    command = [sys.executable, str(EXAMPLES / "make_examples.py"), str(tmp_path)]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    assert tree(tmp_path) == tree(EXAMPLES)


def test_archives_carry_no_time() -> None:
    """The gzip header holds no time, so that the file is the same whenever it is made."""
    (path,) = EXAMPLES.rglob("*.gz")
    assert path.read_bytes()[4:8] == b"\0\0\0\0"


def test_the_example_is_small() -> None:
    """A checkout stays small: under 1.5 MB and 130 files."""
    files = [path for path in EXAMPLES.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    assert len(files) < 130
    assert sum(path.stat().st_size for path in files) < 1_500_000


def test_the_list_has_what_real_lists_have() -> None:
    """CRLF records, bare line feeds in cells, spacer rows, a repeated handle, filled cells, channel addresses."""
    data = (EXAMPLES / "creators.csv").read_bytes()
    records = list(csv.reader(io.StringIO(data.decode(), newline="")))
    assert records[0] == ["Rank", "Name ", "Country", "GENRE", "Details", "Instagram Handle"]
    assert data.count(b"\r\n") == len(records)
    assert data.count(b"\n") > data.count(b"\r\n")
    assert sum(record[5] == "#N/A" for record in records) == 3
    creators = read_list(EXAMPLES / "creators.csv", platform=None)
    handles = Counter((row.platform, row.handle) for row in creators.rows if row.reason is None)
    assert len(handles) >= 72
    assert sorted(handles.values())[-2:] == [1, 2]
    assert sum(platform == "youtube" for platform, _ in handles) == 5
    assert creators.coverage("GENRE")[0] >= 10
    assert creators.coverage("Details")[0] >= 3


def test_only_the_broken_ones_are_refused(parsed: dict[str, Read]) -> None:
    """One torn file and one rate-limit message are refused, one user does not exist, all else is read whole."""
    refused = {name.rsplit("/", 1)[1]: found.reason for name, found in parsed.items() if found.reason}
    assert refused == {
        "torn_download_20261001T081500.json": "broken-json",
        "web_profile_info(xoelandurriz)_20261001T081500.json": "error-rate_limited",
    }
    missing = [name for name, found in parsed.items() if found.outcome == "not_found"]
    assert [name.rsplit("/", 1)[1] for name in missing] == ["web_profile_info(leandropicave)_20261001T081500.json"]
    assert not [name for name, found in parsed.items() if found.lost]


def test_answers_and_list_fit_together(parsed: dict[str, Read]) -> None:
    """Every creator of the list has an account, but for two that were never asked, one unknown, one refused."""
    accounts = {key for row in rows(parsed, "accounts") for key in (row["handle"], row["platform_user_id"])}
    creators = read_list(EXAMPLES / "creators.csv", platform=None)
    unanswered = {row.handle for row in creators.rows if row.reason is None and row.handle not in accounts}
    assert unanswered == {"alvaroxindel", "quentinarblaster", "leandropicave", "xoelandurriz"}
    assert sum(bool(row["is_private"]) for row in rows(parsed, "accounts")) == 1


def test_posts_are_from_the_six_months_before_the_reference_date(parsed: dict[str, Read]) -> None:
    """Items are recent, many, in every kind, and some are marked as advertising."""
    items = rows(parsed, "content_items")
    assert len(items) > 900
    assert all(FROM <= item["published_at"] < UNTIL for item in items)
    assert {item["type"] for item in items} >= {"post", "carousel", "reel", "video", "short"}
    assert 20 < sum(bool(item["is_sponsored"]) for item in items) < len(items) / 4


def test_followers_follow_a_power_law(parsed: dict[str, Read]) -> None:
    """From about 900 to 8.1 million, most of them small."""
    followers = sorted(row["followers_count"] for row in rows(parsed, "accounts") if row["platform"] == "instagram")
    assert 800 < followers[0] < 1_200
    assert followers[-1] == 8_100_000
    assert followers[len(followers) // 2] < 20_000


def test_addresses_lead_nowhere() -> None:
    """Every address is under a name reserved by RFC 2606, or names an invented profile on its platform."""
    allowed = re.compile(r"(?:[\w.-]+\.example|www\.instagram\.com|www\.youtube\.com)$")
    text = b"\n".join(body for _, body in bodies()).decode()
    hosts = set(re.findall(r"https?://([^/\"\\\s]+)", text))
    assert hosts
    assert not [host for host in hosts if not allowed.match(host)]


def test_odd_profiles_are_there(parsed: dict[str, Read]) -> None:
    """A bio like a formula, one with markup and one written from right to left test whatever shows them."""
    bios = [row["bio"] or "" for row in rows(parsed, "accounts")]
    assert sum(bio.startswith("=cmd") for bio in bios) == 1
    assert sum("<script>" in bio for bio in bios) == 1
    assert sum("مرحبا" in bio for bio in bios) == 1


@pytest.mark.skipif(not REALDATA.is_dir(), reason="../shared/realdata is not here")
def test_key_names_are_those_of_real_answers() -> None:
    """No key of an example profile or post is made up."""
    user = json.loads(dict(bodies())["raw/instagram/web_profile_info(zoraidaquelmar)_20261001T081500.json"])["data"][
        "user"
    ]
    real = load("instagram/web_profile_info__rdj.json")["data"]["user"]
    legacy = load("instagram/legacy_graphql_user__rdj.json")["graphql"]["user"]
    assert set(user) <= set(real)
    known = {
        key
        for name in ("edge_owner_to_timeline_media", "edge_felix_video_timeline")
        for edge in legacy[name]["edges"]
        for key in edge["node"]
    }
    posts = [edge["node"] for edge in user["edge_owner_to_timeline_media"]["edges"]]
    assert {key for post in posts for key in post} <= known | {"edge_sidecar_to_children"}


def load(path: str) -> Any:
    """A real answer."""
    return json.loads((REALDATA / path).read_bytes())


def rows(parsed: dict[str, Read], table: str) -> list[dict[str, Any]]:
    """All rows of ``table`` that the answers gave."""
    return [dict(row) for found in parsed.values() for row in getattr(found, table)]
