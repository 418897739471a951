"""`igtool import images`: pictures from a folder, for one account."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from picture_server import account, photo
from video_files import needs_av, scene, video

from igtool.cli import main
from igtool.lake import Lake
from igtool.vision import keyframes


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """A database with one account, and a folder with three files."""
    with Lake(tmp_path / "w" / "data", writable=True) as lake, lake.transaction():
        lake.merge("accounts", [account(1, handle="ivo")])
    folder = tmp_path / "photos"
    (folder / "deeper").mkdir(parents=True)
    (folder / "a.jpg").write_bytes(photo(1))
    (folder / "deeper" / "b.png").write_bytes(photo(2, kind="PNG"))
    (folder / "copy.jpg").write_bytes(photo(1, 120))
    (folder / ".hidden.jpg").write_bytes(photo(3))
    return tmp_path


def run(workspace: Path, *arguments: str | Path) -> Result:
    """One command, in this process."""
    return CliRunner().invoke(main, ["--workspace", str(workspace / "w"), *map(str, arguments)])


def media(workspace: Path) -> list[dict[str, Any]]:
    """The rows of the table."""
    with Lake(workspace / "w" / "data", writable=False) as lake:
        return lake.rows("select outcome, kind, account_id, source from media order by outcome, kind")


@pytest.mark.parametrize("word", [["images"], []])
def test_a_folder_is_taken_once(workspace: Path, word: list[str]) -> None:
    """Copies are known as such, hidden files are left, and the same command again finds nothing new."""
    given = ["import", *word, workspace / "photos", "--creator", "@Ivo", "--json"]
    assert run(workspace, *given).exit_code == 0
    told = {"account_id": "instagram:1", "source": "folder"}
    assert media(workspace) == [
        {"outcome": "duplicate", "kind": "jpeg"} | told,
        {"outcome": "stored", "kind": "jpeg"} | told,
        {"outcome": "stored", "kind": "png"} | told,
    ]
    again = run(workspace, *given)
    assert again.exit_code == 0
    assert json.loads(again.stdout)["rows"][0]["skipped"] == 3


def test_what_is_no_picture_is_a_reject(workspace: Path) -> None:
    """Exit 8, with the reason and the path; a picture in its place is taken."""
    (workspace / "photos" / "a.jpg").write_bytes(b"<html><body>no</body></html>")
    assert run(workspace, "import", workspace / "photos", "--creator", "ivo").exit_code == 8
    rejects = json.loads(run(workspace, "rejects", "--json").stdout)["rows"]
    assert [(row["reason"], Path(row["item_id"]).name) for row in rejects] == [("html", "a.jpg")]
    (workspace / "photos" / "a.jpg").write_bytes(photo(7))
    assert run(workspace, "import", workspace / "photos", "--creator", "ivo").exit_code == 0
    assert json.loads(run(workspace, "rejects", "--json").stdout)["rows"] == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [(["nowhere", "--creator", "ivo"], "no file or folder"), (["photos", "--creator", "nobody"], "no account")],
)
def test_bad_input_is_refused(workspace: Path, arguments: list[str], words: str) -> None:
    """Exit 2, with what is wrong."""
    result = run(workspace, "import", workspace / arguments[0], *arguments[1:])
    assert result.exit_code == 2
    assert words in result.stderr


def test_what_no_row_names_is_deleted(workspace: Path) -> None:
    """After the stage images: files of a killed process, and none that is used."""
    run(workspace, "import", workspace / "photos", "--creator", "ivo")
    images = workspace / "w" / "cache" / "images"
    used = sorted(images.glob("*/*"))
    (used[0].parent / f".{used[0].name}.1.tmp").write_bytes(b"half")
    (images / "ab").mkdir(exist_ok=True)
    (images / "ab" / ("ab" + "0" * 62)).write_bytes(b"unused")
    assert run(workspace, "run", "images").exit_code == 0
    assert sorted(images.glob("*/*")) == used


def test_two_accounts_may_have_the_same_picture(workspace: Path) -> None:
    """Each has rows of its own, and one file is kept."""
    with Lake(workspace / "w" / "data", writable=True) as lake, lake.transaction():
        lake.merge("accounts", [account(2, handle="eva")])
    for handle in ("ivo", "eva"):
        assert run(workspace, "import", workspace / "photos" / "a.jpg", "--creator", handle).exit_code == 0
    assert [row["account_id"] for row in media(workspace)] == ["instagram:1", "instagram:2"]
    assert len(list((workspace / "w" / "cache" / "images").glob("*/*"))) == 1


def test_given_pictures_outlive_those_of_the_platform(workspace: Path) -> None:
    """An account that shows nothing, or becomes private, keeps what its user gave."""
    run(workspace, "import", workspace / "photos", "--creator", "ivo")
    before = media(workspace)
    assert run(workspace, "run", "images").exit_code == 0
    with Lake(workspace / "w" / "data", writable=True) as lake, lake.transaction():
        lake.merge("accounts", [account(1, handle="ivo", is_private=True, answer_id="b")])
    assert run(workspace, "run", "images").exit_code == 0
    assert media(workspace) == before
    assert len(list((workspace / "w" / "cache" / "images").glob("*/*"))) == 2


@needs_av
def test_videos_give_stills(workspace: Path) -> None:
    """By their bytes, whatever their name; once; and they outlive what the platform shows."""
    (workspace / "photos" / "clip.jpg").write_bytes(video([scene(1), scene(2)], "webm"))
    given = ["import", "images", workspace / "photos" / "clip.jpg", "--creator", "ivo", "--json"]
    assert run(workspace, *given).exit_code == 0
    told = {"outcome": "stored", "kind": "jpeg", "account_id": "instagram:1", "source": "keyframe"}
    assert media(workspace) == [told, told]
    with Lake(workspace / "w" / "data", writable=False) as lake:
        rows = lake.rows("select media_id, position, content_id from media order by media_id")
    assert [(row["media_id"][-2:], row["position"], row["content_id"]) for row in rows] == [
        ("/0", 0, None),
        ("/1", 1, None),
    ]
    assert json.loads(run(workspace, *given).stdout)["rows"][0]["skipped"] == 1
    assert run(workspace, "run", "images").exit_code == 0
    assert media(workspace) == [told, told]


@needs_av
def test_a_broken_video_is_a_reject(workspace: Path) -> None:
    """With the reason; the pictures beside it are taken."""
    (workspace / "photos" / "clip.mp4").write_bytes(video([scene(1)])[:-10])
    assert run(workspace, "import", workspace / "photos", "--creator", "ivo").exit_code == 8
    rejects = json.loads(run(workspace, "rejects", "--json").stdout)["rows"]
    assert [(row["reason"], Path(row["item_id"]).name) for row in rejects] == [("truncated", "clip.mp4")]
    assert len(media(workspace)) == 3


def test_without_pyav_videos_are_left_and_that_is_said_once(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the command that installs it; all pictures are taken."""
    monkeypatch.setattr(keyframes, "is_installed", lambda: False)
    for name in ("a.mp4", "b.mp4"):
        (workspace / "photos" / name).write_bytes(b"\0\0\0\x18ftypisom")
    result = run(workspace, "import", workspace / "photos", "--creator", "ivo")
    assert result.exit_code == 8
    assert result.stderr.count("igtool[video]") == 1
    rejects = json.loads(run(workspace, "rejects", "--json").stdout)["rows"]
    assert [row["reason"] for row in rejects] == ["unsupported-kind"] * 2
    assert len(media(workspace)) == 3
