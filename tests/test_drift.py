"""Changes of the platforms' answers are told, noise is not, and nothing of the answers' values is kept."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pytest
from drift_answers import SHAPE, Body, Changed, many, run, table, user
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from igtool.drift.compare import UNKNOWN, Change, Sample, chance, compare, depth, is_read, names, parent
from igtool.drift.history import samples_of
from igtool.drift.reading import fields_read
from igtool.schema import TABLES
from igtool.stages.base import Output
from igtool.stages.drift import DEEPEST, MOST_PATHS


def samples(*weeks: Sequence[Body | str], shape: str = SHAPE) -> list[Sample]:
    """The samples of weeks that follow each other."""
    output = run(table({f"2026-W{30 + place}": bodies for place, bodies in enumerate(weeks)}))
    rows = [row for row in output.tables["drift"] if row["shape"] == shape]
    found = samples_of("instagram_web", shape, rows)
    return [found[week] for week in sorted(found)]


def changes(*weeks: Sequence[Body | str]) -> dict[str, Change]:
    """What is different in the last of the weeks, by path."""
    *before, after = samples(*weeks)
    return {change.path: change for change in compare(before, after, fields_read(SHAPE))}


def rows_of(path: str, output: Output) -> list[dict[str, Any]]:
    """The rows of one path."""
    return [row for row in output.tables["drift"] if row["path"] == path]


def test_a_field_that_is_gone() -> None:
    """A field that was in every answer and is in none is told once, with what was below it, and that it matters."""
    found = changes(many(20), many(20), many(20, lambda user: user.pop("edge_followed_by")))
    (change,) = found.values()
    assert (change.change, change.path, change.below) == ("vanished", "data.user.edge_followed_by", 1)
    assert (change.before, change.after, change.matters) == ("100 %", "0 %", True)
    assert (change.week, change.weeks) == ("2026-W32", "2026-W30 to 2026-W31")


def test_a_field_of_another_type() -> None:
    """An int that became a text is told with both types; null is no type, and a mixed field that was mixed is none."""

    def now(user: Body) -> None:
        user["fbid"] = str(user["fbid"])
        user["is_verified"] = None if user["fbid"] < "5" else False

    found = changes(many(12), many(12, now))
    assert {(c.path, c.change, c.before, c.after, c.matters) for c in found.values()} == {
        ("data.user.fbid", "type", "int", "str", False)
    }


def test_a_new_field() -> None:
    """A field that nobody had is told when a fifth of the answers have it, and igtool does not read it."""

    def now(user: Body) -> None:
        if user["fbid"] % 4 == 0:
            user["threads_badge"] = {"label": "yes", "shown": True}

    (change,) = changes(many(40), many(40), many(40, now)).values()
    assert (change.change, change.path, change.after) == ("new", "data.user.threads_badge", "25 %")
    assert (change.below, change.matters) == (2, False)


def test_a_field_that_is_only_null_now() -> None:
    """What is there but always null or empty is told: for the tables that is as good as gone."""
    now = many(12, lambda user: user.update(category_name=None, edge_owner_to_timeline_media={"edges": []}))
    found = changes(many(12), now)
    assert {(path, change.change) for path, change in found.items()} == {
        ("data.user.category_name", "emptied"),
        ("data.user.edge_owner_to_timeline_media.edges", "emptied"),
        ("data.user.edge_owner_to_timeline_media.count", "vanished"),
    }
    assert all(change.matters for change in found.values())


def test_rarer_and_more_frequent() -> None:
    """A share that moves far and out of what it was in any week is told; one that always moves is not."""

    def some(field: str, of_ten: int) -> Changed:
        return lambda user: user.update({field: 1} if user["fbid"] % 10 < of_ten else {})

    assert [c.change for c in changes(many(40, some("a", 9)), many(40, some("a", 2))).values()] == ["rarer"]
    assert [c.change for c in changes(many(40, some("a", 2)), many(40, some("a", 9))).values()] == ["more frequent"]
    restless = [many(40, some("a", share)) for share in (9, 1, 9, 1)]
    assert changes(*restless) == {}


@pytest.mark.parametrize("seed", range(4))
def test_noise_is_not_told(seed: int) -> None:
    """Optional fields, mixed types, accounts without posts and their number do not make a change."""
    chosen = random.Random(seed)

    def noise(user: Body) -> None:
        for number in range(60):
            if chosen.random() < number / 60:
                user[f"optional_{'abcdefghij'[number % 10]}_{number // 10}"] = chosen.choice([1, 1.5, "text", None])
        if chosen.random() < 0.3:
            user["edge_owner_to_timeline_media"] = {"count": 0, "edges": []}
        if chosen.random() < 0.4:
            user.pop("category_name")

    weeks = [many(chosen.choice([6, 20, 40]), noise) for _ in range(6)]
    assert changes(*weeks) == {}


def test_a_field_of_what_is_not_there_has_not_vanished() -> None:
    """When no account of the week has a post, the fields of posts are neither gone nor rarer: their list is empty."""
    bare = many(40, lambda user: user.update(edge_owner_to_timeline_media={"count": 0, "edges": []}))
    assert list(changes(many(40), bare)) == ["data.user.edge_owner_to_timeline_media.edges"]


@pytest.mark.parametrize(("before", "after", "is_told"), [(3, 3, False), (7, 7, False), (8, 8, True), (40, 3, True)])
def test_small_samples(before: int, after: int, is_told: bool) -> None:
    """Few answers prove nothing; the documented least ones do."""
    found = changes(many(before), many(after, lambda user: user.pop("biography")))
    assert bool(found) is is_told


def test_chance() -> None:
    """Fisher's exact test: the tea-tasting lady's 1 in 70, and a split that says nothing."""
    assert chance(0, 4, 4, 4) == pytest.approx(1 / 70)
    assert chance(5, 10, 5, 10) > 0.5
    assert chance(0, 8, 8, 8) <= 1e-4 < chance(0, 7, 7, 7)


def test_keys_that_are_data() -> None:
    """Ids, dates, addresses, handles and keys that are too many stand as {}; names of fields stay."""

    def number(user: Body) -> None:
        user["by_id"] = {str(10**9 + user["fbid"]): {"likes": 1}, f"media_{user['fbid']}12345": {"likes": 1}}
        user["by_day"] = {"2026-10-01": 1, "a@example.org": 2, "https://example.org": 3, "x" * 65: 4}
        friend = f"friend{'abcdefghij'[user['fbid'] % 10]}"
        user["by_handle"] = {friend: {"username": friend}}
        user["many"] = {f"tag{a}{b}": {"posts": 1} for a in "abcdefg" for b in "hijklmn"}
        user["rare"] = {f"word{chr(97 + user['fbid'])}": 1 if user["fbid"] % 2 else "text"}
        user["options"] = {f"option{a}{b}": "text" if a == "a" else 1 for a in "abcdefg" for b in "hijklmn"}

    output = run(table({"2026-W30": many(26, number)}))
    paths = {row["path"] for row in output.tables["drift"]}
    for name in ("by_id", "by_day", "by_handle", "many", "rare"):
        assert {path for path in paths if path.startswith(f"data.user.{name}.") and "{}" not in path} == set(), name
        assert f"data.user.{name}.{{}}" in paths
    assert rows_of("data.user.by_id.{}.likes", output)[0]["seen_count"] == 26
    assert sum(path.startswith("data.user.options.option") for path in paths) == 49


def test_the_subject_is_no_name_of_a_field() -> None:
    """A body that is keyed by the handle it was asked for keeps the handle out of the table."""
    given = table({"2026-W30": [{"Anna_One": [1]}]})
    given = given.set_column(given.column_names.index("subject"), "subject", pa.array(["anna_one"]))
    assert {row["path"] for row in run(given).tables["drift"]} == {"$", "{}", "{}[]"}


def test_odd_keys() -> None:
    """A key with dots, brackets, spaces or a NUL is quoted, so that a path means one thing."""
    output = run(table({"2026-W30": ['{"owner.name": {"a[0]": 1, "nombre de usuario": 2, "n\\u0000": 3, "ñ": 4}}']}))
    paths = {row["path"]: names(row["path"]) for row in output.tables["drift"]}
    assert '"owner.name"."nombre de usuario"' in paths
    assert '"owner.name".ñ' in paths
    assert paths['"owner.name"."a[0]"'] == ("owner.name", "a[0]")
    assert all("\0" not in path for path in paths)
    assert (parent('"owner.name"."a[0]"'), depth('"owner.name"."a[0]"')) == ('"owner.name"', 2)
    assert [parent(path) for path in ("a.b[]", "a.b", "[]", "a")] == ["a.b", "a", "$", "$"]


def test_what_is_beyond_the_most_paths_is_counted_and_not_missed() -> None:
    """Of a wide answer the shallow paths stay, the rest is one row, and a path that fell out is not called gone."""
    names = [f"x{a}{b}" for a in "abcdefghijklm" for b in "nopqrstuvwxyz"]
    wide = {"flag": True} | {name: {f"y{c}": "text" for c in "abcd"} | {"z": 1} for name in names}
    wider = wide | {"one": 1.5, "two": True, "three": {"a": 1, "b": 2}}
    before, after = samples([{"data": wide}] * 10, [{"data": wider}] * 10, shape=UNKNOWN)
    assert len(after.fields) == MOST_PATHS + 2
    assert after.fields["…"].seen == 10
    assert {change.path for change in compare([before], after)} == {"data.one", "data.two", "data.three"}
    assert len(before.fields) == MOST_PATHS + 2


def test_no_key_beyond_the_deepest() -> None:
    """Deep nesting ends at the documented depth."""
    body = json.dumps({"a": 1})
    for _ in range(30):
        body = f'{{"a":{body}}}'
    assert max(depth(row["path"]) for row in run(table({"2026-W30": [body]})).tables["drift"]) == DEEPEST


def test_answers_that_cannot_be_read() -> None:
    """What no shape reads is counted as unknown; error messages and broken texts are left out, and still done."""
    bodies = [user(1), {"something": "else"}, '{"message": "Please wait a few minutes", "status": "fail"}', "{", ""]
    output = run(table({"2026-W30": bodies}))
    assert output.done == ["instagram_web|2026-W30"]
    counted = {row["shape"]: row["answer_count"] for row in rows_of("$", output)}
    assert counted == {SHAPE: 1, UNKNOWN: 1}
    fill = {(r["shape"], r["column_name"]): (r["filled_count"], r["row_count"]) for r in output.tables["column_fill"]}
    assert (fill[UNKNOWN, "body"], fill[SHAPE, "body"], fill[SHAPE, "like_count"]) == ((0, 1), (1, 1), (2, 2))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=6),
    max_leaves=20,
)
bodies_of_any_kind = st.one_of(
    json_values.map(json.dumps),
    st.text(max_size=20),
    st.dictionaries(st.sampled_from(["data", "user", "items", "kind", "graphql"]), json_values).map(json.dumps),
)
some_bodies = st.lists(bodies_of_any_kind, min_size=1, max_size=6)
weeks_of_bodies = st.dictionaries(st.sampled_from(["2026-W30", "2026-W31", "2026-W32"]), some_bodies, min_size=1)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(bodies=weeks_of_bodies, seed=st.integers(0, 5))
def test_any_bodies_in_any_order(bodies: dict[str, list[str]], seed: int) -> None:
    """No body breaks the stage, every item comes out once, the rows fit the tables and do not depend on order."""
    given_rows = table(bodies)
    output = run(given_rows)
    assert output.done == sorted({f"instagram_web|{week}" for week in bodies})
    assert output.rejects == []
    for name, key in (("drift", "drift_id"), ("column_fill", "fill_id")):
        rows = output.tables[name]
        assert len({row[key] for row in rows}) == len(rows)
        assert all(set(row) == set(TABLES[name].column_names) for row in rows)
    assert all(1 <= row["seen_count"] <= row["answer_count"] for row in output.tables["drift"])
    order = random.Random(seed).sample(range(given_rows.num_rows), given_rows.num_rows)
    assert run(given_rows.take(order)).tables == output.tables


def test_a_map_is_none_of_fields_in_another_week() -> None:
    """Keys that are data in one week and, being fewer, are taken for fields in the next are not new."""
    few = {"data": {"tags": {f"t{letter}": {"n": 1} for letter in "abcdefghij"}}}
    lots = {"data": {"tags": {f"t{a}{b}": {"n": 1} for a in "abcdefghij" for b in "abcdefghij"}}}
    for weeks in ((few, lots), (lots, few)):
        before, after = samples(*([body] * 10 for body in weeks), shape=UNKNOWN)
        assert compare([before], after) == []


def test_order_does_not_matter_for_a_map_of_thousands() -> None:
    """Keys that are folded while they are counted give the same rows as those folded at the end."""
    words = [[f"w{'abcdefghij'[n % 10]}{n % 700}{'xyz'[body % 3]}" for n in range(900)] for body in range(4)]
    bodies = [json.dumps({"words": {word: {"n": 1, word: 1} for word in some}}) for some in words]
    forward = run(table({"2026-W30": bodies}))
    given_rows = table({"2026-W30": bodies})
    backward = run(given_rows.take(list(reversed(range(given_rows.num_rows)))))
    assert forward.tables == backward.tables
    assert {row["path"] for row in forward.tables["drift"]} == {"$", "words", "words.{}", "words.{}.{}"}


@given(st.text(min_size=12, max_size=30))
def test_no_value_is_kept(secret: str) -> None:
    """Texts of an answer are in no row."""
    rows = run(table({"2026-W30": [user(1, lambda user: user.update(biography=secret, full_name=[secret]))]})).tables
    plain = run(table({"2026-W30": [user(1, lambda user: user.update(biography="x", full_name=["x"]))]})).tables
    assert rows == plain


def test_fields_that_igtool_reads() -> None:
    """Names of a shape's Structs are known, plain ones only below the key they are read at; an envelope knows both."""
    read = fields_read(SHAPE)
    assert is_read("data.user.edge_followed_by.count", read)
    assert is_read("data.user.edge_owner_to_timeline_media.edges[].node.taken_at_timestamp", read)
    assert not is_read("data.user.highlights.count", read)
    assert not is_read("data.user.fbid", read)
    assert not is_read("data.user.{}", read)
    assert is_read("data.data.user.biography", fields_read("tikhub"))
    assert is_read("items[].snippet.thumbnails.high.url", fields_read("youtube/channelListResponse"))
    assert fields_read(UNKNOWN) == frozenset()
