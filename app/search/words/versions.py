"""How documents name their version, and what they replace, in each language."""

from __future__ import annotations

import re

from app.search.words.languages import in_any, words_in_any

_VERSION = in_any(
    en="v|version|revision|rev|edition|issue",
    de="ausgabe|fassung|auflage",
    fr="révision|édition",
    es="versión|revisión|edición",
    it="versione|revisione|edizione",
    nl="versie|editie|uitgave",
    pt="versão|revisão|edição",
)
_VERSION_BEFORE = in_any(pl="wersj[aię]|wydani[ae]", ar="(?:ال)?إصدار|(?:ال)?نسخة", ja="バージョン|第")
_VERSION_BEHIND = in_any(
    en="edition|version",
    de="auflage|ausgabe|fassung",
    fr="édition",
    es="edición",
    it="edizione",
    nl="editie|uitgave",
    pt="edição",
)
NUMBER = re.compile(
    rf"\b{_VERSION}[.\s_:-]*(\d+(?:\.\d+)*)|\b(\d+)(?:st|nd|rd|th|ème|e|a|\.?ª|\.)\s*{_VERSION_BEHIND}\b"
    rf"|{_VERSION_BEFORE}\s*(\d+(?:\.\d+)*)(?!\s*[年月条章号])",
    re.IGNORECASE,
)
"""Version 2.1, 2nd edition."""

_IN_FORCE = in_any(
    en="valid|effective|in force|in effect|appl(?:ies|icable)",
    de="gültig|gilt|in kraft|stand",
    fr="valable|en vigueur",
    es="vigentes?|válid[oa]s?|en vigor",
    it="in vigore|valid[oaie]",
    nl="geldig|geldt|van kracht",
    pt="vigentes?|válid[oa]s?|em vigor",
    pl=r"obowiązuj\w+|ważn[aey]|wchodz\w+ w życie",
    ar="(?:ي|ت)?عمل ب(?:ها|ه)|(?:ت|ي)سري|ساري?ة?|نافذة?|اعتبارا",
)
_AS_OF = in_any(
    en="from|as of|as from|since|on|date|the",
    de="ab|seit|dem",
    fr="dès|depuis|à (?:compter|partir) du|du|le",
    es="desde|a partir|del?|el",
    it="a partire|dal?",
    nl="vanaf|sinds|per|met ingang van",
    pl="od|z|dnia|dniem",
    ar="ابتداء|اعتبارا|من|في|تاريخ",
)
_DAY_IN_FORCE = in_any(ja="施行日|適用日|適用開始日?|発効日|改定日", zh="生效日期|实施日期")
EFFECTIVE = re.compile(rf"(?:\b{_IN_FORCE}|{_DAY_IN_FORCE})(?:\s+{_AS_OF})*[\s:：|]+", re.IGNORECASE)  # noqa: RUF001
"""What stands before the first day of validity."""
EFFECTIVE_BEHIND = re.compile(
    r"\s?(?:から|より|に|付で?|付け|起)?" + in_any(ja="施行|適用|発効|改定|改訂|有効", zh="有效|执行|实施|生效")
)
"""Japanese and Chinese put the date first."""
UNTIL = re.compile(
    r"\W*" + in_any(en="until|till", de="bis", fr="jusqu", es="hasta", it="fino", nl="tot", pt="até", pl="do") + r"\b"
)

_REPLACES = in_any(
    en="replac(?:es|ing)|supersed(?:es|ing)",
    de="ersetzt",
    fr="(?:annule et )?remplace",
    es="sustituye|reemplaza|deroga",
    it="sostituisce",
    nl="vervangt|ter vervanging van",
    pt="substitui|revoga",
    pl="zastępuj[eą]",
    ar=r"(?:ت|ي)حل(?: هذ[اه] \w+| هذه \w+)? محل(?!ها|ه)|(?:ت|ي)لغي",
)
_BY = in_any(en="by", de="durch", fr="par", es="por", it="dall?[ao]?", nl="door", pt="por|pel[oa]", pl="przez")
REPLACES = re.compile(
    rf"\b{_REPLACES}\b(?!\s+{_BY}\b)[\s:|]*|{in_any(ja='代替', zh='(?:取代|替代)(?:了|原)?')}", re.IGNORECASE
)
"""What stands before the document that is replaced."""
REPLACES_BEHIND = re.compile(
    r"(?P<older>[^\n。；;|]{2,100}?)(?P<passive>により|によって)?(?:は|を|に|同时|即行)*"  # noqa: RUF001
    + in_any(ja="廃止(?:する|します|し、)|代わる|替わる|置き換え", zh="废止|失效")
)
"""Japanese and Chinese put the document before the verb."""
_REPLACED = in_any(
    en="superseded|replaced",
    de="ersetzt|abgelöst",
    fr="remplacée?",
    es="(?:sustituid|reemplazad|derogad)[oa]",
    it="sostituit[oa]",
    nl="vervangen",
    pt="(?:substituíd|revogad)[oa]",
    pl=r"zastąpion\w+",
)
_VERB_AT_END = in_any(de="ersetzt|abgelöst")
REPLACED = re.compile(
    rf"\b{_REPLACED}\b[^.;|]{{0,40}}?\b{_BY}\b[\s:|]*|\bdurch\s+(?=[^.;|]{{1,100}}\b{_VERB_AT_END}\b)"
    rf"|{in_any(ar='حل(?:ت)? محل(?:ها|ه)|ألغيت بموجب')}\s+",
    re.IGNORECASE,
)
"""What stands before the document that replaces this one."""
HINT = re.compile(
    in_any(
        en="replac|supersed",
        de="ersetzt|abgelöst",
        fr="remplac",
        es="sustitu|reemplaz|derog",
        it="sostitu",
        nl="vervang",
        pt="substitu|revog",
        pl="zastęp|zastąp",
        ar="محل|لغي",
        ja="廃止|代わる|替わる|置き換|代替",
        zh="废止|失效|取代|替代",
    ),
    re.IGNORECASE,
)
"""Occurs in every statement that one document replaces another."""
END = re.compile(rf"\.(?!\s+[^\W\d_]+\s+\d{{4}})(?=\s|$)|[;|。；؛]|\n\n|\b{_VERB_AT_END}\b")  # noqa: RUF001
"""The end of such a statement or cell; the period of "1. März 2024" is none."""
QUOTED = re.compile(
    r"[\"\u201c\u201e«\u201a\u2018「『《]([^\"\u201c\u201d»\u2019」』》]{3,100})[\"\u201c\u201d»\u2019」』》]"
)
_EARLIER = in_any(
    en="previous|earlier|former|prior|older",
    de="früheren?|vorherigen?|bisherigen?",
    fr="précédente?s?|antérieure?s?",
    es="anterior(?:es)?",
    it="precedent[ei]",
    nl="vorige|eerdere|voorgaande",
    pt="anterior(?:es)?",
    pl=r"poprzedni\w*|wcześniejsz\w*|dotychczasow\w*",
    ar="السابقة?|القديمة?",
)
EARLIER = re.compile(rf"\b{_EARLIER}\b|{in_any(ja='旧|従来|以前の', zh='之前的|原有')}", re.IGNORECASE)
NEXT_PART = re.compile(
    rf"[,،、]|(?<=\s){in_any(en='and', de='und', fr='et', es='y', it='e', nl='en', pt='e', pl='oraz')}(?=\s)",
    re.IGNORECASE,
)
"""Between documents that are replaced together."""
OF_A_DATE = re.compile(r"\bvan\s+(?=\d)", re.IGNORECASE)
"""In Dutch; elsewhere it is a vehicle."""
ARTICLES = words_in_any(
    en="a an the all any this that our of from dated and in",
    de="der die das den des dem vom von aller alle und",
    fr="le la les l de du des d toute toutes",
    es="el los las del al todas todos",
    it="il lo gli i di della dei delle tutte",
    nl="het een deze",
    pt="o os as do da dos das",
    pl="z ze i w od dnia dniem roku r ten ta to wszystkie",
    ar="من في عام سنة لسنة بتاريخ جميع كل هذه هذا",
)
"""Words that do not tell which document is meant."""
VERSION_WORDS = words_in_any(
    en="version versions edition revision issue document page pages valid archive archived old older previous earlier "
    "former prior superseded withdrawn obsolete outdated draft final copy new",
    de="fassung ausgabe auflage stand gültig archiv alt alte alten frühere früheren vorherige bisherige entwurf",
    fr="précédente ancienne",
    es="versión versiones edición revisión anterior anteriores antigua antiguo vigente válida válido válidos borrador",
    it="versione versioni edizione revisione precedente precedenti valido valida bozza",
    nl="versie versies editie uitgave vorige eerdere oude geldig",
    pt="versão versões edição antiga antigo rascunho",
    pl="wersja wersję wersji wydanie poprzednia poprzednią poprzedni stary stara nowy nowa obowiązuje",
    ar="النسخة نسخة الإصدار إصدار السابقة القديمة الصادرة الصادر",
    ja="版 年版 旧 新 改訂版 最新版 旧版 新版",
)
"""Words that tell which version is meant, not which document."""

_KIND = in_any(
    en="polic(?:y|ies)|guidelines?|guides?|manuals?|handbooks?|price ?lists?|tariffs?|terms|conditions|rules"
    "|regulations?|procedures?|instructions?|code of conduct|standards?|catalogu?e",
    de="betriebsvereinbarung",
    fr="politique|manuel|tarifs?|règlement|directives?|procédure|liste de prix",
    es="políticas?|normas?|normativa|reglamento|guías?|tarifas|condiciones|procedimientos?|instrucciones|catálogo"
    "|lista de precios",
    it="politica|regolamento|manuale|guida|listino|condizioni|procedura|istruzioni|tariffario|linee guida",
    pt="regulamento|guia|condições|procedimentos?|instruções|(?:lista|tabela) de preços|preçário",
    pl="regulamin|polityk[ai]|instrukcj[ae]|cennik|zasady|procedur[ay]|podręcznik|wytyczne|warunki|zarządzenie",
    ar="(?:ال)?(?:لائحة|سياسة|دليل|قائمة (?:ال)?أسعار|تعليمات|إجراءات|شروط|نظام|ضوابط)",
)
_END_OF_KIND = in_any(
    de="richtlinien?|handbuch|preisliste|ordnung|leitfaden|anleitung|bedingungen|anweisung|merkblatt|katalog",
    nl="regeling|reglement|handleiding|handboek|prijslijst|voorwaarden|richtlijn(?:en)?|beleid",
)
KIND = re.compile(
    rf"\b{_KIND}\b|{_END_OF_KIND}\b|"
    + in_any(
        ja="規程|規則|規定|要領|手順書?|マニュアル|ガイド(?:ライン)?|料金表|価格表|説明書|手引き?|方針",
        zh="制度|规定|手册|指南|价目表|价格表|办法|细则|守则",
    )
)
"""Documents that replace each other. German and Dutch put the kind at the end of a compound."""
_SIBLING = in_any(
    en="reports?|minutes|meetings?|incidents?|invoices?|newsletters?|release notes|changelog|bulletins?|review|survey"
    "|statements?|10 ?[kq]",
    fr="rapport|compte rendu|procès verbal|facture",
    es="acta|informe|factura|boletín",
    it="verbale|relazione|fattura",
    nl="notulen|nieuwsbrief|factuur",
    pt="ata|relatório|fatura|boletim",
    pl="protokół|raport|sprawozdanie|ogłoszenie|notatka|faktura|komunikat|biuletyn",
    ar="(?:ال)?(?:محضر|تقرير|إعلان|فاتورة|تعميم|نشرة)",
)
_END_OF_SIBLING = in_any(de="bericht|protokoll|rechnung|abschluss|rundbrief", nl="verslag")
SIBLING = re.compile(
    rf"\b{_SIBLING}\b|{_END_OF_SIBLING}\b|"
    + in_any(ja="議事録|議事メモ|報告|お知らせ|通知|請求書|日報|週報|月報", zh="会议纪要|报告|公告|发票")
)
"""Documents that stand beside each other, each with its date."""
ABOUT = re.compile(
    r"\s+"
    + in_any(
        en="of|on|for|about",
        de="zum?|zur|über",
        fr="sur|de|du",
        es="del?|sobre",
        it="di|del?l[ao]|sul",
        nl="van|over",
        pt="d[aoe]|sobre",
    )
    + r"\b"
)
"""What follows a kind of document names its subject."""

_OLD = in_any(
    en="old|older|previous|former|earlier|superseded",
    de="alten?|bisherigen?|früheren?|vorherigen?",
    fr="anciennes?|précédentes?",
    es="antigua?|anterior",
    it="vecchi[oae]?|precedent[ei]",
    nl="oude|vorige|eerdere",
    pt="antig[oa]|anterior",
    pl=r"star(?:y|ą|ego|ej|ych|ym)|(?:poprzedni|wcześniejsz)\w+|dawn(?:y|ą|ego|ej|ych)",
)
_RULES = in_any(
    en=r"versions?|editions?|rules?|polic|guid|manual|handbook|list|terms|rates?\b|prices?\b|fees?\b|limits?\b",
    de="regel|fassung|richtlinie|ordnung|handbuch|preis",
    fr="règles?|politique|tarifs?",
    es="versi[oó]n|norma|regla|polític|tarifa",
    it="versione|listino|regol|prezz",
    nl="versie|regel|prij[sz]|beleid|handleiding",
    pt="versão|regra|tabela|preço",
    pl="wersj|regulamin|cennik|zasad|instrukcj|polity|procedur",
)
_RULES_BEFORE = in_any(
    es="versi[oó]n(?:es)?|norma|reglas|política|manual|tarifa|precios?|condiciones",
    it="versione|regol|listino|prezz[io]|manuale",
    pt="versão|regras|regulamento|tabela|preços?",
)
_OLD_BEHIND = in_any(
    es="anterior(?:es)?|antigu?[oa]s?", it="precedent[ei]|vecchi[oae]?", pt="anterior(?:es)?|antig[oa]s?"
)
_CHANGED = in_any(
    en=r"what.{0,20}\bchanged",
    de=r"was\b.{0,20}\bgeändert",
    fr=r"qu.{0,20}\bchangé",
    es=r"qué\b.{0,20}\b(?:cambi[oó]|cambiado)",
    it=r"cosa\b.{0,20}\bcambiat[oa]",
    nl=r"wat\b.{0,20}\b(?:veranderd|gewijzigd)",
    pt=r"o que\b.{0,20}\bmudou",
)
_DIFFERENCE = in_any(
    en="differences?",
    de="unterschied",
    fr="différences?",
    es="diferencias?",
    it="differenz[ae]",
    nl="verschil(?:len)?",
    pt="diferenças?",
    pl=r"różni(?:c[aeęy]|ą? się)",
    ar="الفرق",
)
ASKS_FOR_EARLIER = re.compile(
    rf"\b{_OLD}\s+(?:\w+\s+){{0,3}}?{_RULES}|\b{_RULES_BEFORE}\w*\s+(?:\w+\s+){{0,3}}?{_OLD_BEHIND}\b"
    rf"|\b{_CHANGED}\b|\b{_DIFFERENCE}\b|"
    + in_any(
        pl=r"\bco\b.{0,20}\bzmieni",
        ar=r"\b(?:النسخة|اللائحة|السياسة|القائمة|الأسعار|الدليل|القواعد)\s+(?:\w+\s+)?(?:السابقة|القديمة)|\bتغير",
        ja=r"(?:旧|以前の|前の|古い|改[定訂]前の?)\w{0,8}?(?:版|規程|規則|規定|料金|価格|単価|ルール)|変更点|何が変わ|違い",
        zh=r"(?:之前的|原来的)\w{0,8}?(?:规定|制度)|有什么变化|区别",
    ),
    re.IGNORECASE,
)
"""Asks for an older version, or to compare."""
