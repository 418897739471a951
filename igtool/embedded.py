"""Which encoder's vectors are in use, and the change to another one in one commit."""

from __future__ import annotations

from igtool.journal import Journal
from igtool.lake import Lake
from igtool.lake_sql import quote
from igtool.stages.embed import drop_unused

_STATE = "embedding_models"
_WRITES = frozenset({"embeddings", "text_vectors"})


def model_in_use(lake: Lake) -> str | None:
    """The model whose vectors `current_embeddings` shows; None before anything was embedded."""
    model: str | None = lake.value("select any_value(model) from embedding_models")
    return model


def adopt(lake: Lake, journal: Journal, model: str) -> None:
    """Take the vectors of ``model``, which has embedded everything, into use, and drop what nothing is made of.

    One commit: whoever reads sees all vectors of the model before, or all of this one; nothing is kept of other models.
    Where it is in use already, what a further model has made so far stays. Does nothing when nothing was embedded since
    the last time.
    """
    state = journal.stage_state(lake.lake_id, _STATE)
    if state is not None and state[0] == model and not lake.changed_since(state[1]) & _WRITES:
        return
    with lake.transaction():
        if model_in_use(lake) != model:
            lake.replace("embedding_models", [{"model": model}])
            for table in ("embeddings", "text_vectors"):
                lake.execute(f"delete from {quote(table)} where model <> ?", (model,))
            lake.execute(
                "delete from stage_rows where stage in ('embed', 'embed_style') and not ends_with(item_id, '|' || ?)",
                (model,),
            )
        lake.execute(drop_unused(model))
    journal.record_stage(lake.lake_id, _STATE, model, lake.snapshot)
