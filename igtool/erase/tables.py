"""Every table without a person: their rows deleted, what names them in rows of others redacted.

Which rows are theirs follows from the columns of `igtool.schema`, so that a table that comes later is held to the same.
All of it is done within the transaction of the caller; doing it again changes nothing.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterator, Sequence
from typing import Any

from igtool.embedded import model_in_use
from igtool.erase.person import Person
from igtool.forgotten.answers import without_person
from igtool.forgotten.naming import Named, json_text
from igtool.lake import Lake
from igtool.lake_sql import quote
from igtool.schema import TABLES, Column, Table
from igtool.stages.embed import drop_unused
from igtool.stages.normalize import Normalize
from igtool.stages.resolve import Resolve

_CHUNK = 64
_KINDS = ("accounts", "creators", "reduced", "contents", "pictures")
_OWNED = {
    "account_id": "accounts", "account_a": "accounts", "account_b": "accounts", "creator_id": "creators",
    "other_id": "creators", "survivor_id": "creators", "content_id": "contents", "owner_id": "owners",
    "subject_id": "owners", "item_id": "items", "sha256": "pictures",
}  # fmt: skip
"""Column to the kind of ids that, in it, make a row theirs."""
_INFERRED = (
    "niches", "profiles", "descriptions", "creator_tags", "creator_tag_history", "embeddings", "llm_answers",
    "stage_rows", "rejects",
)  # fmt: skip
"""Tables of what was made of a creator as a whole: it goes too when one account of several does, and is made anew."""
_BY_HANDLE = frozenset({"watchlist", "schedule_overrides"})
_KEPT = frozenset({"tombstones", "conversations", "insights", "audit_log"})
"""Tables that are not looked through: texts of others, and those that another part of `igtool.erase` sees to."""
_TYPED = frozenset({"search_log", "tenant_searches", "tenant_lists", "runs"})
"""Tables of what people typed: a text that is a handle and nothing else means its owner there."""
_PLATFORMS = frozenset({"instagram", "youtube"})
"""Platforms that a live source is named after."""
_RESOLVED = ("creator_links", "account_traits", "link_pairs")
"""Tables that `Resolve` brings up to date when one account of several is gone."""


def count(lake: Lake, person: Person) -> dict[str, int]:
    """How many rows of each table would be deleted; raw answers of their own or naming them included."""
    _mark(lake, person)
    found = {}
    for name in _filled(lake):
        condition, values = _theirs(name, person)
        if condition and (rows := int(lake.value(f"select count(*) from {quote(name)} t where {condition}", values))):
            found[name] = rows
    query, values = _naming(TABLES["raw_responses"], person)
    if answers := int(lake.value(f"select count(*) from raw_responses where {query}", values)):
        found["raw_responses"] = answers
    if said := len(_conversations(lake, person)):
        found["conversations"] = said
    return found


def erase(lake: Lake, person: Person, *, is_resolved: bool = True) -> tuple[dict[str, int], list[str]]:
    """Delete and redact; how many rows of each table went, and the files that raw answers about them came from.

    ``is_resolved``: False leaves what `Resolve` must see to know that an account of several is gone.
    """
    _mark(lake, person)
    rows, files = _answers(lake, person)
    said = _conversations(lake, person)
    for table, column in {"conversations": "conversation_id", "insights": "conversation_id"}.items():
        lake.delete(table, column, said)
    lake.execute("insert into temp.going select 'items', unnest(?::varchar[])", (said,))
    filled = _filled(lake)
    for name in filled:
        condition, values = _theirs(name, person, is_resolved=is_resolved)
        if condition:
            chosen = f"select t.rowid from {quote(name)} t where {condition}"
            gone = int(lake.value(f"delete from {quote(name)} where rowid in ({chosen})", values))
            rows[name] = rows.get(name, 0) + gone
    rows["conversations"] = len(said)
    for name in ("consents", "declarations", "creator_forwards"):  # those of other accounts of a creator who stays
        lake.execute(
            f"update {name} set account_ids = list_filter(account_ids, one -> not list_contains(?::varchar[], one)) "
            "where list_has_any(account_ids, ?::varchar[])",
            (person.accounts, person.accounts),
        )
    if (model := model_in_use(lake)) is not None:
        lake.execute(drop_unused(model))
    unseen = () if is_resolved else (*_RESOLVED, "stage_rows", "creators")
    _sweep(lake, person.named, [name for name in filled if name not in unseen])
    return {name: number for name, number in rows.items() if number}, files


def _mark(lake: Lake, person: Person) -> None:
    """``temp.going``: every id that goes, by kind."""
    lake.execute("create or replace temp table going (kind varchar, id varchar)")
    for kind, ids in (("accounts", person.accounts), ("creators", person.creators), ("reduced", person.reduced)):
        lake.execute("insert into temp.going select ?, unnest(?::varchar[])", (kind, ids))
    of = "select id from temp.going where kind = 'accounts'"
    lake.execute(f"insert into temp.going select 'contents', content_id from content_items where account_id in ({of})")
    lake.execute(
        "insert into temp.going select 'pictures', sha256 from media where sha256 is not null group by sha256 "
        f"having bool_and(account_id in ({of}))"
    )
    lake.execute(
        "insert into temp.going select 'owners', id from temp.going where kind in ('accounts', 'creators', 'contents')"
    )
    lake.execute("insert into temp.going select 'items', id from temp.going where kind in ('owners', 'pictures')")


def _filled(lake: Lake) -> list[str]:
    """The tables that have rows: most have none in most workspaces."""
    counted = " union all ".join(f"select '{name}' as name, count(*) as rows from {quote(name)}" for name in TABLES)
    filled = {row["name"] for row in lake.rows(counted) if row["rows"]}
    return [name for name in TABLES if name in filled]


def _theirs(name: str, person: Person, *, is_resolved: bool = True) -> tuple[str, list[object]]:
    """SQL over t, with its values: the rows of a table that are the person's; empty where it has none."""
    columns, values = TABLES[name].column_names, list[object]()
    if name in _KEPT or name == "raw_responses" or (not is_resolved and name in _RESOLVED):
        return "", values
    parts = []
    for column in columns:
        if (kind := _OWNED.get(column)) is not None:
            value = f"split_part(t.{column}, '|', 1)" if kind == "items" else f"t.{column}"
            kinds = [kind, *(["reduced"] if name in _INFERRED and kind in ("creators", "owners", "items") else ())]
            parts.append(f"{value} in (select id from temp.going where kind in ({', '.join('?' * len(kinds))}))")
            values += kinds
    if "account_ids" in columns and "account_id" not in columns and name == "link_log":
        parts.append("list_has_any(t.account_ids, ?::varchar[])")
        values.append(person.accounts)
    if name in _BY_HANDLE:
        parts.append("t.platform || ':' || lower(t.handle) in (select unnest(?::varchar[]))")
        values.append([f"{platform}:{handle}" for platform, handle in person.names])
    condition = " or ".join(parts)
    if condition and name == "stage_rows" and not is_resolved:
        condition = f"({condition}) and t.stage <> ?"
        values.append(Resolve.name)
    return condition, values


def _conversations(lake: Lake, person: Person) -> list[str]:
    """Those that the person wrote."""
    query = "select conversation_id from conversations where ltrim(lower(trim(author)), '@') in (select unnest(?))"
    return [row["conversation_id"] for row in lake.rows(query, (person.authors,))]


def _answers(lake: Lake, person: Person) -> tuple[dict[str, int], list[str]]:
    """Raw answers without the person.

    Those that go are no longer known to have been read, so that rows of others that came from them stay.
    """
    named, gone, files = person.named, list[str](), set[str]()
    condition, values = _naming(TABLES["raw_responses"], person)
    for row in _rows(lake, "raw_responses", condition, values):
        body = without_person(row["body"] or "", _subject(row, person), named)
        endpoint = named.redacted(row["endpoint"]) if row["endpoint"] else row["endpoint"]
        if named.in_path(row["endpoint"] or ""):
            endpoint = "files" if row["source"] == "files" else endpoint
        if body is None or body != row["body"] or endpoint != row["endpoint"]:
            lake.execute("delete from raw_responses where answer_id = ?", (row["answer_id"],))
            if row["source"] == "files":
                files.add(row["endpoint"])
        if body is None:
            gone.append(row["answer_id"])
        elif body != row["body"] or endpoint != row["endpoint"]:
            sha256 = hashlib.sha256(body.encode()).hexdigest()
            lake.append("raw_responses", [{**row, "body": body, "endpoint": endpoint, "sha256": sha256}])
    lake.execute("insert into temp.going select 'items', unnest(?::varchar[])", (gone,))
    lake.execute(
        "delete from stage_rows where stage = ? and item_id in (select unnest(?::varchar[]))", (Normalize.name, gone)
    )
    example = "update drift set example_answer_id = null where example_answer_id in (select unnest(?::varchar[]))"
    lake.execute(example, (gone,))
    return {"raw_responses": len(gone)}, sorted(files)


def _subject(row: dict[str, Any], person: Person) -> str | None:
    """Whom an answer was asked about; None where it is from a platform on which the person has no account."""
    platform = str(row["source"]).partition("_")[0]
    elsewhere = platform in _PLATFORMS and platform not in {one for one, _ in person.names}
    return None if elsewhere else row["subject"]


def _sweep(lake: Lake, named: Named, filled: Sequence[str]) -> None:
    """Take the names out of every text of every other table. A row whose key holds one goes."""
    for table in map(TABLES.__getitem__, filled):
        if table.name in _KEPT or table.name == "raw_responses":
            continue
        condition, values = _holding(table, named.words)
        for row in _rows(lake, table.name, condition, values):
            is_typed = table.name in _TYPED
            clean = {one.name: _cleaned(one, row[one.name], named, is_typed=is_typed) for one in table.columns}
            if clean == row:
                continue
            where = " and ".join(f"{quote(key)} is not distinct from ?" for key in table.key)
            lake.execute(f"delete from {quote(table.name)} where {where}", [row[key] for key in table.key])
            if table.name != "rejects" and all(clean[key] == row[key] for key in table.key):
                lake.append(table.name, [clean])


def _rows(lake: Lake, name: str, condition: str, values: Sequence[object]) -> Iterator[dict[str, Any]]:
    """The rows that fit a condition, some at a time: answers are large, and there may be many."""
    keys = ", ".join(map(quote, TABLES[name].key))
    table = quote(name)
    lake.execute(f"create or replace temp table looked_at as select {keys} from {table} where {condition}", values)
    total = int(lake.value("select count(*) from temp.looked_at"))
    for start in range(0, total, _CHUNK):
        some = f"(select * from temp.looked_at order by all limit {_CHUNK} offset {start})"
        yield from lake.rows(f"select t.* from {table} t semi join {some} s using ({keys})")


def _naming(table: Table, person: Person) -> tuple[str, list[object]]:
    """Raw answers that may be the person's or name them."""
    condition, values = _holding(table, person.named.words)
    answers = (
        "select answer_id from account_states where account_id in (select id from temp.going where kind = 'accounts') "
        "union select answer_id from content_items where account_id in "
        "(select id from temp.going where kind = 'accounts')"
    )
    return f"{condition} or answer_id in ({answers})", values


def _holding(table: Table, words: Collection[str]) -> tuple[str, list[object]]:
    """SQL with its values: rows in which one of ``words`` stands in any text."""
    texts = [column for column in table.columns if _is_text(column)]
    values: list[object] = []
    parts = []
    for column in texts:
        parts += [f"contains(lower({quote(column.name)}::varchar), ?)"] * len(words)
        values += words
    return " or ".join(parts) or "false", values


def _is_text(column: Column) -> bool:
    return column.type in ("VARCHAR", "JSON", "VARCHAR[]")


def _cleaned(column: Column, value: Any, named: Named, *, is_typed: bool) -> Any:
    """A value of a row of somebody else without the person."""
    if value is None or not _is_text(column):
        return value
    if column.type == "VARCHAR":
        text = named.redacted(value) if named.in_text(value) else value
        return named.exactly(text) if is_typed else text
    if column.type == "VARCHAR[]":
        return [one for one in value if named.without({column.name: [one]}) == {column.name: [one]}]
    given = json.loads(value)
    left = named.without(given)
    if left is None and given is not None:
        left = named.without_objects(given)
    if is_typed:
        left = named.exactly(left)
    return value if left == given else json_text(left)
