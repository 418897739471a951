"""What the index is made of, read from the tables: one row a creator, one a creator and platform, one a vector.

Every query is about the creators that it is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from igtool.errors import ConfigError, IntegrityError
from igtool.lake import Reader
from igtool.search.filters import GROWTH_DAYS

Answer = TypeVar("Answer")

_BLOCK = 20_000

RECENT_ITEMS = 20
"""Newest items of each account whose text is searched and whose rhythm is measured."""
READ = (
    "accounts",
    "content_items",
    "creators",
    "creator_links",
    "creator_tags",
    "embedding_models",
    "embeddings",
    "metric_snapshots",
    "niches",
    "profiles",
)
"""Tables whose changes make an index stale."""

_CHOSEN = """
    chosen as (
        from creators
        where creator_id between ? and ? and (?::varchar[] is null or creator_id in (select unnest(?::varchar[])))
    ),
    members as (
        select c.creator_id, a.*
        from chosen c join creator_links l using (creator_id) join accounts a using (account_id)
    )
"""

_PLACED = "placed as (select creator_id, row_number() over (order by creator_id) - 1 as place from chosen)"

_CREATORS = """
    with {chosen},
    verified as (select creator_id, bool_or(is_verified) as is_verified from members group by creator_id),
    tagged as (
        select creator_id, list(category || ':' || tag order by category, tag) as tags,
               list(category || ':' || tag order by category, tag) filter (approved_by is not null) as approved_tags
        from creator_tags semi join chosen using (creator_id) group by creator_id
    )
    select c.creator_id, c.canonical_handle as handle, c.name, c.platforms, c.language, c.country, n.primary_niche,
           coalesce(n.secondary_niches, []) as secondary_niches, n.content_style, n.llm_summary as summary,
           coalesce(v.is_verified, false) as is_verified, coalesce(g.tags, []) as tags,
           coalesce(g.approved_tags, []) as approved_tags
    from chosen c
    left join verified v using (creator_id) left join tagged g using (creator_id) left join niches n using (creator_id)
    order by c.creator_id
"""

_TEXTS = """
    with {chosen}, {placed},
    texts as (
        select creator_id, list(distinct handle order by handle) filter (handle is not null) as handles,
               string_agg(distinct display_name, ' · ' order by display_name) as names,
               string_agg(bio, '\n' order by platform, account_id) as bio,
               string_agg(distinct category, ' · ' order by category) as category
        from members group by creator_id
    ),
    recent as (
        select account_id, title_or_caption, description, published_at, content_id
        from content_items semi join members using (account_id)
        qualify row_number() over (partition by account_id order by published_at desc nulls last, content_id)
            <= {recent}
    ),
    captions as (
        select m.creator_id, string_agg(concat_ws('\n', r.title_or_caption, left(r.description, 500)), '\n'
                   order by r.published_at desc nulls last, r.content_id) as captions
        from recent r join members m using (account_id) group by m.creator_id
    )
    select o.place, coalesce(t.handles, list_filter([c.canonical_handle], lambda one: one is not null)) as handle,
           concat_ws(' · ', c.name, t.names) as name, t.bio, t.category, x.captions,
           concat_ws(' ', replace(n.primary_niche, '_', ' '),
               replace(array_to_string(n.secondary_niches, ' '), '_', ' '), replace(n.content_style, '_', ' '),
               array_to_string(p.content_topics, ' '), n.llm_summary) as topics,
           list_filter(list_concat(
               ['country=' || c.country, 'language=' || c.language, 'style=' || n.content_style,
                'niche=' || n.primary_niche],
               list_transform(n.secondary_niches, lambda one: 'niche=' || one)), lambda one: one is not null) as facts
    from chosen c join placed o using (creator_id)
    left join texts t using (creator_id) left join captions x using (creator_id)
    left join niches n using (creator_id) left join profiles p using (creator_id)
"""

# One row for all accounts of a creator together (platform NULL) and one for those on each platform.
_SCOPES = """
    with {chosen},
    recent as (
        select account_id, max(observed_at) as items_observed_at, max(published_at, {recent}) as times
        from content_items semi join members using (account_id) group by account_id
    ),
    rhythm as (
        select account_id, items_observed_at, case when len(times) >= 3 and times[1] > times[-1] then
                   (len(times) - 1) * 604800.0 / epoch(times[1] - times[-1]) end as posts_per_week
        from recent
    ),
    grown as (
        select subject_id as account_id, change, baseline_value from growth_windows
        where metric = 'followers' and window_days = {growth_days} and baseline_value > 0
    ),
    numbers as (
        select m.creator_id, m.platform, m.account_id, m.followers_count, m.is_verified, e.engagement_rate,
               e.last_published_at, g.change, g.baseline_value,
               greatest(m.observed_at, r.items_observed_at) as observed_at, r.posts_per_week
        from members m left join engagement e using (account_id) left join rhythm r using (account_id)
        left join grown g using (account_id)
    )
    select creator_id, platform, sum(followers_count)::bigint as followers_count,
           max_by(engagement_rate, row(coalesce(followers_count, -1), account_id))
               -- by followers; that of YouTube is by views, and the usual rates of score.py are not
               filter (engagement_rate is not null and platform = 'instagram') as engagement_rate,
           max(observed_at) as observed_at,
           min(greatest(epoch(observed_at - last_published_at) / 86400.0, 0))
               filter (last_published_at is not null) as silent_days,
           sum(posts_per_week) as posts_per_week, sum(change) / sum(baseline_value) as growth,
           coalesce(bool_or(is_verified), false) as is_verified
    from numbers group by grouping sets ((creator_id), (creator_id, platform))
"""

_FIELD_VECTORS = """
    with {chosen}, {placed}
    select p.place, coalesce(m.followers_count, 0) as followers_count, e.vector
    from current_embeddings e join members m on m.account_id = e.owner_id join placed p using (creator_id)
    where e.field = ? and e.vector is not null
"""

# Sums of hashes do not depend on order and need no sorting of a million lists.
_FINGERPRINTS = """
    with seen as (
        select account_id, hash(account_id, answer_id, parser_version, observed_at) as h from accounts
        union all
        select account_id, hash(content_id, answer_id, parser_version, observed_at) from content_items
        union all
        select owner_id, hash(embedding_id, model, text_sha256) from current_embeddings
        union all
        select subject_id, hash(subject_id, max(observed_at), count(*))
        from metric_snapshots where metric = 'followers' group by subject_id
    ),
    summed as (select account_id, sum(h) as h from seen group by account_id),
    linked as (
        select creator_id, sum(h) as h, count(*) as n from creator_links join summed using (account_id) group by 1
    ),
    tagged as (
        select creator_id, sum(hash(category, tag, approved_by)) as h
        from creator_tags group by creator_id
    )
    select c.creator_id, md5(concat_ws('|', c.canonical_handle, c.name, c.platforms, c.language, c.country, l.h,
               l.n, n.primary_niche, n.secondary_niches, n.content_style, n.llm_summary, p.content_topics, t.h))
               as fingerprint
    from creators c left join linked l using (creator_id) left join niches n using (creator_id)
    left join profiles p using (creator_id) left join tagged t using (creator_id)
    order by c.creator_id
"""


@dataclass(frozen=True)
class Chosen:
    """Creators to read: those with one of ``ids``, or all of them from ``first`` to ``last``."""

    ids: Sequence[str] | None = None
    first: str = ""
    last: str = "\U0010ffff"


EVERYBODY = Chosen()


def _asked(ask: Callable[..., Answer], query: str, chosen: Chosen, *more: object) -> Answer:
    ids = None if chosen.ids is None else list(chosen.ids)
    text = query.format(chosen=_CHOSEN, placed=_PLACED, growth_days=GROWTH_DAYS, recent=RECENT_ITEMS)
    return ask(text, (chosen.first, chosen.last, ids, ids, *more))


def creators_of(reader: Reader, chosen: Chosen) -> pa.Table:
    """Metadata, one row a creator, ascending by ``creator_id``."""
    return _asked(reader.arrow, _CREATORS, chosen)


def texts_of(reader: Reader, chosen: Chosen) -> Iterator[pa.RecordBatch]:
    """Searched texts part by part and in no order: a column for each text field, ``handle`` as lists.

    ``place`` is that of the creator among the chosen ones, ``facts`` what it can be narrowed by (`facts_asked`); where
    there is no text the column has NULL.
    """
    return _asked(reader.batches, _TEXTS, chosen)


def scopes_of(reader: Reader, chosen: Chosen) -> pa.Table:
    """Numbers of each creator over all accounts (``platform`` NULL) and over those on each platform."""
    return _asked(reader.arrow, _SCOPES, chosen)


def fingerprints(reader: Reader) -> pa.Table:
    """``creator_id`` and ``fingerprint`` of what the index shows of each creator, for all of them."""
    return reader.arrow(_FINGERPRINTS)


def model_of(reader: Reader) -> str | None:
    """The one model of all vectors; None without vectors. Raises ConfigError if there are several."""
    models = reader.arrow("select distinct model from current_embeddings where vector is not null order by model")
    names = [str(name) for name in models["model"].to_pylist()]
    if len(names) > 1:
        raise ConfigError(
            f"the embeddings come from {len(names)} models ({', '.join(names)}), whose vectors cannot be "
            "compared: run `igtool run embed --force`"
        )
    return names[0] if names else None


def vectors_of(reader: Reader, field: str, count: int, chosen: Chosen) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Which of the ``count`` creators have the field, as places among the chosen, and their unit vectors.

    Of several accounts of a platform the mean is taken, weighted by followers. Raises IntegrityError if vectors are of
    several sizes or no numbers.
    """
    sums: NDArray[np.float32] | None = None
    there = np.zeros(count, dtype=bool)
    for batch in _asked(reader.batches, _FIELD_VECTORS, chosen, field):
        vectors = _matrix(batch.column("vector"), field)
        if not len(vectors):
            continue
        if sums is None:
            sums = np.zeros((count, vectors.shape[1]), dtype=np.float32)
        if vectors.shape[1] != sums.shape[1]:
            raise _bad_vectors(field)
        weights = batch.column("followers_count").to_numpy().astype(np.float32) + 1
        _add(sums, batch.column("place").to_numpy(), vectors * weights[:, None], there)
    if sums is None:
        return np.empty(0, dtype=np.int64), np.empty((0, 0), dtype=np.float32)
    for start in range(0, len(sums), _BLOCK):
        block = sums[start : start + _BLOCK]
        block /= np.maximum(np.linalg.norm(block, axis=1, keepdims=True), 1e-12)
    return np.flatnonzero(there), sums if there.all() else sums[there]


def _add(
    sums: NDArray[np.float32], places: NDArray[np.int64], vectors: NDArray[np.float32], there: NDArray[np.bool_]
) -> None:
    """Add ``vectors`` to the rows ``places`` of ``sums``; most rows get but one."""
    if len(np.unique(places)) == len(places) and not there[places].any():
        sums[places] = vectors
    else:
        np.add.at(sums, places, vectors)
    there[places] = True


def _matrix(values: Any, field: str) -> NDArray[np.float32]:
    flat = values.flatten().to_numpy(zero_copy_only=False).astype(np.float32, copy=False)
    lengths = np.diff(values.offsets.to_numpy())
    if len(values) and ((lengths != lengths[0]).any() or lengths[0] == 0 or not np.isfinite(flat).all()):
        raise _bad_vectors(field)
    return np.ascontiguousarray(flat.reshape(len(values), -1) if len(values) else flat.reshape(0, 0))


def _bad_vectors(field: str) -> IntegrityError:
    return IntegrityError(
        f"the stored vectors of {field} differ in size or are no numbers: run `igtool run embed --force`"
    )
