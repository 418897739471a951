"""Views for people over the tables of ``igtool.schema``. ``docs/tables.md`` is generated from here too."""

from __future__ import annotations

from igtool.engagement import content_mix_of, engagement_of, posting_of


def engagement_rows_of(items: str) -> str:
    """SQL: the view ``engagement`` over the relation ``items`` (rows of content_items); a few are soon measured."""
    return f"""
        -- What an item of an account gets: medians over its newest 12 items (YouTube 30) of which a number is known.
        -- engagement_rate is by followers, on YouTube by views: see docs/engagement.md.
        with items as (
            select a.account_id, a.platform, a.followers_count, c.content_id, c.published_at, c.observed_at,
                   c.like_count, c.comment_count, c.view_count, c.play_count
            from accounts a join {items} c using (account_id)
        ),
        measured as ({engagement_of("items")})
        select a.account_id, a.platform, a.handle, a.followers_count, m.* exclude (account_id)
        from accounts a join measured m using (account_id)
    """


def posting_rows_of(items: str) -> str:
    """SQL: the view ``posting`` over the relation ``items`` (rows of content_items)."""
    return f"""
        -- How often an account posts, from its newest 50 items of a known time. Times are UTC.
        with measured as ({posting_of(items)})
        select a.account_id, a.platform, a.handle, m.* exclude (account_id)
        from accounts a join measured m using (account_id)
    """


def growth_windows_of(snapshots: str) -> str:
    """SQL: growth of each series of the relation ``snapshots`` (rows of metric_snapshots) up to its newest one."""
    return f"""
        -- Growth of each series over 7, 30 and 90 days, between two snapshots that were taken: nothing is interpolated.
        -- The baseline is the newest snapshot at or before the start of the window; without one change is NULL.
        -- has_gap: no baseline, one older than the window * 1.25 + 1 day, or over 8 days between two snapshots
        -- (one weekly look was missed). observation_count is of the window, the baseline outside it not included.
        -- Time is counted in microseconds: taking days from a timestamptz depends on the zone of the session.
        with series as (
            select subject_id, subject_type, metric, value, observed_at, epoch_us(observed_at) as at_us,
                   row_number() over neighbours as place,
                   epoch_us(observed_at) - lag(epoch_us(observed_at)) over neighbours as gap_us,
                   last_value(epoch_us(observed_at)) over (
                       neighbours rows between unbounded preceding and unbounded following
                   ) as latest_us
            from {snapshots}
            window neighbours as (partition by subject_id, metric order by observed_at, answer_id)
        ),
        placed as (
            select series.*, window_days, latest_us - window_days * 86400000000 as start_us
            from series cross join (values (7), (30), (90)) windows(window_days)
        ),
        measured as (
            select subject_id, any_value(subject_type) as subject_type, metric, window_days,
                   arg_max(value, place) as latest_value, max(observed_at) as latest_at,
                   arg_max(value, place) filter (at_us <= start_us) as baseline_value,
                   max(observed_at) filter (at_us <= start_us) as baseline_at,
                   count(*) filter (at_us >= start_us) as observation_count,
                   max(gap_us) filter (at_us > start_us) / 86400e6 as longest_gap_days,
                   (max(latest_us) - max(at_us) filter (at_us <= start_us)) / 86400e6 as baseline_age_days
            from placed group by subject_id, metric, window_days
        )
        select subject_id, subject_type, metric, window_days, latest_value, latest_at, baseline_value, baseline_at,
               latest_value - baseline_value as change,
               (latest_value - baseline_value) / nullif(baseline_value, 0) as change_share,
               observation_count, longest_gap_days,
               baseline_at is null or baseline_age_days > window_days * 1.25 + 1
                   or coalesce(longest_gap_days > 8, false) as has_gap
        from measured
    """


VIEWS: dict[str, str] = {
    "engagement": engagement_rows_of("content_items"),
    "posting": posting_rows_of("content_items"),
    "content_mix": f"""
        -- Formats of all stored items of an account.
        {content_mix_of("content_items")}
    """,
    "growth": """
        select subject_id, subject_type, metric, observed_at, value,
               value - lag(value) over (partition by subject_id, metric order by observed_at) as change,
               observed_at - lag(observed_at) over (partition by subject_id, metric order by observed_at)
                   as elapsed
        from metric_snapshots
    """,
    "growth_windows": growth_windows_of("metric_snapshots"),
    "handle_history": """
        -- Which handle an account had from when to when, as far as answers told: times of the first and the last
        -- answer of each unbroken row of answers with the same handle. is_current: no later answer tells another one.
        with told as (
            select account_id, platform, handle, observed_at, answer_id,
                   handle is distinct from lag(handle) over seen as is_change
            from account_states where handle is not null
            window seen as (partition by account_id order by observed_at, answer_id, handle)
        ),
        numbered as (
            select told.*, count(*) filter (is_change) over (
                partition by account_id order by observed_at, answer_id, handle
            ) as place
            from told
        )
        select account_id, any_value(platform) as platform, handle, min(observed_at) as first_seen_at,
               max(observed_at) as last_seen_at, count(*) as answers,
               place = max(place) over (partition by account_id) as is_current
        from numbered group by account_id, handle, place
    """,
    "creator_overview": """
        select c.creator_id, c.name, c.canonical_handle, c.platforms, c.total_followers_count,
               n.primary_niche, n.secondary_niches, n.content_style, n.llm_summary,
               p.content_topics, c.country, c.language, c.account_count, c.profile_image_url
        from creators c left join niches n using (creator_id) left join profiles p using (creator_id)
    """,
    "consent_standing": """
        -- Declared adults, each with the categories that they agreed to. A creator counts as one, or as agreeing, while
        -- every account of it is covered by what the owner of one of its accounts said. That word covers the accounts
        -- that were the creator's then: not those merged in later, nor those split off from the account that spoke. It
        -- ends when it is taken back, and for an account whose owner took the same back after it.
        with said as (
            select category, account_id, account_ids, granted_at as said_at, revoked_at as ended_at,
                   coalesce(declared_adult, false) as counts from consents
            union all
            select '' as category, account_id, account_ids, declared_at, withdrawn_at, true
            from declarations where field = 'adult'
        ),
        ended as (
            select category, account_id, max(ended_at) as ended_at from said where ended_at is not null group by all
        ),
        spoken as (
            select l.creator_id, s.category, unnest(s.account_ids) as account_id, s.said_at
            from said s join creator_links l using (account_id)
            where s.ended_at is null and s.said_at is not null and s.counts
        ),
        covered as (
            select s.creator_id, s.category, count(distinct s.account_id) as accounts
            from spoken s
            join creator_links l on l.account_id = s.account_id and l.creator_id = s.creator_id
            left join ended e on e.account_id = s.account_id and e.category = s.category
            where e.ended_at is null or e.ended_at < s.said_at
            group by all
        ),
        sized as (
            select creator_id, count(*) as accounts
            from creator_links semi join covered using (creator_id) group by creator_id
        )
        select creator_id, coalesce(list_sort(list(category) filter (category <> '')), []) as categories
        from covered join sized using (creator_id, accounts)
        group by creator_id having bool_or(category = '')
    """,
    "current_embeddings": """
        -- The rows of embeddings that are in use: all of one model. Those of another one stay out of sight until it
        -- has embedded everything.
        select * from embeddings
        where model = coalesce((select any_value(model) from embedding_models), model)
    """,
    "coverage": """
        select platform, count(*) as accounts,
               avg((coalesce(bio, '') <> '')::int) as bio_score,
               avg((category is not null)::int) as category_score,
               avg((followers_count is not null)::int) as followers_score,
               avg((profile_image_url is not null)::int) as profile_image_score,
               avg((country is not null)::int) as country_score,
               avg((language is not null)::int) as language_score
        from accounts group by platform
    """,
}
"""Views for people: name to query over the tables above."""
