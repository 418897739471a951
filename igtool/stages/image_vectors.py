"""A vector of every kept picture, by which pictures alike in style are found and tags are told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import pyarrow as pa

from igtool.pictures.reading import Unreadable, read_kept
from igtool.stages.base import BatchStage, Context, Need, Output, Reject
from igtool.tagging.vectors import FACELESS, SIDE, stored


@dataclass(frozen=True)
class ImageVectorsOptions:
    """Options of the stage: another ``model`` makes all vectors anew."""

    model: str


class ImageVectors(BatchStage):
    """One row of ``image_vectors`` a picture, if no face fills it and nobody in it may be under age."""

    name: ClassVar[str] = "image_vectors"
    version: ClassVar[int] = 1
    reads: ClassVar[tuple[str, ...]] = ("media", "image_facts")
    writes: ClassVar[tuple[str, ...]] = ("image_vectors",)
    key: ClassVar[str] = "sha256"
    batch_size = 64
    elsewhere: ClassVar[frozenset[Need] | None] = frozenset({"pictures"})
    Options: ClassVar[type] = ImageVectorsOptions
    options: ImageVectorsOptions

    keys = f"""
        select distinct sha256 as item_id, '' as fingerprint
        from media join image_facts f using (sha256) where {FACELESS}
    """
    rows = "select item_id from batch order by item_id"

    def process(self, batch: pa.Table, context: Context) -> Output:
        """A row for every picture; a file that is missing or broken is a reject."""
        items = batch.column("item_id").to_pylist()
        if context.pictures is None or context.tower is None:
            return Output(postponed=items)
        found = read_kept(context.pictures.store, items, at_most=SIDE)
        pictures = {sha256: one for sha256, one in found.items() if not isinstance(one, Unreadable)}
        vectors = context.tower().encode(list(pictures.values()))
        rows = [
            {"sha256": one, "model": self.options.model, "dimension": len(vector), "vector": stored(vector)}
            for one, vector in zip(pictures, vectors, strict=True)
        ]
        rejects = [Reject(sha256, *one) for sha256, one in found.items() if isinstance(one, Unreadable)]
        return Output({"image_vectors": rows}, done=list(pictures), rejects=rejects)
