"""Texts of accounts as vectors: who they say they are, and what they post."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa

from igtool.encoders.base import Encoder, Vectors
from igtool.engagement import is_settled, reactions
from igtool.errors import ConfigError
from igtool.lake_sql import literal
from igtool.pooling import content_vector, item_weights
from igtool.stages.base import BatchStage, Context, Need, Output, Row

TEXT_CHARACTERS = 1000
"""Of a name with its biography, or of a profile's style."""
LINE_CHARACTERS = 80
"""Of an item, in the text of all items together."""
ITEM_CHARACTERS = 100
"""Of an item: the cost grows with length, and twice as many were no better for niches (docs/embeddings.md)."""
_HASH_DIGITS = 15
"""Of a SHA-256 in hexadecimal, as many as fit a BIGINT."""

_BIOS = f"""
    select account_id as owner_id, if(platform = 'youtube', 'yt_bio', 'ig_bio') as field,
           left(case platform
               when 'youtube' then concat_ws(chr(10), display_name, bio)
               else concat_ws(chr(10), display_name, category, bio)
           end, {TEXT_CHARACTERS}) as text
    from accounts
"""

_SAID = f"""
    select account_id as owner_id, if(platform = 'youtube', 'yt_content', 'ig_captions') as field, content_id,
           coalesce(epoch_us(published_at), 0) as at_us, {reactions()} as reactions,
           case when {is_settled()} then coalesce(view_count, play_count)::double end as views,
           left(concat_ws(' ', title_or_caption, description), {ITEM_CHARACTERS + 1}) as said
    from content_items
"""

# A cut text loses the word that was cut, if that is not long.
_SHORTENED = f"""
    if(length(said) > {ITEM_CHARACTERS}, regexp_replace(left(said, {ITEM_CHARACTERS}), '\\s\\S{{0,20}}$', ''), said)
"""

_STYLES = f"""
    select creator_id as owner_id, 'user_style' as field,
           left(concat_ws(chr(10), user_style ->> 'persona',
               array_to_string(cast(user_style -> 'tone' as varchar[]), ', '),
               array_to_string(cast(user_style -> 'interests' as varchar[]), ', ')), {TEXT_CHARACTERS}) as text
    from profiles
"""

_TOGETHER = f"left(string_agg(left(text, {LINE_CHARACTERS}), chr(10) order by place), {TEXT_CHARACTERS})"
_ITEM_COLUMNS = "item_id, owner_id, field, place, text, at_us, reactions, views"
_NO_ITEM = "null::bigint as at_us, null::double as reactions, null::double as views"


@dataclass(frozen=True)
class EmbedOptions:
    """Options of the stage: another ``model`` embeds everything again, into rows of its own."""

    model: str
    items: int = 20
    """How many of the newest items a content vector is made of."""


def _numbered(texts: str, model: str) -> str:
    """SQL: the rows of ``texts`` that show something, with their ``item_id``."""
    return f"""
        select concat_ws('|', owner_id, field, {literal(model)}) as item_id, *
        from ({texts}) where regexp_matches(text, '\\S')
    """


def _owner(model: str) -> str:
    """SQL: the owner in an ``item_id`` of `_numbered`; owners and models may hold any sign, fields hold no bar."""
    return f"regexp_replace(left(item_id, -{len(model) + 1}), '\\|[^|]*$', '')"


def _with_known(texts: str, model: str) -> str:
    """SQL: one row an item with all its ``texts``, and the vector of each that has one."""
    return f"""
        with texts as ({texts}),
        hashed as (select *, sha256(text) as text_sha256 from texts),
        known as (
            select text_sha256, any_value(vector) as vector
            from text_vectors semi join hashed using (text_sha256)
            where model = {literal(model)} group by text_sha256
        )
        select item_id, any_value(owner_id) as owner_id, any_value(field) as field,
               list(struct_pack(place, text, text_sha256, at_us, reactions, views, vector) order by place) as texts
        from hashed left join known using (text_sha256)
        group by item_id order by item_id
    """


class Embed(BatchStage):
    """Two vectors an account.

    Instagram: ``ig_bio`` (name, category, biography) and ``ig_captions``; YouTube: ``yt_bio`` (title, description)
    and ``yt_content``. Content is the newest items that say something, each embedded as its own text, and all of them
    as one more, pooled by `igtool.pooling`. A text without a visible character has no vector. A text is encoded once
    for all accounts and runs: its vector is kept in ``text_vectors``, and vectors are pooled as they are kept.
    """

    name: ClassVar[str] = "embed"
    version: ClassVar[int] = 2
    reads: ClassVar[tuple[str, ...]] = ("accounts", "content_items")
    writes: ClassVar[tuple[str, ...]] = ("embeddings", "text_vectors")
    appends: ClassVar[tuple[str, ...]] = ("text_vectors",)
    key: ClassVar[str] = "embedding_id"
    batch_size = 64
    most_at_once = 8_192
    elsewhere: ClassVar[frozenset[Need] | None] = frozenset({"encoder"})
    subject = "split_part(item_id, '|', 1)"
    Options: ClassVar[type] = EmbedOptions
    options: EmbedOptions

    def __init__(self, options: EmbedOptions) -> None:
        super().__init__(options)
        self.ours = f"ends_with(item_id, {literal('|' + options.model)})"
        self.keys, self.rows = self._sql()

    def _sql(self) -> tuple[str, str]:
        model = self.options.model
        bios, said = _numbered(_BIOS, model), _numbered(f"select *, said as text from ({_SAID})", model)
        # The newest twenty of a million accounts take 8 GB to sort out; a sum of hashes over all items takes 1 GB and
        # only errs to the safe side: an older item makes its account pending, and its text is found by SHA-256.
        keys = f"""
            select item_id, md5(text) as fingerprint from ({bios})
            union all
            select item_id, md5(concat(count(*), ' ', sum(md5_number_lower(
                concat_ws(' ', at_us, content_id, coalesce(reactions, -1), coalesce(views, -1), text)
            ))))
            from ({said}) semi join accounts on accounts.account_id = owner_id
            group by item_id
        """
        wanted = "select item_id from batch"
        # Owners first: else the texts of all items of the lake are put together to find those of the batch.
        own = f"where account_id in (select {_owner(model)} from batch)"
        bios, said = (
            _numbered(f"{_BIOS} {own}", model),
            _numbered(f"select *, said as text from ({_SAID} {own})", model),
        )
        texts = f"""
            with items as (
                select item_id, owner_id, field,
                       row_number() over (partition by item_id order by at_us desc, content_id desc) as place,
                       trim(regexp_replace({_SHORTENED}, '\\s+', ' ', 'g')) as text,
                       nullif(at_us, 0) as at_us, reactions, views
                from ({said}) where item_id in ({wanted})
                qualify place <= {self.options.items:d}
            )
            select {_ITEM_COLUMNS} from items
            union all
            select item_id, any_value(owner_id), any_value(field), 0, {_TOGETHER}, {_NO_ITEM}
            from items group by item_id having count(*) > 1
            union all
            select item_id, owner_id, field, 1, text, {_NO_ITEM} from ({bios}) where item_id in ({wanted})
        """
        return keys, _with_known(texts, model)

    def process(self, batch: pa.Table, context: Context) -> Output:
        """One row of ``embeddings`` an item, and one of ``text_vectors`` a text that had no vector yet.

        Raises what the encoder raises, and ConfigError for another encoder than that of the options.
        """
        items: list[dict[str, Any]] = batch.to_pylist()
        texts = {text["text_sha256"]: text for item in items for text in item["texts"]}
        new = {sha256: text["text"] for sha256, text in texts.items() if text["vector"] is None}
        encoded = _encoded(list(new.values()), self.options.model, context)
        made = [
            {"model": self.options.model, "text_sha256": sha256, "vector": vector}
            for sha256, vector in zip(new, encoded, strict=True)
        ]
        stored = {row["text_sha256"]: row["vector"] for row in made}
        stored |= {sha256: text["vector"] for sha256, text in texts.items() if text["vector"] is not None}
        vectors = {sha256: np.frombuffer(vector, dtype="<f2").astype(np.float32) for sha256, vector in stored.items()}
        rows = [_row(item, self.options.model, vectors) for item in items]
        return Output({"embeddings": rows, "text_vectors": made}, [item["item_id"] for item in items])


def _encoded(texts: list[str], model: str, context: Context) -> list[bytes]:
    """Vectors of ``texts`` as they are kept."""
    if not texts:
        return []
    encoder: Encoder = context.encoder()
    if encoder.model != model:
        raise ConfigError(f"the encoder is {encoder.model}, and vectors of {model} are wanted: see `encoder`")
    return [vector.tobytes() for vector in encoder.encode(texts).astype("<f2")]


def _row(item: dict[str, Any], model: str, vectors: dict[str, Vectors]) -> Row:
    """The row of ``embeddings``; of several texts the first is all items together."""
    hashes = [text["text_sha256"] for text in item["texts"]]
    several = len(hashes) > 1
    items = item["texts"][several:]
    weights = item_weights(*([text[name] for text in items] for name in ("at_us", "reactions", "views")))
    known = [vectors[sha256] for sha256 in hashes]
    vector = content_vector(np.stack(known[several:]), weights, known[0] if several else None)
    told = " ".join([*hashes, *(f"{weight:.4f}" for weight in weights)])
    return {
        "embedding_id": item["item_id"],
        "owner_id": item["owner_id"],
        "field": item["field"],
        "model": model,
        "text_sha256": hashlib.sha256(told.encode()).hexdigest() if several else hashes[0],
        "texts": [int(sha256[:_HASH_DIGITS], 16) for sha256 in hashes],
        "vector": vector.tolist(),
    }


def drop_unused(model: str) -> str:
    """SQL that takes texts out of ``text_vectors`` that no vector of ``model`` is made of."""
    return f"""
        delete from text_vectors where model = {literal(model)} and ('0x' || left(text_sha256, {_HASH_DIGITS}))::bigint
            not in (select unnest(texts) from embeddings where model = {literal(model)})
    """


class EmbedStyle(Embed):
    """One vector a creator whose profile tells persona, tone or interests: the field ``user_style``."""

    name: ClassVar[str] = "embed_style"
    version: ClassVar[int] = 2
    reads: ClassVar[tuple[str, ...]] = ("profiles",)

    def _sql(self) -> tuple[str, str]:
        styles = _numbered(_STYLES, self.options.model)
        texts = f"select *, 1 as place, {_NO_ITEM} from ({styles}) where item_id in (select item_id from batch)"
        return f"select item_id, md5(text) as fingerprint from ({styles})", _with_known(texts, self.options.model)
