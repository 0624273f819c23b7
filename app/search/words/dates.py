"""How dates and times are worded in each language."""

from __future__ import annotations

import re

from app.search.words.languages import in_any

_NAMES = {
    "en": ("january february march april may june july august september october november december",
           "jan feb mar apr may jun jul aug sep oct nov dec"),
    "de": ("januar februar märz april mai juni juli august september oktober november dezember",),
    "fr": ("janvier février mars avril mai juin juillet août septembre octobre novembre décembre",),
    "es": ("enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre",),
    "it": ("gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre dicembre",),
    "nl": ("januari februari maart april mei juni juli augustus september oktober november december",),
    "pt": ("janeiro fevereiro março abril maio junho julho agosto setembro outubro novembro dezembro",),
    "pl": ("styczeń luty marzec kwiecień maj czerwiec lipiec sierpień wrzesień październik listopad grudzień",
           "stycznia lutego marca kwietnia maja czerwca lipca sierpnia września października listopada grudnia",
           "styczniu lutym marcu kwietniu maju czerwcu lipcu sierpniu wrześniu październiku listopadzie grudniu"),
    "ar": ("يناير فبراير مارس أبريل مايو يونيو يوليو أغسطس سبتمبر أكتوبر نوفمبر ديسمبر",
           "يناير فبراير مارس ابريل مايو يونيو يوليو اغسطس سبتمبر اكتوبر نوفمبر ديسمبر",
           "كانون_الثاني شباط آذار نيسان أيار حزيران تموز آب أيلول تشرين_الأول تشرين_الثاني كانون_الأول"),
}  # fmt: skip
MONTHS = {
    name.replace("_", " "): number
    for lists in _NAMES.values()
    for names in lists
    for number, name in enumerate(names.split(), 1)
}
"""Name of a month -> its number."""
ERAS = {"令和": 2018, "平成": 1988, "昭和": 1925}
"""The year before the first of each era of Japan."""

UNITS = in_any(
    any="eur|usd|chf|gbp|pln|km|kg|mm|nm|rpm|kwh|watts?|volts?",
    en="euros?|dollars?|francs?|pounds?|hours?|miles|kilometers?",
    de="stunden",
    fr="heures|kilomètres",
    es="horas|kilómetros",
    it="ore|chilometri",
    nl="uur",
    pt="quilómetros",
    pl=r"zł|złotych|godzin\w*|osób",
    ar=r"درهم\w*|ريال\w*|دينار\w*|جنيه\w*|ساعة",
)
"""What makes a figure of four digits no year."""
ORDINAL = r"(?:\.?[º°]|er\b|\.)?"
"""Behind the day: 1. März, 1er mars, 1º de marzo, 1° marzo, 1.º de março."""

AFTER = in_any(
    en="after", de="nach", fr="après", es="después de", it="dopo(?: il)?", nl="na", pt="depois de", pl="po", ar="بعد"
)
"""Leaves out the time itself."""
FROM = in_any(
    en="since|from",
    de="seit|ab",
    fr="depuis|à partir d[eu]",
    es="desde|a partir del?",
    it="a partire dal?|dal",
    nl="sinds|vanaf",
    pt="desde|a partir d[eo](?: dia)?",
    pl="od",
    ar="منذ|من",
)
BEFORE = in_any(
    en="before", de="vor", fr="avant", es="antes del?", it="prima del?", nl="voor", pt="antes de", pl="przed", ar="قبل"
)
UNTIL = in_any(
    en="until|till|up to",
    de="bis",
    fr=r"jusqu['\u2019](?:en|au|à)",
    es="hasta",
    it="fino (?:a|al)",
    nl="tot(?: en met)?",
    pt="até(?: a)?",
    pl=r"do(?!\s+the)",
    ar="حتى|لغاية|إلى",
)
ARTICLE = (
    in_any(
        en=r"the\s+",
        de=r"de[mn]\s+",
        fr="le\\s+|l['\u2019]",
        es=r"el\s+",
        it="il\\s+|l['\u2019]",
        pl=r"dniu\s+|dnia\s+|dniem\s+",
    )
    + "?"
)
"""Between such a word and the date."""

FROM_BEHIND = in_any(ja="以降|以後|から|より後", zh="以来|以后|之后|起")
BEFORE_BEHIND = in_any(ja="より前|以前|の前", zh="之前")
UNTIL_BEHIND = in_any(ja="まで", zh="为止|止")
"""Japanese and Chinese put these words behind the date."""

_MEETING = in_any(
    en="meeting|session|release|version|edition|minutes",
    de="sitzung|besprechung|fassung",
    fr="réunion|séance|édition|compte rendu",
    es="reunión|sesión|versión|edición|acta",
    it="riunione|seduta|versione|edizione|verbale",
    nl="vergadering|versie|editie|notulen",
    pt="reunião|sessão|versão|edição|ata",
    pl=r"zebrani|spotkani|narad|wersj|protok|posiedzeni",
)
_LAST = in_any(
    en="last", de="letzte[nrs]?", fr="dernière?s?", es="últim[oa]s?", it="ultim[oaie]", nl="laatste", pl=r"ostatni\w*"
)
_NEWEST = in_any(
    en="latest|newest|most recent",
    de="neueste[nrs]?|aktuellste[nrs]?",
    fr="plus récente?s?",
    es="más recientes?|más (?:nuev|actual)[oa]s?",
    it="più recent[ei]",
    nl="nieuwste|meest recente",
    pt="mais recentes?",
    pl=r"najnowsz\w+",
    ar="أحدث|آخر (?:اجتماع|نسخة|إصدار|محضر|لائحة)",
)
LATEST = re.compile(rf"\b{_NEWEST}\b|\b{_LAST}\s+(?:\w+\s+)?{_MEETING}|{in_any(ja='最新|直近', zh='最新')}", re.I)
"""Asks for the newest of several."""
