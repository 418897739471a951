"""What language models were told about a creator, for people to read."""

from __future__ import annotations

import json
from typing import Any

from igtool.asking.encoding import open_encoder
from igtool.asking.opening import provider_name
from igtool.lake import Lake
from igtool.llms.questions import messages_of
from igtool.outlay import questions_about
from igtool.pipeline import describe_stage
from igtool.workspace import Workspace

Row = dict[str, Any]


def shown_prompts(workspace: Workspace, handle: str) -> list[Row]:
    """What was sent about the creators with this handle, newest last; where nothing was, what would be sent.

    Raises UsageError, with handles that come close, when there is no such creator.
    """
    creators = [creator["creator_id"] for creator in workspace.show(handle)]
    with workspace.reader() as lake:
        sent = [row for creator in creators for row in _sent(lake, creator)]
        asked = {row["creator_id"] for row in sent}
        return sent + _to_send(workspace, lake, [one for one in creators if one not in asked])


def _sent(lake: Lake, creator_id: str) -> list[Row]:
    rows = lake.rows("from llm_answers where item_id = ? order by answered_at, answer_id", (creator_id,))
    for row in rows:
        row["creator_id"] = row.pop("item_id")
        row["messages"] = json.loads(row.pop("prompt") or "[]")
        row["schema"] = None
    return rows


def _to_send(workspace: Workspace, lake: Lake, creators: list[str]) -> list[Row]:
    settings = workspace.settings
    if provider_name(settings) is None:
        settings = settings.model_copy(update={"provider": "local", "llm": "auto"})
    stage = describe_stage(settings)
    if not creators or stage is None:
        return []
    questions = questions_about(lake, stage, creators, open_encoder(settings))
    return [
        {
            "creator_id": question.item_id,
            "kind": question.kind,
            "provider": stage.options.provider,
            "model": stage.options.model,
            "messages": messages_of(question.prompt),
            "schema": question.prompt.schema,
            "answer": None,
            "answered_at": None,
        }
        for question in questions
    ]
