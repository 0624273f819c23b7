"""How follow-ups, corrections and greetings are worded, each in all languages that are recognized.

English, German, French, Spanish, Italian, Dutch and Portuguese. A word of one language that begins a full question in
another, such as `o`, `en` and `ma`, counts only before words of its own language.
"""

from __future__ import annotations

import re

_OR = r"o(?= (?:en|con|sin|para|por|si|solo|sólo|in|per|se|anche)\b)"
"""In Spanish and Italian; in Portuguese it is `the`."""
_DUTCH_AND = (
    r"en(?= (?:voor|in|bij|met|op|na|als|over|hoe|wat|wie|waar|wanneer|hoeveel|hoelang|waarom|welke|moet|mag|kan|de|het"
    r"|een|mijn|zonder|tijdens|buiten|is|zijn|ook)\b)"
)
"""In French and Spanish it is `in`."""
_ITALIAN_BUT = (
    r"ma(?= (?:per|se|chi|quando|come|quant\w|dove|perché|anche|i|gli|il|la|le|un|una|in|nell?\w*|con|senza|cosa|posso"
    r"|devo|è|vale)\b)"
)
"""In French it is `my`."""

OPENER = re.compile(
    r"(?:(?:ok(?:ay)?|so|well|yes|no)[,\s]+)?"
    r"(?:(?:and|but|or|und|aber|oder|et|mais|ou|y|pero|ed?|oppure|maar|mas"
    rf"|{_OR}|{_DUTCH_AND}|{_ITALIAN_BUT})\b[,\s]*)?"
    r"(?:(?:what|how) about|(?:the )?same (?:question )?for|was ist mit|wie (?:ist|sieht) es (?:\w+ )?(?:mit|bei)"
    r"|qu['’]en est-il d[eu]|qué (?:pasa|hay) con|che (?:succede|ne è) (?:con|di)|hoe (?:zit|staat) het met"  # noqa: RUF001
    r"|(?:o que acontece com|quanto (?:a|ao|à)s?)(?= \w+\?))?\b[,\s]*",
    re.IGNORECASE,
)
FILLER = re.compile(r"(?:ok(?:ay)?|so|well|yes|no)?[,\s]*", re.IGNORECASE)
CLOSER = re.compile(
    r"\b(?:too|also|as well|then|instead|else|meanwhile|otherwise|(?:the|that) (?:\w+ )?ones?"
    r"|auch|dann|sonst|inzwischen|aussi|también|entonces|anche|invece|allora|ook|dan|também|então)\W*$",
    re.IGNORECASE,
)
CORRECTION = re.compile(
    r"(?:(?:no|nope|sorry|nein|non|nee|não)\b[,.!\s]*)*(?:(?:but|aber|mais|pero|ma|maar|mas)\s+)?"
    r"(?:i (?:mean|meant)|ich mein(?:e|te)|je (?:veux|voulais) dire|quiero decir|quería decir|me refería|me refiero"
    r"|intendevo|intendo|volevo dire|ik bedoel(?:de)?|queria dizer|quero dizer|quis dizer)\b|not (?!all\b|every)",
    re.IGNORECASE,
)
"""How a correction of the last question begins: 'no, I meant', 'not the hotel'."""
LIMIT = re.compile(
    r"(?:only|even|except|(?:more|less|fewer|longer) than|up to|over|nur|sogar|mehr als|bis zu|über|seulement|même"
    r"|también|solo|sólo|solamente|incluso|excepto|salvo|más de|anche|soltanto|solamente|perfino|invece|tranne|più di"
    r"|ook|alleen|zelfs|behalve|meer dan|também|só|apenas|somente|exceto|mais de)\b",
    re.IGNORECASE,
)
"""How a phrase begins that narrows the last question: 'only for managers?', 'more than 80 hours?'."""
SMALL_TALK = re.compile(
    r"(?:(?:ok(?:ay)?|great|perfect|super|good|got it|i see|thanks?|thank you|thx|cheers|very|so|much|a lot|many|all"
    r"|hi|hello|hey|there|again|are you|still|bye"
    r"|danke|vielen dank|schön|gut|sehr|hallo|guten (?:tag|morgen|abend)|auf wiedersehen|tschüss|alles klar"
    r"|merci|beaucoup|bonjour|bonsoir|salut|au revoir|d['’]accord|parfait|bonne journée"  # noqa: RUF001
    r"|(?:muchas |mil )?gracias|hola|buen(?:os días|as(?: tardes| noches)?)|hasta (?:luego|mañana|pronto)|adiós"
    r"|perfecto|de acuerdo|entendido|vale(?=,? gracias)"
    r"|grazie(?: mille)?|mille grazie|ciao|salve|buongiorno|buonasera|buona (?:giornata|serata)|va bene|perfetto|capito"
    r"|arrivederci|bedankt|dank (?:je|u)(?: wel)?|dank[ju]e?wel|hoi|goede(?:morgen|middag|navond|ndag)|fijne dag"
    r"|tot (?:ziens|later|morgen)|prima|oké|duidelijk"
    r"|muit[oa]s? obrigad[oa]|obrigad[oa]|olá|bo[am] (?:dia|tarde|noite)|até (?:logo|amanhã|já)|adeus|tchau|perfeito"
    r"|está bem|tudo bem)"
    r"(?!\w)[\s,.!?¡]*)+",
    re.IGNORECASE,
)
"""A turn without a question: 'ok thanks', 'hello, are you still there?'."""
POINTS_BACK = re.compile(
    # 'chi lo paga?', 'quem o paga?', 'qui le paie ?': a pronoun, since no noun follows
    r"(?:(?:a )?(?:qui[eé]n(?:es)?|cu[aá]ndo|d[oó]nde|c[oó]mo)|chi|quando|dove|come|qui|où|comment|(?:a )?quem|onde)"
    r" (?:me |se |te |ce |mi )?(?:l[oaie]s?|les|os?|as?) [^\W\d_]+\W*$"
    # 'wie betaalt dat?', 'wer zahlt das?'
    r"|(?:wat|wie|wanneer|waar|waarom|hoe|hoeveel|hoelang|hoe lang|wer|was|wann|wo|warum) (?:\w+ ){1,3}"
    r"(?:dat|dit|het|das|es|dafür|damit|davon)\W*$"
    # 'geldt dat ook voor ...?', 'isso vale para ...?'
    r"|(?:geldt|gilt|mag|darf|kan|moet) (?:dat|das|dit) (?:ook|auch)\b"
    r"|(?:isso|eso|ça|cela|questo) (?:vale|vaut|si applica)\b"
    r"|(?:vale|si applica) (?:isso|eso|anche)\b",
    re.IGNORECASE,
)
"""How a question begins in another language than English that refers to something it does not name."""
