"""What people typed and asked for: lists, notes, hidden creators, searches. Never rebuilt, never lost."""

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
)
