"""What holds now: the view ``consent_standing`` for one creator, and for many at once."""

from __future__ import annotations

from collections.abc import Sequence

from igtool.lake import Reader
from igtool.vision.guard import UNSAID, Standing


def standings(lake: Reader, creators: Sequence[str]) -> dict[str, Standing]:
    """What each of ``creators`` agreed to, in one query; `UNSAID` for those who said nothing that holds."""
    rows = lake.arrow(
        "select creator_id, categories from consent_standing where creator_id in (select unnest(?::varchar[]))",
        (list(creators),),
    ).to_pylist()
    said = {row["creator_id"]: Standing.of(row["categories"]) for row in rows}
    return {creator: said.get(creator, UNSAID) for creator in creators}


def has_consent(lake: Reader, creator_id: str, category: str) -> bool:
    """Whether the creator agreed to the category, is a declared adult, and nothing of that was taken back."""
    return category in standings(lake, [creator_id])[creator_id].consented
