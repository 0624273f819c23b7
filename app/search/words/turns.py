"""How follow-ups, corrections and greetings are worded in each language.

A word of one language that begins a full question in another, such as `o`, `en` and `ma`, counts only before words of
its own language.
"""

from __future__ import annotations

import re

from app.search.words.languages import in_any

_FILLER = in_any(en="ok(?:ay)?|so|well|yes|no")
FILLER = re.compile(rf"{_FILLER}?[,\s]*", re.IGNORECASE)
_ITALIAN = (
    r"(?:per|se|chi|quando|come|quant\w+|dove|perché|anche|i|gli|il|la|le|un|una|in|nell?\w*|con|senza|cosa|posso|devo"
    r"|è|vale|dopo|prima|poi|ai|al)\b"
)
_AND = in_any(
    en="and|but|or",
    de="und|aber|oder",
    fr="et|mais|ou",
    es=r"y|pero|o(?= (?:en|con|sin|para|por|si|solo|sólo)\b)",
    it=rf"oppure|o(?= (?:in|con|per|se|anche)\b)|e(?= {_ITALIAN})"
    rf"|ma(?= {_ITALIAN})",
    nl=r"maar|en(?= (?:voor|in|bij|met|op|na|als|over|hoe|wat|wie|waar|wanneer|hoeveel|hoelang|waarom|welke|moet|mag"
    r"|kan|de|het|een|mijn|zonder|tijdens|buiten|is|zijn|ook)\b)",
    pt=r"mas|e(?= (?:para|se|quem|quando|onde|como|quant\w+|os?|as?|em|n[oa]s?|com|sem|depois|antes|por)\b)",
    pl=r"ale|albo|a\s+(?=(?:do|za|u)\s+[^\W\d_]+\W*$)"
    r"|[ai](?=\s+(?:we?|na|co|czy|dla|od|ze?|po|przy|jak|jaki\w*|ile|kiedy|kto|gdzie|jeśli|gdy|dlaczego|któr\w*)(?![\w-]))",
)
_ABOUT = in_any(
    en="(?:what|how) about|(?:the )?same (?:question )?for",
    de=r"was ist mit|wie (?:ist|sieht) es (?:\w+ )?(?:mit|bei)",
    fr=r"qu['\u2019]en est-il d[eu]",
    es="qué (?:pasa|hay) con",
    it="che (?:succede|ne è) (?:con|di)",
    nl="hoe (?:zit|staat) het met",
    pt=r"(?:o que acontece com|quanto (?:a|ao|à)s?)(?= \w+\?)",
    pl="co (?:z|ze)",
    ar="و?ماذا عن",
)
OPENER = re.compile(rf"(?:{_FILLER}[,\s]+)?(?:{_AND}\b[,\s]*)?(?:{_ABOUT})?\b[,\s]*", re.IGNORECASE)
ARABIC_OPENER = re.compile(
    r"و(?:ماذا|ما|هل|كم|متى|أين|اين|كيف|لماذا|إذا|اذا|لو)\b"
    r"|و(?:(?:في|على|من|إلى|عند|مع|بعد|قبل)\b|لل?\w|بال\w)\w*(?:\s\w+)?\W*$"
)
"""Arabic "and", which is written together with the next word: before a question word, or in a short phrase."""
SPACELESS_OPENER = re.compile(
    in_any(
        ja=r"(?:では|じゃあ?|それでは|でも|また|あと|ちなみに)[、,\s]*(?!は)"
        r"|(?:その|それ|そこ|そちら|そっち|この場合|あれ|それら)(?!ぞれ|以外)",
        zh="那(?!里|边|个地)么?|那么|它|他们?的?|她们?的?|如果是|还有[、,，]",  # noqa: RUF001
    )
)
SPACELESS_CLOSER = re.compile(
    in_any(ja="の場合は?|のときは?|の時は?|だと|だったら|なら", zh="呢") + r"[?？。\s]*$"  # noqa: RUF001
)
SPACELESS_FRAGMENT = re.compile(
    r"\w{1,6}(?:は|って|も)[?？]|"  # noqa: RUF001
    + in_any(
        ja="(?:いくら|いつ|どこ|なぜ|誰|何|どうして|どうやって|どれくらい)(?:ですか|まで|から|に|で|が|か)*",
        zh="为什么|多少钱|什么时候|哪里|谁",
    )
    + "[?？。]?"  # noqa: RUF001
)
"""A question such as 京都は? that is no more than a topic, or no more than a question word."""
_AT_END = in_any(
    en=r"too|also|as well|then|instead|else|meanwhile|otherwise|(?:the|that) (?:\w+ )?ones?",
    de="auch|dann|sonst|inzwischen",
    fr="aussi",
    es="también|entonces",
    it="anche|invece|allora",
    nl="ook|(?-i:dan)",
    pt="também|então",
    pl="też|również",
    ar="أيضا|كذلك",
)
CLOSER = re.compile(rf"\b{_AT_END}\W*$", re.IGNORECASE)
_NO = in_any(en="no|nope|sorry", de="nein", fr="non", nl="nee", pt="não", pl="nie", ar="لا")
_BUT = in_any(en="but", de="aber", fr="mais", es="pero", it="ma", nl="maar", pt="mas", pl="ale", ar="لكن")
_I_MEANT = in_any(
    en="i (?:mean|meant)",
    de="ich mein(?:e|te)",
    fr="je (?:veux|voulais) dire",
    es="quiero decir|quería decir|me refería|me refiero",
    it="intendevo|intendo|volevo dire",
    nl="ik bedoel(?:de)?",
    pt="queria dizer|quero dizer|quis dizer",
    pl="chodziło mi|miał[ea]m na myśli",
    ar="أقصد|قصدي",
)
CORRECTION = re.compile(rf"(?:{_NO}\b[,.!\s]*)*(?:{_BUT}\s+)?{_I_MEANT}\b|not (?!all\b|every)", re.IGNORECASE)
"""How a correction of the last question begins: 'no, I meant', 'not the hotel'."""
_ONLY = in_any(
    en="only|even|except|(?:more|less|fewer|longer) than|up to|over",
    de="nur|sogar|mehr als|bis zu|über",
    fr="seulement|même",
    es="también|solo|sólo|solamente|incluso|excepto|salvo|más de",
    it="anche|soltanto|solamente|perfino|invece|tranne|più di",
    nl="ook|alleen|zelfs|behalve|meer dan",
    pt="também|só|apenas|somente|exceto|mais de",
    pl="tylko|nawet|więcej niż|ponad|oprócz",
    ar="فقط|حتى لو|أكثر من|ما عدا",
)
LIMIT = re.compile(rf"{_ONLY}\b", re.IGNORECASE)
"""How a phrase begins that narrows the last question: 'only for managers?', 'more than 80 hours?'."""
_GREETS = in_any(
    en="ok(?:ay)?|great|perfect|super|good|got it|i see|thanks?|thank you|thx|cheers|very|so|much|a lot|many|all"
    "|hi|hello|hey|there|again|are you|still|bye",
    de="danke|vielen dank|schön|gut|sehr|hallo|guten (?:tag|morgen|abend)|auf wiedersehen|tschüss|alles klar",
    fr=r"merci|beaucoup|bonjour|bonsoir|salut|au revoir|d['\u2019]accord|parfait|bonne journée",
    es="(?:muchas |mil )?gracias|hola|buen(?:os días|as(?: tardes| noches)?)|hasta (?:luego|mañana|pronto)|adiós"
    "|perfecto|de acuerdo|entendido|vale(?=,? gracias)",
    it="grazie(?: mille)?|mille grazie|ciao|salve|buongiorno|buonasera|buona (?:giornata|serata)|va bene|perfetto"
    "|capito|arrivederci",
    nl="bedankt|dank (?:je|u)(?: wel)?|dank[ju]e?wel|hoi|goede(?:morgen|middag|navond|ndag)|fijne dag"
    "|tot (?:ziens|later|morgen)|prima|oké|duidelijk",
    pt="muit[oa]s? obrigad[oa]|obrigad[oa]|olá|bo[am] (?:dia|tarde|noite)|até (?:logo|amanhã|já)|adeus|tchau|perfeito"
    "|está bem|tudo bem",
    pl="dzięki|dziękuję|dziekuje|bardzo|cześć|dzień dobry|do widzenia|jasne",
    ar="شكرا|جزيلا|لك|لكم|مرحبا|أهلا|السلام عليكم|صباح الخير|مساء الخير|حسنا|تمام|ممتاز|مع السلامة",
    ja="(?:どうも)?ありがとう(?:ございま(?:す|した))?|どうも|こんにちは|こんばんは|おはよう(?:ございます)?"
    "|お疲れ様(?:です|でした)?|了解(?:です|しました)?|(?:わかり|分かり)ました|承知しました|助かりました|さようなら",
    zh="谢谢(?:您|你)?|多谢|您好|你好|好的|再见|明白了",
)
SMALL_TALK = re.compile(rf"(?:{_GREETS}(?!\w)[\s,.!?¡،؟。、！？，]*)+", re.IGNORECASE)  # noqa: RUF001
"""A turn without a question: 'ok thanks', 'hello, are you still there?'."""
POINTS_BACK = re.compile(
    in_any(
        # 'chi lo paga?', 'quem o paga?', 'qui le paie ?': a pronoun, since no noun follows
        romance=r"(?:(?:a )?(?:qui[eé]n(?:es)?|cu[aá]ndo|d[oó]nde|c[oó]mo)|chi|quando|dove|come|qui|où|comment"
        r"|(?:a )?quem|onde) (?:me |se |te |ce |mi )?(?:l[oaie]s?|les|os?|as?) [^\W\d_]+\W*$"
        r"|(?:isso|eso|ça|cela|questo) (?:vale|vaut|si applica)\b|(?:vale|si applica) (?:isso|eso|anche)\b",
        # 'wie betaalt dat?', 'wer zahlt das?', 'geldt dat ook voor ...?'
        germanic=r"(?:wat|wie|wanneer|waar|waarom|hoe|hoeveel|hoelang|hoe lang|wer|was|wann|wo|warum) (?:\w+ ){1,3}"
        r"(?:dat|dit|het|das|es|dafür|damit|davon)\W*$|(?:geldt|gilt|mag|darf|kan|moet) (?:dat|das|dit) (?:ook|auch)\b",
    ),
    re.IGNORECASE,
)
"""How a question begins in another language than English that refers to something it does not name."""
