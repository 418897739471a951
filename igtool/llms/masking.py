"""Contacts taken out of texts that go into a prompt: e-mail addresses, telephone numbers, IBANs, card numbers.

Patterns look at the folded text (full-width letters as ASCII, digits of any script as 0-9, nothing invisible); what
they find is replaced where it stands in the text. The time is linear in the length of the text.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from itertools import pairwise

E_MAIL, PHONE, NUMBER = "[e-mail]", "[phone]", "[number]"
"""What stands in a prompt for an address, a telephone number, and the number of an account or a card."""

_PASSES = 16
"""Texts are done after two or three; one made to take thousands is left as it is then."""

Found = Iterator[tuple[int, int, str]]
"""Begin, end and stand-in of what is replaced."""

# Control, format, tag and private-use characters, variation selectors, fillers. Listed, not asked of unicodedata,
# whose answers change with Python: equal texts have to make equal prompts.
INVISIBLE = re.compile(
    "[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f"
    "\u202a-\u202e\u2060-\u206f\u3164\ud800-\uf8ff\ufdd0-\ufdef\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffc\ufffe\uffff"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U0010ffff]+"
)
_KEYCAP = "\u20e3"
_DASHES = "\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe58\uff0d"


def replaced(text: str, find: Callable[[str], Found]) -> str:
    """``text`` with what ``find`` finds in its folded form replaced."""
    matched, places = folded(text)
    pieces, end = [], 0
    for start, stop, stand_in in find(matched):
        pieces += [text[end : places[start]], stand_in]
        end = max(places[stop], places[stop - 1] + 1)
    return "".join([*pieces, text[end:]]) if pieces else text


@lru_cache(maxsize=4)
def folded(text: str) -> tuple[str, Sequence[int]]:
    """``text`` for matching, and the place in ``text`` of each of its characters and of its end."""
    if text.isascii():
        return text, range(len(text) + 1)
    letters, places = [], []
    for place, character in enumerate(text):
        letters.append(_fold(character))
        places += [place] * len(letters[-1])
    return "".join(letters), [*places, len(text)]


@lru_cache(maxsize=8192)
def _fold(character: str) -> str:
    if character == _KEYCAP or INVISIBLE.match(character):
        return ""
    if character in _DASHES:
        return "-"
    if character == "。":
        return "."
    digit = unicodedata.digit(character, None)
    if digit is not None:
        return str(digit)
    if character.isspace():
        return "\n" if character in "\n\r\u2028\u2029" else " "
    return unicodedata.normalize("NFKC", character)


# E-mail addresses ------------------------------------------------------------------------------------------------

# Ideographs, kana, Hangul and emoji end an address: in those scripts no space stands around it.
_W = r"A-Za-z0-9_\u00c0-\u0dff"
_LOCAL = rf"(?<![{_W}.%+@-])[{_W}][{_W}.%+-]{{0,99}}"
_LABEL = rf"[{_W}-]{{1,63}}"
_TLD = r"[A-Za-z\u00c0-\u0dff]{2,24}"
_ENDINGS = "(?:com|net|org|info|biz|edu|gov|co|io|eu|app|shop|online|es|mx|ar|br|cl|pe|pt|fr|de|it|uk|us|me|tv|cat|gal)"
_PROVIDER = "(?:gmail|googlemail|hotmail|outlook|yahoo|icloud|msn|aol|gmx|proton|protonmail|yandex|zoho)"
_AT_WORD = "(?:arroba|arobase|at)"
_DOT_WORD = "(?:dot|punto|ponto|point|punkt)"
_AT = rf" ?(?:[(\[{{<*|'\"] ?(?:{_AT_WORD}|a t|a|@) ?[)\]}}>*|'\"]|-{_AT_WORD}-) ?"
_DOT = rf"(?: ?(?:[(\[{{<*|'\"] ?(?:{_DOT_WORD}|d o t|\.) ?[)\]}}>*|'\"]|-{_DOT_WORD}-) ?|[ _]{_DOT_WORD}[ _]|\.)"
_END = rf"(?![{_W}])"
_ADDRESS = re.compile(
    rf"{_LOCAL}@(?:{_LABEL}\.){{1,8}}{_TLD}"
    rf"|{_LOCAL}(?:@|{_AT}){_PROVIDER}{_END}(?:{_DOT}{_TLD})*"
    rf"|{_LOCAL}(?:@|{_AT})(?:{_LABEL}{_DOT}){{1,8}}{_TLD}"
    rf"|{_LOCAL}[ _]arroba[ _](?:{_PROVIDER}{_END}(?:{_DOT}{_TLD})*|(?:{_LABEL}{_DOT}){{1,4}}{_TLD})"
    rf"|{_LOCAL}[ _]{_AT_WORD}[ _](?!(?:the|a|my|this|that|your|our)[ _]){_LABEL}?"
    rf"(?:[ _]{_DOT_WORD}[ _]{_ENDINGS}){{1,3}}{_END}"
    rf"|{_LOCAL}_at_{_LABEL}\.{_ENDINGS}{_END}|{_LOCAL} (?:at |@){_PROVIDER}\.{_ENDINGS}{_END}"
    rf"|{_LOCAL}@ ?{_LABEL}(?: ?\.{_LABEL})?(?: \. ?{_ENDINGS}|[.,] ?(?:com|net|org)|\.{_ENDINGS}){_END}"
    rf"|{_LOCAL} @ (?:{_LABEL} \. {_ENDINGS}|{_PROVIDER}\.{_ENDINGS}){_END}"
    rf"|(?<![{_W}])(?:[{_W}.] ){{2,40}}@(?: [{_W}]){{2,40}} \.(?: [{_W}]{_END}){{2,6}}",
    re.IGNORECASE,
)
_MAY_HOLD_ADDRESS = re.compile(
    rf"@|{_AT}|[ _](?:arroba|arobase)[ _]|_at_|[ _]{_AT_WORD}[ _](?:\S{{1,63}}[ _]{_DOT_WORD}[ _]|{_PROVIDER}\.)",
    re.IGNORECASE,
)
_PICTURE = re.compile(r"@\dx\.(?:png|jpe?g|gif|webp)$", re.IGNORECASE)


def _addresses(text: str) -> Found:
    """Addresses as they are, spelled or spaced out; ``logo@2x.png`` is a file."""
    if _MAY_HOLD_ADDRESS.search(text):
        for match in _ADDRESS.finditer(text):
            if not _PICTURE.search(match[0]):
                yield match.start(), match.end(), E_MAIL


# Numbers ---------------------------------------------------------------------------------------------------------

_S = r"(?: ?[./_·*-] ?| {1,2})"
_MORE = r"(?:[ ./_·()-]{0,3}\d)"
_NUMBERS = re.compile(
    r"(?P<link>(?:https?://)?(?:www\.)?wa\.me/\+?\d{6,15}(?:\?\S{0,200})?"
    r"|(?:https?://)?(?:api|web|www)\.whatsapp\.com/send/?\?\S{0,200}?phone=\S{6,200}"
    r"|whatsapp://send/?\?\S{0,200}?phone=[\d+]{6,16}\S{0,200}"
    r"|(?<![a-z])(?:tel|sms|callto):\+?[\d(][\d .()-]{4,20}\d|(?:https?://)?(?<![a-z])t\.me/\+\d{7,15}"
    r"|[?&](?:tel|phone|number|whatsapp)=\+?\d{7,15})"
    r"|(?P<address>(?:https?://|(?<![a-z])www\.|(?<![a-z])(?:[\w-]{1,63}\.){1,4}[a-z]{2,10}/)"
    r"(?:(?![?&](?:tel|phone|number|whatsapp)=)[^\s,;|])*)"
    r"|(?P<iban>(?<![a-z])[A-Z]{2}\d{2}(?:[ -]?[A-Z0-9]{4}){2,7}(?:[ -]?[A-Z0-9]{1,4})?)"
    r"|(?<![\w#@])(?P<card>\d{4}(?P<gap>[ -])\d{4}(?P=gap)\d{4}(?P=gap)\d{4}|3[47]\d{2}[ -]\d{6}[ -]\d{5}"
    r"|\d{15,16})(?!\d)"
    rf"|(?<!\d)(?P<abroad>\(?(?:\+|00(?=[ 1-9])) ?(?:1{_MORE}{{10}}|34\)?{_MORE}{{9}}|[1-9]{_MORE}{{6,14}})(?!\d))"
    r"|(?<![\w#@=&$€£])(?:"
    rf"(?P<shape>(?:1{_S}?)?(?:\([2-9]\d\d\) ?\d{{3}}{_S}?|[2-9]\d\d{_S}\d{{3}}{_S})\d{{4}}"
    rf"|[6-9]\d\d{_S}\d{{3}}{_S}\d{{3}}|[6-9]\d\d{_S}\d\d{_S}\d\d{_S}\d\d|9\d{_S}\d{{3}}{_S}\d\d{_S}\d\d|[6-9]\d\d{_S}\d{{6}}"
    r"|\d\d[ -]\d{4}[ -]\d{4}|\(\d{2,4}\) ?\d{3,5}[ -]?\d{3,4}|\d\d 9\d{4}[ -]?\d{4}"
    rf"|(?:\d ?)?\(\d{{3}}\) ?\d{{3}}-\d\d-\d\d|\(?0\d{_MORE}{{7,10}}|[2-9]\d\d[2-9]\d{{6}}|[6-9]\d{{8}})"
    r"|(?P<single>\d(?:(?P<sign>[ ._-])\d(?:(?P=sign)\d){7,10}|(?: (?:- )?\d){8,11}))"
    rf"|(?P<likely>\d{_MORE}{{6,14}})"
    r")(?!\d|[.,:]\d)",
    re.IGNORECASE,
)
_CALL = re.compile(
    r"(?:\b(?<!\[)(?:tel|telf?|tlf|tfn?o|tel[eé]fonos?|phone|ph|cel|celular|m[oó]vil|mobile|mob|telefone?|fax|sms|call|text"
    r"|whats?app|whats|wa|wsp|wpp|wasap|ll[aá]ma(?:me|nos|r|d)?|reservas?|contacto?|contratación)\b|[☎📞📱📲])[^\d\n]{0,14}$"
)
_IDENTIFIER = re.compile(
    r"(?:\b(?:isbn|ean|order|pedido|ref|reference|referencia|id|sku|tracking|invoice|factura|licen[cs]e|licencia|dorsal"
    r"|cif|nif|vat|serial|doi)|#|nº|n°|no\.)\W{0,3}(?:nº|n°|no\.?|number|#)?\W{0,2}$"
)
_MONEY = re.compile(r"(?:[$€£]|\b(?:usd|eur|cop|ars|mxn)) ?$")
_COUNTED = re.compile(
    r" ?(?:[$€£%]|(?:de )?(?:[km]|mil|millones|followers|seguidor\w*|subs\w*|suscriptor\w*|views?|vistas|visuali[sz]\w+"
    r"|plays|reproducciones|streams|likes|downloads|descargas|personas|people|euros?|usd|cop|kms?|kg|km²)\b)"
)
_IBANS = """
    AD24 AE23 AT20 BE16 BG22 BR29 CH21 CR22 CY28 CZ24 DE22 DK18 DO28 EE20 ES24 FI18 FR27 GB22 GI23 GR27 GT28 HR21 HU28
    IE22 IL23 IS26 IT27 LI21 LT20 LU20 LV21 MC27 MT31 NL18 NO15 PL28 PT25 RO24 SA24 SE24 SI19 SK24 SM27 SV28 TR26 UA29
"""
_IBAN_LENGTHS = {country: int(length) for country, length in re.findall(r"([A-Z]{2})(\d\d)", _IBANS)}
_PAIR = re.compile(r"(?<!\d)\d\d[ ./_·()-]{1,3}$")
_MAY_HOLD_NUMBER = re.compile(r"\d(?:\D{0,6}\d){6}")
_GOES_ON = re.compile(r"\d[.,:-]$")
_YEAR = r"(?:19|20)\d\d"
_DAY, _MONTH = r"(?:0?[1-9]|[12]\d|3[01])", r"(?:0?[1-9]|1[0-2])"
_DATE = re.compile(
    rf"(?<!\d)(?:{_DAY}[./-]{_MONTH}[./-]{_YEAR}|{_YEAR}[./-]?{_MONTH}[./-]?{_DAY}|{_DAY}\.{_MONTH}\.\d\d \d)(?!\d\d)"
)
_THOUSANDS = re.compile(r"\+ ?\d{1,3}(?:[.,]\d{3}){1,2}|\+ ?\d{1,3}0{5,}")


def _numbers(text: str) -> Found:
    """Telephone numbers, IBANs and cards; years, dates, prices, counts and identifiers are left."""
    if not _MAY_HOLD_NUMBER.search(text):
        return
    place = floor = 0
    while match := _NUMBERS.search(text, place):
        start, stop, stand_in = _judged(match, floor)
        if stand_in:
            yield start, stop, stand_in
            floor = stop
        # What is no number may begin with one that is: a year before a telephone number.
        place = stop if stand_in or match["address"] else _after_digits(text, start)


def _judged(match: re.Match[str], floor: int) -> tuple[int, int, str]:
    """Begin, end and stand-in of a match, without one where it is to be left; what is before ``floor`` is gone."""
    start, stop = match.span()
    if match["iban"]:
        stop = _iban_end(match)
        return start, stop, NUMBER if stop else ""
    if match["card"]:
        return start, stop, NUMBER if _is_card(match["card"]) else ""
    before = match.string[max(floor, start - 28) : start].lower()
    is_phone = match["link"] or (not match["address"] and _is_phone(match, before))
    return start, stop, PHONE if is_phone else ""


def _after_digits(text: str, start: int) -> int:
    """The end of the first run of digits from ``start`` on, so that a search does not begin inside a number."""
    while start < len(text) and not text[start].isdigit():
        start += 1
    while start < len(text) and text[start].isdigit():
        start += 1
    return start


def _iban_end(match: re.Match[str]) -> int:
    """Where the IBAN that begins a match ends, or 0. Source: ISO 13616, length by country, remainder 1 modulo 97."""
    ends = [end for end, letter in enumerate(match[0], 1) if letter.isalnum()]
    length = _IBAN_LENGTHS.get(match[0][:2].upper(), 0)
    if not length or len(ends) < length:
        return 0
    letters = re.sub("[ -]", "", match[0][: ends[length - 1]])
    is_valid = int("".join(str(int(letter, 36)) for letter in letters[4:] + letters[:4])) % 97 == 1
    return match.start() + ends[length - 1] if is_valid else 0


def _is_card(written: str) -> bool:
    """Groups as on a card that are neither years nor round, or the digits of an issuer with Luhn's check digit."""
    digits = re.sub(r"\D", "", written)
    if not re.match("3[47].{13}$|[2-6].{15}$", digits):
        return False
    if len(written) > len(digits):
        return not re.fullmatch(f"(?:{_YEAR}|\\d\\d[05]0){{4}}", digits)
    doubled = [int(digit) * (1 + at % 2) for at, digit in enumerate(reversed(digits))]
    return sum(value - 9 if value > 9 else value for value in doubled) % 10 == 0


def _is_phone(match: re.Match[str], before: str) -> bool:
    written = match[0]
    after = match.string[match.end() : match.end() + 24].lower()
    is_called = bool(_CALL.search(before))
    groups = re.findall(r"\d+", written)
    if _COUNTED.match(after) or _DATE.search(written) or _MONEY.search(before):
        return False
    if sum(len(group) > 2 and group.startswith("0") for group in groups) > 2:
        return False
    if match["abroad"]:
        return not _THOUSANDS.fullmatch(written) and (is_called or "000" not in groups[1:])
    if _GOES_ON.search(before):
        return False
    if is_called:
        return True
    if match["likely"] or _IDENTIFIER.search(before) or "000" in groups:
        return False
    if match["single"]:
        return {abs(int(one) - int(other)) for one, other in pairwise(groups)} != {1}
    is_round = len(groups) > 1 and all(len(group) < 5 and int(group) % 50 == 0 for group in groups)
    is_drawn = set(map(len, groups)) == {2} and (len(groups) != 5 or _PAIR.search(before))
    return not is_round and not is_drawn and not re.fullmatch(rf"\d\d[ -]{_YEAR}[ -]{_YEAR}", written)


def masked(text: str) -> str:
    """``text`` with stand-ins for e-mail addresses, telephone numbers, IBANs and card numbers.

    Spelled-out and spaced-out forms count too. Where text is ambiguous it is masked: a prompt loses little by it.
    """
    return repeated(masked_once, text)


def masked_once(text: str) -> str:
    """What `masked` repeats."""
    return replaced(replaced(text, _addresses), _numbers)


def repeated(change: Callable[[str], str], text: str) -> str:
    """``text`` changed until it stays as it is: a stand-in or a gap may make another contact or token of its sides."""
    for _ in range(_PASSES):
        before, text = text, change(text)
        if text == before:
            break
    return text
