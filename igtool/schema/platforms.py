"""What the platforms told: raw answers, accounts, content items, metrics."""

from __future__ import annotations

from igtool.schema.table import table

_MONTH = "year(observed_at), month(observed_at)"

_ACCOUNT = """
    account_id VARCHAR -- platform:platform_user_id; while the id is unknown platform:@handle, of lists platform:handle
    platform VARCHAR -- instagram, youtube, or another that a list of accounts names
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

TABLES = (
    table(
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
    table(
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
    table(
        "account_states",
        "What one answer told of an account: `accounts` is made of these, and so is the view `handle_history`.",
        "account_id answer_id",
        _ACCOUNT,
        newest="is_profile observed_at",
    ),
    table(
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
        video_url VARCHAR -- address of the file of a video; NULL where it is none, or the answer names no file
        is_sponsored BOOLEAN -- marked as advertising by the platform or by a tag
        language VARCHAR -- ISO 639-1 code of the text, by identification
        flags VARCHAR[] -- what was odd in the payload, as slugs
        answer_id VARCHAR -- the raw answer this state came from
        shape VARCHAR -- which shape of payload that was
        parser_version BIGINT -- 100 times the version of the common rules, plus that of the shape
        observed_at TIMESTAMPTZ -- when the counts were true
        """,
        newest="observed_at answer_id",
        partition=_MONTH,
        row_group=20_000,
    ),
    table(
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
        partition=_MONTH,
        row_group=40_000,
    ),
)
