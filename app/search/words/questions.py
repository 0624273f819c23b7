"""How questions are worded in each language, and how the values look that they ask for."""

from __future__ import annotations

import re

from app.search.words.languages import CJK, in_any

_ARABIC_ASKING = "ماذا|متى|أين|كيف|كم|هل|لماذا"
ASKING = in_any(
    en="what|how|who|whom|when|where|which|why",
    de="was|wie|wer|wen|wem|wann|wo|wohin|woher|warum|welche[mnrs]?",
    fr="qui|quand|où|comment|combien|pourquoi|quel(?:le)?s?",
    es="qué|cu[aá]l(?:es)?|qui[eé]n(?:es)?|cu[aá]ndo|cu[aá]nt[oa]s?|d[oó]nde|cómo",
    it="chi|che cosa|qual[ei]?|quando|quant[oiae]|dove|come (?:si|posso|faccio|devo)|perché",
    nl="wat|wanneer|waar|waarom|hoe|hoeveel|hoelang|welke?",
    pt="quem|quais|quant[oa]s|onde|o que|como (?:se|posso|faço|devo)",
    pl=r"czy|kto|komu|kiedy|gdzie|dokąd|skąd|jaki\w*|któr\w+|ile|ilu|dlaczego|czemu",
    ar=_ARABIC_ASKING,
)
"""Question words."""
_SPACELESS_ASKING = in_any(
    ja="何|いつ|どこ|誰|どの|どう|どれ|いくら|なぜ|教えて|か[?？。]?$",  # noqa: RUF001
    zh="什么|多少|几|哪|谁|怎么|如何|吗[?？]?$",  # noqa: RUF001
)
_AND = in_any(
    en="and|or",
    de="und|oder",
    fr="et|ou",
    es="y",
    it="ed?",
    nl=r"en(?=\s+(?:\w+\s+)?(?:wat|wie|wanneer|waar|hoe|welk|mag|moet|kan))",
    pl=r"i(?=\s+(?:czy|kto|komu|kiedy|gdzie|jak|któr|ile|ilu|dlaczego|co)\w*\b)|oraz|lub",
)
"""`en` and `i` are other words in French and English."""
_WITH = in_any(
    en="from|by|until|in|on|at|to|with|for",
    de="ab|bis|mit|für|von",
    fr="à|de|pour",
    es="a|con|para|por",
    it="da|per",
    nl="voor|met|tot",
)
_MAY = in_any(
    en="do|does|is|are|can|may|must|will|should",
    de="muss|darf|kann",
    es="puedo|debo",
    it="posso|devo",
    nl="mag|moet|kan",
)
PART = re.compile(
    rf"(?:,\s*|\s+)(?:{_AND}\s+|و(?=(?:{_ARABIC_ASKING})\b))(?=(?:{_WITH}\s+)?(?:{ASKING}|{_MAY})\b)"
    r"|,\s*(?=(?:from|by|until|in)\s+(?:which|what|when)\b)"
    rf"|(?<=[?.!؟])\s+|(?<=[？。！])(?=\S)|(?<=[?!])(?=[{CJK}])",  # noqa: RUF001
    re.IGNORECASE,
)
"""Where the next question of a sentence begins."""
ASKS = re.compile(
    rf"\b{ASKING}\b|^(?:please )?(?:tell|give|show|list|name|explain)\b"
    r"|^(?:do|does|did|is|are|am|can|could|may|must|will|would|should|has|have)\b"
    rf"|^¿?(?:puedo|debo|hay|posso|devo|mag|moet|kan)\b|{_SPACELESS_ASKING}",
    re.IGNORECASE,
)
ASKS_FOR_STEPS = re.compile(
    in_any(
        en=r"\bhow (?:do|does|can|could|should|to|am|is|are)\b|\bwhat (?:do|should|must|can) (?:I|we|you|one) do\b"
        r"|\bsteps\b",
        de=r"\bwie (?:kann|komme|mache|melde|bekomme|geht|wird|werden|muss|soll)\b",
        fr=r"\bcomment\b",
        es=r"\bc[oó]mo (?:se|puedo|hago|pido|debo)\b|\bqué (?:hago|debo hacer|hay que hacer)\b",
        it=r"\bcome (?:si|posso|faccio|devo|chiedo)\b|\b(?:cosa|che) (?:faccio|devo fare)\b",
        nl=r"\bhoe (?:kan|maak|vraag|meld|krijg|moet|doe|wordt)\b|\bwat moet ik doen\b",
        pt=r"\bcomo (?:se|posso|faço|peço|devo)\b|\bo que (?:faço|devo fazer)\b",
        pl=r"^jak\s+(?:\w+ć|mogę|można|należy|trzeba|się)\b",
        ar=r"\bكيف\b|\bخطوات\b",
        ja="手順|方法|やり方|どうやって|どうすれば|どのように|するには",
        zh="怎么|如何|步骤",
    ),
    re.IGNORECASE,
)
_NAME = in_any(
    en="which|when|where|who|whose",
    de=r"welche\w*|wann|wo|wer",
    fr="quel(?:le)?s?|quand|où|qui",
    es="cu[aá]l(?:es)?|qui[eé]n(?:es)?|cu[aá]ndo|d[oó]nde",
    it="chi|quale?|quali|quando|dove",
    nl="wie|welke?|wanneer|waar",
    pt="quem|quais|onde",
    pl=r"któr\w+|jaki\w*|kiedy|gdzie|kto",
    ar="أي|متى|أين|من",
)
ASKS_FOR_NAME = re.compile(
    rf"\b{_NAME}\b|{in_any(ja='いつ|どこ|誰|だれ|どの|どれ', zh='哪|谁|何时|什么时候')}", re.IGNORECASE
)
"""Asks for what may stand in a heading: a name, a date, a place."""

NUMBER = (
    r"\d|\b"
    + in_any(
        en="one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|(?:thir|four|fif|six|seven|eigh|nine)teen"
        "|(?:twen|thir|for|fif|six|seven|eigh|nine)ty|hundreds?|thousands?|millions?|half|both|once|twice|none|no|zero"
        "|any number|unlimited",
        de="eine?n?|zwei|drei|vier|fünf|sechs|sieben|acht|neun|zehn|elf|zwölf|keine?n?",
        fr="une?|deux|trois|quatre|cinq|six|sept|huit|neuf|dix|douze|quinze|vingt|trente|cent|aucune?",
        es="un[oa]s?|dos|tres|cuatro|cinco|seis|siete|ocho|nueve|diez|doce|quince|veinte|treinta|cien|medi[oa]"
        "|ning[uú]n[oa]?",
        it="due|tre|quattro|cinque|sei|sette|otto|nove|dieci|dodici|quindici|venti|trenta|cento|mezz[oa]|nessun[oa]?",
        nl="[eé][eé]n|twee|drie|vijf|zes|zeven|negen|tien|twaalf|twintig|dertig|honderd|halve|geen",
        pt="uma?|dois|duas|três|quatro|sete|oito|dez|doze|quinze|vinte|trinta|meia|nenhuma?",
    )
    + r"\b"
)

ASKS_FOR_PHONE = in_any(
    en=r"\bwhat(?:'s| is| are)\b[^,?]*\b(?:tele)?phone numbers?\b"
    r"|\b(?:what|which) number\b[^,?]*\b(?:call|dial|ring|phone)\b",
    de=r"\bwas ist\b.*\btelefonnummer\b",
    fr=r"\bquel est\b.*\bnuméro de téléphone\b",
    es=r"\bcu[aá]l es el (?:n[uú]mero de )?tel[eé]fono\b",
    it=r"\bqual [eè] il (?:numero di )?telefono\b",
    nl=r"\bwat is\b.*\btelefoonnummer\b",
    pt=r"\bqual [eé] o (?:número de )?telefone\b",
    pl=r"\bjaki\b[^,?]*\btelefon",
    ar=r"\bرقم (?:ال)?هاتف\b",
    ja="電話番号(?:は|を教)",
    zh="电话(?:号码)?是",
)
PHONE = (
    r"\+?\(?\d{2,}\)?(?:[\s./()-]{1,2}\d{2,})+|\d{5,}"
    r"|\b(?:ext\.?|extension|durchwahl|poste|wewn\.?|内線)\s*\d+"
)
PHONE_COLUMN = in_any(
    en=r"phone|mobile|\btel|\bext\b|extension", de="durchwahl", fr=r"\bposte\b|téléphone", es="teléfono", nl="telefoon",
    ar="هاتف|جوال", ja="電話|内線", zh="电话"
)  # fmt: skip
_OF_PAY = r" ?(?:che(?:ck|que)|cycle|day|grade|period|roll|scale|slip|stub|week)s?\b"
"""What makes `pay` the name of something else: leave per pay period is no amount of money."""
ASKS_FOR_PRICE = in_any(
    en=rf"\b(?:what (?:do|does|did|will|would)|how much)\b[^,?]*\b(?:cost|pay(?!{_OF_PAY}))\b"
    r"|\bhow many (?:cents|dollars|euros)\b"
    r"|\bwhat(?:'s| is) the\b[^,?]*\b(?:price|fee|salary|cost) (?:of|for)\b",
    de=r"\b(?:was|wie ?viel) koste[nt]\b|\bwie hoch ist der preis\b",
    fr=r"\bcombien coûte(?:nt)?\b",
    es=r"\bcu[aá]nto (?:cuestan?|valen?|cost[oó])\b|\bcu[aá]l es el precio\b",
    it=r"\bquanto (?:costa|costano|è costat[oa])\b|\bqual [eè] il prezzo\b",
    nl=r"\b(?:wat|hoeveel) kost(?:en|te)?\b|\bwat is de prijs\b",
    pt=r"\bquanto (?:custam?|custou)\b|\bqual [eé] o preço\b",
    pl=r"\bile\b[^,?]*\bkosztuj\w+|\bjaka jest cena\b",
    ar=r"\bكم (?:ي|ت)?كلف\b|\bكم (?:ال)?(?:سعر|تكلفة|ثمن|رسوم)\b|\bبكم\b",
    ja="いくら(?:です|かか|まで|[?？]|$)|何円",  # noqa: RUF001
    zh="多少钱",
)
PRICE = r"[$€£¥]\s?\d|\d\s?[$€£¥]|\b(?:USD|EUR|GBP|CHF)\s?\d|" + in_any(
    en=r"\d\s*(?:k\s+)?(?:USD|EUR|GBP|CHF|cents?|dollars?|euros?|pounds?|francs?)\b|\bfree\b"
    r"|\bno (?:\w+ )?(?:costs?|charges?|fees?)\b",
    de=r"\bkostenlos",
    fr=r"\d\s*centimes\b|\bgratuit",
    es=r"\d\s*c[eé]ntimos\b|\bgr[aá]tis\b|\bsin coste\b",
    it=r"\d\s*centesimi\b|\bsenza (?:costi|spese)\b",
    nl=r"\d\s*eurocent\b|\bkosteloos\b",
    pt=r"\d\s*cêntimos\b|\bsem custos?\b",
    pl=r"\bzł\b|złot\w+|\bgrosz|\bPLN\b|bezpłatn|za darmo",
    ar="درهم|ريال|دينار|جنيه|ليرة|دولار|يورو|فلس|مجان|دون مقابل",
    ja="円|無料",
    zh="元|块|免费",
)
PRICE_COLUMN = r"[$€£¥]|\b(?:USD|EUR|GBP|CHF)\b|" + in_any(
    en=r"euros?\b|dollars?\b|price|cost|\bfees?\b|\brates?\b",
    de="preis|kosten|gebühr",
    fr=r"\bprix|tarif",
    es="precio",
    it="prezz",
    nl="prij[sz]",
    pt="preço",
    pl=r"\bcen[ayę]|koszt|opłat|stawk",
    ar="سعر|أسعار|رسوم|تكلفة",
    ja="料金|価格|値段|単価",
    zh="费用|价格",
)
_WHICH = "cu[aá]l|quale?|wat|welke?|quelle?|welche|lautet|was"
_MAIL = in_any(
    de="e-?mail-?adresse",
    fr="adresse e-?mail",
    es="correo electr[oó]nico",
    it="indirizzo e-?mail",
    nl="e-?mail-?adres",
    pt="endereço de e-?mail",
)
ASKS_FOR_MAIL = (
    r"\b(?:what|which)\b[^,?]*\be-?mail address (?:of|for)\b"
    rf"|\be-?mail(?: address)? (?:do|should|can) I (?:write|send)\b|\b(?:{_WHICH})\b[^,?]*\b{_MAIL}\b"
)
HOW_MANY = in_any(
    en=r"\bhow many\b",
    de=r"\bwie ?viele\b",
    fr=r"\bcombien de\b",
    es=r"\bcu[aá]nt[oa]s\b",
    it=r"\bquant[ie]\b",
    nl=r"\bhoeveel(?! (?:kost|geld|tijd))\b",
    pt=r"\bquant[oa]s\b",
)

SECTION = in_any(
    en="section|clause|chapter|article|annex",
    de="abschnitt|kapitel|artikel|ziffer",
    es="secci[oó]n|cl[aá]usula|cap[ií]tulo|art[ií]culo|anexo",
    it="sezione|clausola|capitolo|articolo|allegato",
    nl="hoofdstuk|bijlage|artikel",
    pt="sec?ção|artigo|capítulo|anexo",
)
"""Before a number such as 3.1."""
