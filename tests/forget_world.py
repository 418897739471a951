"""A workspace in which one person is marked in everything that names her, and others who mention her."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from llm_people import Creator, creators
from test_llm_commands import dump

HANDLE = "qqmark.handle_77"
USER_ID = "90876543210987"
BIO = "QQBIOMARK knits lighthouses out of wool"
NAME = "Qqname Zzsurname"
MAIL = "qqmail.mark@qqhost.example"
SITE = "qqsite-mark.example"
CAPTION = "QQCAPTIONMARK a lighthouse of red wool"
COMMENT = "QQCOMMENTMARK so warm"
MARKS = (HANDLE, USER_ID, "QQBIOMARK", "Zzsurname", "qqmail.mark", SITE, "QQCAPTIONMARK", "QQCOMMENTMARK", "QQPICMARK")
"""None of these may be in any byte afterwards."""
OTHERS = 3


def marked() -> dict[str, Any]:
    """The profile of the person, with three posts."""
    (one,) = creators(1, items=3, seed=9)
    one = replace(one, number=7, name=NAME, bio=BIO, captions=tuple(f"{CAPTION} {n}" for n in range(3)))
    text = json.dumps(dump(one)).replace("107", USER_ID).replace(one.handle, HANDLE)
    profile: dict[str, Any] = json.loads(text)
    user = profile["data"]["user"]
    user |= {
        "biography": f"{BIO} {MAIL}",
        "external_url": f"https://{SITE}/me",
        "profile_pic_url_hd": "https://images.example/QQPICMARK.jpg",
    }
    return profile


def others() -> list[Creator]:
    """Everybody else."""
    return creators(OTHERS, items=3, seed=5)


def mention(profile: dict[str, Any], *, marked: bool) -> dict[str, Any]:
    """A profile of somebody else that mentions her in every way; or as it would be without her."""
    user = profile["data"]["user"]
    posts = user["edge_owner_to_timeline_media"]["edges"]
    said = f"@{HANDLE}" if marked else "[forgotten]"
    caption = posts[0]["node"]["edge_media_to_caption"]["edges"][0]["node"]
    caption["text"] += f" made with {said} today"
    her = {"id": USER_ID, "username": HANDLE, "full_name": NAME, "profile_pic_url": "https://images.example/QQPICMARK"}
    them = {"id": "5550001112223", "username": "somebody_else9", "full_name": "Some Body"}
    user["edge_related_profiles"] = {"edges": [{"node": one} for one in ([her] if marked else []) + [them]]}
    node = posts[1]["node"]
    comments = [{"node": {"id": "1", "text": COMMENT, "owner": her}}] if marked else []
    comments.append({"node": {"id": "2", "text": "lovely", "owner": them}})
    node["edge_media_to_parent_comment"] = {"count": 2, "edges": comments}
    node["edge_media_to_tagged_user"] = {"edges": [{"node": {"user": her}}] if marked else []}
    return profile


def write_inputs(folder: Path, *, is_marked: bool = True) -> None:
    """A list and dumps of everybody; without her where ``is_marked`` is False."""
    (folder / "raw").mkdir(parents=True)
    people = others()
    for place, one in enumerate(people):
        body = mention(dump(one), marked=is_marked) if place == 0 else dump(one)
        (folder / "raw" / f"posts({one.handle})_20261001T081500.json").write_text(json.dumps(body))
    lines = ["Name,Handle,GENRE,Summary", *(f"{one.name},@{one.handle},," for one in people)]
    if is_marked:
        (folder / "raw" / f"posts({HANDLE})_20261001T081500.json").write_text(json.dumps(marked()))
        lines.append(f"{NAME},@{HANDLE},,")
    (folder / "list.csv").write_text("\n".join(lines) + "\n")


def holders(folder: Path) -> list[str]:
    """Files but the inputs that hold a mark: in their bytes, in pages of Parquet, in cells of SQLite."""
    found = []
    inputs = {*(folder / "raw").rglob("*"), folder / "list.csv"}
    for path in sorted(path for path in folder.rglob("*") if path.is_file() and path not in inputs):
        texts: Iterator[str] = iter(())
        if path.suffix == ".parquet":
            texts = (str(row) for row in pq.read_table(path).to_pylist())
        elif path.suffix == ".sqlite":
            texts = _cells(path)
        bytes_ = path.read_bytes().lower() if path.exists() else b""  # a WAL goes when its file is read
        held = {mark for mark in MARKS if mark.lower().encode() in bytes_}
        held |= {mark for text in texts for mark in MARKS if mark.lower() in text.lower()}
        found += [f"{path.relative_to(folder)}: {mark}" for mark in sorted(held)]
    return found


def _cells(path: Path) -> Iterator[str]:
    with sqlite3.connect(path) as connection:
        tables = [name for (name,) in connection.execute("select name from sqlite_master where type = 'table'")]
        for table in tables:
            yield from (str(row) for row in connection.execute(f'select * from "{table}"'))
    connection.close()
