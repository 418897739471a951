"""The numbers of the report from the tables."""

from __future__ import annotations

import shlex
import unicodedata
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import quote

from igtool.lake import Reader
from igtool.report.data import (
    AccountLink,
    Counted,
    CreatorRow,
    ListSummary,
    RejectGroup,
    ReportData,
    RunInfo,
    Spread,
    Totals,
)
from igtool.report.texts import BANDS
from igtool.text import one_line

TOP_CREATORS = 25
LINKED_CREATORS = 40
EXAMPLES = 3
MOST_LABELS = 14
MOST_NICHES = 24

_BAND = """case when {0} is null then 'unknown' when {0} < 10000 then 'nano' when {0} < 50000 then 'micro'
    when {0} < 500000 then 'mid' when {0} <= 1000000 then 'macro' else 'mega' end"""


def collect(reader: Reader, run: RunInfo, creator_list: ListSummary | None = None) -> ReportData:
    """The report's numbers from the tables behind ``reader``, joined with what the caller knows."""
    niches = _counted(reader, "select primary_niche, count(*) from niches where primary_niche is not null", MOST_NICHES)
    top = _creators(reader, "true", TOP_CREATORS)
    return ReportData(
        run=run,
        creator_list=creator_list,
        totals=_totals(reader),
        niches=niches,
        bands=_bands(reader),
        engagement=_engagement(reader),
        hours=_hours(reader),
        published=_published(reader),
        languages=_counted(reader, "select language, count(*) from creators where language is not null"),
        countries=_counted(reader, "select country, count(*) from creators where country is not null"),
        platforms=_counted(reader, "select platform, count(*) from accounts"),
        confidence=_confidence(reader),
        methods=_methods(reader),
        generic=_generic(reader, run.generic_categories),
        top=top,
        linked=_creators(reader, "c.account_count > 1", LINKED_CREATORS),
        linked_total=_one(reader, "select count(*) from creators where account_count > 1"),
        rejects=_rejects(reader),
        commands=_commands(niches, top),
    )


def _rows(reader: Reader, query: str, parameters: Sequence[Any] = ()) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = reader.arrow(query, parameters).to_pylist()
    return rows


def _one(reader: Reader, query: str) -> int:
    return int(next(iter(_rows(reader, query)[0].values())))


def _counted(reader: Reader, query: str, most: int = MOST_LABELS) -> tuple[Counted, ...]:
    """Names and counts, most frequent first; beyond the first ``most`` they are one entry called ``other``."""
    rows = _rows(reader, f"select * from ({query} group by 1) as t(name, n) order by n desc, name")
    kept = [Counted(row["name"], row["n"]) for row in rows[:most]]
    rest = sum(row["n"] for row in rows[most:])
    return tuple([*kept, Counted("other", rest)] if rest else kept)


def _totals(reader: Reader) -> Totals:
    (row,) = _rows(
        reader,
        """
        select (select count(*) from creators) as creators, (select count(*) from accounts) as accounts,
               (select count(*) from accounts where is_private) as private,
               (select count(*) from content_items) as content_items, (select count(*) from rejects) as rejected
        """,
    )
    return Totals(**row)


def _bands(reader: Reader) -> tuple[Counted, ...]:
    rows = _rows(
        reader, f"select {_BAND.format('total_followers_count')} as band, count(*) as n from creators group by 1"
    )
    counts = {row["band"]: row["n"] for row in rows}
    return tuple(Counted(band, counts.get(band, 0)) for band in BANDS if band != "unknown" or band in counts)


def _engagement(reader: Reader) -> tuple[Spread, ...]:
    query = f"""
        select platform, {_BAND.format("followers_count")} as band, count(*) as accounts,
               quantile_cont(engagement_rate, 0.25) as low, median(engagement_rate) as median,
               quantile_cont(engagement_rate, 0.75) as high
        from engagement where engagement_rate is not null group by all
    """
    spreads = [Spread(**row) for row in _rows(reader, query)]
    return tuple(sorted(spreads, key=lambda spread: (spread.platform, BANDS.index(spread.band))))


def _hours(reader: Reader) -> dict[tuple[int, int], int]:
    query = """
        select isodow(at_utc) - 1 as day, hour(at_utc) as hour, count(*) as n
        from (select published_at at time zone 'UTC' as at_utc from content_items where published_at is not null)
        group by all
    """
    return {(row["day"], row["hour"]): row["n"] for row in _rows(reader, query)}


def _published(reader: Reader) -> tuple[datetime, datetime] | None:
    (row,) = _rows(reader, "select min(published_at) as first, max(published_at) as last from content_items")
    return (row["first"], row["last"]) if row["first"] is not None else None


def _confidence(reader: Reader) -> tuple[int, ...]:
    query = """
        select least(greatest(floor(confidence_score * 10), 0), 9)::bigint as step, count(*) as n from niches
        where primary_niche is not null and confidence_score is not null group by 1
    """
    counts = {row["step"]: row["n"] for row in _rows(reader, query)}
    return tuple(counts.get(step, 0) for step in range(10))


def _methods(reader: Reader) -> tuple[tuple[str, str, int], ...]:
    query = """
        select field, methods ->> field as method, count(*) as n
        from (select methods, unnest(json_keys(methods)) as field from niches where methods is not null)
        group by all order by field, n desc, method
    """
    return tuple((row["field"], row["method"] or "none", row["n"]) for row in _rows(reader, query))


def _generic(reader: Reader, generic: Sequence[str]) -> tuple[Counted, ...]:
    known = {_folded(category) for category in generic}
    query = "select category, count(*) as n from accounts where category is not null group by 1 order by n desc, 1"
    rows = _rows(reader, query)
    return tuple(Counted(row["category"], row["n"]) for row in rows if _folded(row["category"]) in known)


def _folded(text: str) -> str:
    """Without case and accents, as the list of generic categories is meant."""
    return "".join(c for c in unicodedata.normalize("NFKD", text.casefold()) if not unicodedata.combining(c)).strip()


def _creators(reader: Reader, condition: str, limit: int) -> tuple[CreatorRow, ...]:
    query = f"""
        with chosen as (
            select c.*, n.primary_niche, n.content_style, n.llm_summary from creators c
            left join niches n using (creator_id) where {condition}
            order by total_followers_count desc nulls last, creator_id limit ?
        )
        select chosen.*, a.platform, a.platform_user_id, a.handle, a.followers_count, a.external_url, l.rule,
               l.evidence, e.engagement_rate
        from chosen left join creator_links l using (creator_id)
        left join accounts a on a.account_id = l.account_id
        left join engagement e on e.account_id = a.account_id
        order by total_followers_count desc nulls last, creator_id, followers_count desc nulls last, a.account_id
    """
    grouped: dict[str, list[dict[str, Any]]] = {}
    for row in _rows(reader, query, (limit,)):
        grouped.setdefault(row["creator_id"], []).append(row)
    return tuple(_creator(rows) for rows in grouped.values())


def _creator(rows: Sequence[Mapping[str, Any]]) -> CreatorRow:
    first = rows[0]
    rates = [row["engagement_rate"] for row in rows if row["engagement_rate"] is not None]
    sites = [row["external_url"] for row in rows if row["external_url"]]
    return CreatorRow(
        name=one_line(first["name"] or first["canonical_handle"] or first["creator_id"], 80),
        handle=first["canonical_handle"] or "",
        followers=first["total_followers_count"],
        niche=first["primary_niche"] or "",
        style=first["content_style"] or "",
        engagement_rate=rates[0] if rates else None,
        summary=one_line(first["llm_summary"] or "", 220),
        website=sites[0] if sites else None,
        accounts=tuple(_account(row) for row in rows if row["platform"]),
    )


def _account(row: Mapping[str, Any]) -> AccountLink:
    handle = one_line(row["handle"] or row["platform_user_id"] or "", 60)
    name = quote(handle, safe="")
    if row["platform"] == "instagram":
        url = f"https://www.instagram.com/{name}/"
    elif row["handle"]:
        url = f"https://www.youtube.com/@{name}"
    else:
        url = f"https://www.youtube.com/channel/{name}"
    evidence = one_line(row["evidence"] or "", 120)
    return AccountLink(row["platform"], handle, url, row["followers_count"], row["rule"] or "", evidence)


def _rejects(reader: Reader) -> tuple[RejectGroup, ...]:
    query = """
        select stage, reason, count(*) over (partition by stage, reason) as n, item_id, path, line, detail
        from rejects qualify row_number() over (partition by stage, reason order by path, line, item_id) <= ?
        order by n desc, stage, reason, path, line, item_id
    """
    groups: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in _rows(reader, query, (EXAMPLES,)):
        groups.setdefault((row["stage"], row["reason"]), []).append(row)
    return tuple(
        RejectGroup(stage, reason, rows[0]["n"], tuple(_example(row) for row in rows))
        for (stage, reason), rows in groups.items()
    )


def _example(row: Mapping[str, Any]) -> tuple[str, int | None, str]:
    return one_line(row["path"] or row["item_id"], 160), row["line"], one_line(row["detail"] or "", 200)


def _commands(niches: Sequence[Counted], top: Sequence[CreatorRow]) -> tuple[tuple[str, str], ...]:
    commands = []
    if niches:
        topic = niches[0].name.replace("_", " ")
        commands.append((f"igtool search {shlex.quote(topic)}", "creators by what they write, with reasons"))
    if top and top[0].handle:
        commands.append((f"igtool show {shlex.quote(top[0].handle)}", "everything known about one creator"))
    commands.append(
        ('igtool sql "select primary_niche, count(*) from creator_overview group by 1"', "any question in SQL")
    )
    commands.append(("igtool rejects", "what did not make it, and why"))
    commands.append(("igtool status", "what is stored and what is pending"))
    return tuple(commands)
