"""Candidate pairs: accounts that share a key, compared; kept are those that a rule or the model finds worth a look."""

from __future__ import annotations

from igtool.identity import comparisons
from igtool.identity.model import Model
from igtool.identity.words import literal
from igtool.lake import Lake

MOST_OF_A_KEY = 25
"""A key that more accounts have says too little to compare them all: their number grows with its square."""

ALONE = 1
"""A website or e-mail address is somebody's own while no platform has more than one account that names it."""

RULES = {
    "linked_profile": 0.998,
    "same_email": 0.99,
    "same_website": 0.99,
    "same_handle": 0.99,
}
"""The exact rules, the strongest first, and the least confidence that each gives."""

_TRAITS = (
    *("core", "skeleton", "plain", "is_office", "marker", "name", "name_words", "given", "surname"),
    *("sites", "emails", "selfs", "points", "country", "followers_count"),
)


def find_pairs(lake: Lake, model: Model) -> None:
    """Make the temporary table ``found``: every pair worth a look with an end in ``focus``, in columns of link_pairs.

    Read are ``account_traits`` and the temporary table ``focus(account_id)``.
    """
    _find_candidates(lake)
    _find_crowds(
        lake, "select account_a as account_id from temp.candidates union select account_b from temp.candidates"
    )
    lake.execute(f"create or replace temp table found as {_judged(model)}")


def find_all_compared(lake: Lake) -> None:
    """``compared`` of every account, for training."""
    lake.execute("create or replace temp table focus as select account_id from account_traits")
    _find_candidates(lake)
    _find_crowds(lake, "select account_id from account_traits")


def _find_candidates(lake: Lake) -> None:
    """``focus_keys``, ``crowds`` of these keys by platform, and ``candidates``: pairs of which one is in focus."""
    lake.execute(
        "create or replace temp table focus_keys as "
        "select distinct unnest(t.keys) as key from account_traits t semi join temp.focus using (account_id)"
    )
    lake.execute(
        "create or replace temp table holders as select h.* from "
        "(select unnest(keys) as key, account_id, platform from account_traits) h semi join temp.focus_keys using (key)"
    )
    lake.execute(
        f"""
        create or replace temp table candidates as
        with small as (
            select key from temp.holders group by key having count(*) between 2 and {MOST_OF_A_KEY}
        ),
        near as (
            select h.*, f.account_id is not null as in_focus
            from temp.holders h semi join small using (key) left join temp.focus f using (account_id)
        )
        select distinct l.account_id as account_a, r.account_id as account_b
        from near l join near r on l.key = r.key and l.account_id < r.account_id
        where (l.in_focus or r.in_focus) and (l.platform <> r.platform or l.key[1] in ('p', 'w', 'e'))
        """
    )


def _find_crowds(lake: Lake, accounts: str) -> None:
    """``compared``: the accounts of the candidates with what is compared, crowds among it."""
    lake.execute(
        "create or replace temp table crowds as "
        f"select key, if(sum(n) > {MOST_OF_A_KEY}, {MOST_OF_A_KEY}, max(n))::int as crowd from "
        "(select key, platform, count(*) as n from temp.holders group by all) group by key"
    )
    lake.execute(
        f"""
        create or replace temp table compared as
        with ends as ({accounts}),
        chosen as (select t.* from account_traits t semi join ends using (account_id)),
        own as (
            select k.account_id,
                   list(k.key[3:]) filter (k.key[1] = 'w' and c.crowd <= {ALONE}) as own_sites,
                   list(k.key[3:]) filter (k.key[1] = 'e' and c.crowd <= {ALONE}) as own_emails
            from (select account_id, unnest(keys) as key from chosen) k join temp.crowds c using (key)
            where k.key[1] in ('w', 'e') group by k.account_id
        )
        select t.*, coalesce(o.own_sites, []) as own_sites, coalesce(o.own_emails, []) as own_emails,
               n.crowd as name_crowd
        from chosen t left join own o using (account_id)
        left join temp.crowds n on n.key = 'c:' || replace(t.name, ' ', '')
        """
    )


def _judged(model: Model) -> str:
    sides = ", ".join(
        f"{side}.{column} as {column}_{side}"
        for side in "lr"
        for column in ("account_id", "platform", *_TRAITS, "own_sites", "own_emails", "name_crowd")
    )
    rules = " ".join(f"when {literal(rule)} then {least!r}" for rule, least in RULES.items())
    return f"""
        with pairs as (
            select {sides}
            from temp.candidates p join temp.compared l on l.account_id = p.account_a
            join temp.compared r on r.account_id = p.account_b
        ),
        weighed as materialized (  -- most are strangers: their doubts and evidence need no words
            select * from (
                select *, {model.weight()} as weight, {_rule()} as rule,
                       list_has_any(points_l, selfs_r) and list_has_any(points_r, selfs_l) as is_mutual
                from pairs
            )
            where rule is not null or weight >= {model.review_from!r}
        ),
        questioned as (select *, {_doubt()} as doubt from weighed),
        judged as (
            select *, {_verdict(model)} as verdict from questioned
        )
        select account_id_l as account_a, account_id_r as account_b, platform_l as platform_a,
               platform_r as platform_b, coalesce(rule, 'model') as rule,
               {_evidence()} as evidence, doubt, weight as weight_bits,
               greatest({model.confidence("weight")}, case rule {rules} else 0 end) as confidence_score,
               is_mutual as is_strong, verdict
        from judged where verdict is not null
    """


def _rule() -> str:
    """The strongest exact rule that joins a pair; NULL without one."""
    one_way = "(list_has_any(points_l, selfs_r) or list_has_any(points_r, selfs_l))"
    mutual = "(list_has_any(points_l, selfs_r) and list_has_any(points_r, selfs_l))"
    named = "name_l is not null and name_l = name_r"
    return f"""
        case when {mutual} or ({one_way} and {named} and platform_l <> platform_r) then 'linked_profile'
             when platform_l = platform_r then null
             when {_shared("emails")} then 'same_email'
             when {_shared("sites")} then 'same_website'
             when plain_l = plain_r then 'same_handle' end
    """


def _shared(what: str) -> str:
    """Whether both name a website or e-mail address of their own."""
    return f"(list_has_any(own_{what}_l, {what}_r) or list_has_any({what}_l, own_{what}_r))"


def _doubt() -> str:
    """What speaks against a pair, as a sentence for people; NULL without anything."""
    about = "coalesce(nullif(marker_l, 'own'), '') <> coalesce(nullif(marker_r, 'own'), '')"
    words = "string_split(name_{side}, ' ')"
    differ = f"not list_has_any({words.format(side='l')}, {words.format(side='r')})"
    strangers = (
        f"{differ} and not contains(replace(name_l, ' ', ''), coalesce(core_r, '?')) "
        "and not contains(replace(name_r, ' ', ''), coalesce(core_l, '?'))"
    )
    proven = f"(is_mutual or {_shared('sites')} or {_shared('emails')})"
    letters = "regexp_replace(core_{side}, '[0-9]', '', 'g')"
    imitates = (
        f"core_l <> core_r and (skeleton_l = skeleton_r or {letters.format(side='l')} = {letters.format(side='r')})"
    )
    return f"""
        case when is_mutual then null
             when {about} then 'one is a ' || coalesce(nullif(marker_l, 'own'), nullif(marker_r, 'own')) || ' account'
             when {strangers} then 'the names are others'
             when {proven} then null
             when {imitates} then 'one handle imitates the other'
             when is_office_l <> is_office_r and (plain_l <> plain_r or {differ}) then 'only one names a post'
             when {_only_named()} then 'only the names agree'
             when len(sites_l) > 0 and len(sites_r) > 0 then 'the websites are others'
             when country_l <> country_r then 'the countries are others' end
    """


def _only_named() -> str:
    """Both have handles, and these have nothing to do with each other or with the names."""
    handles, called = (comparisons.words(name) for name in ("handle", "called"))
    return f"({handles}) = 'other handles' and coalesce({called}, '') in ('', 'handle is not the other''s name')"


def _verdict(model: Model) -> str:
    """``link``, ``review``, ``apart`` (said when people ask) or NULL: not worth a look."""
    return f"""
        case when platform_l = platform_r and not is_mutual then null
             when doubt like '% account' then if(rule is not null, 'apart', null)
             when doubt is not null then if(rule is not null or weight >= {model.review_from!r}, 'review', null)
             when rule is not null or weight >= {model.link_from!r} then 'link'
             when weight >= {model.review_from!r} then 'review' end
    """


def _evidence() -> str:
    """The values that a rule rests on, then what the comparisons say."""
    site = "list_intersect(sites_l, sites_r)[1]"
    told = ", ".join(comparisons.words(name) for name in comparisons.COMPARISONS if name != "email")
    return f"""
        concat_ws('; ',
            case rule when 'same_handle' then plain_l when 'same_website' then {site}
                 when 'same_email' then 'the same e-mail address'
                 when 'linked_profile' then if(is_mutual, 'they link each other', 'one links the other') end,
            {told})
    """
