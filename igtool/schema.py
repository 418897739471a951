"""Every table of the lake: columns, types, keys and meaning. ``docs/tables.md`` is generated from here.

Conventions: ``_id`` columns are strings, ``_at`` is UTC timestamptz, ``_count`` is BIGINT and NULL when unknown
(never 0 for unknown), ``_score`` is 0-1.
"""

from __future__ import annotations

from dataclasses import dataclass

SCHEMA_VERSION = 2


@dataclass(frozen=True)
class Column:
    """One column: DuckDB type and what it holds."""

    name: str
    type: str
    doc: str


@dataclass(frozen=True)
class Table:
    """One table: of two rows with the same ``key`` the one with the greater ``newest`` tuple stays."""

    name: str
    doc: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    newest: tuple[str, ...] = ()
    partition: str | None = None

    @property
    def column_names(self) -> tuple[str, ...]:
        """Names in stored order."""
        return tuple(column.name for column in self.columns)


def _table(
    name: str,
    doc: str,
    key: str,
    columns: str,
    *,
    newest: str = "",
    partition: str | None = None,
) -> Table:
    """Read a table from lines of ``name type -- meaning``."""
    parsed = []
    for line in columns.strip().splitlines():
        definition, meaning = line.split("--")
        column, column_type = definition.split()
        parsed.append(Column(column, column_type, meaning.strip()))
    return Table(name, doc, tuple(key.split()), tuple(parsed), tuple(newest.split()), partition)


_TABLES = (
    _table(
        "watchlist",
        "A creator the user asked about.",
        "watch_id",
        """
        watch_id VARCHAR -- list_name:platform:handle
        list_name VARCHAR -- name of the list: its file name, or `command line`
        platform VARCHAR -- instagram or youtube
        handle VARCHAR -- lower case, without @
        line BIGINT -- line of the list file on which the row starts, from 1; NULL without a file
        row JSON -- the original row: column name to cell text
        """,
    ),
    _table(
        "raw_responses",
        "An answer from a platform, exactly as it came.",
        "answer_id",
        """
        answer_id VARCHAR -- SHA-256 of subject and body for files; of source, endpoint, subject, time and body for live
        source VARCHAR -- where it came from: files, or the name of a live source
        endpoint VARCHAR -- path within the source, or the method that was called; with `_error` when it gave no data
        subject VARCHAR -- handle it was asked for, when the body does not say (file-name rule); else NULL
        status BIGINT -- HTTP status; NULL for files
        outcome VARCHAR -- ok, not_found, private, rate_limited, auth, blocked, transient, invalid
        body VARCHAR -- JSON text as received
        sha256 VARCHAR -- SHA-256 of the body, hexadecimal
        fetched_at TIMESTAMPTZ -- when it was fetched; for files their modification time
        """,
    ),
    _table(
        "accounts",
        "CreatorAccount: the newest known state of one account on one platform.",
        "account_id",
        """
        account_id VARCHAR -- platform:platform_user_id
        platform VARCHAR -- instagram or youtube
        platform_user_id VARCHAR -- the platform's own id
        handle VARCHAR -- current user name, lower case, without @
        display_name VARCHAR -- name shown on the profile
        bio VARCHAR -- profile text as written
        category VARCHAR -- category the account chose on its platform
        profile_image_url VARCHAR -- largest profile picture
        external_url VARCHAR -- website of the profile
        links VARCHAR[] -- further links of the profile
        followers_count BIGINT -- followers or subscribers
        following_count BIGINT -- accounts followed
        posts_count BIGINT -- posts or videos
        view_count BIGINT -- total views, where the platform tells
        is_verified BOOLEAN -- verified badge
        is_private BOOLEAN -- content is not public
        is_business BOOLEAN -- business or professional account
        language VARCHAR -- ISO 639-1 code of the profile text, by identification
        country VARCHAR -- ISO 3166-1 alpha-2 code
        country_source VARCHAR -- which field the country came from
        created_at TIMESTAMPTZ -- when the account was opened, where the platform tells
        flags VARCHAR[] -- what was odd in the payload, as slugs
        answer_id VARCHAR -- the raw answer this state came from
        parser_version BIGINT -- version of the code that read it
        observed_at TIMESTAMPTZ -- when the state was true
        """,
        newest="observed_at answer_id",
    ),
    _table(
        "content_items",
        "ContentItem: one post, carousel, reel, video or short.",
        "content_id",
        """
        content_id VARCHAR -- platform:native_id
        platform VARCHAR -- instagram or youtube
        account_id VARCHAR -- owner
        type VARCHAR -- post, carousel, reel, video, short
        url VARCHAR -- public address
        title_or_caption VARCHAR -- title of a video, caption of a post
        description VARCHAR -- description of a video
        hashtags VARCHAR[] -- lower case, without #, in order of appearance
        mentions VARCHAR[] -- lower case, without @, in order of appearance
        published_at TIMESTAMPTZ -- when it was published
        like_count BIGINT -- likes
        comment_count BIGINT -- comments
        view_count BIGINT -- views
        play_count BIGINT -- plays, where the platform tells them apart from views
        duration_s DOUBLE -- length of a video in seconds
        media_urls VARCHAR[] -- pictures or thumbnails
        is_sponsored BOOLEAN -- marked as advertising by the platform or by a tag
        language VARCHAR -- ISO 639-1 code of the text, by identification
        flags VARCHAR[] -- what was odd in the payload, as slugs
        answer_id VARCHAR -- the raw answer this state came from
        parser_version BIGINT -- version of the code that read it
        observed_at TIMESTAMPTZ -- when the counts were true
        """,
        newest="observed_at answer_id",
    ),
    _table(
        "metric_snapshots",
        "One metric of one account or content item at one time.",
        "subject_id metric observed_at",
        """
        subject_id VARCHAR -- account_id or content_id
        subject_type VARCHAR -- account or content
        metric VARCHAR -- followers, following, posts, views, likes, comments, plays
        value BIGINT -- the count
        answer_id VARCHAR -- the raw answer it came from
        observed_at TIMESTAMPTZ -- when it was true
        """,
        newest="answer_id",
        partition="year(observed_at), month(observed_at)",
    ),
    _table(
        "creators",
        "A person or brand behind one or more accounts.",
        "creator_id",
        """
        creator_id VARCHAR -- stable, never reused
        name VARCHAR -- display name of the largest account
        canonical_handle VARCHAR -- handle of the largest account
        profile_image_url VARCHAR -- picture of the largest account
        total_followers_count BIGINT -- sum over accounts; NULL when none is known
        account_count BIGINT -- how many accounts
        platforms VARCHAR[] -- platforms with an account, sorted
        country VARCHAR -- ISO 3166-1 alpha-2 code of the largest account that has one
        language VARCHAR -- ISO 639-1 code of the largest account that has one
        first_seen_at TIMESTAMPTZ -- earliest observation of any of its accounts
        """,
    ),
    _table(
        "creator_links",
        "Which account belongs to which creator, and why.",
        "account_id",
        """
        account_id VARCHAR -- the account
        creator_id VARCHAR -- its creator
        rule VARCHAR -- only_account, same_handle, same_website, linked_profile
        evidence VARCHAR -- the value on which the rule rests
        confidence_score DOUBLE -- 1 for exact rules
        decided_by VARCHAR -- rule, or a person's name
        """,
    ),
    _table(
        "link_log",
        "Merges and splits of creators, in order.",
        "log_id",
        """
        log_id VARCHAR -- SHA-256 of action and members
        action VARCHAR -- merge or split
        creator_id VARCHAR -- the id that stays
        other_id VARCHAR -- the id that was merged into it, or split from it
        account_ids VARCHAR[] -- accounts that moved
        rule VARCHAR -- why
        logged_at TIMESTAMPTZ -- when
        """,
    ),
    _table(
        "embeddings",
        "One text of an account as a unit vector.",
        "embedding_id",
        """
        embedding_id VARCHAR -- owner_id|field
        owner_id VARCHAR -- account_id
        field VARCHAR -- ig_bio, ig_captions, yt_bio, yt_content
        model VARCHAR -- encoder and weights
        text_sha256 VARCHAR -- of the text that was embedded
        vector FLOAT[] -- 384 numbers, length 1
        """,
    ),
    _table(
        "profiles",
        "What a creator is about, one row per creator.",
        "creator_id",
        """
        creator_id VARCHAR -- the creator
        user_style JSON -- persona, tone, interests
        content_topics VARCHAR[] -- what the content is about, most frequent first
        posting_pattern JSON -- frequency (items a week), best_time_to_post, content_mix; hours are UTC
        engagement JSON -- engagement_rate, median_likes, median_comments, median_views, items
        audience_type VARCHAR -- who it is for; NULL when no method could tell
        engagement_style VARCHAR -- how the audience reacts, from the engagement rate of its follower band
        brand_fit VARCHAR[] -- kinds of brand that fit; NULL when no method could tell
        evidence JSON -- field name to content ids or quoted spans
        confidence JSON -- field name to score
        methods JSON -- field name to the method that made it
        model VARCHAR -- encoder or language model
        prompt_version VARCHAR -- NULL without a language model
        """,
    ),
    _table(
        "niches",
        "A creator's niche and content style, one row per creator.",
        "creator_id",
        """
        creator_id VARCHAR -- the creator
        primary_niche VARCHAR -- slug from the vocabulary; NULL when there was no text
        secondary_niches VARCHAR[] -- up to three more
        content_style VARCHAR -- slug from the vocabulary
        llm_summary VARCHAR -- about 20 words; the method says who wrote it
        confidence_score DOUBLE -- of the primary niche
        style_confidence_score DOUBLE -- of the content style
        methods JSON -- field name to the method that made it
        model VARCHAR -- encoder or language model
        """,
    ),
    _table(
        "schedule_overrides",
        "What the user set about when an account is looked at; it goes before tier and posting rate.",
        "platform handle",
        """
        platform VARCHAR -- instagram or youtube
        handle VARCHAR -- lower case, without @
        priority BIGINT -- a higher one goes first; tiers have 30, 20 and 10; NULL leaves the tier's
        every_h DOUBLE -- hours between two looks; NULL leaves the cadence
        set_at TIMESTAMPTZ -- when the user said so
        """,
    ),
    _table(
        "rejects",
        "What did not make it, and why.",
        "stage item_id",
        """
        stage VARCHAR -- list, import, or the stage that refused it
        item_id VARCHAR -- which row, file or answer
        reason VARCHAR -- slug
        detail VARCHAR -- what exactly, for a person
        path VARCHAR -- file it came from
        line BIGINT -- line in the file, from 1
        """,
    ),
    _table(
        "stage_rows",
        "Which item each stage has done, from which input. Lets a run do only what is pending.",
        "stage item_id",
        """
        stage VARCHAR -- name of the stage
        item_id VARCHAR -- the item
        fingerprint VARCHAR -- MD5 of input, stage version and options
        """,
    ),
    _table(
        "runs",
        "Every finished run of a command that writes.",
        "run_id",
        """
        run_id VARCHAR -- start time and process id
        command VARCHAR -- what was run
        status VARCHAR -- finished, interrupted, failed
        stages JSON -- stage name to counts: new, updated, skipped, failed
        started_at TIMESTAMPTZ -- start
        finished_at TIMESTAMPTZ -- end
        """,
    ),
)

TABLES: dict[str, Table] = {table.name: table for table in _TABLES}

EXPORTED = (
    "accounts",
    "content_items",
    "creators",
    "creator_links",
    "profiles",
    "niches",
    "metric_snapshots",
    "embeddings",
)
"""Tables written as plain Parquet to ``data/export`` after each run."""

VIEWS: dict[str, str] = {
    "engagement": """
        select a.account_id, a.platform, a.handle, a.followers_count,
               count(*) as items,
               median(c.like_count) as median_likes,
               median(c.comment_count) as median_comments,
               median(coalesce(c.view_count, c.play_count)) as median_views,
               avg((coalesce(c.like_count, 0) + coalesce(c.comment_count, 0)) / nullif(a.followers_count, 0))
                   filter (c.like_count is not null or c.comment_count is not null) as engagement_rate,
               max(c.published_at) as last_published_at
        from accounts a join content_items c using (account_id)
        group by all
    """,
    "growth": """
        select subject_id, subject_type, metric, observed_at, value,
               value - lag(value) over (partition by subject_id, metric order by observed_at) as change,
               observed_at - lag(observed_at) over (partition by subject_id, metric order by observed_at)
                   as elapsed
        from metric_snapshots
    """,
    "growth_windows": """
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
            from metric_snapshots
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
    """,
    "creator_overview": """
        select c.creator_id, c.name, c.canonical_handle, c.platforms, c.total_followers_count,
               n.primary_niche, n.secondary_niches, n.content_style, n.llm_summary,
               p.content_topics, c.country, c.language, c.account_count, c.profile_image_url
        from creators c left join niches n using (creator_id) left join profiles p using (creator_id)
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
