"""Which account a handle means, as one piece of SQL: lists and people go on naming an account as they once knew it."""

from __future__ import annotations

GIVEN = "select unnest(?::varchar[]) as platform, unnest(?::varchar[]) as handle"
"""SQL: platforms and handles that are given as two lists."""


def accounts_meant(wanted: str) -> str:
    """SQL: ``platform`` and ``handle`` of each row of the query ``wanted``, with the ``account_id`` that it means.

    That is the account that has the handle now, in any case, or whose YouTube channel id it is; else one that had it
    earlier (``is_former``). Of several the one that was observed last. Handles that mean nobody are left out.
    """
    return f"""
        with asked as (select distinct platform, handle, lower(handle) as name from ({wanted})),
        meant as (
            select q.platform, q.handle, a.account_id, a.observed_at, false as is_former
            from asked q join accounts a on a.platform = q.platform and a.handle = q.name
            union all
            select q.platform, q.handle, a.account_id, a.observed_at, false
            from asked q join accounts a on a.platform = q.platform and lower(a.platform_user_id) = q.name
            where q.platform = 'youtube'
            union all
            select q.platform, q.handle, a.account_id, a.observed_at, true
            from asked q
            join (
                select distinct account_id, platform, handle from account_states
                where handle in (select name from asked)
            ) s on s.platform = q.platform and s.handle = q.name
            join accounts a on a.account_id = s.account_id and a.handle is distinct from s.handle
        )
        select platform, handle, account_id, is_former from meant
        qualify row_number() over (
            partition by platform, handle order by is_former, observed_at desc nulls last, account_id
        ) = 1
    """
