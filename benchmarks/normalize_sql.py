"""The tables of igtool from raw rows with DuckDB's own JSON functions, written in two ways.

``STRUCTURE`` is for speed: each body is parsed once, by ``from_json`` with the types of the fields that are kept.
``PATHS`` is as one writes it first: ``->>`` with a path for each column. In both a video that is in two lists is
taken once, tags and mentions are found with simpler patterns than igtool's, the language of texts is not identified,
and nothing is checked, flagged, hashed or merged with rows that are there already.
"""

from __future__ import annotations

import json

_COUNTED = {"count": "BIGINT"}
_NODE = {
    "__typename": "VARCHAR",
    "id": "VARCHAR",
    "shortcode": "VARCHAR",
    "display_url": "VARCHAR",
    "is_video": "BOOLEAN",
    "product_type": "VARCHAR",
    "owner": {"id": "VARCHAR"},
    "taken_at_timestamp": "BIGINT",
    "edge_media_to_caption": {"edges": [{"node": {"text": "VARCHAR"}}]},
    "edge_media_preview_like": _COUNTED,
    "edge_liked_by": _COUNTED,
    "edge_media_to_comment": _COUNTED,
    "video_view_count": "BIGINT",
    "video_play_count": "BIGINT",
    "video_duration": "DOUBLE",
    "edge_sidecar_to_children": {"edges": [{"node": {"display_url": "VARCHAR"}}]},
}
_TIMELINE = {**_COUNTED, "edges": [{"node": _NODE}]}
_TEXTS = (
    "id username full_name biography category_name business_category_name overall_category_name profile_pic_url_hd "
    "profile_pic_url external_url business_address_json"
)
_BODY = {
    "data": {
        "user": {
            **dict.fromkeys(_TEXTS.split(), "VARCHAR"),
            **dict.fromkeys("is_verified is_private is_business_account is_professional_account".split(), "BOOLEAN"),  # noqa: SIM905
            "bio_links": [{"url": "VARCHAR"}],
            "edge_followed_by": _COUNTED,
            "edge_follow": _COUNTED,
            "edge_owner_to_timeline_media": _TIMELINE,
            "edge_felix_video_timeline": _TIMELINE,
        }
    }
}

_PARSED = f"""
create or replace temp table parsed as
select answer_id, fetched_at, from_json(body, '{json.dumps(_BODY)}').data.user as u
from read_parquet($1)
"""

_ACCOUNTS = """
copy (
    select 'instagram:' || u.id as account_id, 'instagram' as platform, u.id as platform_user_id,
           lower(u.username) as handle, u.full_name as display_name, u.biography as bio,
           coalesce(u.category_name, u.business_category_name, u.overall_category_name) as category,
           coalesce(u.profile_pic_url_hd, u.profile_pic_url) as profile_image_url, u.external_url,
           list_distinct([link.url for link in u.bio_links]) as links,
           u.edge_followed_by.count as followers_count, u.edge_follow.count as following_count,
           u.edge_owner_to_timeline_media.count as posts_count, u.is_verified, u.is_private,
           u.is_business_account or u.is_professional_account as is_business,
           u.business_address_json ->> '$.country_code' as country, answer_id, fetched_at as observed_at
    from parsed
) to '{out}/accounts/{part}.parquet'
"""

_NODES = """
create or replace temp view nodes as
select answer_id, fetched_at, u.id as user_id, unnest(
    list_concat(
        u.edge_owner_to_timeline_media.edges,
        list_filter(
            u.edge_felix_video_timeline.edges,
            lambda e: not list_contains([t.node.id for t in u.edge_owner_to_timeline_media.edges], e.node.id)
        )
    )
).node as n
from parsed
"""

_ITEMS = r"""
create or replace temp table items as
select 'instagram:' || n.id as content_id, 'instagram' as platform,
       'instagram:' || coalesce(n.owner.id, user_id) as account_id,
       case when n.__typename like '%GraphSidecar' then 'carousel'
            when n.is_video and n.product_type = 'clips' then 'reel'
            when n.is_video then 'video' else 'post' end as type,
       'https://www.instagram.com/' || if(n.product_type = 'clips', 'reel', 'p') || '/' || n.shortcode || '/' as url,
       n.edge_media_to_caption.edges[1].node.text as title_or_caption,
       list_distinct(regexp_extract_all(lower(title_or_caption), '#([\w\pL\pM]+)', 1)) as hashtags,
       list_distinct(regexp_extract_all(lower(title_or_caption), '@([\w.]+)', 1)) as mentions,
       to_timestamp(n.taken_at_timestamp) as published_at,
       if(n.edge_media_preview_like.count >= 0, n.edge_media_preview_like.count, null) as like_count,
       if(n.edge_media_to_comment.count >= 0, n.edge_media_to_comment.count, null) as comment_count,
       n.video_view_count as view_count, n.video_play_count as play_count, n.video_duration as duration_s,
       list_distinct(list_concat(
           [n.display_url], [child.node.display_url for child in n.edge_sidecar_to_children.edges]
       )) as media_urls,
       list_has_any(hashtags, ['ad', 'ads', 'publi', 'publicidad', 'sponsored', 'werbung']) as is_sponsored,
       answer_id, fetched_at as observed_at
from nodes
"""

_ITEMS_WRITTEN = "copy items to '{out}/content_items/{part}.parquet'"

_SNAPSHOTS = """
copy (
    select subject_id, subject_type, metric.name as metric, metric.value as value, answer_id, observed_at
    from (
        select content_id as subject_id, 'content' as subject_type, answer_id, observed_at, unnest([
            {'name': 'likes', 'value': like_count}, {'name': 'comments', 'value': comment_count},
            {'name': 'views', 'value': view_count}, {'name': 'plays', 'value': play_count}
        ]) as metric
        from items
        union all
        select 'instagram:' || u.id, 'account', answer_id, fetched_at, unnest([
            {'name': 'followers', 'value': u.edge_followed_by.count},
            {'name': 'following', 'value': u.edge_follow.count},
            {'name': 'posts', 'value': u.edge_owner_to_timeline_media.count}
        ])
        from parsed
    )
    where metric.value is not null
) to '{out}/metric_snapshots/{part}.parquet'
"""

_PATH_ACCOUNTS = """
copy (
    select 'instagram:' || (u ->> 'id') as account_id, 'instagram' as platform, (u ->> 'id') as platform_user_id,
           lower(u ->> 'username') as handle, (u ->> 'full_name') as display_name, (u ->> 'biography') as bio,
           coalesce(u ->> 'category_name', u ->> 'business_category_name', u ->> 'overall_category_name') as category,
           coalesce(u ->> 'profile_pic_url_hd', u ->> 'profile_pic_url') as profile_image_url,
           (u ->> 'external_url') as external_url, list_distinct((u ->> '$.bio_links[*].url')) as links,
           (u ->> '$.edge_followed_by.count')::bigint as followers_count,
           (u ->> '$.edge_follow.count')::bigint as following_count,
           (u ->> '$.edge_owner_to_timeline_media.count')::bigint as posts_count,
           (u ->> 'is_verified')::boolean as is_verified, (u ->> 'is_private')::boolean as is_private,
           (u ->> 'is_business_account')::boolean or (u ->> 'is_professional_account')::boolean as is_business,
           (u ->> 'business_address_json') ->> '$.country_code' as country, answer_id, fetched_at as observed_at
    from (select answer_id, fetched_at, body -> '$.data.user' as u from read_parquet($1))
) to '{out}/accounts/{part}.parquet'
"""

_PATH_ITEMS = r"""
copy (
    select 'instagram:' || (n ->> 'id') as content_id, 'instagram' as platform,
           'instagram:' || (n ->> '$.owner.id') as account_id,
           case when (n ->> '__typename') like '%GraphSidecar' then 'carousel'
                when (n ->> 'is_video')::boolean and (n ->> 'product_type') = 'clips' then 'reel'
                when (n ->> 'is_video')::boolean then 'video' else 'post' end as type,
           'https://www.instagram.com/' || if(n ->> 'product_type' = 'clips', 'reel', 'p') || '/'
               || (n ->> 'shortcode') || '/' as url,
           (n ->> '$.edge_media_to_caption.edges[0].node.text') as title_or_caption,
           list_distinct(regexp_extract_all(lower(title_or_caption), '#([\w\pL\pM]+)', 1)) as hashtags,
           list_distinct(regexp_extract_all(lower(title_or_caption), '@([\w.]+)', 1)) as mentions,
           to_timestamp((n ->> 'taken_at_timestamp')::bigint) as published_at,
           nullif((n ->> '$.edge_media_preview_like.count')::bigint, -1) as like_count,
           (n ->> '$.edge_media_to_comment.count')::bigint as comment_count,
           (n ->> 'video_view_count')::bigint as view_count, (n ->> 'video_play_count')::bigint as play_count,
           (n ->> 'video_duration')::double as duration_s,
           list_distinct(list_concat(
               [(n ->> 'display_url')], (n ->> '$.edge_sidecar_to_children.edges[*].node.display_url')
           )) as media_urls,
           list_has_any(hashtags, ['ad', 'ads', 'publi', 'publicidad', 'sponsored', 'werbung']) as is_sponsored,
           answer_id, fetched_at as observed_at
    from (
        select answer_id, fetched_at, unnest(list_concat(
            json_extract(body, '$.data.user.edge_owner_to_timeline_media.edges[*].node'),
            list_filter(
                json_extract(body, '$.data.user.edge_felix_video_timeline.edges[*].node'),
                lambda v: not list_contains(
                    json_extract_string(body, '$.data.user.edge_owner_to_timeline_media.edges[*].node.id'),
                    json_extract_string(v, '$.id')
                )
            )
        )) as n
        from read_parquet($1)
    )
) to '{out}/content_items/{part}.parquet'
"""

_PATH_PARSED = "create or replace temp view items as from '{out}/content_items/{part}.parquet'"

_PATH_SNAPSHOTS = _SNAPSHOTS.replace(
    """select 'instagram:' || u.id, 'account', answer_id, fetched_at, unnest([
            {'name': 'followers', 'value': u.edge_followed_by.count},
            {'name': 'following', 'value': u.edge_follow.count},
            {'name': 'posts', 'value': u.edge_owner_to_timeline_media.count}
        ])
        from parsed""",
    """select account_id, 'account', answer_id, observed_at, unnest([
            {'name': 'followers', 'value': followers_count}, {'name': 'following', 'value': following_count},
            {'name': 'posts', 'value': posts_count}
        ])
        from '{out}/accounts/{part}.parquet'""",
)

STRUCTURE = (_PARSED, _ACCOUNTS, _NODES, _ITEMS, _ITEMS_WRITTEN, _SNAPSHOTS)
PATHS = (_PATH_ACCOUNTS, _PATH_ITEMS, _PATH_PARSED, _PATH_SNAPSHOTS)
"""Statements in order; ``{out}`` stands for the folder, ``{part}`` for the part, ``$1`` for the files of it."""
