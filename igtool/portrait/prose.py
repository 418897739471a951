"""A creator's prose fields with their methods and evidence, and what a language model puts in their place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from igtool.description import Description
from igtool.description.answer import Grounded
from igtool.vocabulary import fold

MODEL = "model"
"""The method of a field that a language model wrote; the row names the model."""
EVIDENCE = 5
"""At most so many content ids and quotes a field."""
TOPICS = 10


@dataclass
class Sheet:
    """Fields by name: what they hold, the method that made it, what it rests on, and how sure that is."""

    values: dict[str, Any]
    methods: dict[str, str]
    evidence: dict[str, Any] = field(default_factory=dict)
    confidence: dict[str, float] = field(default_factory=dict)

    def replace(self, name: str, value: Any, claims: Sequence[Grounded] = ()) -> None:
        """Put what a model said in place of ``name``; nothing said leaves it as it is."""
        if not value:
            return
        self.values[name] = value
        self.methods[name] = MODEL
        self.confidence.pop(name, None)
        self.evidence.pop(name, None)
        if found := _evidence(claims):
            self.evidence[name] = found


def _evidence(claims: Sequence[Grounded]) -> dict[str, list[str]]:
    quotes = dict.fromkeys(quote for claim in claims for quote in claim.quotes)
    ids = dict.fromkeys(content_id for claim in claims for content_id in claim.content_ids)
    found = {"quotes": list(quotes)[:EVIDENCE], "content_ids": list(ids)[:EVIDENCE]}
    return {kind: values for kind, values in found.items() if values}


def describe_sheet(sheet: Sheet, described: Description) -> None:
    """Put what a language model said into the fields of ``profiles``; topics found by words follow its own."""
    audience = [described.audience] if described.audience else []
    sheet.replace("user_style.persona", described.persona)
    sheet.replace("user_style.tone", list(described.tone))
    sheet.replace("user_style.interests", [claim.what for claim in described.interests], described.interests)
    sheet.replace("audience_type", described.audience and described.audience.what, audience)
    sheet.replace("brand_fit", [claim.what for claim in described.brands], described.brands)
    words, method = sheet.values["content_topics"], sheet.methods["content_topics"]
    ids = sheet.evidence.get("content_topics", {}).get("content_ids", [])
    said = [fold(claim.what) for claim in described.topics]
    sheet.replace("content_topics", said, described.topics)
    further = [word for word in words if not any(word in topic for topic in said)][: TOPICS - len(said)]
    if said and further:
        sheet.values["content_topics"] = [*said, *further]
        sheet.methods["content_topics"] = f"{MODEL}+{method}"
        kept = sheet.evidence["content_topics"]
        kept["content_ids"] = list(dict.fromkeys([*kept.get("content_ids", []), *ids]))[:EVIDENCE]
