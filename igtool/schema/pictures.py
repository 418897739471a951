"""What pictures show. What is inferred of people is of three classes: see `igtool.vocabulary.tags`."""

from __future__ import annotations

from igtool.schema.table import table

TABLES = (
    table(
        "media",
        "A picture of an account, or a still of one of its videos, and what became of it.",
        "media_id",
        """
        media_id VARCHAR -- content_id/position, of stills content_id/video/position; else folder:account_id/sha256
        account_id VARCHAR -- the account it is of
        content_id VARCHAR -- the content item it is of; NULL for what is from a folder
        position BIGINT -- place in the item, from 0; of stills their order
        source_url VARCHAR -- where it was asked for; NULL for what is from a folder
        source VARCHAR -- download, folder, keyframe (a still of a video)
        sha256 VARCHAR -- of the stored file, which is named so in cache/images; NULL when none is stored
        outcome VARCHAR -- stored, duplicate, refused, or an outcome of HTTP: not_found, blocked, transient, …
        reason VARCHAR -- slug: why it was refused or could not be had; NULL when it is stored
        duplicate_of VARCHAR -- media_id of the picture that shows the same; NULL for the first of its kind
        likeness VARCHAR -- hashes of the picture and of parts of it, 16 hexadecimal digits each; near are alike
        width BIGINT -- pixels, upright
        height BIGINT -- pixels, upright
        size_bytes BIGINT -- bytes of the stored file
        kind VARCHAR -- type of the file by its bytes, whatever its name says: jpeg, png, webp, avif, gif, heif
        engagement_rank BIGINT -- place among the account's items by engagement, from 1
        fetched_at TIMESTAMPTZ -- when it came, or was asked for in vain
        """,
    ),
    table(
        "image_facts",
        "What was measured in a picture; nothing in it needs consent. What is of a person is NULL where no tag of a "
        "person may be given (docs/ethics.md).",
        "sha256",
        """
        sha256 VARCHAR -- the picture
        persons_count BIGINT -- people that the detector found
        faces_count BIGINT -- faces that were found; nothing tells whose
        sharpness DOUBLE -- 0 to 1: below .5 is blurred (igtool.vision.framing)
        brightness DOUBLE -- mean lightness, 0-1
        chroma DOUBLE -- mean distance from grey (CIELAB); of a black-and-white picture below 4
        framing VARCHAR -- close_up, portrait, half_body, three_quarter, full_body, none (nobody in it)
        hair FLOAT[] -- L*, a* and b* (CIELAB, D65) of the hair of the one person whom the picture is about
        hair_scores JSON -- what that says for each tag of hair, 0-1
        upper_garment FLOAT[] -- L*, a* and b* of what this person wears above the hips
        lower_garment FLOAT[] -- L*, a* and b* of what it wears below
        may_be_minor BOOLEAN -- verdict of the safety check: somebody may be under age; NULL where it was not made
        models VARCHAR[] -- what measured: names of model files with the beginning of their SHA-256
        analysis_version BIGINT -- version of the code that measured
        analyzed_at TIMESTAMPTZ -- when
        """,
    ),
    table(
        "body_facts",
        "Proportions of a creator in a picture. Only with consent to the category build; gone when it is revoked. "
        "NULL unless the person stands, upright, facing the camera, with nothing in front.",
        "creator_id sha256",
        """
        creator_id VARCHAR -- the creator, who agreed
        sha256 VARCHAR -- the picture
        shoulder_to_hip DOUBLE -- width of the shoulders over that of the hips
        shoulder_to_hip_error DOUBLE -- its standard error
        waist_to_hip DOUBLE -- width of the waist over that of the hips
        waist_to_hip_error DOUBLE -- its standard error
        leg_to_torso DOUBLE -- length of the legs over that of the torso
        leg_to_torso_error DOUBLE -- its standard error
        silhouette VARCHAR -- straight, wider_above, wider_below, narrow_waist; NULL where that is not sure
        reason VARCHAR -- slug: why nothing could be measured; NULL when something was
        models VARCHAR[] -- what measured
        analysis_version BIGINT -- version of the code that measured
        analyzed_at TIMESTAMPTZ -- when
        """,
    ),
    table(
        "image_vectors",
        "What an image encoder made of a picture, for pictures alike in style. Never of a face.",
        "sha256 model",
        """
        sha256 VARCHAR -- the picture
        model VARCHAR -- encoder and weights
        dimension BIGINT -- numbers in the vector
        vector BLOB -- 16-bit floats, little-endian, length 1
        """,
        row_group=8_192,
    ),
    table(
        "image_tags",
        "A tag that one picture of a creator got, or nearly got.",
        "creator_id sha256 category tag",
        """
        creator_id VARCHAR -- the creator
        sha256 VARCHAR -- the picture
        category VARCHAR -- category of the vocabulary, for example hair
        tag VARCHAR -- value within the category, for example blonde
        score DOUBLE -- what the method gave, not calibrated; NULL where only a person saw it
        first_confidence DOUBLE -- calibrated, before a vision model or a person spoke
        is_unsure BOOLEAN -- it was then neither sure nor surely not, or another tag spoke against it
        confidence_score DOUBLE -- calibrated; 1 or 0 once a person spoke
        method VARCHAR -- zero_shot, rule, both, model (a vision-language model), person
        model_used VARCHAR -- model files or provider; NULL for a person
        reasoning VARCHAR -- why, in words
        state VARCHAR -- assigned, waiting (for a person), refused
        approved_by VARCHAR -- person who approved it; NULL if nobody did
        analysis_version BIGINT -- version of the rules that made it
        analyzed_at TIMESTAMPTZ -- when
        """,
    ),
    table(
        "image_verdicts",
        "What a vision-language model said of tags that were not sure.",
        "item_id",
        """
        item_id VARCHAR -- creator_id|sha256|category
        creator_id VARCHAR -- the creator
        sha256 VARCHAR -- the picture
        category VARCHAR -- category of the vocabulary
        confidences JSON -- how sure the model is of each tag that it was asked about, 0-1
        reasoning VARCHAR -- why, in its words
        model_used VARCHAR -- provider and model
        answer_id VARCHAR -- its answer, in `llm_answers`
        answered_at TIMESTAMPTZ -- when
        """,
    ),
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
    table(
        "creator_tag_history",
        "Every change of a tag of a creator.",
        "creator_id category tag changed_at",
        """
        creator_id VARCHAR -- the creator
        category VARCHAR -- category of the vocabulary
        tag VARCHAR -- value within the category
        state_before JSON -- its row in `creator_tags` before; NULL when it was not there
        state_after JSON -- its row afterwards; NULL when it went
        reason VARCHAR -- why, in words
        changed_at TIMESTAMPTZ -- when
        """,
    ),
)
