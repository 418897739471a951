"""Model files: known ones, added ones, damaged ones, and those that come over a bad line."""

from __future__ import annotations

import hashlib
import json
import re
import struct
import zipfile
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_model import SPECIAL, TOOL, gguf, metadata, tiny_model, weights

from igtool import models
from igtool.commands import models as commands
from igtool.commands.base import main
from igtool.errors import ConfigError, IntegrityError, LockedError, RateLimitedError, StorageError
from igtool.files import WriterLock
from igtool.gguf import read_header
from igtool.model_entries import RECOMMENDED, Model
from igtool.model_files import AddOptions, add

assert commands.models_group.name in main.commands


@pytest.fixture(scope="session")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The bytes of a sound model."""
    return tiny_model(tmp_path_factory.mktemp("tiny") / "tiny.gguf").read_bytes()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An empty folder of models."""
    (tmp_path / "models").mkdir()
    return tmp_path / "models"


@pytest.fixture
def given_file(tmp_path: Path, whole: bytes) -> Path:
    """A model somewhere else."""
    path = tmp_path / "given.gguf"
    path.write_bytes(whole)
    return path


def told(folder: Path, **entries: Any) -> None:
    """Write a models.toml: values by entry, written as JSON, which is TOML here."""
    lines = [
        f"[{json.dumps(name)}]\n" + "\n".join(f"{k} = {_toml(v)}" for k, v in e.items()) for name, e in entries.items()
    ]
    (folder / "models.toml").write_text("\n".join(lines))


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {json.dumps(item)}" for key, item in value.items()) + "}"
    return json.dumps(value)


def sha256(content: bytes) -> str:
    """Its SHA-256."""
    return hashlib.sha256(content).hexdigest()


def names(folder: Path) -> set[str]:
    """Every file in the folder, hidden ones but the lock included."""
    return {path.name for path in folder.iterdir()} - {".models.lock"}


# The header ------------------------------------------------------------------------------------------------------


def test_a_header_tells_context_and_control_tokens(given_file: Path) -> None:
    """What the engine is told, and what it would obey inside a text, longest first."""
    header = read_header(given_file)
    assert header.context_tokens == 4096
    assert header.special_tokens == tuple(sorted((*SPECIAL, TOOL), key=lambda text: (-len(text), text)))


def test_plain_tokens_that_look_like_control_tokens_count_as_such(tmp_path: Path) -> None:
    """A file that calls its end of message a plain word is not believed."""
    path = tiny_model(tmp_path / "m.gguf", tokenizer__ggml__token_type=[1] * 261)
    assert set(read_header(path).special_tokens) == set(SPECIAL)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda whole: b"", "it is empty"),
        (lambda whole: b"GG", "it is no GGUF file"),
        (lambda whole: b"<!doctype html>" + whole, "it is no GGUF file"),
        (lambda whole: whole[:4] + struct.pack("<I", 1) + whole[8:], "version 1"),
        (lambda whole: whole[:4] + struct.pack(">I", 3) + whole[8:], "version 50331648"),
        (lambda whole: whole[:8] + struct.pack("<Q", 1 << 40) + whole[16:], "impossibly many"),
        (lambda whole: whole[:16] + struct.pack("<Q", 1 << 40) + whole[24:], "impossibly many"),
        (lambda whole: whole[:24] + struct.pack("<Q", 1 << 60) + whole[32:], "impossibly long"),
        (lambda whole: whole[:8] + struct.pack("<Q", 0) + whole[16:], "no weights"),
        (lambda whole: whole[:500], "middle of its header"),
        (lambda whole: whole[:-1], r"only 113,\d{3} of its 113,\d{3} bytes"),
        (lambda whole: gguf(metadata(split__count=3), weights(261)), "one of 3 parts"),
        (lambda whole: gguf({}, weights(261)), "what kind of model"),
        (lambda whole: gguf(metadata(general__alignment=24), weights(261)), "alignment"),
        (lambda whole: gguf(metadata(llama__block_count=0), weights(261)), "no language model: block_count is 0"),
        (lambda whole: gguf(metadata(llama__block_count=1 << 30), weights(261)), "no language model"),
        (lambda whole: gguf(metadata(llama__context_length=0), weights(261)), "context_length is 0"),
        (lambda whole: gguf(metadata(general__architecture="clip"), weights(261)), "block_count is None"),
        (lambda whole: gguf(metadata(llama__expert_count=8), weights(261)), "experts"),
    ],
)
def test_a_file_that_is_no_model_is_told_why(
    tmp_path: Path, whole: bytes, change: Callable[[bytes], bytes], words: str
) -> None:
    """Empty, text, cut off, too old, of another byte order, impossible counts: the file, the reason and the command."""
    path = tmp_path / "bad.gguf"
    path.write_bytes(change(whole))
    with pytest.raises(ConfigError, match=f"bad.gguf.*{words}.*igtool models add"):
        read_header(path)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_a_damaged_header_raises_nothing_else(
    whole: bytes, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """Bytes changed and cut anywhere: a header or a ConfigError, never another error."""
    content = bytearray(whole[: data.draw(st.integers(0, 12_000))])
    for _ in range(data.draw(st.integers(0, 4))):
        if content:
            place = data.draw(st.integers(0, len(content) - 1))
            content[place : place + 4] = data.draw(st.binary(min_size=1, max_size=9))
    path = tmp_path_factory.mktemp("damaged") / "m.gguf"
    path.write_bytes(content)
    try:
        assert read_header(path).version in (2, 3)
    except ConfigError:
        return


# What is known ---------------------------------------------------------------------------------------------------


def test_the_shipped_list_is_complete() -> None:
    """Every model that comes with igtool has a source, a SHA-256, a size, a free licence; one llm is recommended."""
    known = models.known(models.SHIPPED.parent / "nowhere")
    best = [model.name for model in known.values() if model.recommended and model.kind == "llm"]
    assert best == ["qwen2.5-1.5b-instruct"]
    for model in known.values():
        assert (model.url or "https://").startswith("https://")
        assert [model.url, model.packages, model.wheel, model.npm].count(None) == 3
        assert model.sha256
        assert model.size
        assert model.licence in ("Apache-2.0", "MIT")
        assert model.made_from


def test_the_recommended_model_goes_first(folder: Path, whole: bytes) -> None:
    """Named by nobody, the recommended model is used if its file is there, else another that is."""
    known = models.known(folder)
    other = next(model for model in known.values() if not model.recommended and model.kind == "llm")
    best = next(model for model in known.values() if model.recommended)
    other.path(folder).write_bytes(whole)
    assert models.find(RECOMMENDED, folder) == other.path(folder)
    assert models.known_as(RECOMMENDED, folder) == other.name
    best.path(folder).write_bytes(whole)
    assert models.find(RECOMMENDED, folder) == best.path(folder)


def test_a_model_is_found_by_name_file_and_path(folder: Path, given_file: Path, whole: bytes) -> None:
    """All names of one file lead to it, and to one name for its answers."""
    told(folder, mine={"file": "mine-q4.gguf"})
    (folder / "mine-q4.gguf").write_bytes(whole)
    for wanted in ("mine", "mine-q4", "mine-q4.gguf", str(folder / "mine-q4.gguf")):
        assert models.find(wanted, folder) == folder / "mine-q4.gguf"
        assert models.known_as(wanted, folder) == "mine"
    assert models.known_as(str(given_file), folder) == "given"


def test_a_model_that_is_not_there(folder: Path) -> None:
    """The command that gets it is named, for a known and for an unknown one."""
    with pytest.raises(ConfigError, match=r"igtool models add qwen2\.5-1\.5b-instruct"):
        models.find("qwen2.5-1.5b-instruct", folder)
    with pytest.raises(ConfigError, match=r"no model 'gpt'; known are: qwen.*igtool models add"):
        models.find("gpt", folder)
    with pytest.raises(ConfigError, match=r"igtool models add qwen2\.5-1\.5b-instruct` \(1\.1 GB, Apache-2\.0\)"):
        models.find(RECOMMENDED, folder)


@pytest.mark.parametrize(
    "entry",
    [
        {"file": "../secrets.gguf"},
        {"file": "a/b.gguf"},
        {"file": "m.gguf", "sha256": "abc"},
        {"file": "m.gguf", "size": -1},
        {"file": "m.gguf", "kind": "image"},
        {"file": "m.gguf", "colour": "red"},
        {"file": "m.gguf", "packages": {"prefix": "p"}},
        {"file": "m.gguf", "licence": "a\u001bb"},
        {},
    ],
)
def test_an_entry_that_does_not_fit(folder: Path, entry: dict[str, Any]) -> None:
    """The error names the file and the entry; a file outside the folder cannot be meant."""
    told(folder, odd=entry)
    with pytest.raises(ConfigError, match=r"models\.toml: the entry 'odd' does not fit"):
        models.known(folder)


def test_a_list_that_is_no_toml(folder: Path) -> None:
    """The error names the file."""
    (folder / "models.toml").write_text("[[[")
    with pytest.raises(ConfigError, match=r"models\.toml cannot be read"):
        models.known(folder)


# Adding a file ---------------------------------------------------------------------------------------------------


def test_a_file_is_copied_and_noted(folder: Path, given_file: Path, whole: bytes) -> None:
    """From a path: the same bytes under its name, its sum and licence noted beside, nothing left over."""
    model, was_there = add(str(given_file), folder, AddOptions(licence="MIT"))
    assert (model.name, model.sha256, model.size, was_there) == ("given", sha256(whole), len(whole), False)
    assert models.find("given", folder).read_bytes() == whole
    noted = models.known(folder)["given"]
    assert (noted.is_local, noted.licence, noted.sha256, noted.size) == (True, "MIT", sha256(whole), len(whole))
    assert names(folder) == {"given.gguf", models.LOCAL}


def test_what_the_user_added_survives_a_newer_list(folder: Path, given_file: Path) -> None:
    """The list that comes with igtool may be replaced; what was added is still known."""
    add(str(given_file), folder, AddOptions(name="mine"))
    told(folder, newer={"file": "newer.gguf"})
    assert {"mine", "newer"} <= set(models.known(folder))


def test_adding_twice_is_adding_once(folder: Path, given_file: Path) -> None:
    """The second time says that it is there, also from inside the folder."""
    first, _ = add(str(given_file), folder, AddOptions())
    again, was_there = add(str(given_file), folder, AddOptions())
    inside, was_inside = add(str(folder / "given.gguf"), folder, AddOptions())
    assert (again.sha256, inside.sha256, was_there, was_inside) == (first.sha256, first.sha256, True, True)


def test_a_file_that_was_put_there_by_hand_is_noted(folder: Path, whole: bytes) -> None:
    """Without a copy: it is checked where it lies."""
    (folder / "byhand.gguf").write_bytes(whole)
    model, was_there = add(str(folder / "byhand.gguf"), folder, AddOptions())
    assert (model.name, was_there, models.known(folder)["byhand"].sha256) == ("byhand", True, sha256(whole))


def test_another_file_of_the_same_name_is_not_replaced(folder: Path, given_file: Path, tmp_path: Path) -> None:
    """Answers are kept by the name of a model: another file needs another name."""
    add(str(given_file), folder, AddOptions())
    (tmp_path / "other").mkdir()
    other = tiny_model(tmp_path / "other" / "given.gguf", seed=1)
    with pytest.raises(ConfigError, match=r"is another file.*--name"):
        add(str(other), folder, AddOptions())
    assert add(str(other), folder, AddOptions(name="other"))[0].name == "other"
    with pytest.raises(ConfigError, match="there is a model other"):
        add(str(given_file), folder, AddOptions(name="other"))


def test_a_known_model_may_come_from_a_path(folder: Path, given_file: Path, whole: bytes) -> None:
    """A file with the name of a known model has to have its bytes, and is no new model."""
    told(folder, mine={"file": "given.gguf", "sha256": sha256(whole), "licence": "MIT"})
    model, _ = add(str(given_file), folder, AddOptions())
    assert (model.name, model.licence, names(folder)) == ("mine", "MIT", {"models.toml", "given.gguf"})
    models.remove("mine", folder)
    told(folder, mine={"file": "given.gguf", "sha256": "0" * 64})
    with pytest.raises(IntegrityError, match="nothing was kept"):
        add(str(given_file), folder, AddOptions())
    assert names(folder) == {"models.toml"}


@pytest.mark.parametrize(
    ("options", "kind", "words"),
    [
        (AddOptions(sha256="0" * 64), IntegrityError, "instead of 0000"),
        (AddOptions(max_bytes=1000), ConfigError, "larger than 1,000 bytes"),
        (AddOptions(sha256="xyz"), ConfigError, "no SHA-256"),
        (AddOptions(name="../up"), ConfigError, "cannot be a name"),
        (AddOptions(name="recommended"), ConfigError, "cannot be a name"),
    ],
)
def test_a_file_that_is_not_taken(
    folder: Path, given_file: Path, options: AddOptions, kind: type[Exception], words: str
) -> None:
    """A wrong sum, too many bytes, an impossible name: told, and nothing is left in the folder."""
    with pytest.raises(kind, match=words):
        add(str(given_file), folder, options)
    assert names(folder) == set()


def test_a_file_that_is_no_model_is_not_added(folder: Path, tmp_path: Path) -> None:
    """Its header is read before it gets its name."""
    (tmp_path / "page.gguf").write_bytes(b"<html>" * 99)
    with pytest.raises(ConfigError, match="no GGUF file"):
        add(str(tmp_path / "page.gguf"), folder, AddOptions())
    with pytest.raises(ConfigError, match="no known model, no address and no file"):
        add("nothing-of-the-kind", folder, AddOptions())
    assert names(folder) == set()


def test_two_at_once(folder: Path, given_file: Path) -> None:
    """While somebody adds a model, another one is told to wait."""
    lock = WriterLock(folder / ".models.lock", "the folder of models")
    with pytest.raises(LockedError, match="the folder of models"):
        add(str(given_file), folder, AddOptions())
    lock.release()


def test_a_folder_that_is_none(tmp_path: Path, given_file: Path) -> None:
    """Where nothing can be written there is a StorageError that names the place."""
    (tmp_path / "closed").write_text("a file")
    with pytest.raises(StorageError, match="closed"):
        add(str(given_file), tmp_path / "closed", AddOptions())


def test_no_space(folder: Path, given_file: Path) -> None:
    """A model larger than what is free is refused before a byte is moved."""
    told(
        folder, huge={"file": "huge.gguf", "url": "https://example.org/huge.gguf", "size": 1 << 60, "sha256": "0" * 64}
    )
    with pytest.raises(StorageError, match="are needed"):
        add("huge", folder, AddOptions(max_bytes=1 << 61))


# Over a line -----------------------------------------------------------------------------------------------------


class Site:
    """Serves one file on loopback, as badly as it is told; keeps what was asked."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.asked: list[tuple[str, str | None]] = []
        self.cut_after: int | None = None
        self.status = 200
        self.headers: dict[str, str] = {}
        self.knows_ranges = True
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                """Answer as the site was told."""
                site._answer(self)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    def _answer(self, handler: BaseHTTPRequestHandler) -> None:
        wish = handler.headers["Range"]
        self.asked.append((handler.path, wish))
        if handler.path.startswith("/moved"):
            handler.send_response(302)
            handler.send_header("Location", handler.path.replace("/moved", ""))
            handler.send_header("Content-Length", "0")
            handler.end_headers()
            return
        start = int(re.findall(r"\d+", wish)[0]) if wish and self.knows_ranges else 0
        status = (416 if start >= len(self.content) else 206) if start else self.status
        body = b"" if status == 416 else self.content[start:]
        handler.send_response(status)
        handler.send_header("Content-Length", str(len(body)))
        if status == 206:
            handler.send_header("Content-Range", f"bytes {start}-{len(self.content) - 1}/{len(self.content)}")
        for name, value in self.headers.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(body[: self.cut_after])
        handler.close_connection = True

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def site(whole: bytes) -> Iterator[Site]:
    """A site with a model."""
    opened = Site(whole)
    yield opened
    opened.close()


NEAR = AddOptions(allow_loopback=True, timeout_s=5)


def test_a_file_is_downloaded(folder: Path, site: Site, whole: bytes) -> None:
    """Over a redirect; the address is noted without what may be a key in it, and progress ends at the whole."""
    seen: list[tuple[int, int]] = []
    model, _ = add(
        f"{site.url}/moved/tiny.gguf?key=s3cret", folder, NEAR, lambda done, whole: seen.append((done, whole))
    )
    assert (model.name, model.sha256) == ("tiny", sha256(whole))
    assert models.find("tiny", folder).read_bytes() == whole
    assert "s3cret" not in (folder / models.LOCAL).read_text()
    assert seen[-1] == (len(whole), len(whole))


def test_a_broken_download_goes_on_where_it_broke(folder: Path, site: Site, whole: bytes) -> None:
    """What is there is kept, only the rest is asked for, over the redirect too, and the whole is checked."""
    told(
        folder,
        tiny={"file": "tiny.gguf", "url": f"{site.url}/moved/t.gguf", "sha256": sha256(whole), "size": len(whole)},
    )
    site.cut_after = 70_000
    with pytest.raises(RateLimitedError, match="goes on where it broke"):
        add("tiny", folder, NEAR)
    assert not models.known(folder)["tiny"].path(folder).exists()
    site.cut_after = None
    model, _ = add("tiny", folder, NEAR)
    assert model.path(folder).read_bytes() == whole
    assert site.asked[-1] == ("/t.gguf", "bytes=70000-")
    assert names(folder) == {"tiny.gguf", "models.toml"}


def test_a_site_that_cannot_go_on_begins_again(folder: Path, site: Site, whole: bytes) -> None:
    """Without ranges, or with a part that is longer than the file, the whole comes anew."""
    entry = {"file": "tiny.gguf", "url": f"{site.url}/t.gguf", "sha256": sha256(whole)}
    told(folder, tiny=entry)
    (folder / ".tiny.gguf.part").write_bytes(b"x" * 70_000)
    site.knows_ranges = False
    assert add("tiny", folder, NEAR)[0].path(folder).read_bytes() == whole
    models.remove("tiny", folder)
    site.knows_ranges = True
    (folder / ".tiny.gguf.part").write_bytes(b"x" * (len(whole) + 9))
    assert add("tiny", folder, NEAR)[0].path(folder).read_bytes() == whole


def test_a_rest_that_does_not_belong_is_thrown_away(folder: Path, site: Site, whole: bytes) -> None:
    """A part of another file makes a wrong sum: nothing is kept, and the next try begins at nothing."""
    told(folder, tiny={"file": "tiny.gguf", "url": f"{site.url}/t.gguf", "sha256": sha256(whole)})
    (folder / ".tiny.gguf.part").write_bytes(b"x" * 70_000)
    with pytest.raises(IntegrityError, match="instead of"):
        add("tiny", folder, NEAR)
    assert names(folder) == {"models.toml"}
    assert add("tiny", folder, NEAR)[0].path(folder).read_bytes() == whole


def test_nothing_is_continued_without_a_sum(folder: Path, site: Site, whole: bytes) -> None:
    """Where nobody told the SHA-256, two halves could be of two files: it comes as a whole."""
    (folder / ".t.gguf.part").write_bytes(whole[:70_000])
    add(f"{site.url}/t.gguf", folder, NEAR)
    assert site.asked == [("/t.gguf", None)]


@pytest.mark.parametrize(
    ("status", "headers", "kind", "words"),
    [
        (404, {}, ConfigError, "status 404"),
        (403, {}, ConfigError, "without an account"),
        (429, {}, RateLimitedError, "status 429"),
        (503, {}, RateLimitedError, "status 503"),
        (200, {"Content-Type": "text/html; charset=utf-8"}, ConfigError, "a web page"),
        (200, {"Content-Encoding": "gzip"}, ConfigError, "packed"),
    ],
)
def test_a_site_that_does_not_give_the_file(
    folder: Path, site: Site, status: int, headers: dict[str, str], kind: type[Exception], words: str
) -> None:
    """Each way not to get a file has its words and its exit code, and the key in the address is not told."""
    site.status, site.headers = status, headers
    with pytest.raises(kind, match=words) as caught:
        add(f"{site.url}/t.gguf?key=s3cret", folder, NEAR)
    assert "s3cret" not in str(caught.value)
    assert names(folder) <= {".t.gguf.part"}


def test_a_download_that_is_too_large(folder: Path, site: Site) -> None:
    """It is refused by the length it tells, before the body."""
    with pytest.raises(ConfigError, match="larger than"):
        add(f"{site.url}/t.gguf", folder, AddOptions(allow_loopback=True, max_bytes=50_000))
    assert names(folder) == set()


def test_an_address_that_may_not_be_asked(folder: Path, site: Site) -> None:
    """Without the setting of the tests this machine is no address, and plain http needs a sum."""
    with pytest.raises(ConfigError, match="no public address"):
        add(f"{site.url}/t.gguf", folder, AddOptions(sha256="0" * 64))
    with pytest.raises(ConfigError, match="give --sha256"):
        add("http://example.org/t.gguf", folder, AddOptions())


# From packages ---------------------------------------------------------------------------------------------------


def wheels(place: Path, content: bytes, count: int, *, skip: int = 0) -> None:
    """Packages that each hold a part of ``content``, and a module that must never run."""
    place.mkdir()
    size = -(-len(content) // count)
    for number in range(1, count + 1):
        name = f"igtool_test_part{number}"
        with zipfile.ZipFile(place / f"{name}-1.0-py3-none-any.whl", "w") as archive:
            if number != skip:
                archive.writestr(f"{name}/data/part{number:02}.bin", content[(number - 1) * size : number * size])
            archive.writestr(f"{name}/__init__.py", "raise SystemExit('imported')")
            info = f"{name}-1.0.dist-info"
            archive.writestr(
                f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name.replace('_', '-')}\nVersion: 1.0\n"
            )
            archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
            archive.writestr(f"{info}/RECORD", "")


@pytest.fixture
def packages(folder: Path, tmp_path: Path, whole: bytes, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where pip looks for packages, and a model in two of them."""
    place = tmp_path / "wheels"
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(place))
    source = {"prefix": "igtool-test-part", "version": "1.0", "count": 2}
    told(folder, joined={"file": "joined.gguf", "packages": source, "sha256": sha256(whole), "size": len(whole)})
    return place


def test_a_model_is_joined_from_packages(folder: Path, packages: Path, whole: bytes) -> None:
    """Their parts in order make the file; the packages are gone, were never imported, and the next time is instant."""
    wheels(packages, whole, 2)
    assert add("joined", folder, AddOptions())[0].path(folder).read_bytes() == whole
    assert names(folder) == {"models.toml", "joined.gguf"}
    assert add("joined", folder, AddOptions())[1]


def test_packages_that_are_not_there(folder: Path, packages: Path) -> None:
    """The package is named, and what can be done without an index; no address of an index is."""
    packages.mkdir()
    with pytest.raises(ConfigError, match=r"igtool-test-part1==1\.0.*igtool models add") as caught:
        add("joined", folder, AddOptions())
    assert "://" not in str(caught.value)
    assert names(folder) == {"models.toml"}


def test_packages_that_hold_something_else(folder: Path, packages: Path, whole: bytes) -> None:
    """A part that is missing, or other bytes: nothing is kept."""
    wheels(packages, whole, 2, skip=2)
    with pytest.raises(IntegrityError, match=r"does not hold igtool_test_part2/data/part02\.bin"):
        add("joined", folder, AddOptions())
    for wheel in packages.iterdir():
        wheel.unlink()
    packages.rmdir()
    wheels(packages, whole[:-8] + b"otherend", 2)
    with pytest.raises(IntegrityError, match="nothing was kept"):
        add("joined", folder, AddOptions())
    assert names(folder) == {"models.toml"}


# Damage and removal ----------------------------------------------------------------------------------------------


def test_states(folder: Path, whole: bytes) -> None:
    """A right file is ok, a changed or shorter one damaged, one without a sum unknown, none missing."""
    model = Model("m", "m.gguf", sha256=sha256(whole), size=len(whole))
    assert models.state(model, folder) == "missing"
    model.path(folder).write_bytes(whole)
    assert models.state(model, folder) == "ok"
    assert models.state(Model("m", "m.gguf"), folder) == "unknown"
    model.path(folder).write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    assert models.state(model, folder) == "damaged"
    model.path(folder).write_bytes(whole[:-1])
    assert models.state(model, folder) == "damaged"


def test_removing(folder: Path, given_file: Path) -> None:
    """File and note are gone; a model that comes with igtool stays known."""
    add(str(given_file), folder, AddOptions())
    assert models.remove("given", folder)
    assert "given" not in models.known(folder)
    assert not models.remove("qwen2.5-1.5b-instruct", folder)
    with pytest.raises(ConfigError, match="there is no model 'given'"):
        models.remove("given", folder)


# The commands ----------------------------------------------------------------------------------------------------


def run(workspace: Path, *words: str) -> Any:
    """What ``igtool models`` says and ends with."""
    return CliRunner().invoke(main, ["--workspace", str(workspace), "models", *words])


def test_the_commands(folder: Path, given_file: Path, whole: bytes) -> None:
    """List, add, verify, remove: what is there is told, damage ends with 5, removal asks."""
    workspace = folder.parent
    assert "igtool models add" in run(workspace, "list").stderr
    added = run(workspace, "add", str(given_file), "--licence", "MIT")
    assert (added.exit_code, sha256(whole) in added.stderr) == (0, True)
    document = json.loads(run(workspace, "list", "--json").stdout)
    (row,) = [row for row in document["rows"] if row["there"]]
    assert (row["name"], row["licence"], row["sha256"]) == ("given", "MIT", sha256(whole))
    assert json.loads(run(workspace, "verify", "--json").stdout)["rows"][0]["state"] == "ok"
    (folder / "given.gguf").write_bytes(whole[:-1] + b"!")
    damaged = run(workspace, "verify")
    assert (damaged.exit_code, "given" in damaged.stderr) == (5, True)
    assert run(workspace, "remove", "given").exit_code == 1
    assert (folder / "given.gguf").exists()
    assert run(workspace, "remove", "given", "--yes").exit_code == 0
    assert not (folder / "given.gguf").exists()


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("add", "nothing"), 3),
        (("verify", "nothing"), 3),
        (("verify", "qwen2.5-1.5b-instruct"), 5),
        (("remove", "nothing", "--yes"), 3),
        (("add",), 2),
    ],
)
def test_exit_codes(folder: Path, words: tuple[str, ...], code: int) -> None:
    """An unknown model is a matter of configuration; a missing file that was asked about is one of integrity."""
    assert run(folder.parent, *words).exit_code == code
