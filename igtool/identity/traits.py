"""What of an account can be compared with another: names and handles without titles, own websites, whom it links.

Every column is a function of the account's row alone. ``keys`` are what candidates must share: ``c:`` what it is
called (by handle or by name), ``w:`` a website, ``e:`` an e-mail address, ``p:`` a profile that it is or links to.
"""

from __future__ import annotations

import unicodedata

import pyarrow as pa

from igtool.identity import words
from igtool.lake import Lake

_LOOKALIKES = ("аеорсухіјѕһԁ01345ł", "aeopcyxijshdoieas" + "l")
"""Letters and digits that stand for others in handles that imitate one."""

_DROPPED = ("jr", "sr", "ii", "iii", "iv", "phd", "md", "the", "and", "y", "de", "la")
_CHANNEL_ID = r"^uc[\w-]{22}$"


def make_traits(lake: Lake, accounts: str) -> None:
    """Make the temporary table ``traits``: a row for each account that the relation ``accounts`` names."""
    _fold_names(lake, accounts)
    lake.execute(f"create or replace temp table traits as {_query(accounts)}")


def _fold_names(lake: Lake, accounts: str) -> None:
    """The temporary table ``folded``: names with letters that only Unicode's compatibility forms make plain."""
    texts = lake.arrow(
        f"select distinct display_name from accounts semi join {accounts} using (account_id) "
        "where regexp_matches(display_name, '[^\\x00-\\x7f]')"
    ).column("display_name")
    plain = [unicodedata.normalize("NFKC", text) for text in texts.to_pylist()]
    with lake.incoming_rows(pa.table({"display_name": texts, "plain": pa.array(plain, pa.string())})):
        lake.execute("create or replace temp table folded as from incoming")


def _query(accounts: str) -> str:
    return f"""
        with told as ({_told(accounts)}),
        named as ({_named()}),
        stripped as (
            select *, coalesce(nullif(regexp_extract(fronted, {words.back()}, 1), ''), fronted) as core from named
        )
        select account_id, platform, handle, display_name, country, followers_count, plain, core,
               translate(core, {words.literal(_LOOKALIKES[0])}, {words.literal(_LOOKALIKES[1])}) as skeleton,
               is_office, marker, name, name_words, kept[1] as given, surname, sites, emails, selfs, points,
               {_keys()} as keys
        from stripped
    """


def _told(accounts: str) -> str:
    """The texts of an account in lower case without accents, and its addresses."""
    handle = "lower(a.handle)"
    named = rf"regexp_matches({handle}, '{_CHANNEL_ID}') or regexp_matches({handle}, '^\d{{5,}}$')"
    text = "concat_ws(' ', a.bio, a.external_url, array_to_string(a.links, ' '))"
    return rf"""
        select a.account_id, a.platform, a.platform_user_id, a.handle, a.display_name, a.bio, a.country,
               a.followers_count, list_distinct(coalesce(a.emails, [])) as emails,
               if({named}, null, nullif(regexp_replace(strip_accents({handle}), '[^\p{{L}}\p{{N}}]', '', 'g'), ''))
                   as plain,
               regexp_extract_all(
                   replace(replace(strip_accents(lower(coalesce(f.plain, a.display_name))), '''', ''), '’', ''),
                   '[\p{{L}}\p{{N}}]+'
               ) as spelled,
               list_distinct(if(a.external_url is null, [], [a.external_url]) || coalesce(a.links, [])
                   || regexp_extract_all(coalesce(a.bio, ''), '(?i)https?://\S+')) as urls,
               {_points(text)} as points
        from accounts a semi join {accounts} chosen on a.account_id = chosen.account_id
        left join temp.folded f on f.display_name = a.display_name
    """


def _points(text: str) -> str:
    """``platform/name`` of every profile that a text links."""
    link = words.profile_link()
    platforms = " ".join(f"when {words.literal(host)} then {words.literal(p)}" for host, p in words.profiles().items())
    found = f"regexp_extract_all({text}, {link}, 0)"
    host = f"case lower(regexp_extract(x, {link}, 1)) {platforms} end"
    return (
        f"list_distinct(list_transform({found}, lambda x: {host} || '/' || "
        f"rtrim(lower(regexp_extract(x, {link}, 2)), '.')))"
    )


def _named() -> str:
    titles = words.listed([*words.affixes("office", "official", "honorific", "medium"), *_DROPPED])
    posts = words.listed(words.affixes("office"))
    kept = f"list_filter(spelled, lambda x: not list_contains({titles}, x) and length(x) > 1)"
    return f"""
        select *, {_sites()} as sites, {_selfs()} as selfs, {_marker()} as marker,
               coalesce(nullif(regexp_extract(plain, {words.front()}, 1), ''), plain) as fronted,
               if(list_contains({posts}, spelled[1]), true, regexp_matches(plain, {words.office()})) as is_office,
               {kept} as kept, nullif(array_to_string(kept, ' '), '') as name, len(kept) as name_words,
               kept[-1] as surname
        from told
    """


def _sites() -> str:
    """Host and path of the addresses that are somebody's own."""
    bare = r"regexp_replace(lower(trim(u)), '^(?:https?:)?//(?:www\.|m\.)?|^(?:www\.|m\.)', '')"
    host = r"regexp_extract(b, '^([^/?#:@\s]+\.[^/?#:@\s.]{2,})', 1)"
    path = r"rtrim(regexp_extract(b, '^[^/?#]*(/[^?#\s]*)', 1), '/')"
    shared = words.listed(words.load()["shared_hosts"].split())
    own = words.listed(words.load()["own_subdomains"].split())
    base = "array_to_string(string_split(s.host, '.')[-2:], '.')"
    is_own = (
        f"s.host <> '' and not list_contains({shared}, s.host) "
        f"and (not list_contains({shared}, {base}) or (list_contains({own}, {base}) and s.host <> {base}))"
    )
    bares = f"list_transform(list_filter(urls, lambda u: u is not null), lambda u: {bare})"
    parts = f"list_transform({bares}, lambda b: struct_pack(host := {host}, path := {path}))"
    kept = f"list_filter({parts}, lambda s: {is_own})"
    return f"if(len(urls) = 0, [], list_distinct(list_transform({kept}, lambda s: s.host || s.path)))"


def _selfs() -> str:
    """``platform/name`` under which others link this account."""
    names = "[lower(handle), lower(platform_user_id)]"
    return f"list_transform(list_filter({names}, lambda x: x is not null), lambda x: platform || '/' || x)"


def _marker() -> str:
    """``fan`` or ``parody`` for an account about somebody else; ``own`` for a further one of the same person."""
    cases = []
    for kind in ("own", "parody", "fan"):
        listed = f"list_has_any(spelled, {words.marker_words(kind)})"
        seen = [
            f"coalesce(regexp_matches(lower(handle), {words.marker_in_handle(kind)}), false)",
            f"coalesce({listed}, false)",
            f"coalesce(regexp_matches(bio, {words.marker_in_text(kind)}), false)",
        ]
        cases.append(f"when {' or '.join(seen)} then '{kind}'")
    return f"case {' '.join(cases)} end"


def _keys() -> str:
    called = """
        [core, nullif(regexp_replace(core, '[0-9]', '', 'g'), ''),
         if(name_words >= 2, replace(name, ' ', ''), null),
         if(name_words >= 3, kept[1] || surname, null),
         if(length(surname) >= 4, surname, null)]
    """
    return f"""
        list_distinct(
            list_transform(list_filter({called}, lambda x: x is not null), lambda x: 'c:' || x)
            || list_transform(sites, lambda x: 'w:' || x) || list_transform(emails, lambda x: 'e:' || x)
            || list_transform(selfs, lambda x: 'p:' || x) || list_transform(points, lambda x: 'p:' || x)
        )
    """
