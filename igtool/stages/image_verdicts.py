"""What a vision-language model says of the tags that are not sure."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import ClassVar

import pyarrow as pa

from igtool.errors import IntegrityError
from igtool.llms.questions import Answered, Result
from igtool.stages.base import BatchStage, Context, Output, Reject, Row
from igtool.tagging.deciding import EVEN
from igtool.tagging.questions import VERSION, Asked, question_for, shown_picture
from igtool.vision.kinds import NotAPicture
from igtool.vocabulary.categories import TagVocabulary


@dataclass(frozen=True)
class ImageVerdictsOptions:
    """Who is asked, ``provider:model``; another one is asked everything anew."""

    model: str
    prompt_version: str = field(default=VERSION)


class ImageVerdicts(BatchStage):
    """One row of ``image_verdicts`` a picture and category with a tag that is likelier than not, and not sure.

    Nobody is asked about what a person has said already, nor about a category that this model may not be asked about.
    """

    name: ClassVar[str] = "image_verdicts"
    version: ClassVar[int] = 1
    reads: ClassVar[tuple[str, ...]] = ("image_tags",)
    writes: ClassVar[tuple[str, ...]] = ("image_verdicts",)
    key: ClassVar[str] = "item_id"
    batch_size = 64
    Options: ClassVar[type] = ImageVerdictsOptions
    options: ImageVerdictsOptions

    _unsure = f"""
        select concat_ws('|', creator_id, sha256, category) as item_id, creator_id, sha256, category,
               list(tag order by tag) as tags, bool_and(method = 'person') as is_told
        from image_tags where is_unsure and first_confidence >= {EVEN} group by all
    """
    keys = f"select item_id, md5(array_to_string(tags, ' ')) as fingerprint from ({_unsure})"
    rows = f"select u.* from batch join ({_unsure}) u using (item_id) order by item_id"

    def __init__(self, options: ImageVerdictsOptions, vocabulary: TagVocabulary) -> None:
        super().__init__(options)
        self._vocabulary = vocabulary

    def process(self, batch: pa.Table, context: Context) -> Output:
        """A row for every answer; what could not be asked is postponed."""
        asker, pictures = context.ask_about_pictures, context.pictures
        if asker is None or pictures is None:
            return Output(postponed=batch.column("item_id").to_pylist())
        output, items, questions = Output(), [], []
        for item in batch.to_pylist():
            category = self._vocabulary.categories.get(item["category"])
            if category is None or item["is_told"] or not asker.may_ask(category):
                output.done.append(item["item_id"])
                continue
            candidates = tuple(category.tags[tag] for tag in item["tags"] if tag in category.tags)
            try:
                picture = shown_picture(pictures.store.read(item["sha256"]))
            except (IntegrityError, NotAPicture) as error:
                reason = error.reason if isinstance(error, NotAPicture) else "file-missing"
                output.rejects.append(Reject(item["item_id"], reason, str(error)))
                continue
            asked = Asked(item["creator_id"], item["sha256"], category, candidates, picture)
            items.append(item)
            questions.append(question_for(asked, self._vocabulary.guarded))
        for item, result in zip(items, asker.ask(questions), strict=True):
            self._take(item, result, output, context)
        return output

    def _take(self, item: Row, result: Result, output: Output, context: Context) -> None:
        if result is None:
            output.postponed.append(item["item_id"])
        elif isinstance(result, Answered):
            row = {name: item[name] for name in ("item_id", "creator_id", "sha256", "category")} | {
                "confidences": json.dumps(result.value.confidences),
                "reasoning": result.value.reason,
                "model_used": self.options.model,
                "answer_id": result.row["answer_id"],
                "answered_at": context.clock(),
            }
            output.tables["image_verdicts"] = [*output.tables.get("image_verdicts", ()), row]
            output.done.append(item["item_id"])
        else:
            output.rejects.append(Reject(item["item_id"], result.reason, result.detail))
