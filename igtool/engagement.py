"""Engagement and posting rhythm as SQL, in one place: every such number that igtool shows comes from here.

``docs/engagement.md`` says the same in words, with the sources.
"""

from __future__ import annotations

RATED_POSTS = 12
"""Newest posts of an account elsewhere than on YouTube that speak for it. Source: HypeAuditor, "What is Engagement
Rate and How do you calculate it?": the latest 12 posts."""
RATED_VIDEOS = 30
"""The same on YouTube. Source: HypeAuditor, "What is YouTube Engagement Rate and how do you calculate it?"."""
SETTLED_H = 24
"""Counts that were read earlier after publication are still growing and say nothing yet."""
PACED_ITEMS = 50
"""Newest items that posting frequency and gaps are taken from."""

_COUNTS = {"likes": "like_count", "comments": "comment_count", "views": "view_count", "plays": "play_count"}
TYPICAL_RATES = ((1_000, 0.1058), (5_000, 0.0426), (20_000, 0.0228), (100_000, 0.0162), (1_000_000, 0.0155))
"""Upper end of a follower band and its average engagement rate on Instagram. Source: HypeAuditor, "What is
Instagram Engagement Rate", 37,000 accounts, 2018."""
TYPICAL_RATE_ABOVE = 0.0154
"""The same above a million followers."""
LOW, HIGH = 0.4, 2.5
"""Times the typical rate: about the quartiles within each band of a 2026 list of 3,075 Spanish accounts
(0.6 %, 1.4 % and 3.3 % from 100,000 followers on)."""


def reactions() -> str:
    """SQL: likes and comments of an item, NULL unless both are known and had a day to come in."""
    return f"case when {is_settled()} then like_count::double + comment_count end"


def is_settled() -> str:
    """SQL: whether the counts of an item are old enough; true where a time is unknown."""
    return f"coalesce(epoch_us(observed_at) - epoch_us(published_at) >= {SETTLED_H} * 3600000000, true)"


def engagement_of(items: str) -> str:
    """SQL: one row for each ``account_id`` of the relation ``items``, with ``engagement_rate`` and medians.

    ``items``: account_id, platform and followers_count of the account, and of content_items content_id,
    published_at, observed_at and the four counts. The rate of an item is (likes + comments) / followers, on YouTube
    (likes + comments) / views; each number of the row is the median over the newest items of which it is known.
    """
    places = ", ".join(
        f"count({column}) filter (settled) over newest as {name}_place" for name, column in _COUNTS.items()
    )
    medians = ", ".join(
        f"median({column}) filter (settled and {name}_place <= most) as median_{name}"
        for name, column in _COUNTS.items()
    )
    return f"""
        with rated as (
            select *, {is_settled()} as settled, if(platform = 'youtube', {RATED_VIDEOS}, {RATED_POSTS}) as most,
                   {reactions()} / nullif(if(platform = 'youtube', view_count, followers_count), 0) as rate
            from {items}
        ),
        placed as (
            select *, count(rate) over newest as rate_place, {places}
            from rated
            window newest as (
                partition by account_id order by published_at desc nulls last, content_id rows unbounded preceding
            )
        )
        select account_id, count(*) as items, {medians},
               median(rate) filter (rate_place <= most) as engagement_rate,
               count(rate) filter (rate_place <= most) as rated_items,
               max(published_at) as last_published_at
        from placed group by account_id
    """


def posting_of(items: str, key: str = "account_id") -> str:
    """SQL: one row for each ``key`` of the relation ``items``: how often it posts.

    Over the newest 50 items with a known ``published_at``: ``items_per_week`` is the gaps between them over the weeks
    from the first to the last, NULL below two items; ``median_gap_days`` is the middle one of these gaps.
    """
    return f"""
        with dated as (
            select {key}, published_at, epoch_us(published_at) as at_us
            from {items} where published_at is not null
            qualify row_number() over (partition by {key} order by published_at desc, content_id) <= {PACED_ITEMS}
        ),
        spaced as (
            select *, at_us - lag(at_us) over (partition by {key} order by at_us) as gap_us from dated
        )
        select {key}, count(*) as dated_items, min(published_at) as first_published_at,
               max(published_at) as last_published_at,
               (count(*) - 1) / nullif((max(at_us) - min(at_us)) / 604800e6, 0) as items_per_week,
               median(gap_us) / 86400e6 as median_gap_days
        from spaced group by {key}
    """


def content_mix_of(items: str, key: str = "account_id") -> str:
    """SQL: one row for each ``key`` and ``type`` of the relation ``items``: how many, and their share (0-1)."""
    return f"""
        select {key}, type, count(*) as items, count(*) / sum(count(*)) over (partition by {key}) as share
        from {items} where type is not null group by {key}, type
    """


def engagement_style(rate: float | None, followers: int | None) -> str | None:
    """``low``, ``typical`` or ``high`` for an Instagram engagement rate (0-1) in its follower band, or None."""
    if rate is None or not followers:
        return None
    typical = next((mean for end, mean in TYPICAL_RATES if followers < end), TYPICAL_RATE_ABOVE)
    if rate < LOW * typical:
        return "low"
    return "high" if rate > HIGH * typical else "typical"
