"""How accounts are compared, what people decided about them, and where merged ids lead."""

from __future__ import annotations

from igtool.schema.table import table

TABLES = (
    table(
        "account_traits",
        "What of an account can be compared with another; a function of its row in `accounts`.",
        "account_id",
        """
        account_id VARCHAR -- the account
        platform VARCHAR -- its platform
        plain VARCHAR -- handle: letters and digits in lower case, without accents; NULL where it is only an id
        core VARCHAR -- the same without titles, posts and words such as official or tv
        skeleton VARCHAR -- the same with letters and digits that stand for others replaced
        is_office BOOLEAN -- handle or name tell a post that somebody holds; NULL where there is no handle to tell
        marker VARCHAR -- fan or parody: about somebody else; own: a further account of the same person
        name VARCHAR -- words of the display name without titles and initials
        name_words BIGINT -- how many those are
        given VARCHAR -- the first of them
        surname VARCHAR -- the last of them
        sites VARCHAR[] -- websites of its own: host and path; shared hosts are left out
        emails VARCHAR[] -- e-mail addresses
        selfs VARCHAR[] -- platform/name under which others link it
        points VARCHAR[] -- platform/name of the profiles that it links
        country VARCHAR -- ISO 3166-1 alpha-2 code
        followers_count BIGINT -- followers or subscribers
        keys VARCHAR[] -- what another account must share one of to be compared
        """,
    ),
    table(
        "link_pairs",
        "Two accounts that share a key and may be one creator's, with what speaks for and against it.",
        "account_a account_b",
        """
        account_a VARCHAR -- the account with the smaller id
        account_b VARCHAR -- the other one
        platform_a VARCHAR -- platform of account_a
        platform_b VARCHAR -- platform of account_b
        rule VARCHAR -- linked_profile, same_email, same_website, same_handle; model where no exact rule holds
        evidence VARCHAR -- the value that the rule rests on, and what the comparisons found
        doubt VARCHAR -- what speaks against it; NULL without anything
        weight_bits DOUBLE -- weight of the Splink model: log2 of the odds that they are one creator's
        confidence_score DOUBLE -- calibrated probability of that
        is_strong BOOLEAN -- they link each other: enough for two accounts of one platform
        verdict VARCHAR -- link; review: a person should look; apart: about somebody else
        """,
    ),
    table(
        "link_decisions",
        "What a person said about two accounts; the newest that is not undone holds in every later run.",
        "decision_id",
        """
        decision_id VARCHAR -- the entry of `link_log` that tells of it
        account_a VARCHAR -- the account with the smaller id
        account_b VARCHAR -- the other one
        verdict VARCHAR -- together or apart
        reason VARCHAR -- why, in their words
        decided_by VARCHAR -- who
        decided_at TIMESTAMPTZ -- when
        undone_at TIMESTAMPTZ -- when it was taken back; NULL while it holds
        """,
    ),
    table(
        "creator_forwards",
        "Where the id of a creator who was merged into another leads.",
        "creator_id",
        """
        creator_id VARCHAR -- the id that was merged
        survivor_id VARCHAR -- the creator that has its accounts now
        account_ids VARCHAR[] -- accounts that came under it; it is theirs again after a split
        first_seen_at TIMESTAMPTZ -- first_seen_at of the merged creator
        """,
    ),
)
