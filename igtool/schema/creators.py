"""Who is behind the accounts, and what they are about."""

from __future__ import annotations

from igtool.schema.table import table

TABLES = (
    table(
        "creators",
        "A person or brand behind one or more accounts.",
        "creator_id",
        """
        creator_id VARCHAR -- stable, never reused
        name VARCHAR -- display name of the largest account
        canonical_handle VARCHAR -- handle of the largest account
        profile_image_url VARCHAR -- picture of the largest account
        total_followers_count BIGINT -- sum over accounts; NULL when none is known
        account_count BIGINT -- how many accounts
        platforms VARCHAR[] -- platforms with an account, sorted
        country VARCHAR -- ISO 3166-1 alpha-2 code of the largest account that has one
        country_source VARCHAR -- where that account has it from
        language VARCHAR -- ISO 639-1 code of the largest account that has one
        first_seen_at TIMESTAMPTZ -- earliest observation of any of its accounts
        """,
    ),
    table(
        "creator_links",
        "Which account belongs to which creator, and why.",
        "account_id",
        """
        account_id VARCHAR -- the account
        creator_id VARCHAR -- its creator
        rule VARCHAR -- only_account, linked_profile, same_email, same_website, same_handle, model, pinned
        evidence VARCHAR -- what the link rests on, in words
        confidence_score DOUBLE -- calibrated probability that the link is right; 1 for one account and for decisions
        decided_by VARCHAR -- rule, or the person who decided
        """,
    ),
    table(
        "link_log",
        "Merges and splits of creators, what people decided, and what they took back.",
        "log_id",
        """
        log_id VARCHAR -- hash of action, members and time
        action VARCHAR -- merge, split, move (both creators stay); of people: together, apart, undo
        creator_id VARCHAR -- the id that stays
        other_id VARCHAR -- the id that was merged into it, split from it, or lost accounts to it
        account_ids VARCHAR[] -- accounts that moved, or that the decision is about
        rule VARCHAR -- why
        evidence VARCHAR -- what the rule rests on; of people their reason
        decided_by VARCHAR -- rule, or the person who decided
        undoes VARCHAR -- log_id of the entry that this one takes back; NULL for others
        logged_at TIMESTAMPTZ -- when
        """,
    ),
    table(
        "embeddings",
        "A text of an account, or its newest items, as a unit vector. Read current_embeddings: see embedding_models.",
        "embedding_id",
        """
        embedding_id VARCHAR -- owner_id|field|model
        owner_id VARCHAR -- account_id; creator_id for user_style
        field VARCHAR -- ig_bio, ig_captions, yt_bio, yt_content; user_style: persona, tone and interests
        model VARCHAR -- encoder and weights
        text_sha256 VARCHAR -- of the text that was embedded; of several: of their hashes and weights
        texts BIGINT[] -- first 60 bits of the SHA-256 of each text in it: what is used of text_vectors
        vector FLOAT[] -- as many numbers as the model has dimensions (384 by default), length 1
        """,
    ),
    table(
        "text_vectors",
        "What an encoder made of a text, so that it is encoded once. Texts that no vector is made of are dropped.",
        "model text_sha256",
        """
        model VARCHAR -- encoder and weights
        text_sha256 VARCHAR -- of the text
        vector BLOB -- 16-bit floats, little-endian, length 1
        """,
    ),
    table(
        "embedding_models",
        "The encoder whose vectors are in use, in one row. Another one comes here when it has embedded everything.",
        "model",
        """
        model VARCHAR -- encoder and weights
        """,
    ),
    table(
        "profiles",
        "What a creator is about, one row per creator.",
        "creator_id",
        """
        creator_id VARCHAR -- the creator
        user_style JSON -- persona, tone, interests
        content_topics VARCHAR[] -- what the content is about, most frequent first
        posting_pattern JSON -- frequency (items a week), gaps, best time and hours with their time_zone, content_mix
        engagement JSON -- of the largest account with a rate: its id, rate, rated items, medians, items
        audience_type VARCHAR -- who it is for; NULL when no method could tell
        engagement_style VARCHAR -- how the audience reacts, from the engagement rate of its follower band
        brand_fit VARCHAR[] -- kinds of brand that fit; NULL when no method could tell
        evidence JSON -- field name to content ids or quoted spans
        confidence JSON -- field name to score
        methods JSON -- field name to the method that made it
        model VARCHAR -- encoder or language model
        prompt_version VARCHAR -- NULL without a language model
        """,
    ),
    table(
        "niches",
        "A creator's niche and content style, one row per creator.",
        "creator_id",
        """
        creator_id VARCHAR -- the creator
        primary_niche VARCHAR -- slug from the vocabulary; NULL when there was no text
        secondary_niches VARCHAR[] -- up to three more
        content_style VARCHAR -- slug from the vocabulary
        llm_summary VARCHAR -- about 20 words; the method says who wrote it
        confidence_score DOUBLE -- of the primary niche
        style_confidence_score DOUBLE -- of the content style
        methods JSON -- field name to the method that made it
        model VARCHAR -- encoder or language model
        """,
    ),
)
