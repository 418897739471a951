"""The stage images: which pictures are taken, from a server on loopback, and what becomes of those that are none."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from conftest import NOW
from picture_server import PictureServer, account, item, photo
from PIL import Image
from video_files import needs_av, scene, video

from igtool.cli import main
from igtool.http import Client
from igtool.journal import Journal
from igtool.lake import Lake
from igtool.pictures.fetching import PictureFetcher
from igtool.pictures.gathering import PictureDesk
from igtool.pictures.store import PictureStore
from igtool.progress import Progress
from igtool.runner import Runner
from igtool.stages.base import Context
from igtool.stages.images import Images, ImagesOptions
from igtool.vision import keyframes


@pytest.fixture
def server() -> Iterator[PictureServer]:
    """Pictures on loopback."""
    with PictureServer() as opened:
        yield opened


class World:
    """A lake with accounts, a server with pictures, and the stage."""

    def __init__(self, folder: Path, lake: Lake, journal: Journal, server: PictureServer) -> None:
        self.lake, self.journal, self.server, self.folder = lake, journal, server, folder
        self.store = PictureStore(folder / "images")

    def shows(self, *items: dict[str, Any], accounts: int = 1) -> None:
        """Store items of the accounts from 1 on."""
        with self.lake.transaction():
            self.lake.merge("accounts", [account(number + 1) for number in range(accounts)])
            self.lake.merge("content_items", list(items))

    def run(
        self, per_account: int = 10, *, loopback: bool = True, force: bool = False, stills: int = 0
    ) -> dict[str, dict[str, Any]]:
        """Bring ``media`` up to date; its rows by media_id."""
        bounds = {"timeout_s": 5, "allow_loopback": loopback}
        with Client(max_bytes=1_000_000, **bounds) as client, Client(max_bytes=2_000_000, **bounds) as video_client:
            fetcher = PictureFetcher(client, 1000, sleep=lambda _: None, video_client=video_client)
            desk = PictureDesk(self.store, fetcher.fetch, fetcher.fetch_video)
            context = Context(encoder=lambda: pytest.fail("no encoder"), clock=lambda: NOW, pictures=desk)
            runner = Runner(self.lake, self.journal, context, Progress(self.folder / "progress.json", "r"))
            runner.run([Images(ImagesOptions(per_account, stills))], force=force)
        return {row["media_id"].removeprefix("instagram:"): row for row in self.lake.rows("from media order by 1")}


@pytest.fixture
def world(tmp_path: Path, lake: Lake, journal: Journal, server: PictureServer) -> World:
    """All of it, empty."""
    return World(tmp_path, lake, journal, server)


def test_the_best_pictures_are_kept_once(world: World) -> None:
    """Most liked first, first pictures of carousels before further ones, and a second run asks for nothing."""
    urls = [world.server.has(f"/{n}.jpg", photo(n)) for n in range(6)]
    world.shows(item(1, 1, urls[:3], 50), item(2, 1, [urls[3]], 90), item(3, 1, [urls[4]], 10), item(4, 1, [urls[5]]))
    rows = world.run(4)
    assert {name: row["engagement_rank"] for name, row in rows.items()} == {
        "p2/0": 1, "p1/0": 2, "p3/0": 3, "p4/0": 4,
    }  # fmt: skip
    for row in rows.values():
        assert Image.open(BytesIO(world.store.read(row["sha256"]))).size == (row["width"], row["height"]) == (200, 200)
        assert (row["outcome"], row["source"], row["kind"]) == ("stored", "download", "jpeg")
    asked = world.server.asked.copy()
    assert world.run(4) == rows
    assert world.server.asked == asked


def test_further_pictures_of_a_carousel_fill_up(world: World) -> None:
    """Where an account has too few items."""
    urls = [world.server.has(f"/{n}.jpg", photo(n)) for n in range(4)]
    world.shows(item(1, 1, urls, 5))
    assert sorted(world.run(10)) == ["p1/0", "p1/1", "p1/2"]


def test_copies_are_not_kept(world: World) -> None:
    """The same picture smaller, and the same file of another item; a different one takes the place."""
    image = Image.open(BytesIO(photo(1, 300)))
    small = BytesIO()
    image.resize((150, 150)).save(small, "JPEG", quality=60)
    urls = [world.server.has("/big.jpg", photo(1, 300)), world.server.has("/small.jpg", small.getvalue())]
    urls += [world.server.has("/again.jpg", photo(1, 300)), world.server.has("/other.jpg", photo(2))]
    world.shows(*(item(n, 1, [url], 100 - n) for n, url in enumerate(urls)))
    rows = world.run(2)
    assert {name: row["outcome"] for name, row in rows.items()} == {
        "p0/0": "stored", "p1/0": "duplicate", "p2/0": "duplicate", "p3/0": "stored",
    }  # fmt: skip
    assert rows["p1/0"]["duplicate_of"] == "instagram:p0/0"
    assert rows["p1/0"]["sha256"] is None
    assert len(list(world.store.folder.rglob("*"))) == 4  # two files, each in its folder


def test_what_is_no_picture_has_a_reason(world: World) -> None:
    """A page, a lying name, half a file, too many bytes, a forbidden address, nothing there: each said, none stored."""
    jpeg = photo(1)
    bodies = {"page": b"<!DOCTYPE html><html><body>Log in</body></html>", "empty": b"", "half": jpeg[: len(jpeg) // 2]}
    bodies |= {"large": b"\xff\xd8" + bytes(1_000_000), "json": b'{"a": 1}'}
    urls = {name: world.server.has(f"/{name}.jpg", body) for name, body in bodies.items()}
    urls["gone"] = f"{world.server.url}/gone.jpg"
    urls["expired"] = world.server.has("/expired.jpg", b"", 403)
    urls["inward"] = world.server.has("/inward.jpg", b"", 302, Location="http://192.168.0.1/x.jpg")
    urls["file"] = "file:///etc/passwd"
    world.shows(*(item(n, 1, [url]) for n, url in enumerate(urls.values())))
    rows = world.run()
    found = {name: (rows[f"p{n}/0"]["outcome"], rows[f"p{n}/0"]["reason"]) for n, name in enumerate(urls)}
    assert found == {
        "page": ("refused", "html"),
        "empty": ("refused", "empty"),
        "half": ("refused", "truncated"),
        "large": ("refused", "too-large"),
        "json": ("refused", "not-a-picture"),
        "gone": ("not_found", "not-found"),
        "expired": ("blocked", "forbidden"),
        "inward": ("refused", "forbidden-address"),
        "file": ("refused", "bad-address"),
    }
    assert not list(world.store.folder.rglob("*"))


def test_this_machine_is_not_asked(world: World) -> None:
    """An address of a picture that leads here, as a payload could hold it, is refused."""
    world.shows(item(1, 1, [world.server.has("/1.jpg", photo(1))]))
    assert world.run(loopback=False)["p1/0"]["reason"] == "forbidden-address"
    assert not world.server.asked


@pytest.mark.parametrize(("status", "tries"), [(503, 2), (429, 1)])
def test_what_may_come_later_stays_pending(world: World, status: int, tries: int) -> None:
    """Others of the account are stored meanwhile, and the next run asks for the missing one only."""
    urls = [world.server.has("/1.jpg", photo(1)), world.server.has("/2.jpg", b"", status)]
    world.shows(item(2, 1, [urls[0]], 9), item(1, 1, [urls[1]], 5))
    assert list(world.run()) == ["p2/0"]
    assert world.server.asked["/2.jpg"] == tries
    world.server.has("/2.jpg", photo(2))
    assert {row["outcome"] for row in world.run().values()} == {"stored"}
    assert world.server.asked == {"/1.jpg": 1, "/2.jpg": tries + 1}


def test_a_broken_host_is_left_alone(world: World) -> None:
    """After five broken answers in a row it is not asked again in this run."""
    urls = [world.server.has(f"/{n}.jpg", b"", 500) for n in range(9)]
    world.shows(*(item(n, 1, [url]) for n, url in enumerate(urls)))
    assert world.run() == {}
    assert sum(world.server.asked.values()) == 5


def test_new_signatures_ask_for_nothing_but_what_had_expired(world: World) -> None:
    """The query of an address is another one every day; the picture is known by what stands before."""
    good, expired = world.server.has("/1.jpg", photo(1)), world.server.has("/2.jpg", b"", 403)
    world.shows(item(1, 1, [f"{good}?sig=old"]), item(2, 1, [f"{expired}?sig=old"]))
    assert {row["outcome"] for row in world.run().values()} == {"stored", "blocked"}
    world.server.has("/2.jpg", photo(2))
    world.shows(item(1, 1, [f"{good}?sig=new"]), item(2, 1, [f"{expired}?sig=new"]))
    rows = world.run()
    assert {row["outcome"] for row in rows.values()} == {"stored"}
    assert world.server.asked == {"/1.jpg": 1, "/2.jpg": 2}
    assert all("sig" not in row["source_url"] for row in rows.values())


def test_private_accounts_and_those_that_go(world: World) -> None:
    """Pictures of a private account are not asked for; of one that becomes private nothing stays in the table."""
    world.shows(item(1, 1, [world.server.has("/1.jpg", photo(1))]))
    assert len(world.run()) == 1
    with world.lake.transaction():
        world.lake.merge("accounts", [account(1, is_private=True, answer_id="b")])
    assert world.run() == {}


def test_a_lost_file_is_fetched_again(world: World) -> None:
    """With --force; and its row says so."""
    world.shows(item(1, 1, [world.server.has("/1.jpg", photo(1))]))
    (row,) = world.run().values()
    world.store.remove(row["sha256"])
    assert list(world.run(force=True).values()) == [row]
    assert world.server.asked["/1.jpg"] == 2
    assert world.store.has(row["sha256"])


# Stills of reels -----------------------------------------------------------------------------------------------------


def reel(world: World, number: int, film: bytes, status: int = 200, sign: str = "") -> dict[str, Any]:
    """An item with a thumbnail and a film."""
    picture = world.server.has(f"/{number}.jpg", photo(number))
    film_url = world.server.has(f"/{number}.mp4", film, status)
    return item(number, 1, [f"{picture}{sign}"], number, type="reel", video_url=f"{film_url}{sign}")


@needs_av
def test_stills_stand_for_a_reel(world: World) -> None:
    """Instead of its thumbnail, and only where they are wanted, as many as an account may still have pictures.

    A second run, and new signatures, ask for nothing.
    """
    film = video([scene(1), scene(2), scene(3)])
    world.shows(reel(world, 1, film), item(2, 1, [world.server.has("/2.jpg", photo(2))], 9))
    assert sorted(world.run()) == ["p1/0", "p2/0"]
    assert world.server.asked["/1.mp4"] == 0
    rows = world.run(3, stills=5)
    assert sorted(rows) == ["p1/video/0", "p1/video/1", "p2/0"]
    for position in (0, 1):
        row = rows[f"p1/video/{position}"]
        assert (row["source"], row["position"], row["outcome"], row["kind"]) == ("keyframe", position, "stored", "jpeg")
        assert Image.open(BytesIO(world.store.read(row["sha256"]))).size == (row["width"], row["height"]) == (64, 64)
        assert row["source_url"].endswith("/1.mp4")
    asked = world.server.asked.copy()
    assert world.run(3, stills=5) == rows
    world.shows(reel(world, 1, film, sign="?sig=new"))
    assert sorted(world.run(3, stills=5)) == sorted(rows)
    assert world.server.asked == asked


@needs_av
def test_a_reel_without_stills_has_its_thumbnail(world: World) -> None:
    """And the reason; it is not asked for again, unless its address had expired and there is a new one."""
    films = {1: (b"<html>", 200), 2: (b"", 404), 3: (bytes(2_000_001), 200), 4: (b"", 403)}
    world.shows(*(reel(world, number, *answer) for number, answer in films.items()))
    rows = world.run(stills=2)
    assert [(rows[f"p{n}/video"]["outcome"], rows[f"p{n}/video"]["reason"]) for n in films] == [
        ("refused", "unsupported-kind"),
        ("not_found", "not-found"),
        ("refused", "too-large"),
        ("blocked", "forbidden"),
    ]
    assert [rows[f"p{number}/0"]["outcome"] for number in films] == ["stored"] * 4
    good = video([scene(1)])
    world.shows(*(reel(world, number, good, sign="?sig=new") for number in films))
    rows = world.run(stills=2)
    assert [world.server.asked[f"/{number}.mp4"] for number in films] == [1, 1, 1, 2]
    assert ("p4/0" in rows, "p4/video/0" in rows, "p3/0" in rows) == (False, True, True)


@needs_av
def test_a_film_that_may_come_later_stays_pending(world: World) -> None:
    """Nothing stands for it meanwhile, and the next run has it."""
    world.shows(reel(world, 1, b"", 503))
    assert world.run(stills=1) == {}
    world.server.has("/1.mp4", video([scene(1)]))
    assert sorted(world.run(stills=1)) == ["p1/video/0"]


def test_films_are_asked_for_like_pictures(world: World) -> None:
    """This machine is not asked, by whatever address."""
    world.shows(reel(world, 1, b""))
    rows = world.run(stills=1, loopback=False)
    assert rows["p1/video"]["reason"] == "forbidden-address"
    assert not world.server.asked


@pytest.mark.parametrize("is_installed", [pytest.param(True, marks=needs_av), False])
def test_the_command_takes_stills_or_says_once_why_not(
    tmp_path: Path, server: PictureServer, monkeypatch: pytest.MonkeyPatch, is_installed: bool
) -> None:
    """By the settings; without PyAV thumbnails are taken, and one line names the extra."""
    monkeypatch.setattr(keyframes, "is_installed", lambda: is_installed)
    with Lake(tmp_path / "data", writable=True) as lake, lake.transaction():
        lake.merge("accounts", [account(1)])
        urls = {"video_url": server.has("/1.mp4", video([scene(1)]) if is_installed else b"")}
        lake.merge("content_items", [item(1, 1, [server.has("/1.jpg", photo(1))], type="reel", **urls)])
    (tmp_path / "igtool.toml").write_text("picture_stills = 2\nallow_loopback = true\n")
    result = CliRunner().invoke(main, ["--workspace", str(tmp_path), "run", "images"])
    assert result.exit_code == 0
    assert result.stderr.count("igtool[video]") == (0 if is_installed else 1)
    with Lake(tmp_path / "data", writable=False) as lake:
        assert [row["source"] for row in lake.rows("from media")] == ["keyframe" if is_installed else "download"]
