"""What people typed and asked for: lists, notes, hidden creators, reviews, consents, searches.

None of it is rebuilt or lost. Only people take it back: with a consent go the reviews that rested on it.
"""

from __future__ import annotations

from igtool.schema.table import table

TABLES = (
    table(
        "tenant_lists",
        "A creator on a list that somebody keeps.",
        "tenant_id list_name creator_id",
        """
        tenant_id VARCHAR -- whose list; `local` on the command line
        list_name VARCHAR -- name of the list
        creator_id VARCHAR -- the creator
        added_at TIMESTAMPTZ -- when
        """,
    ),
    table(
        "tenant_notes",
        "A note about a creator.",
        "tenant_id creator_id noted_at",
        """
        tenant_id VARCHAR -- whose note; `local` on the command line
        creator_id VARCHAR -- the creator
        note VARCHAR -- the text
        noted_at TIMESTAMPTZ -- when
        """,
    ),
    table(
        "tenant_hidden",
        "A creator that no search of a tenant shows.",
        "tenant_id creator_id",
        """
        tenant_id VARCHAR -- for whom it is hidden; `local` on the command line
        creator_id VARCHAR -- the creator
        reason VARCHAR -- why; NULL if nothing was said
        hidden_at TIMESTAMPTZ -- when
        """,
    ),
    table(
        "tenant_searches",
        "A search that somebody saved under a name.",
        "tenant_id search_name",
        """
        tenant_id VARCHAR -- whose it is; `local` where there are no tenants
        search_name VARCHAR -- its name
        request JSON -- what is searched for, as POST /api/v1/search takes it
        saved_at TIMESTAMPTZ -- when
        """,
    ),
    table(
        "reviews",
        "What a person said about a tag of a picture.",
        "review_id",
        """
        review_id VARCHAR -- hash of picture, tag, reviewer and time
        creator_id VARCHAR -- the creator
        sha256 VARCHAR -- the picture; NULL where the word is about the creator
        category VARCHAR -- category of the vocabulary
        tag VARCHAR -- the tag that was shown; NULL where none was
        decision VARCHAR -- approve, edit, flag
        corrected_tag VARCHAR -- the right tag of the category, of an edit; NULL when none fits
        confidence_score DOUBLE -- what the tag had when it was shown
        model_used VARCHAR -- what had made it
        reviewer VARCHAR -- who said it
        is_own_correction BOOLEAN -- it is the creator's own word, which goes before all others
        sampled VARCHAR -- how the picture came to the reviewer: queue, random
        reviewed_at TIMESTAMPTZ -- when
        """,
    ),
    table(
        "consents",
        "That the owner of an account agreed to have a category inferred, or took that back. What holds now says the "
        "view `consent_standing`.",
        "consent_id",
        """
        consent_id VARCHAR -- hash of account, category, evidence and time
        creator_id VARCHAR -- its creator then
        account_id VARCHAR -- the account whose owner agreed
        account_ids VARCHAR[] -- the accounts of its creator then; what joins them later is not covered
        category VARCHAR -- category of the class consent
        declared_adult BOOLEAN -- the owner declared to be an adult
        evidence VARCHAR -- where and how they agreed, in words
        granted_at TIMESTAMPTZ -- when they agreed; NULL for a refusal without a consent before it
        revoked_at TIMESTAMPTZ -- when it was taken back; NULL while it was not
        recorded_at TIMESTAMPTZ -- when it was entered
        """,
    ),
    table(
        "declarations",
        "What creators say of themselves where nothing is ever inferred, in their own words; adult: that they are one. "
        "Never filled by igtool.",
        "declaration_id",
        """
        declaration_id VARCHAR -- hash of account, field, text, evidence and time
        creator_id VARCHAR -- its creator then
        account_id VARCHAR -- the account whose owner said so
        account_ids VARCHAR[] -- the accounts of its creator then; what joins them later is not covered
        field VARCHAR -- adult, ethnicity, height, or another denied category that may be declared
        text VARCHAR -- their own words; NULL once taken back
        evidence VARCHAR -- where and how they said so; NULL once taken back
        declared_at TIMESTAMPTZ -- when they said so
        withdrawn_at TIMESTAMPTZ -- when it was taken back; NULL while it holds
        """,
    ),
    table(
        "search_log",
        "A search, with its best candidates and how each was scored.",
        "search_id",
        """
        search_id VARCHAR -- time and process
        tenant_id VARCHAR -- who searched; `local` on the command line
        query VARCHAR -- the text as it was typed
        filters JSON -- the filters that were applied
        request JSON -- what else was asked: sort, like, limit
        weights JSON -- weights of the parts
        candidates JSON -- creator_id and parts of the best candidates, best first
        index_version VARCHAR -- the index that was searched
        model VARCHAR -- encoder of its vectors
        searched_at TIMESTAMPTZ -- when
        """,
    ),
    table(
        "audit_log",
        "Who searched for what and who changed what through the server, and changes of tenants, keys and settings. "
        "Each entry holds the hash of the one before: `igtool audit verify` finds what was changed or taken out.",
        "entry_number",
        """
        entry_number BIGINT -- 1, 2, 3, … without gaps
        logged_at TIMESTAMPTZ -- when
        tenant_id VARCHAR -- for whom; `local` where there are no tenants, and on the command line
        actor VARCHAR -- id of the API key, or `local`
        action VARCHAR -- what was done: search, list.add, tenant.add, settings, …
        detail JSON -- on what; NULL once it was forgotten
        salt VARCHAR -- random, hashed with the detail and gone with it, so that the hash tells nothing of what is gone
        detail_sha256 VARCHAR -- SHA-256 of salt and detail
        chain_sha256 VARCHAR -- SHA-256 of the one of the entry before and of everything here but detail and salt
        """,
    ),
    table(
        "tombstones",
        "That somebody was forgotten, without saying who: what comes in about them is left out.",
        "tombstone",
        """
        tombstone VARCHAR -- HMAC-SHA-256 of platform:handle or platform:id, hexadecimal; the key: data/tombstones.key
        platform VARCHAR -- the platform
        person_id VARCHAR -- random; the same for all names of one person
        forgotten_at TIMESTAMPTZ -- when
        """,
    ),
)
