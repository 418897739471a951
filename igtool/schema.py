"""Every table of the lake: columns, types, keys and meaning. ``docs/tables.md`` is generated from here.

Conventions: ``_id`` columns are strings, ``_at`` is UTC timestamptz, ``_count`` is BIGINT and NULL when unknown
(never 0 for unknown), ``_score`` is 0-1.
"""

from __future__ import annotations

from dataclasses import dataclass

SCHEMA_VERSION = 3


@dataclass(frozen=True)
class Column:
    """One column: DuckDB type and what it holds."""

    name: str
    type: str
    doc: str


@dataclass(frozen=True)
class Table:
    """One table: of two rows with the same ``key`` the one with the greater ``newest`` tuple stays.

    ``row_group``: rows of a row group of its files. A reader holds some row groups at once, so few where rows are
    large: answers of 65 KB read 64 at a time take 0.2 GB, by default 2 GB and more. A writer holds some too.
    ``states``: the table of what each answer told, of which a row here is the sum (``igtool.lake_sql.summed``).
    """

    name: str
    doc: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    newest: tuple[str, ...] = ()
    partition: str | None = None
    row_group: int | None = None
    states: str | None = None

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
    row_group: int | None = None,
    states: str | None = None,
) -> Table:
    """Read a table from lines of ``name type -- meaning``."""
    parsed = []
    for line in filter(str.strip, columns.splitlines()):
        definition, meaning = line.split("--")
        column, column_type = definition.split()
        parsed.append(Column(column, column_type, meaning.strip()))
    return Table(name, doc, tuple(key.split()), tuple(parsed), tuple(newest.split()), partition, row_group, states)


_ACCOUNT = """
    account_id VARCHAR -- platform:platform_user_id; platform:@handle while the id is unknown
    platform VARCHAR -- instagram or youtube
    platform_user_id VARCHAR -- the platform's own id
    handle VARCHAR -- current user name, lower case, without @
    display_name VARCHAR -- name shown on the profile
    bio VARCHAR -- profile text as written, but for e-mail addresses, which read `[e-mail]`
    category VARCHAR -- category the account chose on its platform
    profile_image_url VARCHAR -- largest profile picture
    external_url VARCHAR -- website of the profile
    links VARCHAR[] -- further links of the profile, then those in its text
    emails VARCHAR[] -- e-mail addresses of the profile and of its text, in no other column; not exported
    hashtags VARCHAR[] -- in the profile text: lower case, without #, in order of appearance
    mentions VARCHAR[] -- in the profile text: lower case, without @, in order of appearance
    followers_count BIGINT -- followers or subscribers
    following_count BIGINT -- accounts followed
    posts_count BIGINT -- posts or videos
    view_count BIGINT -- total views, where the platform tells
    is_verified BOOLEAN -- verified badge
    is_private BOOLEAN -- content is not public
    is_business BOOLEAN -- business or professional account
    language VARCHAR -- ISO 639-1 code of the profile text, by identification
    country VARCHAR -- ISO 3166-1 alpha-2 code
    country_source VARCHAR -- which field the country came from, or `list:` and the name of the list
    created_at TIMESTAMPTZ -- when the account was opened, where the platform tells
    is_profile BOOLEAN -- read from a profile; false where a post only named its account
    flags VARCHAR[] -- what was odd in the payload, as slugs
    answer_id VARCHAR -- the raw answer this state came from
    shape VARCHAR -- which shape of payload that was
    parser_version BIGINT -- 100 times the version of the common rules, plus that of the shape
    observed_at TIMESTAMPTZ -- when the state was true
"""

TOLD_WITH = {"language": "bio", "hashtags": "bio", "mentions": "bio", "country_source": "country"}
"""Columns of ``accounts`` that come from the answer that told another column."""

PROVENANCE = ("is_profile", "flags", "answer_id", "shape", "parser_version", "observed_at")
"""Columns of ``accounts`` that are those of its newest answer."""

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
        row_group=64,
    ),
    _table(
        "accounts",
        "CreatorAccount: the newest known state of one account on one platform.",
        "account_id",
        _ACCOUNT
        + """
        filled_from JSON -- columns that answer_id did not tell: name to the answer they are from; NULL without any
        """,
        newest="is_profile observed_at answer_id",
        states="account_states",
    ),
    _table(
        "account_states",
        "What one answer told of an account: `accounts` is made of these, and so is the view `handle_history`.",
        "account_id answer_id",
        _ACCOUNT,
        newest="is_profile observed_at",
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
        links VARCHAR[] -- addresses in the texts, in order of appearance
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
        shape VARCHAR -- which shape of payload that was
        parser_version BIGINT -- 100 times the version of the common rules, plus that of the shape
        observed_at TIMESTAMPTZ -- when the counts were true
        """,
        newest="observed_at answer_id",
        row_group=20_000,
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
        row_group=40_000,
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
        country_source VARCHAR -- where that account has it from
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
        posting_pattern JSON -- frequency (items a week), gaps, best time and hours with their time_zone, content_mix
        engagement JSON -- of the largest account with a rate: its id, rate, rated items, medians, items
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
        "drift",
        "Which fields the answers of a source had in a week, counted in a sample of them; nothing of their values.",
        "drift_id",
        """
        drift_id VARCHAR -- sample_id|shape|path
        sample_id VARCHAR -- source|week
        source VARCHAR -- where the answers came from: files, or the name of a live source
        week VARCHAR -- ISO week of fetched_at in UTC: 2026-W47
        shape VARCHAR -- the shape that read these answers; unknown when none did
        path VARCHAR -- keys joined by dots, [] list elements, {} keys that are data; $ the answer, … beyond 600 paths
        types JSON -- JSON type (null, bool, int, float, str, list, object, empty_list, empty_object) to answers
        seen_count BIGINT -- answers of the sample that have the field
        answer_count BIGINT -- answers of that shape in the sample
        example_answer_id VARCHAR -- one answer that has the field
        """,
    ),
    _table(
        "column_fill",
        "How many rows of the sampled answers had a value in each column; what `igtool doctor` holds shapes to.",
        "fill_id",
        """
        fill_id VARCHAR -- sample_id|shape|table.column
        sample_id VARCHAR -- source|week
        source VARCHAR -- where the answers came from: files, or the name of a live source
        week VARCHAR -- ISO week of fetched_at in UTC: 2026-W47
        shape VARCHAR -- the shape that read these answers; unknown when none did
        table_name VARCHAR -- accounts (profiles only), content_items, or raw_responses: the answers themselves
        column_name VARCHAR -- the column; of raw_responses body, filled where it could be read
        filled_count BIGINT -- rows with a value in it
        row_count BIGINT -- rows
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
        variant VARCHAR -- which of several readers made it, with its version; NULL where there is only one
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


def written(name: str) -> Table:
    """The table whose rows are put in for the table ``name``: that of its states, or itself."""
    return TABLES[TABLES[name].states or name]
