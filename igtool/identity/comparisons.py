"""The comparisons of the Splink model: what two accounts have in common, level by level, the strongest first.

Conditions are SQL over the columns of ``account_traits`` and ``crowds`` with ``_l`` and ``_r``. A *crowd* is how many
accounts of the most crowded platform are called so (or name that website): 1 where nobody else is.
"""

from __future__ import annotations

from typing import Any

from igtool.identity.words import literal

_EQUAL = "core_l = core_r"
_FULL = "name_l = name_r and name_words_l >= 2"
_CONTAINED = "least(length(core_l), length(core_r)) >= 5 and (contains(core_l, core_r) or contains(core_r, core_l))"
_KNOWN = "((core_l is null or name_r is null) and (core_r is null or name_l is null))"


def _either(condition: str) -> str:
    """The condition from left to right or from right to left."""
    other = condition.replace("_l", "_?").replace("_r", "_l").replace("_?", "_r")
    return f"({condition}) or ({other})"


COMPARISONS: dict[str, tuple[tuple[str, str], ...]] = {
    "handle": (
        ("null", "plain_l is null or plain_r is null"),
        ("same handle", "plain_l = plain_r"),
        ("same handle without titles", f"{_EQUAL} and coalesce(is_office_l = is_office_r, true)"),
        ("same handle but for a post", _EQUAL),
        ("handles alike", "jaro_winkler_similarity(core_l, core_r) >= 0.92 and length(core_l) >= 5"),
        ("one handle in the other", _CONTAINED),
        ("other handles", "ELSE"),
    ),
    "name": (
        ("null", "name_l is null or name_r is null"),
        ("same full name, of nobody else", f"{_FULL} and coalesce(name_crowd_l, name_crowd_r, 1) = 1"),
        ("same full name, of few", f"{_FULL} and coalesce(name_crowd_l, name_crowd_r, 1) <= 3"),
        ("same full name, of many", _FULL),
        ("same given name and surname", "given_l = given_r and surname_l = surname_r and name_words_l >= 2"),
        (
            "same surname, the given name of one unknown",
            "surname_l = surname_r and least(name_words_l, name_words_r) = 1",
        ),
        ("a word in common", "list_has_any(string_split(name_l, ' '), string_split(name_r, ' '))"),
        ("other names", "ELSE"),
    ),
    "called": (
        ("null", _KNOWN),
        ("handle is the other's full name", _either("core_l = replace(name_r, ' ', '') and name_words_r >= 2")),
        ("handle is the other's surname", _either("core_l = surname_r")),
        ("handle has the other's surname in it", _either("length(surname_r) >= 4 and contains(core_l, surname_r)")),
        ("handle is not the other's name", "ELSE"),
    ),
    "website": (
        ("null", "len(sites_l) = 0 or len(sites_r) = 0"),
        ("same website, of nobody else", "list_has_any(own_sites_l, sites_r) or list_has_any(sites_l, own_sites_r)"),
        ("same website, of several", "list_has_any(sites_l, sites_r)"),
        ("other websites", "ELSE"),
    ),
    "email": (
        ("null", "len(emails_l) = 0 or len(emails_r) = 0"),
        (
            "same e-mail address, of nobody else",
            "list_has_any(own_emails_l, emails_r) or list_has_any(emails_l, own_emails_r)",
        ),
        ("other or shared e-mail addresses", "ELSE"),
    ),
    "followers": (
        ("null", "followers_count_l is null or followers_count_r is null"),
        ("audiences within a factor of 3", "abs(ln((followers_count_l + 1) / (followers_count_r + 1))) <= 1.0986"),
        ("audiences within a factor of 30", "abs(ln((followers_count_l + 1) / (followers_count_r + 1))) <= 3.4012"),
        ("audiences of other sizes", "ELSE"),
    ),
}
"""Comparison to its levels: what the level is called in evidence, and its condition."""


def settings() -> list[dict[str, Any]]:
    """The comparisons as Splink takes them, without weights."""
    return [
        {
            "output_column_name": name,
            "comparison_description": name,
            "comparison_levels": [
                {
                    "sql_condition": condition,
                    "label_for_charts": label,
                    **({"is_null_level": True} if label == "null" else {}),
                }
                for label, condition in levels
            ],
        }
        for name, levels in COMPARISONS.items()
    ]


def words(name: str) -> str:
    """SQL: what the level of the comparison ``name`` says, for people; NULL where nothing is known."""
    cases = []
    for label, condition in COMPARISONS[name]:
        test = "else" if condition == "ELSE" else f"when {condition} then"
        cases.append(f"{test} {'null' if label == 'null' else literal(label)}")
    return f"case {' '.join(cases)} end"
