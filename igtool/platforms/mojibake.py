"""Text that was UTF-8 and was read as Windows-1252 or Latin-1 (``CafÃ©``), set right.

What is telling is what no language writes. Sound text does hold valid UTF-8 by accident: ``ROSÉ”``, Czech
``vidíš…``, French ``à « Paris »`` with its hard spaces, ``olé¡¡``. One such place alone proves nothing.
"""

from __future__ import annotations

import re

_PASSES = 3
"""Dumps are met that went through the wrong decoder twice."""

_BYTES = {ord(bytes([byte]).decode("cp1252", "replace")): byte for byte in range(0x80, 0xA0)}
del _BYTES[0xFFFD]
_HIGH = "".join(map(chr, _BYTES)) + "\x80-\x9f"
_NEXT = rf"[{_HIGH}\xa0-\xbf]"
"""The bytes 80 to BF as both encodings show them; Windows-1252 leaves five of them unassigned, and some readers
pass those through."""

_SEQUENCE = rf"[Â-ß]{_NEXT}|[à-ï]{_NEXT}{{2}}|[ð-ô]{_NEXT}{{3}}"
_SUSPECT = re.compile(rf"[Â-ô]{_NEXT}")
_RUN = re.compile(rf"(?:{_SEQUENCE})+")

_QUOTES = "“”‘’‚„«»‹›…–—•\x80\x82\x84\x85\x8b\x91-\x97\x9b"
_MARKS = "™®©ºª°²³·\xa0\x99"
_BY_HAND = _QUOTES + _MARKS + "¡¿´¨€£ŠŒŽšœžŸ"
"""What people and keyboards put behind an accented letter, Windows-1252 read as Latin-1 too."""

_LATIN = (
    rf"(?<=[a-zß-ÿ])[Â-ÅÌÍ]{_NEXT}"  # a capital within a word
    rf"|(?<![^\x00-\x7f])[Â-Å](?![{_QUOTES}{_MARKS}]){_NEXT}"
    rf"|(?:[ÂÃ]|[ÄÅ](?![–—])){_NEXT}(?=[A-Za-zÀ-Åà-å])"  # Å–Ä is from one letter to another
    rf"|(?<![A-ZÀ-Þ])[ÂÃ][{_MARKS}]"
)
_PAIRS = "|".join(rf"(?:{leads}{_NEXT}){{2}}" for leads in ("[ÎÏ]", "[Ð-Ó]", "[Ö×]", "[Ø-Û]"))
_TELLING = re.compile(
    rf"â[€\x80]|ð[Ÿ\x9f]|ï»¿|ï¸|{_LATIN}|{_PAIRS}|[Â-ô][\x81\x8d\x8f\x90\x9d]"
    rf"|(?<![A-Za-zÀ-ÿ])â{_NEXT}{{2}}"  # arrows, hearts, stars
    rf"|á[º»](?![{_QUOTES}]){_NEXT}(?=[a-z])"  # Vietnamese
    rf"|[à-ï](?:(?![{_BY_HAND}]){_NEXT}{_NEXT}|{_NEXT}(?![{_BY_HAND}]){_NEXT})"
    rf"|(?:[à-ï]{_NEXT}{{2}}){{2}}|[ð-ô]{_NEXT}{{3}}"
)

_TORN = re.compile(
    rf"â€\ufffd?(?=[âð])|â€\ufffd?(?!{_NEXT})|ï¸\ufffd?|Ã (?=[\s.,;:!?)]|$)|Ã(?= )|(?<=[a-z])Ã(?=[a-z])"
    rf"|ðŸ(?:{_NEXT}|\ufffd){{0,2}}|[Â-ô]{_NEXT}{{0,2}}\ufffd{_NEXT}{{0,2}}"
)


def repair(text: str) -> tuple[str, bool]:
    """``text`` set right, and whether anything was changed.

    Every run of characters that is valid UTF-8 is decoded where at least one place of the text is telling; other
    text comes back as it is. Of the characters that lost a byte on the way, those that it can only have been
    (``â€`` at the end of a quotation) come back; another becomes U+FFFD where its place is plain.
    """
    if text.isascii() or not _SUSPECT.search(text):
        return text, False
    repaired = text
    for _ in range(_PASSES):
        if not _TELLING.search(repaired):
            break
        repaired = _RUN.sub(_decoded, repaired)
    if repaired != text:
        repaired = _TORN.sub(_mended, repaired)
    return repaired, repaired != text


def _decoded(run: re.Match[str]) -> str:
    try:
        return run[0].translate(_BYTES).encode("latin-1").decode()
    except UnicodeDecodeError:
        return run[0]


def _mended(torn: re.Match[str]) -> str:
    """What a sequence was whose bytes 81, 8D, 8F, 90, 9D, A0 or AD were lost, as most are that get lost."""
    piece = torn[0]
    if piece.startswith("â€"):
        following = torn.string[torn.end() : torn.end() + 1]
        return "\u200d" if following and following in "âð" else "”"
    if piece.startswith("ï¸"):
        return "\ufe0f"
    if piece in ("Ã", "Ã "):
        return "í" if torn.string[torn.end() : torn.end() + 1].isalpha() else "à"
    return "\ufffd"
