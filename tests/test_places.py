"""Where the lake lies is read from the settings, and a password is nowhere to be seen."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from igtool.cli import main
from igtool.errors import ConfigError
from igtool.places import LakePlace, conninfo, data_url
from igtool.settings import load

SECRETS = {
    "IGTOOL_CATALOG_PASSWORD": "canary one",
    "AWS_SECRET_ACCESS_KEY": "canary two",
    "AWS_SESSION_TOKEN": "canary3",
}


@pytest.mark.parametrize(
    ("text", "keywords"),
    [
        ("postgres:host=db dbname=lake user=me", "host=db dbname=lake user=me"),
        ("postgres: dbname = 'a b' host=/run/pg", "dbname='a b' host=/run/pg"),
        (r"postgres:dbname='it\'s'", r"dbname='it\'s'"),
        ("postgresql://me@db.example.com:6432/lake?sslmode=verify-full",
         "host=db.example.com port=6432 user=me dbname=lake sslmode=verify-full"),
        ("postgres://db/lake", "host=db dbname=lake"),
    ],
)  # fmt: skip
def test_a_database_is_named_as_libpq_does(text: str, keywords: str) -> None:
    """Both ways lead to the same keywords, which are a catalog again."""
    assert conninfo(text) == keywords
    assert conninfo(f"postgres:{keywords}") == keywords


@pytest.mark.parametrize(
    "text",
    [
        "postgres:dbname=lake password=canary",
        "postgres:dbname=lake sslpassword=canary",
        "postgresql://me:canary@db/lake",
        "postgresql://me@db/lake?password=canary",
        "postgresql://me@db:canary/lake",
        "postgres:host=canary",
        "postgres:dbname=lake canary",
        "postgres:dbname='canary",
        "postgres:dbname=lake options=-ccanary",
        "mysql://canary/lake",
        "canary",
    ],
)
def test_what_is_no_database_or_holds_a_password_is_refused_and_not_repeated(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message names the setting and not its value."""
    monkeypatch.setenv("IGTOOL_CATALOG", text)
    with pytest.raises(ConfigError, match="catalog") as refused:
        load(tmp_path)
    assert "canary" not in str(refused.value)


@pytest.mark.parametrize(
    ("text", "url"),
    [("s3://lakes/a/b/", "s3://lakes/a/b"), ("/mnt/lake/", "/mnt/lake"), ("s3://lakes", None), ("s3://lakes/*", None),
     ("s3://lakes/a/../b", None), ("gs://lakes/a", None), ("lake", None), ("https://x/y", None), ("s3://L/a?b", None)],
)  # fmt: skip
def test_a_data_path_is_a_prefix_of_its_own_or_a_folder(text: str, url: str | None) -> None:
    """A whole bucket, a pattern, another kind of address and a relative folder are refused."""
    if url is None:
        with pytest.raises(ValueError, match="s3://BUCKET/PREFIX"):
            data_url(text)
    else:
        assert data_url(text) == url


def test_without_settings_the_lake_is_the_folder(tmp_path: Path) -> None:
    """Keys of AWS in the environment, which many have, change nothing."""
    place = load(tmp_path, s3_key_id="x", s3_secret="y").lake
    assert place == LakePlace(tmp_path / "data")
    assert place.is_usual
    place.check_usual("anything", "")


def test_secrets_are_in_no_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The place has them, and neither its text nor `config show` tells them."""
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "id")
    toml = 'catalog = "postgresql://me@db/lake"\ndata_path = "s3://lakes/a"\ns3_endpoint = "http://127.0.0.1:9"\n'
    (tmp_path / "igtool.toml").write_text(toml)
    place = load(tmp_path).lake
    assert (place.password, place.access.secret, place.access.session_token) == tuple(SECRETS.values())
    assert place.access.path_style, "a store of one's own has the bucket in the path"
    result = CliRunner().invoke(main, ["--workspace", str(tmp_path), "config", "show", "--json"])
    rows = {row["setting"]: row["value"] for row in json.loads(result.stdout)["rows"]}
    assert rows["catalog"] == "postgres:host=db user=me dbname=lake"
    assert "canary" not in result.output + repr(place)


@pytest.mark.parametrize("command", [["backup", "b"], ["restore", "b"]])
def test_what_is_for_a_folder_alone_says_what_to_do_instead(command: list[str], tmp_path: Path) -> None:
    """Exit code 3 and the page to read, before anything is opened."""
    (tmp_path / "igtool.toml").write_text('data_path = "s3://lakes/a"\n')
    result = CliRunner().invoke(main, ["--workspace", str(tmp_path), *command])
    assert result.exit_code == 3
    assert "pg_dump" in result.output
