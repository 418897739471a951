"""What is known of creators before anything is made of it, as SQL: accounts, newest items, vectors, lists, counts."""

from __future__ import annotations

from igtool.engagement import content_mix_of, engagement_of, posting_of
from igtool.known_handles import accounts_meant
from igtool.posting import slots_of, zones_of_countries

ITEMS = 50
"""How many of the newest items of all accounts together are read; engagement has windows of its own."""

FACTS = f"""
    with zones as ({zones_of_countries()}),
    linked as (
        select l.creator_id as item_id, a.*
        from creator_links l join accounts a using (account_id)
        where l.creator_id in (select item_id from batch)
    ),
    posted as (
        select l.item_id, c.*, timezone(coalesce(z.time_zone, 'UTC'), c.published_at) as local_at
        from linked l join content_items c using (account_id)
        join creators on creators.creator_id = l.item_id left join zones z on z.country = creators.country
        qualify row_number() over (
            partition by l.item_id order by c.published_at desc nulls last, c.content_id
        ) <= {ITEMS}
    ),
    listed as (
        select item_id,
               list(struct_pack(
                   content_id, hashtags, type, published_at, like_count, comment_count, view_count, play_count,
                   text := concat_ws(chr(10), left(title_or_caption, 2200), left(description, 300))
               ) order by published_at desc nulls last, content_id) as items,
               count(*) as item_count
        from posted group by item_id
    ),
    mixed as (
        select item_id, list(struct_pack(type, share := round(share, 4)) order by type) as content_mix
        from ({content_mix_of("posted", "item_id")}) group by item_id
    ),
    paced as ({posting_of("posted", "item_id")}),
    best as ({slots_of("posted", "item_id")}),
    items as (
        select l.account_id, l.platform, l.followers_count, c.content_id, c.published_at, c.observed_at,
               c.like_count, c.comment_count, c.view_count, c.play_count
        from linked l join content_items c using (account_id)
    ),
    engaged as ({engagement_of("items")}),
    responses as (
        select l.item_id,
               list(struct_pack(
                   account_id, platform := l.platform, followers_count := l.followers_count,
                   engagement_rate := round(engagement_rate, 6), rated_items, median_likes, median_comments,
                   median_views, median_plays, items
               ) order by engagement_rate is null, l.followers_count desc nulls last, account_id) as responses
        from linked l join engaged using (account_id) group by l.item_id
    ),
    known as (
        select item_id,
               list(struct_pack(
                   account_id, category, display_name := left(display_name, 200), bio := left(bio, 5000)
               ) order by followers_count desc nulls last, account_id) as accounts
        from linked group by item_id
    ),
    named as (
        select handle from linked union select lower(platform_user_id) from linked
        union select s.handle from account_states s semi join linked using (account_id)
    ),
    watched as (
        select l.item_id, w.watch_id, w.row
        from ({accounts_meant("from watchlist where lower(handle) in (select handle from named)")}) m
        join watchlist w using (platform, handle) join linked l using (account_id)
    ),
    told as (
        select item_id, list(row order by watch_id) as listed_rows
        from (select item_id, row::varchar as row, min(watch_id) as watch_id from watched group by all)
        group by item_id
    ),
    embedded as (
        select l.item_id, list(struct_pack(model, field, vector) order by e.embedding_id) as vectors
        from current_embeddings e join linked l on l.account_id = e.owner_id group by l.item_id
    )
    select c.creator_id as item_id, c.language, known.accounts, listed.items as texts, embedded.vectors,
           told.listed_rows, mixed.content_mix, best.slot, best.best_hours,
           coalesce(zones.time_zone, 'UTC') as time_zone,
           responses.responses, listed.item_count, paced.items_per_week, paced.median_gap_days,
           strftime(timezone('UTC', paced.first_published_at), '%Y-%m-%dT%H:%M:%SZ') as since,
           strftime(timezone('UTC', paced.last_published_at), '%Y-%m-%dT%H:%M:%SZ') as until
    from creators c
    join batch on batch.item_id = c.creator_id
    left join zones using (country)
    left join known on known.item_id = c.creator_id
    left join listed on listed.item_id = c.creator_id
    left join embedded on embedded.item_id = c.creator_id
    left join mixed on mixed.item_id = c.creator_id
    left join paced on paced.item_id = c.creator_id
    left join best on best.item_id = c.creator_id
    left join responses on responses.item_id = c.creator_id
    left join told on told.item_id = c.creator_id
    order by c.creator_id
"""

"""One row for each creator of the view ``batch``, by ``item_id``; the input of `igtool.portrait.Portrait`."""

# Sums of hashes do not depend on order and need no sorting of a million lists.
FACTS_KEYS = f"""
    with seen as (
        select account_id,
               md5_number_lower(concat_ws(' ', account_id, answer_id, parser_version, observed_at)) as h
        from accounts
        union all
        select account_id, md5_number_lower(concat_ws(' ', content_id, answer_id, parser_version, observed_at))
        from content_items
        union all
        select owner_id, md5_number_lower(concat_ws(' ', embedding_id, model, text_sha256)) from current_embeddings
        union all
        select m.account_id, md5_number_lower(concat_ws(' ', w.watch_id, w.row))
        from ({accounts_meant("from watchlist")}) m join watchlist w using (platform, handle)
    ),
    summed as (select account_id, sum(h) as h, count(*) as n from seen group by account_id),
    linked as (
        select l.creator_id, sum(s.h) as h, sum(s.n) as n
        from creator_links l join summed s using (account_id) group by l.creator_id
    )
    select c.creator_id as item_id, md5(concat_ws(' ', c.creator_id, c.language, c.country, l.h, l.n)) as fingerprint
    from creators c left join linked l using (creator_id)
"""
"""``item_id`` and ``fingerprint`` of what `FACTS` gives, for every creator."""
