"""One DuckDB file that holds the tables, with indexes to search them: for people who live in DuckDB's shell."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from igtool.errors import StorageError
from igtool.extensions import load_extension
from igtool.files import fsync, make_folder, storage_error
from igtool.lake import Lake
from igtool.lake_errors import translated
from igtool.lake_sql import quote
from igtool.schema import EXPORTED, TABLES
from igtool.views import VIEWS

FIELDS = ("ig_bio", "ig_captions", "yt_bio", "yt_content")

_TEXTS = """
    with captions as (
        select account_id, string_agg(concat_ws(' ', title_or_caption, left(description, 500)), ' ' order by
                   published_at desc nulls last, content_id) as captions
        from (
            from portable.content_items
            qualify row_number() over (partition by account_id order by published_at desc nulls last, content_id) <= 20
        ) group by account_id
    ),
    said as (
        select creator_id, string_agg(distinct handle, ' ') as handles, string_agg(distinct display_name, ' ') as names,
               string_agg(bio, ' ') as bio, string_agg(captions, ' ') as captions
        from portable.creator_links join portable.accounts using (account_id) left join captions using (account_id)
        group by creator_id
    )
    select c.creator_id, c.canonical_handle as handle, c.name, s.handles, s.names, s.bio, s.captions,
           concat_ws(' ', n.primary_niche, array_to_string(n.secondary_niches, ' '), n.llm_summary,
               array_to_string(p.content_topics, ' ')) as topics
    from portable.creators c left join said s using (creator_id) left join portable.niches n using (creator_id)
    left join portable.profiles p using (creator_id)
    order by c.creator_id
"""

QUERIES = {
    "words": """
-- Creators by words (BM25). English endings are cut, accents do not matter.
select t.handle, t.name, c.total_followers_count, score
from (select *, fts_main_creator_texts.match_bm25(creator_id, 'vegan recipes') as score from creator_texts) t
join creators c using (creator_id)
where score is not null order by score desc limit 10;
""",
    "like": """
-- Creators who post like another one. With --hnsw the plan holds HNSW_INDEX_SCAN, without it all vectors are compared.
set variable wanted = (select ig_captions from creator_vectors join creators using (creator_id)
                       where ig_captions is not null order by total_followers_count desc nulls last limit 1);
with near as (
    select creator_id, array_cosine_distance(ig_captions, getvariable('wanted')::float[{size}]) as distance
    from creator_vectors
    order by array_cosine_distance(ig_captions, getvariable('wanted')::float[{size}]) limit 11
)
select canonical_handle, name, 1 - distance as similarity from near join creators using (creator_id) order by distance;
""",
    "both": """
-- Words and meaning together, among creators of a country with more than 10,000 followers.
set variable wanted = (select ig_captions from creator_vectors join creators using (creator_id)
                       where ig_captions is not null order by total_followers_count desc nulls last limit 1);
select c.canonical_handle, c.name, c.country, c.total_followers_count,
       0.4 * coalesce(score / (score + 10), 0)
           + 0.6 * coalesce(array_cosine_similarity(v.ig_captions, getvariable('wanted')::float[{size}]), 0) as final
from (select creator_id, fts_main_creator_texts.match_bm25(creator_id, 'vegan recipes') as score from creator_texts)
join creators c using (creator_id) left join creator_vectors v using (creator_id)
where c.country is not null and c.total_followers_count > 10000
order by final desc limit 10;
""",
}
"""Name to a query over the file, which is also in its table ``example_queries``; {size} is the length of vectors."""


def write_portable(lake: Lake, path: Path, *, with_hnsw: bool = False, offline: bool = True) -> int:
    """Write the exported tables, views, texts and vectors of ``lake`` to the DuckDB file ``path``; its size in bytes.

    The file is made beside and replaces ``path`` when it is whole. E-mail addresses stay out. Texts have a full-text
    index; with ``with_hnsw`` vectors have an HNSW index each, which takes long. Raises StorageError,
    ConfigError (an extension is missing).
    """
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        make_folder(path.parent)
        temporary.unlink(missing_ok=True)
        size = _copy(lake, temporary)
        _index(temporary, size, with_hnsw=with_hnsw, offline=offline)
        temporary.chmod(0o600)
        fsync(temporary)
        temporary.replace(path)
        fsync(path.parent)
        return path.stat().st_size
    except OSError as error:
        raise storage_error(error, path) from error
    except duckdb.IOException as error:
        raise StorageError(f"cannot write {path}: {error}") from error
    finally:
        for left in path.parent.glob(f"{temporary.name}*"):
            left.unlink()


def _copy(lake: Lake, path: Path) -> int:
    """The tables of ``lake`` in a new file; the length of its vectors, 0 without any."""
    name = str(path).replace("'", "''")
    lake.execute(f"attach '{name}' as portable")
    try:
        for table in EXPORTED:
            hidden = " exclude (emails)" if any(c.name == "emails" for c in TABLES[table].columns) else ""
            keys = ", ".join(map(quote, TABLES[table].key))
            source = "current_embeddings" if table == "embeddings" else quote(table)
            lake.execute(f"create table portable.{quote(table)} as select *{hidden} from {source} order by {keys}")
        lake.execute(f"create table portable.creator_texts as {_TEXTS}")
        size = int(lake.value("select coalesce(max(len(vector)), 0) from portable.embeddings") or 0)
        if size:
            lake.execute(f"create table portable.creator_vectors as {_vectors(size)}")
        about = {
            "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "lake_id": lake.lake_id,
            "snapshot": str(lake.snapshot),
            "model": lake.value("select any_value(model) from portable.embeddings"),
        }
        lake.execute("create table portable.about (name varchar, value varchar)")
        lake.execute("create table portable.example_queries (name varchar, query varchar)")
        for key, value in about.items():
            lake.execute("insert into portable.about values (?, ?)", (key, value))
        for key, query in QUERIES.items():
            lake.execute("insert into portable.example_queries values (?, ?)", (key, query.strip().format(size=size)))
        return size
    finally:
        lake.execute("detach portable")


def _vectors(size: int) -> str:
    """SQL: one row a creator with the vector of each field, of its account with most followers."""
    columns = ", ".join(
        f"first(vector order by followers_count desc nulls last, account_id) filter (field = '{field}')"
        f"::float[{size}] as {field}"
        for field in FIELDS
    )
    return (
        f"select creator_id, {columns} from portable.embeddings e "
        "join portable.accounts a on a.account_id = e.owner_id join portable.creator_links using (account_id) "
        "group by creator_id order by creator_id"
    )


def _index(path: Path, size: int, *, with_hnsw: bool, offline: bool) -> None:
    connection = duckdb.connect(str(path))
    try:
        load_extension(connection, "fts", offline=offline)
        connection.execute("pragma create_fts_index('creator_texts', 'creator_id', '*', strip_accents = 1)")
        if with_hnsw and size:
            load_extension(connection, "vss", offline=offline)
            # DuckDB calls indexes of an extension on disk experimental; the file is a copy that can be made again.
            connection.execute("set hnsw_enable_experimental_persistence = true")
            for field in FIELDS:
                connection.execute(
                    f"create index {field} on creator_vectors using hnsw ({field}) with (metric = 'cosine')"
                )
        with translated(path):
            for view, query in VIEWS.items():
                with suppress(duckdb.CatalogException):  # a view of tables that are not exported
                    connection.execute(f"create view {quote(view)} as {query}")
            connection.execute("checkpoint")
    finally:
        connection.close()
