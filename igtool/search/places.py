"""Names of countries and languages, in English and Spanish, as people type them."""

from __future__ import annotations

import unicodedata

_COUNTRIES = """
AE united arab emirates|uae|emiratos arabes unidos|dubai
AR argentina
AT austria
AU australia
BD bangladesh
BE belgium|belgica
BO bolivia
BR brazil|brasil
CA canada
CH switzerland|suiza
CL chile
CN china
CO colombia
CR costa rica
CU cuba
CZ czech republic|czechia|republica checa
DE germany|alemania
DK denmark|dinamarca
DO dominican republic|republica dominicana
DZ algeria|argelia
EC ecuador
EG egypt|egipto
ES spain|espana
FI finland|finlandia
FR france|francia
GB united kingdom|uk|great britain|england|scotland|wales|reino unido|inglaterra|gran bretana|escocia
GR greece|grecia
GT guatemala
HK hong kong
HN honduras
HU hungary|hungria
ID indonesia
IE ireland|irlanda
IL israel
IN india
IT italy|italia
JP japan|japon
KE kenya|kenia
KR south korea|korea|corea del sur|corea
MA morocco|marruecos
MX mexico|mejico
MY malaysia|malasia
NG nigeria
NI nicaragua
NL netherlands|holland|paises bajos|holanda
NO norway|noruega
NZ new zealand|nueva zelanda
PA panama
PE peru
PH philippines|filipinas
PK pakistan
PL poland|polonia
PR puerto rico
PT portugal
PY paraguay
RO romania|rumania
RU russia|rusia
SA saudi arabia|arabia saudi|arabia saudita
SE sweden|suecia
SG singapore|singapur
SV el salvador
TH thailand|tailandia
TR turkey|turquia
TW taiwan
UA ukraine|ucrania
US united states of america|united states|usa|estados unidos|eeuu
UY uruguay
VE venezuela
VN vietnam
ZA south africa|sudafrica
"""

_LANGUAGES = """
ar arabic|arabe
bn bengali|bengali
ca catalan
cs czech|checo
da danish|danes
de german|aleman
el greek|griego
en english|ingles
es spanish|espanol|castellano
eu basque|euskera|vasco
fi finnish|finlandes
fr french|frances
gl galician|gallego
he hebrew|hebreo
hi hindi
hu hungarian|hungaro
id indonesian|indonesio
it italian|italiano
ja japanese|japones
ko korean|coreano
nl dutch|holandes|neerlandes
no norwegian|noruego
pl polish|polaco
pt portuguese|portugues
ro romanian|rumano
ru russian|ruso
sv swedish|sueco
th thai|tailandes
tr turkish|turco
uk ukrainian|ucraniano
vi vietnamese|vietnamita
zh chinese|mandarin|chino
"""


def folded(text: str) -> str:
    """``text`` in lower case without accents, as the names below are written."""
    pieces = unicodedata.normalize("NFKD", text.strip() or text)
    return "".join(piece for piece in pieces if not unicodedata.combining(piece)).lower()


def _names(lines: str) -> dict[str, str]:
    table = {}
    for line in lines.strip().splitlines():
        code, names = line.split(" ", 1)
        table.update(dict.fromkeys(names.split("|"), code))
    return table


COUNTRIES = _names(_COUNTRIES)
"""Name without accents, lower case, to ISO 3166-1 alpha-2 code."""

LANGUAGES = _names(_LANGUAGES)
"""Name without accents, lower case, to ISO 639-1 code."""
