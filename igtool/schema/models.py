"""What language models answered, and what was made of it."""

from __future__ import annotations

from igtool.schema.table import table

TABLES = (
    table(
        "llm_answers",
        "One answer of a language model, exactly as it came, with what was asked and what it cost. Nothing is asked "
        "twice: the key is what was asked, of whom.",
        "answer_id",
        """
        answer_id VARCHAR -- SHA-256 of provider, model, version of the schema and prompt
        kind VARCHAR -- what for: profile, profile_labels, conversation, tag:CATEGORY (of a picture)
        item_id VARCHAR -- the creator or conversation it was asked for first; of a picture creator_id|sha256
        provider VARCHAR -- openai, grok, ollama, gemini, local, or another plugin
        model VARCHAR -- name of the model, as the provider knows it
        schema_version VARCHAR -- version of instruction and schema
        prompt JSON -- messages as they were sent: role and content; e-mail addresses and phone numbers masked
        answer VARCHAR -- text of the answer
        alternatives JSON -- token texts with log-probabilities of their alternatives; NULL where not asked for
        outcome VARCHAR -- stop, length (cut off), refusal
        input_tokens_count BIGINT -- tokens of the prompt
        cached_tokens_count BIGINT -- of these, tokens that the provider had kept
        output_tokens_count BIGINT -- tokens of the answer
        cost_usd DOUBLE -- US dollars by the price table; 0 on this machine
        latency_s DOUBLE -- seconds until the answer was complete
        answered_at TIMESTAMPTZ -- when it came
        """,
        row_group=2_000,
    ),
    table(
        "descriptions",
        "What a language model says of a creator, after checking: claims without evidence are gone.",
        "creator_id",
        """
        creator_id VARCHAR -- the creator
        description JSON -- persona, tone, interests, topics, audience, brands, kinds, summary, niche, style
        claim_count BIGINT -- claims in the answer
        ungrounded_count BIGINT -- of these, claims whose evidence was not in the prompt: dropped
        llm_answer_id VARCHAR -- the answer it is from
        provider VARCHAR -- who answered
        model VARCHAR -- which model
        prompt_version VARCHAR -- version of instruction and schema
        input VARCHAR -- MD5 of own texts and of the newest items then, joined by a dot
        content_ids VARCHAR[] -- the newest items known then
        content_vector FLOAT[] -- mean of the content vectors known then; NULL without any
        described_at TIMESTAMPTZ -- when it was asked
        """,
    ),
    table(
        "conversations",
        "A text by somebody, to be understood: a message, comment or post.",
        "conversation_id",
        """
        conversation_id VARCHAR -- the conversation
        author VARCHAR -- who wrote it, as the source names them
        text VARCHAR -- what was written
        said_at TIMESTAMPTZ -- when
        raw_data JSON -- whatever else the source told
        source VARCHAR -- file, list or service it came from
        tenant_id VARCHAR -- whose it is: nobody else is shown it; NULL and `local`: of the command line and Python
        """,
    ),
    table(
        "insights",
        "What a conversation says: sentiment and topics.",
        "conversation_id",
        """
        conversation_id VARCHAR -- the conversation
        sentiment_score DOUBLE -- from -1 (negative) to 1 (positive)
        sentiment VARCHAR -- negative, neutral, positive
        clusters VARCHAR[] -- topics of the taxonomy, likeliest first
        cluster_scores JSON -- topic to its score, 0-1
        proposed_topics VARCHAR[] -- topics the taxonomy does not have
        confidence_score DOUBLE -- of the sentiment, calibrated
        reasoning VARCHAR -- why, in words
        methods JSON -- field name to the method that made it
        model VARCHAR -- encoder or language model
        prompt_version VARCHAR -- NULL without a language model
        """,
    ),
)
