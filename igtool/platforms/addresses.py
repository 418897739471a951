"""Web and e-mail addresses in texts that people wrote. The time is linear in the length of the text."""

from __future__ import annotations

import re
import string

# Ideographs, kana, Hangul and emoji end an address: in those scripts no space stands around it.
_CHARACTER = r"[A-Za-z0-9_\-.~:/?#\[\]@!$&'()*+,;=%\u00c0-\u0dff]"
_HTTP = re.compile(rf"(?<![A-Za-z])[Hh][Tt][Tt][Pp][Ss]?://{_CHARACTER}+")
_WWW = re.compile(rf"(?<![\w@./-])[Ww][Ww][Ww]\.[A-Za-z0-9]{_CHARACTER}+")
_PUNCTUATION = ".,;:!?'*&=]["

_USUAL = """
    com net org info biz app shop store online site blog dev agency tv gg eu cat uk ca us mx br ar cl pe at dk cz ro gr
    jp kr cn ru tr ua com.br com.mx com.ar com.co com.au com.tr co.uk co.jp co.kr co.za co.in co.nz
"""
_AT_END = "es de fr it pt nl pl se ch io ai co link page live studio digital club world media design"
_BEFORE_PATH = f"{_AT_END} no be me to in is ly la fm am im id my so do st ee gl bio pub new fi"
_ENDING = re.compile(
    rf"\.(?:(?:{'|'.join(sorted(_USUAL.split(), key=len, reverse=True))})(?![\w@-]|\.\w)(?:/{_CHARACTER}*)?"
    rf"|(?:{'|'.join(_AT_END.split())})(?=[ \t]*(?:[|\n\r•]|$))"
    rf"|(?:{'|'.join(_BEFORE_PATH.split())})/{_CHARACTER}+)"
)
_HOST = string.ascii_letters + string.digits + "-."
_LONGEST_HOST = 253
"""RFC 1035, 2.3.4."""
_FIRST_UNSPACED = "\u0e00"
_NO_HOST_AFTER = ("@", "_", "/", "#", "%", "+", "=", "&")

_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_LOCAL = r"(?<![\w.%+@-])[A-Za-z0-9_][\w.%+-]{0,63}"
_EMAIL = re.compile(rf"{_LOCAL}@(?:{_LABEL}\.){{1,8}}[A-Za-z]{{2,24}}(?![\w@])", re.ASCII)
_AT = re.compile(r" ?[(\[{] ?(?:at|@|arroba) ?[)\]}] ?", re.IGNORECASE)
_BRACKET = re.compile(r"[(\[{] ?(?:at|@|arroba)", re.IGNORECASE)
_SPELLED_DOT = re.compile(r" ?[(\[{] ?(?:dot|punto|\.) ?[)\]}] ?| dot | punto ", re.IGNORECASE)
_SPELLED_EMAIL = re.compile(
    rf"{_LOCAL}{_AT.pattern}(?:{_LABEL}(?:\.|{_SPELLED_DOT.pattern})){{1,8}}[A-Za-z]{{2,24}}(?![\w@])",
    re.IGNORECASE | re.ASCII,
)
_PICTURES = (".png", ".jpg", ".jpeg", ".gif", ".webp")
"""``logo@2x.png`` is a file."""


def links(text: str | None) -> list[str]:
    """The addresses of ``text`` with their scheme, each once: those with http and www first, then bare domains.

    A bare domain (``linktr.ee/x``) gets https. It is one where its ending is a usual one, and for endings that are
    words too (``.me``, ``.es``) only where a path or the end of a line follows: after a full stop people forget the
    space. Hosts of e-mail addresses are none.
    """
    if not text or "." not in text:
        return []
    found = []
    if "://" in text:
        found = [_tidy(address) for address in _HTTP.findall(text) if "." in address]
        text = _HTTP.sub(" ", text)
    if "ww." in text or "WW." in text:
        found += ["https://" + _tidy(address) for address in _WWW.findall(text)]
        text = _WWW.sub(" ", text)
    end = 0
    for ending in _ENDING.finditer(text):
        host = _host(text, end, ending.start())
        if host:
            end = ending.end()
            found.append(_tidy(f"https://{host}{ending[0]}"))
    return list(dict.fromkeys(found))


def _host(text: str, begin: int, end: int) -> str:
    """The labels of a domain that stand right before ``end``; none where they belong to something else."""
    piece = text[max(begin, end - _LONGEST_HOST) : end]
    host = piece[len(piece.rstrip(_HOST)) :]
    before = text[end - len(host) - 1 : end - len(host)]
    if not host or not host[0].isalnum() or host.endswith((".", "-")) or ".." in host or before in _NO_HOST_AFTER:
        return ""
    return "" if before.isalnum() and before < _FIRST_UNSPACED else host


def _tidy(address: str) -> str:
    """The address without the punctuation of the sentence around it, its host in lower case."""
    address = address.rstrip(_PUNCTUATION)
    while address.endswith(")") and address.count(")") > address.count("("):
        address = address[:-1].rstrip(_PUNCTUATION)
    scheme, sign, rest = address.partition("://")
    if not sign:
        scheme, rest = "", address
    host, slash, path = rest.partition("/")
    return f"{scheme.lower()}{sign}{host.lower()}{slash}{path}"


def emails(text: str | None) -> list[str]:
    """The e-mail addresses of ``text``: lower case, each once, in order; ``name (at) domain (dot) com`` too."""
    if not text:
        return []
    return list(dict.fromkeys(_plain_email(found[0]) for found in _emails(text)))


def without_emails(text: str, stand_in: str) -> str:
    """``text`` with ``stand_in`` for each e-mail address, as it is written there: what ``emails`` finds is gone."""
    pieces, end = [], 0
    for found in _emails(text):
        pieces += [text[end : found.start()], stand_in]
        end = found.end()
    return "".join([*pieces, text[end:]])


def _emails(text: str) -> list[re.Match[str]]:
    """Where the e-mail addresses are, in order and apart."""
    found = list(_EMAIL.finditer(text)) if "@" in text else []
    if ("(" in text or "[" in text or "{" in text) and _BRACKET.search(text):
        found += _SPELLED_EMAIL.finditer(text)
        found.sort(key=lambda match: match.start())
    apart: list[re.Match[str]] = []
    for match in found:
        if (not apart or match.start() >= apart[-1].end()) and not _plain_email(match[0]).endswith(_PICTURES):
            apart.append(match)
    return apart


def _plain_email(written: str) -> str:
    spelled = _SPELLED_DOT.sub(".", _AT.sub("@", written))
    return spelled.replace(" ", "").lower()
