"""What the report says about slugs: rejects, odd things in a list, rules of identity, statuses."""

from __future__ import annotations

REASONS = {
    "forgotten": "It is about somebody who was forgotten (`igtool forget`) and is not stored. Nothing to do.",
    "no-handle": "The row names nobody, as the spacer rows of a spreadsheet do. If it should, fill in the handle.",
    "bad-handle": "The cell does not hold a user name or a profile address. Correct it in the list and run again.",
    "unsupported-platform": "The row is about a platform that igtool does not know.",
    "empty-row": "Nothing is in the row. Nothing to do.",
    "repeated-header": "The header stands in the list a second time. Nothing to do.",
    "bad-json": "A line of the list is not JSON. Correct it and run again.",
    "not-an-object": "An entry of the list is neither an object nor a handle.",
    "broken-json": "The file is not whole JSON, most often a download that broke off. Fetch it again.",
    "not-json": "The file does not hold JSON. Fetch it again.",
    "unknown-columns": "A table whose columns no kind of dump has; they are in the detail. "
    "A list of creators goes to `igtool enrich`.",
    "not-a-table": "The file is called a table and is none: it is binary, or has one column.",
    "no-header": "The first line of the table holds values. Put the names of the columns above it.",
    "html-auth": "A login page instead of data. Fetch it again later or from another source.",
    "html-blocked": "A challenge or checkpoint page instead of data. Fetch it again later or from another source.",
    "html-rate_limited": "A page that asks to wait a few minutes. Fetch it again later.",
    "html-not_found": "A page that says there is none, or a page of another kind, instead of data.",
    "html-page": "The profile as a page instead of data. Fetch it as JSON.",
    "story": "A story: it is gone after a day and has no public counts, so it is no post here.",
    "not-utf8": "The text of the file is in an encoding that JSON does not allow. Save it as UTF-8.",
    "empty-file": "There is nothing in the file. Fetch it again.",
    "too-large": "The file is beyond the limit that keeps memory bounded. Split it.",
    "too-deep": "Its values are nested deeper than any platform does. It was left out to be safe.",
    "broken-archive": "The archive cannot be unpacked: broken or encrypted. Make it again, or unpack it first.",
    "unsupported-file-type": "igtool does not read this kind of file. Convert it to JSON or CSV.",
    "unreadable-file": "The file may not be read. Check its owner and mode.",
    "link-outside": "A link that leads out of the folder is not followed. Copy the file in.",
    "unknown-shape": "JSON, but no kind of answer that igtool knows. Its keys are in the detail.",
    "missing-field": "An answer of a known kind without something that is needed, such as the id.",
    "wrong-type": "An answer of a known kind in which a value has another type than expected.",
    "wrong-subject": "An answer about another account than the one that was asked for.",
    "too-many-items": "A page with more items than such a page can have.",
    "bad-cursor": "A place in a list that the platform would not understand; the list ends there.",
    "missing-target": "The account's own id is not known, so what lies under it cannot be asked for.",
    "partly-read": "Read, except for some of its parts; the detail says which.",
    "error-rate_limited": "The platform asked to wait instead of answering. Fetch it again later.",
    "error-auth": "The platform asked for a login or a key instead of answering.",
    "error-blocked": "The platform wanted a challenge solved instead of answering.",
    "error-transient": "The platform had an error of its own. Fetch it again.",
    "error-invalid": "An error message instead of an answer.",
    "error-private": "The platform does not show this to the public.",
    "error-not_found": "The platform does not know it.",
    "empty": "The picture file has no bytes. Get it again.",
    "html": "A page instead of a picture: its address has expired or wants a login. Fetch the account again.",
    "not-a-picture": "The bytes are of no kind of picture that igtool knows. Check where they came from.",
    "unsupported-kind": "A kind or coding of picture or video that is not read; the detail says which are.",
    "truncated": "The picture breaks off. Get it again.",
    "broken": "The picture cannot be decoded. Get it again.",
    "too-large-bytes": "The file is beyond `picture_max_mb` or `video_max_mb`. Raise it, or make the file smaller.",
    "too-many-pixels": "More pixels than are safe to decode. Make it smaller.",
    "decompression-bomb": "A small file that would unpack to a huge picture. It was left out to be safe.",
    "no-still": "The video shows nothing, or only black. Nothing to do.",
    "too-costly": "The video takes more time or memory than is safe. Cut it, or save it in another coding.",
    "file-missing": "A kept picture is not in cache/images any more. `igtool run images --force` gets it again.",
    "stage-error": "igtool failed on this one item and went on without it. This is a bug worth reporting.",
}
"""Reason of a reject: what it means and what to do."""

ODD = {
    "duplicate-handle": "handles that were in the list before",
    "mixed-line-ends": "line ends of more than one kind",
    "blank-line": "blank lines",
    "stray-quote": "quotation marks inside unquoted cells",
    "text-after-quote": "text after a closing quotation mark",
    "separator-line": "a first line that names the separator",
    "broken-utf-8": "bytes that are not UTF-8, kept as they are",
    "not-utf-8": "another encoding than UTF-8",
    "written-as-utf-8": "written as UTF-8, for characters its encoding lacks",
    "nul": "NUL characters",
    "no-header": "no header: columns are numbered",
    "too-few-cells": "rows with too few cells",
    "too-many-cells": "rows with too many cells",
    "other-column": "handles found in another column",
    "handle-in-text": "handles found inside a text",
    "shifted-row": "rows whose cells stand under other headers",
}
"""Odd things in a list, in the plural."""

RULES = {
    "only_account": "only account",
    "same_handle": "same handle",
    "same_website": "same website",
    "linked_profile": "profiles link each other",
}
"""Rule by which accounts belong to one creator."""

STATUSES = {
    "enriched": "enriched",
    "complete": "known, nothing was empty",
    "private": "private",
    "not_found": "not found",
    "error": "error from the platform",
    "no_answer": "no answer stored",
    "waiting": "to be asked again later",
    "rejected": "row cannot be used",
    "forgotten": "about somebody who was forgotten",
    "not_asked": "beyond the limit",
}
"""Status of a row of the list, in the order in which the report shows them."""

BANDS = ("nano", "micro", "mid", "macro", "mega", "unknown")
"""Follower bands, smallest first."""

BAND_RANGES = {
    "nano": "under 10k",
    "micro": "10k–50k",
    "mid": "50k–500k",
    "macro": "500k–1M",
    "mega": "over 1M",
    "unknown": "not known",
}


LANGUAGES = {
    "ar": "Arabic", "ca": "Catalan", "da": "Danish", "de": "German", "el": "Greek", "en": "English",
    "es": "Spanish", "eu": "Basque", "fi": "Finnish", "fr": "French", "gl": "Galician", "he": "Hebrew",
    "hi": "Hindi", "id": "Indonesian", "it": "Italian", "ja": "Japanese", "ko": "Korean", "nl": "Dutch",
    "no": "Norwegian", "pl": "Polish", "pt": "Portuguese", "ro": "Romanian", "ru": "Russian", "sv": "Swedish",
    "th": "Thai", "tr": "Turkish", "uk": "Ukrainian", "vi": "Vietnamese", "zh": "Chinese",
}  # fmt: skip
"""ISO 639-1 code to name, for the languages that lists of creators mostly hold."""

COUNTRIES = {
    "AD": "Andorra", "AR": "Argentina", "AT": "Austria", "AU": "Australia", "BE": "Belgium", "BR": "Brazil",
    "CA": "Canada", "CH": "Switzerland", "CL": "Chile", "CO": "Colombia", "DE": "Germany", "DK": "Denmark",
    "ES": "Spain", "FR": "France", "GB": "United Kingdom", "ID": "Indonesia", "IE": "Ireland", "IN": "India",
    "IT": "Italy", "JP": "Japan", "KR": "South Korea", "MX": "Mexico", "NL": "Netherlands", "PE": "Peru",
    "PL": "Poland", "PT": "Portugal", "RU": "Russia", "SE": "Sweden", "TH": "Thailand", "TR": "Türkiye",
    "US": "United States", "UY": "Uruguay", "VE": "Venezuela", "ZA": "South Africa",
}  # fmt: skip
"""ISO 3166-1 alpha-2 code to name."""

_SPELLED = {
    "youtube": "YouTube", "tikhub": "TikHub", "json": "JSON", "utf8": "UTF-8", "sql": "SQL", "id": "id",
    "llm": "", "url": "address", "diy": "DIY",
}  # fmt: skip


def words(slug: str) -> str:
    """``slug`` as words, as in Vegan cooking."""
    spelled = [_SPELLED.get(word, word) for word in slug.replace("_", " ").replace("-", " ").split()]
    text = " ".join(filter(None, spelled))
    return text[:1].upper() + text[1:]


def language(code: str) -> str:
    """Name of a language, or its code in capitals."""
    return LANGUAGES.get(code, code.upper())


def country(code: str) -> str:
    """Name of a country, or its code."""
    return COUNTRIES.get(code, code.upper())


def reason(slug: str) -> str:
    """What a reject's slug means; the slug as words where there is no sentence for it."""
    return REASONS.get(slug.replace("_", "-"), REASONS.get(slug, words(slug) + "."))


def odd(slug: str) -> str:
    """What an odd thing is called; the slug as words where it has no name."""
    return ODD.get(slug.replace("_", "-"), words(slug).lower())
