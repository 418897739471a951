"""What a creator is about, without any language model."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa

from igtool import vocabulary
from igtool.encoders.base import Encoder
from igtool.portrait import Portrait, spaces_of
from igtool.stages.base import Context, Output, Row, Stage
from igtool.zero_shot import Scores

ITEMS = 50
"""How many of the newest items of all accounts together are read."""

_ROWS = f"""
    with linked as (
        select l.creator_id as item_id, a.*
        from creator_links l join accounts a using (account_id)
        where l.creator_id in (select item_id from batch)
    ),
    posted as (
        select l.item_id, l.platform as account_platform, l.followers_count, c.*,
               make_timestamp(epoch_us(c.published_at)) as utc,
               if(c.like_count is null and c.comment_count is null, null,
                  coalesce(c.like_count, 0) + coalesce(c.comment_count, 0)) as reactions
        from linked l join content_items c using (account_id)
        qualify row_number() over (
            partition by l.item_id order by c.published_at desc nulls last, c.content_id
        ) <= {ITEMS}
    ),
    listed as (
        select item_id,
               list(struct_pack(
                   content_id, hashtags,
                   text := concat_ws(chr(10), left(title_or_caption, 2200), left(description, 300))
               ) order by published_at desc nulls last, content_id) as items
        from posted group by item_id
    ),
    mixed as (
        select item_id, list(struct_pack(type, share) order by type) as content_mix
        from (
            select item_id, type, round(count(*) / sum(count(*)) over (partition by item_id), 4) as share
            from posted where type is not null group by item_id, type
        )
        group by item_id
    ),
    slotted as (
        select item_id, dayname(utc) as weekday, hour(utc) as hour_utc, isodow(utc) as day, count(*) as items,
               count(reactions) as known, median(reactions) as reactions
        from posted where utc is not null group by all
    ),
    best as (
        select item_id,
               list(struct_pack(
                   weekday := lower(weekday), hour_utc, items, basis := if(known >= 3, 'engagement', 'frequency')
               ) order by known >= 3 desc, if(known >= 3, reactions, 0) desc, items desc, day, hour_utc)[1] as slot
        from slotted where items >= 2 group by item_id
    ),
    counted as (
        select item_id, count(*) as items,
               round((count(utc) - 1) / nullif(epoch(max(utc) - min(utc)) / 604800, 0), 3) as items_per_week,
               strftime(min(utc), '%Y-%m-%dT%H:%M:%SZ') as since,
               strftime(max(utc), '%Y-%m-%dT%H:%M:%SZ') as until,
               median(like_count) as median_likes, median(comment_count) as median_comments,
               median(coalesce(view_count, play_count)) as median_views,
               round(avg(reactions / nullif(followers_count, 0)), 6) as engagement_rate,
               round(avg(reactions / nullif(followers_count, 0))
                   filter (account_platform = 'instagram'), 6) as instagram_rate
        from posted group by item_id
    ),
    known as (
        select item_id,
               list(struct_pack(
                   account_id, category, display_name := left(display_name, 200), bio := left(bio, 5000)
               ) order by followers_count desc nulls last, account_id) as accounts,
               max(followers_count) filter (platform = 'instagram') as instagram_followers
        from linked group by item_id
    ),
    watched as (
        select l.item_id, w.watch_id, w.row
        from linked l join watchlist w on w.platform = l.platform and lower(w.handle) = l.handle
        union
        select l.item_id, w.watch_id, w.row
        from linked l join watchlist w on w.platform = l.platform and w.handle = l.platform_user_id
        where l.platform = 'youtube'
    ),
    told as (
        select item_id, list(row order by watch_id) as listed_rows
        from (select item_id, row::varchar as row, min(watch_id) as watch_id from watched group by all)
        group by item_id
    ),
    embedded as (
        select l.item_id, list(struct_pack(model, field, vector) order by e.embedding_id) as vectors
        from embeddings e join linked l on l.account_id = e.owner_id group by l.item_id
    )
    select c.creator_id as item_id, c.language, known.accounts, known.instagram_followers, listed.items as texts,
           told.listed_rows, embedded.vectors, mixed.content_mix, best.slot, counted.* exclude (item_id)
    from creators c
    join batch on batch.item_id = c.creator_id
    left join known on known.item_id = c.creator_id
    left join listed on listed.item_id = c.creator_id
    left join told on told.item_id = c.creator_id
    left join embedded on embedded.item_id = c.creator_id
    left join mixed on mixed.item_id = c.creator_id
    left join best on best.item_id = c.creator_id
    left join counted on counted.item_id = c.creator_id
    order by c.creator_id
"""

# Sums of hashes do not depend on order and need no sorting of a million lists.
_KEYS = """
    with seen as (
        select account_id,
               md5_number_lower(concat_ws(' ', account_id, answer_id, parser_version, observed_at)) as h
        from accounts
        union all
        select account_id, md5_number_lower(concat_ws(' ', content_id, answer_id, parser_version, observed_at))
        from content_items
        union all
        select owner_id, md5_number_lower(concat_ws(' ', embedding_id, model, text_sha256)) from embeddings
        union all
        select a.account_id, md5_number_lower(concat_ws(' ', w.watch_id, w.row))
        from watchlist w join accounts a on a.platform = w.platform and a.handle = lower(w.handle)
        union all
        select a.account_id, md5_number_lower(concat_ws(' ', w.watch_id, w.row))
        from watchlist w join accounts a on a.platform = w.platform and a.platform_user_id = w.handle
        where w.platform = 'youtube'
    ),
    summed as (select account_id, sum(h) as h, count(*) as n from seen group by account_id),
    linked as (
        select l.creator_id, sum(s.h) as h, sum(s.n) as n
        from creator_links l join summed s using (account_id) group by l.creator_id
    )
    select c.creator_id as item_id, md5(concat_ws(' ', c.creator_id, c.language, l.h, l.n)) as fingerprint
    from creators c left join linked l using (creator_id)
"""


@dataclass(frozen=True)
class AnalyzeOptions:
    """Options of the stage."""

    vocabulary_sha256: str = field(default_factory=vocabulary.fingerprint)
    """What niches and styles there are; an edited vocabulary analyses everything again."""


class Analyze(Stage):
    """One row of ``profiles`` and of ``niches`` a creator, from its accounts, newest 50 items, vectors and lists.

    Each field names its method: ``zero-shot`` (`igtool.zero_shot`), ``words`` (vocabulary words), ``list`` (genres
    of a creator list), several joined by ``+``, ``sql`` (counts and times), ``extraction`` (quoted from the texts),
    ``rule`` (from niche and language) or ``none`` (NULL). Ethnicity, height, health, religion, orientation, gender
    and looks are never inferred.
    """

    name: ClassVar[str] = "analyze"
    version: ClassVar[int] = 2
    reads: ClassVar[tuple[str, ...]] = (
        "creators",
        "creator_links",
        "accounts",
        "content_items",
        "embeddings",
        "watchlist",
    )
    writes: ClassVar[tuple[str, ...]] = ("profiles", "niches")
    key: ClassVar[str] = "creator_id"
    Options: ClassVar[type] = AnalyzeOptions
    keys: ClassVar[str] = _KEYS
    rows: ClassVar[str] = _ROWS

    def process(self, batch: pa.Table, context: Context) -> Output:
        """Rows of both tables for each creator."""
        encoder = context.encoder()
        spaces = spaces_of(encoder)
        owners, vectors = _vectors(batch, encoder)
        niche_z = _by_owner(spaces.niches.z_scores(vectors), owners, batch.num_rows)
        style_z = _by_owner(spaces.styles.z_scores(vectors), owners, batch.num_rows)
        profiles: list[Row] = []
        niches: list[Row] = []
        for row, facts in enumerate(batch.drop_columns(["vectors"]).to_pylist()):
            portrait = Portrait(facts, spaces, niche_z[row], style_z[row])
            profiles.append(portrait.profile() | {"model": encoder.model})
            niches.append(portrait.niche() | {"model": encoder.model})
        return Output({"profiles": profiles, "niches": niches}, batch.column("item_id").to_pylist())


def _vectors(batch: pa.Table, encoder: Encoder) -> tuple[Any, Any]:
    """Row number and vector of each embedding that this encoder made, shapes (n,) and (n, dimension)."""
    lists = batch.column("vectors").combine_chunks()
    structs = lists.flatten()
    owners = np.repeat(np.arange(len(lists)), lists.value_lengths().fill_null(0).to_numpy(zero_copy_only=False))
    models, vectors = structs.field("model"), structs.field("vector")
    sizes = vectors.value_lengths().fill_null(0).to_numpy(zero_copy_only=False)
    ours = (np.array(models.to_pylist(), dtype=object) == encoder.model) & (sizes == encoder.dimension)
    chosen = vectors.filter(pa.array(ours, type=pa.bool_())).flatten().to_numpy(zero_copy_only=False)
    return owners[ours], chosen.reshape(-1, encoder.dimension).astype(np.float32)


def _by_owner(z: Scores, owners: Any, rows: int) -> list[Scores | None]:
    """Sum of each row's standardised vectors over the root of their number; None for a row without one.

    Fields are taken as independent witnesses, so two that agree say more than one (Stouffer's method).
    """
    total = np.zeros((rows, z.shape[1]))
    np.add.at(total, owners, z)
    counts = np.bincount(owners, minlength=rows)
    return [total[row] / np.sqrt(counts[row]) if counts[row] else None for row in range(rows)]
