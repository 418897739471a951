"""What a new version of a shape reads again: what it read before, and what nothing could read; nothing else."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from conftest import NOW

from igtool.encoders.base import Encoder
from igtool.journal import Journal
from igtool.lake import Lake
from igtool.platforms import base
from igtool.platforms.base import PARSER_VERSION, Account, Answer, Parsed, Shape, Top
from igtool.progress import Progress
from igtool.runner import Runner
from igtool.stages.base import Context
from igtool.stages.normalize import Normalize

PAYLOADS = Path(__file__).parent / "payloads"
READ = {
    "profile": "instagram/web_profile_info/with_posts.json",
    "partly": "instagram/web_profile_info/odd_values.json",
    "refused": "instagram/web_profile_info/no_username.json",
    "channel": "youtube/channel_list/two_channels.json",
}
UNREAD = {"nobody": "instagram/web_profile_info/no_such_user.json", "wait": "errors/instagram/please_wait.json"}
Normalized = Callable[[], set[str]]
"""Runs normalize; which answers it read."""


def no_encoder() -> Encoder:
    """Nothing here embeds."""
    raise AssertionError("no text was to be embedded")


@pytest.fixture
def normalized(lake: Lake, journal: Journal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Normalized:
    """See ``Normalized``; the lake holds the payloads above and one that no shape knows."""
    bodies = {name: (PAYLOADS / path).read_text() for name, path in (READ | UNREAD).items()}
    bodies["unknown"] = '{"invented_handle": "lola.invented"}'
    rows = [
        {"answer_id": name, "source": "files", "endpoint": name, "body": body, "fetched_at": NOW}
        for name, body in bodies.items()
    ]
    with lake.transaction():
        lake.append("raw_responses", rows)
    seen: set[str] = set()
    process = Normalize.process

    def watched(self: Normalize, batch: object, context: Context) -> object:
        output = process(self, batch, context)
        seen.update(output.variants)
        return output

    monkeypatch.setattr(Normalize, "process", watched)
    runner = Runner(
        lake, journal, Context(no_encoder, lambda: NOW), Progress(tmp_path / "progress.json", "test", bars=False)
    )

    def run() -> set[str]:
        seen.clear()
        runner.run([Normalize()])
        return set(seen)

    assert run() == {*bodies}
    return run


def declare(monkeypatch: pytest.MonkeyPatch, change: Callable[[list[Shape]], list[Shape]]) -> None:
    """Make other shapes known."""
    shapes, failures = base._declared()
    monkeypatch.setattr(base, "_declared", lambda: (tuple(change(list(shapes))), failures))


def raised(shape_of: str) -> Callable[[list[Shape]], list[Shape]]:
    """The shapes with a higher version of that one."""

    def change(shapes: list[Shape]) -> list[Shape]:
        assert shape_of in {shape.name for shape in shapes}
        return [dataclasses.replace(s, version=s.version + 1) if s.name == shape_of else s for s in shapes]

    return change


def parser_versions(lake: Lake) -> dict[str, set[int]]:
    """Versions of the rows of each answer."""
    query = "select answer_id, list(distinct parser_version) as versions from account_states group by 1"
    return {row["answer_id"]: set(row["versions"]) for row in lake.rows(query)}


def test_nothing_is_read_again_while_no_shape_changes(lake: Lake, normalized: Normalized) -> None:
    """A second run reads nothing and commits nothing."""
    snapshot = lake.snapshot
    assert normalized() == set()
    assert lake.snapshot == snapshot


def test_a_new_version_of_a_shape_reads_its_own_answers_again(
    lake: Lake, normalized: Normalized, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And those without a shape; rows say which version made them, once each; then there is nothing to do."""
    before = parser_versions(lake)
    shape = lake.value("select any_value(shape) from account_states where answer_id = 'profile'")
    version = base.versions()[shape]
    declare(monkeypatch, raised(shape))
    assert normalized() == {"profile", "partly", "refused", *UNREAD, "unknown"}
    after = parser_versions(lake)
    assert after["profile"] == {100 * PARSER_VERSION + version + 1}
    assert after["channel"] == before["channel"]
    assert lake.value("select count(*) from stage_rows") == lake.value("select count(distinct item_id) from stage_rows")
    assert normalized() == set()


def test_a_new_shape_reads_what_none_could(lake: Lake, normalized: Normalized, monkeypatch: pytest.MonkeyPatch) -> None:
    """Answers without a shape are tried again, and the reject of the one that is read now is gone."""

    def read(top: Top, answer: Answer) -> Parsed:
        handle = msgspec.json.decode(top["invented_handle"], type=str)
        return Parsed(accounts=[Account(f"instagram:@{handle}", "instagram", [], handle=handle)])

    declare(monkeypatch, lambda shapes: [*shapes, Shape("invented", frozenset({"invented_handle"}), read)])
    assert normalized() == {*UNREAD, "unknown"}
    assert lake.rows("select handle, shape from accounts where answer_id = 'unknown'") == [
        {"handle": "lola.invented", "shape": "invented"}
    ]
    assert lake.value("select count(*) from rejects where item_id = 'unknown'") == 0
    assert normalized() == set()


def test_a_shape_that_is_gone_leaves_no_rows(
    lake: Lake, normalized: Normalized, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it read is tried again and is a reject now; its rows go with it."""
    shape = lake.value("select any_value(shape) from account_states where answer_id = 'channel'")
    declare(monkeypatch, lambda shapes: [s for s in shapes if s.name != shape])
    assert "channel" in normalized()
    assert lake.value("select reason from rejects where item_id = 'channel'") == "unknown-shape"
    for table in Normalize.writes:
        assert lake.value(f"select count(*) from {table} where answer_id = 'channel'") == 0


def test_new_common_rules_read_everything_again(normalized: Normalized, monkeypatch: pytest.MonkeyPatch) -> None:
    """The version of the stage counts for every answer."""
    monkeypatch.setattr(Normalize, "version", PARSER_VERSION + 1)
    assert normalized() == {*READ, *UNREAD, "unknown"}
