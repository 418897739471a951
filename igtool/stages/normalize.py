"""Raw answers made into accounts, content items and metric snapshots."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any, ClassVar

import pyarrow as pa

from igtool.platforms.base import PARSER_VERSION, Parsed, parse, versions
from igtool.platforms.rows import tables
from igtool.stages.base import BatchStage, Context, Need, Output, Reject

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SHOWN = 5
"""How many unreadable parts of one answer a reject names; the rest is counted."""


class Normalize(BatchStage):
    """One raw answer in; the rows of all accounts and posts in it out, or a reject with the reason.

    An answer that says "no such user" is done without rows, and so is a page that only names videos. An answer of
    which only a part can be read gives its rows and a reject ``partly-read`` that names the rest. Error bodies of
    live sources, whose endpoint ends in ``_error``, are kept for people to look at and are no items here.

    A variant is a shape with its version: an answer is read again when its shape changed. What no shape read is
    read again whenever any shape changed, or a new one came.
    """

    name = "normalize"
    version = PARSER_VERSION
    reads = ("raw_responses",)
    writes = ("accounts", "content_items", "metric_snapshots")
    key = "answer_id"
    keys = """
        select answer_id as item_id, answer_id as fingerprint, subject
        from raw_responses
        where not ends_with(coalesce(endpoint, ''), '_error') or source = 'files'
    """
    rows = """
        select b.item_id, b.fingerprint, b.known, r.body, r.subject, r.fetched_at, r.endpoint
        from raw_responses r join batch b on r.answer_id = b.item_id
    """
    batch_size = 2000
    streamed: ClassVar[bool] = True
    elsewhere: ClassVar[frozenset[Need] | None] = frozenset()
    subject = "coalesce(lower(subject), item_id)"

    def variants(self) -> frozenset[str]:
        """Every shape with its version, and what stands for none of them."""
        current = [_variant(name, version) for name, version in versions().items()]
        return frozenset([*current, _unread()])

    def process(self, batch: pa.Table, context: Context) -> Output:  # noqa: ARG002 - a pure function of the batch
        """Rows of the tables in ``writes`` (see ``platforms.base.parse`` and ``platforms.rows.tables``)."""
        output = Output()
        read: list[Parsed] = []
        unread = _unread()
        for item, body, subject, observed_at, endpoint in _answers(batch):
            parsed = parse(body, subject=subject, observed_at=observed_at)
            read.append(parsed)
            output.variants[item] = _variant(parsed.shape, parsed.version) if parsed.shape else unread
            if parsed.reason is not None:
                output.rejects.append(Reject(item, parsed.reason, parsed.detail, endpoint))
            elif parsed.lost:
                output.rejects.append(Reject(item, "partly-read", _summary(parsed.lost), endpoint))
            else:
                output.done.append(item)
        answer_ids, observed = (batch.column(name).combine_chunks() for name in ("item_id", "fetched_at"))
        output.tables.update(tables(read, answer_ids, observed))
        return output


def _variant(shape: str, version: int) -> str:
    return f"{shape}@{version}"


def _unread() -> str:
    known = "|".join(sorted(_variant(name, version) for name, version in versions().items()))
    return "none@" + hashlib.md5(known.encode(), usedforsecurity=False).hexdigest()


def _answers(batch: pa.Table) -> Iterator[tuple[str, memoryview, str | None, datetime, str | None]]:
    """The rows of ``batch``; bodies are views of Arrow's memory, not copied."""
    microseconds = batch.column("fetched_at").cast(pa.timestamp("us", "UTC")).cast(pa.int64())
    return zip(
        batch.column("item_id").to_pylist(),
        _views(batch.column("body")),
        batch.column("subject").to_pylist(),
        [_EPOCH + timedelta(microseconds=number) for number in microseconds.to_pylist()],
        batch.column("endpoint").to_pylist(),
        strict=True,
    )


def _views(column: pa.ChunkedArray) -> Iterator[memoryview]:
    """Each text of ``column`` as its bytes; none of them for NULL."""
    for chunk in column.chunks:
        wide = chunk.cast(pa.large_string())
        _, offsets, data = wide.buffers()
        whole = memoryview(data) if data is not None else memoryview(b"")
        ends: Any = memoryview(offsets).cast("q")[wide.offset : wide.offset + len(wide) + 1].tolist()
        yield from (whole[start:end] for start, end in pairwise(ends))


def _summary(lost: list[str]) -> str:
    more = f"; and {len(lost) - _SHOWN} more" if len(lost) > _SHOWN else ""
    return "; ".join(lost[:_SHOWN]) + more
