"""Pictures of accounts: which ones speak for them, downloaded once, checked, and without copies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import pyarrow as pa

from igtool.pictures.gathering import Gathered, Wanted
from igtool.stages.base import BatchStage, Context, Output

RECENT = 50
"""Newest items of an account among which the best pictures are looked for."""
A_PICTURE_ITEM = 3
"""Pictures of one carousel at most, and only where its account has too few items."""
_SPARE = 2
"""Times the wanted number that are looked at, since some are copies, gone or no pictures."""
_ADDRESS = "split_part({}, '?', 1)"
"""What names a picture: what follows is a signature, which is another one every day."""


@dataclass(frozen=True)
class ImagesOptions:
    """Options of the stage."""

    per_account: int = 10
    """Pictures kept of an account."""
    stills: int = 0
    """Stills of a video that stand for it instead of its thumbnail."""


class Images(BatchStage):
    """The best pictures of every public account, as rows of ``media`` and files of ``cache/images``.

    Best: of the newest items those with most likes and comments, first pictures before further ones of a carousel.
    A picture that the account has already, resized, cropped a little or mirrored, is a duplicate and not kept. What
    could not be had for now stays pending; what is gone or no picture is a row with its reason. Of a video whose file
    can be had there are stills, if any are wanted, else its thumbnail.
    """

    name: ClassVar[str] = "images"
    version: ClassVar[int] = 1
    reads: ClassVar[tuple[str, ...]] = ("accounts", "content_items", "media")
    writes: ClassVar[tuple[str, ...]] = ("media",)
    key: ClassVar[str] = "account_id"
    batch_size = 10
    Options: ClassVar[type] = ImagesOptions
    options: ImagesOptions

    _shown = """
        select * from content_items semi join (from accounts where is_private is not true) public using (account_id)
        where len(media_urls) > 0
    """
    # An account with pictures of the user's, which belong to no item, stays whatever it shows: those are not to go.
    keys = f"""
        with shown as (
            select account_id, concat(count(*), ' ', sum(md5_number_lower(concat_ws(
                ' ', content_id, array_to_string(media_urls, ' '), like_count, comment_count, published_at,
                video_url is not null
            )))) as told
            from ({_shown}) group by account_id
        )
        select account_id as item_id, md5(coalesce(told, '')) as fingerprint
        from shown full join (select distinct account_id from media where content_id is null) given using (account_id)
    """

    def __init__(self, options: ImagesOptions | None = None) -> None:
        super().__init__(options)
        self.rows = f"""
            with recent as (
                select account_id, content_id, media_urls, video_url,
                       coalesce(like_count, 0) + coalesce(comment_count, 0) as said,
                       row_number() over newest as newness
                from ({self._shown}) where account_id in (select item_id from batch)
                window newest as (partition by account_id order by published_at desc nulls last, content_id desc)
                qualify newness <= {RECENT}
            ),
            ranked as (
                select *, row_number() over (partition by account_id order by said desc, newness) as rank from recent
            ),
            pictures as (
                select account_id, content_id, rank, video_url, unnest(media_urls[:{A_PICTURE_ITEM}]) as url,
                       unnest(range(least(len(media_urls), {A_PICTURE_ITEM}))) as position
                from ranked
            ),
            wanted as (
                select account_id, list(struct_pack(
                    content_id, position, rank, url, address := {_ADDRESS.format("url")},
                    video_url := if(position = 0, video_url, null), video_address := {_ADDRESS.format("video_url")}
                ) order by position > 0, rank, position)[:{_SPARE * self.options.per_account:d}] as wanted
                from pictures group by account_id
            ),
            known as (
                select account_id, list(m order by media_id) as known from media m
                where account_id in (select item_id from batch) group by account_id
            )
            select item_id, wanted, known from batch left join wanted on wanted.account_id = item_id
            left join known on known.account_id = item_id order by item_id
        """

    def process(self, batch: pa.Table, context: Context) -> Output:
        """Rows of ``media`` for every account; accounts with a picture that may come later are postponed too."""
        if context.pictures is None:
            return Output(postponed=batch.column("item_id").to_pylist())
        output, rows = Output(), []
        for account in batch.to_pylist():
            gathered = Gathered(context.pictures, context.clock(), account["known"] or ())
            for wanted in account["wanted"] or ():
                if gathered.stored_count < self.options.per_account:
                    self._take(gathered, Wanted(account["item_id"], **wanted))
            rows += gathered.rows
            (output.done if gathered.is_complete else output.postponed).append(account["item_id"])
        output.tables["media"] = rows
        return output

    def _take(self, gathered: Gathered, wanted: Wanted) -> None:
        if self.options.stills and wanted.video_url:
            room = self.options.per_account - gathered.stored_count
            gathered.take_video(wanted, min(self.options.stills, room))
        else:
            gathered.take(wanted)
