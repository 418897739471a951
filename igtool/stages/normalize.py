"""Raw answers made into accounts, content items and metric snapshots."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import ClassVar

import pyarrow as pa

from igtool.platforms.base import PARSER_VERSION, parse
from igtool.stages.base import Context, Output, Reject, Row, Stage

_AT_ONCE = 64
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SHOWN = 5
"""How many unreadable parts of one answer a reject names; the rest is counted."""


class Normalize(Stage):
    """One raw answer in; the rows of all accounts and posts in it out, or a reject with the reason.

    An answer that says "no such user" is done without rows, and so is a page that only names videos. An answer of
    which only a part can be read gives its rows and a reject ``partly-read`` that names the rest. Error bodies of
    live sources, whose endpoint ends in ``_error``, are kept for people to look at and are no items here.
    """

    name = "normalize"
    version = PARSER_VERSION
    reads = ("raw_responses",)
    writes = ("accounts", "content_items", "metric_snapshots")
    key = "answer_id"
    keys = """
        select answer_id as item_id, answer_id as fingerprint
        from raw_responses
        where not ends_with(coalesce(endpoint, ''), '_error') or source = 'files'
    """
    rows = """
        select b.item_id, r.body, r.subject, r.fetched_at, r.endpoint
        from batch b join raw_responses r on r.answer_id = b.item_id
        order by 1
    """
    batch_size: ClassVar[int] = 2000

    def process(self, batch: pa.Table, context: Context) -> Output:  # noqa: ARG002 - a pure function of the batch
        """Rows of ``accounts``, ``content_items`` and ``metric_snapshots`` (see ``platforms.base.parse``)."""
        accounts: list[Row] = []
        content_items: list[Row] = []
        metric_snapshots: list[Row] = []
        output = Output(
            tables={"accounts": accounts, "content_items": content_items, "metric_snapshots": metric_snapshots}
        )
        for item, body, subject, observed_at, endpoint in _answers(batch):
            parsed = parse(body or "", answer_id=item, subject=subject, observed_at=observed_at)
            accounts += parsed.accounts
            content_items += parsed.content_items
            metric_snapshots += parsed.metric_snapshots
            if parsed.reason is not None:
                output.rejects.append(Reject(item, parsed.reason, parsed.detail, endpoint))
            elif parsed.lost:
                output.rejects.append(Reject(item, "partly-read", _summary(parsed.lost), endpoint))
            else:
                output.done.append(item)
        return output


def _answers(batch: pa.Table) -> Iterator[tuple[str, str | None, str | None, datetime, str | None]]:
    """The rows of ``batch``, some at a time: bodies are large, and Arrow hands single cells out slowly."""
    for part in batch.to_batches(max_chunksize=_AT_ONCE):
        microseconds = part.column("fetched_at").cast(pa.timestamp("us", "UTC")).cast(pa.int64())
        yield from zip(
            part.column("item_id").to_pylist(),
            part.column("body").to_pylist(),
            part.column("subject").to_pylist(),
            [_EPOCH + timedelta(microseconds=number) for number in microseconds.to_pylist()],
            part.column("endpoint").to_pylist(),
            strict=True,
        )


def _summary(lost: list[str]) -> str:
    more = f"; and {len(lost) - _SHOWN} more" if len(lost) > _SHOWN else ""
    return "; ".join(lost[:_SHOWN]) + more
