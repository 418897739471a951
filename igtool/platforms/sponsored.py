"""The words by which people declare advertising, per language.

After what each country's regulator names as a clear label: FTC, Disclosures 101 for Social Media Influencers (US);
ASA and CMA, Influencers' guide to making clear that ads are ads (UK); AUTOCONTROL and AEA, Código de conducta sobre el
uso de influencers, and CNMC (Spain); Landesmedienanstalten, Leitfaden Werbekennzeichnung (Germany); ARPP,
Recommandation Communication publicitaire numérique, and the law of 9 June 2023 (France); AGCM and IAP, Digital Chart
(Italy); CONAR, Guia de publicidade por influenciadores (Brazil), and the Direção-Geral do Consumidor (Portugal);
Stichting Reclame Code, Reclamecode Social Media (Netherlands); UOKiK (Poland); Konsumentverket, Forbrugerombudsmanden,
Forbrukertilsynet and KKV (Nordic countries); the Turkish Advertisement Board; Federal Law 38-FZ (Russia); the Consumer
Affairs Agency (Japan); the Fair Trade Commission (Korea). Words that also mean something else are left out: a
tag ``#pr`` is Puerto Rico, ``#collab`` a friendship, ``#gifted`` a child.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

_TAGS = {
    "en": """ad ads advert advertisement advertising sponsored spon sponsoredpost paidad paidpartnership paidpromotion
        paidcollaboration paidadvertisement paidsponsorship""",
    "es": """publi publicidad anuncio patrocinado patrocinada colaboracionpagada colaboraciónpagada contenidopatrocinado
        publicidadpagada colaboracionremunerada colaboraciónremunerada""",
    "ca": "publicitat contingutpatrocinat col·laboraciópagada",
    "de": """werbung anzeige gesponsert bezahltewerbung bezahltepartnerschaft bezahltekooperation enthältwerbung
        dauerwerbung werbungbezahlt""",
    "fr": """publicité publicite sponsorisé sponsorisée partenariatrémunéré partenariatremunere collaborationcommerciale
        collaborationrémunérée""",
    "it": "adv advertising pubblicità pubblicita sponsorizzato sponsorizzata contenutosponsorizzato",
    "pt": """publipost publicidade publi patrocinado patrocinada parceriapaga conteudopatrocinado conteúdopatrocinado
        conteudopublicitario conteúdopublicitário""",
    "nl": "advertentie reclame betaaldepartnerschap betaaldesamenwerking betaaldpartnerschap gesponsord",
    "pl": "reklama współpracareklamowa wspolpracareklamowa materiałreklamowy materialreklamowy płatnawspółpraca",
    "sv da no fi": """reklam annons annonse reklame betaltsamarbete betaltsamarbejde betaltpartnerskab
        betaltpartnerskap kaupallinenyhteistyö mainos""",
    "tr": "reklam reklamdır ücretliortaklık sponsorlu",
    "ru uk": "реклама рекламнаяинтеграция",
    "ja": "広告 企業広告 タイアップ広告 有料パートナーシップ",
    "ko": "광고 협찬 유료광고 제품협찬 유료광고포함",
    "zh": "廣告 广告",
}
SPONSORED_TAGS = frozenset(" ".join(_TAGS.values()).split())
"""Hashtags by which advertising is declared, lower case."""

# A label at the beginning stands alone: in brackets, before a separator, or as the whole first line.
_LABEL = (
    r"ad|advert|advertisement|sponsored|paid ad|publi|publicidad|publicitat|patrocinado|anuncio|werbung|anzeige"
    r"|publicité|sponsorisé|adv|pubblicità|sponsorizzato|publicidade|publipost|advertentie|reclame|reklama|reklam"
    r"|annons|annonse|reklame|mainos|реклама|広告|광고|유료광고|협찬|廣告|广告|pr(?=[】］])"
)
_UNPAID = r"(?![^\n]{0,20}\b(?:unbezahlt|unpaid|unbeauftragt|no pagada|non rémunéré))"
_START = re.compile(
    rf"[\W_]{{0,8}}(?:(?<=[\[(【［*])(?:{_LABEL})(?=\s?[\])】］*])|(?:{_LABEL})(?=\s?[|:/•·]|\s[-–—]\s|\s?[\r\n]|\s*$))"
    rf"{_UNPAID}",
    re.IGNORECASE,
)

_PHRASES = (
    r"paid (?:partnership|promotion|collaboration|collab|advertisement|sponsorship)",
    r"(?:post|video|reel|episode|stream|story) (?:is|was) sponsored|sponsored (?:post|video|content)",
    r"(?:colaboración|colaboracion|publicación|publicidad|promoción|col·laboració) (?:pagada|remunerada)",
    r"(?:colaboración|contenido|comunicación) publicitari[oa]",
    r"(?:contenido|post|v[ií]deo|conte[úu]do) patrocinado|publicación patrocinada|contingut patrocinat",
    r"bezahlte (?:partnerschaft|werbung|kooperation)|enthält (?:bezahlte )?werbung",
    r"(?:partenariat|collaboration) rémunérée?|collaboration commerciale|contenu sponsorisé",
    r"partnership (?:pubblicizzata|retribuita)|contenuto sponsorizzato|collaborazione (?:retribuita|a pagamento)",
    r"(?:parceria|publicidade|promoção|colaboração) paga|conte[úu]do publicit[áa]rio",
    r"betaalde? (?:partnerschap|samenwerking|promotie)|gesponsorde (?:video|content)",
    r"płatna współpraca|współpraca (?:płatna|reklamowa)|materiał (?:reklamowy|sponsorowany)|post sponsorowany",
    r"betalt (?:samarbete|samarbejde|samarbeid|partnerskab|partnerskap)|kaupallinen yhteistyö",
    r"ücretli (?:ortaklık|iş birliği)|на правах рекламы",
)
_UNSPACED = r"(?<![a-z])erid[:=]|有料プロモーション|유료 ?광고|소정의 (?:원고료|수수료)"
_PHRASE = re.compile(rf"(?<!\w)(?:{'|'.join(_PHRASES)})(?!\w)|{_UNSPACED}")

# RE2 looks through a batch of texts twenty times as fast as the rules above, and faster twice than for both at once.
# It has no lookarounds: it passes on whatever may be marked.
_MAY_HOLD = (
    r"paid |sponsor|paga|pagada|remunerada|publicitari|publicit[áÁ]|patrocina|bezahlte |lt werbung|retribuita"
    r"|r[éÉ]mun[éÉ]r|collaboration comm|pubblicizzata|betaalde? |betalt |kaupallinen|reklamow|atna |cretli |erid[:=]"
    r"|рекламы|有料プロ|유료|소정의"
)
_MAY_BEGIN = rf"^[^a-z0-9]{{0,9}}(?:{_LABEL.replace('(?=[】］])', '')})(?:[^a-z0-9]|$)"


def is_marked(text: str) -> bool:
    """Whether ``text`` says in words that it is advertising: a label at its beginning, or a phrase anywhere."""
    return _START.match(text) is not None or _PHRASE.search(text.lower()) is not None


def marked(texts: Sequence[str | None]) -> list[bool]:
    """``is_marked`` for each of ``texts``; False for None."""
    column = pa.array(texts, type=pa.string())
    begins = pc.match_substring_regex(column, _MAY_BEGIN, ignore_case=True)
    may_be = pc.or_(begins, pc.match_substring_regex(column, _MAY_HOLD, ignore_case=True))
    found = [False] * len(texts)
    for place in pc.indices_nonzero(may_be.fill_null(False)).to_pylist():
        found[place] = is_marked(texts[place] or "")
    return found
