"""What pictures show."""

from __future__ import annotations

from igtool.schema.table import table

TABLES = (
    table(
        "creator_tags",
        "A tag of a creator, from pictures or from a person.",
        "creator_id category tag",
        """
        creator_id VARCHAR -- the creator
        category VARCHAR -- category of the vocabulary, for example hair
        tag VARCHAR -- value within the category, for example blonde
        confidence_score DOUBLE -- calibrated; 1 for what a person said
        approved_by VARCHAR -- person who approved it; NULL if nobody did
        model_used VARCHAR -- what made it; NULL for a person
        images_analyzed BIGINT -- how many pictures it rests on
        reasoning VARCHAR -- why, in words
        analysis_version BIGINT -- version of the rules that made it
        analyzed_at TIMESTAMPTZ -- when
        """,
    ),
)
