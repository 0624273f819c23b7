"""Outline -> Version: what a document says about itself and about the documents that it replaces.

Read from title, name, headings and the first passages. What cannot be read for sure stays empty.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from pathlib import PurePosixPath

from app.search.dates import Period, periods_in, without_dates
from app.search.fusion import exact_terms
from ingest.listing import Outline

Number = tuple[int, ...]
"""A version: (2, 1) for 2.1."""

_NUMBER = re.compile(
    r"\b(?:v|version|revision|révision|rev|edition|édition|issue|ausgabe|fassung|auflage|versión|revisión|edición"
    r"|versione|revisione|edizione|versie|editie|uitgave|versão|revisão|edição)[.\s_:-]*(\d+(?:\.\d+)*)"
    r"|\b(\d+)(?:st|nd|rd|th|ème|e|a|\.?ª|\.)\s*(?:edition|version|auflage|ausgabe|fassung|édition|edición|edizione"
    r"|editie|uitgave|edição)\b",
    re.IGNORECASE,
)
_EFFECTIVE = re.compile(
    r"\b(?:valid|effective|in force|in effect|appl(?:ies|icable)|gültig|gilt|in kraft|stand|valable|en vigueur"
    r"|vigentes?|vigente|válid[oa]s?|e[nm] vigor|in vigore|valid[oaie]|geldig|geldt|van kracht)"
    r"(?:\s+(?:from|as of|as from|since|on|date|ab|seit|dès|depuis|à (?:compter|partir) du|du|le|dem|the|desde|a partir"
    r"|a partire|del?|el|dal?|vanaf|sinds|per|met ingang van))*[\s:|]+",
    re.IGNORECASE,
)
_UNTIL = re.compile(r"\W*(?:until|till|bis|jusqu|hasta|fino|tot|até)\b")
_DATE_CHARACTERS = 30
_REPLACES = re.compile(
    r"\b(?:replac(?:es|ing)|supersed(?:es|ing)|ersetzt|remplace|annule et remplace|sustituye|reemplaza|deroga"
    r"|sostituisce|vervangt|ter vervanging van|substitui|revoga)\b(?!\s+(?:by|durch|par|por)\b)[\s:|]*",
    re.IGNORECASE,
)
_REPLACED = re.compile(
    r"\b(?:superseded|replaced|ersetzt|abgelöst|remplacée?|(?:sustituid|reemplazad|derogad|sostituit|substituíd|revogad)[oa]"
    r"|vervangen)\b[^.;|]{0,40}?\b(?:by|durch|par|por|dall?[ao]?|door|pel[oa])\b[\s:|]*"
    r"|\bdurch\s+(?=[^.;|]{1,100}\b(?:ersetzt|abgelöst)\b)",
    re.IGNORECASE,
)
_HINT = re.compile(
    "replac|supersed|ersetzt|remplac|abgelöst|sustitu|reemplaz|derog|sostitu|vervang|substitu|revog", re.IGNORECASE
)
_END = re.compile(r"\.(?!\s+[^\W\d_]+\s+\d{4})(?=\s|$)|[;|]|\n\n|\b(?:ersetzt|abgelöst)\b")
"""The end of a sentence or cell; the period of "1. März 2024" is none."""
_MAX_STATEMENT = 200
_QUOTED = re.compile(r"[\"\u201c\u201e«\u201a\u2018]([^\"\u201c\u201d»\u2019]{3,100})[\"\u201c\u201d»\u2019]")
_EARLIER = re.compile(
    r"\b(?:previous|earlier|former|prior|older|früheren?|vorherigen?|bisherigen?|précédente?s?|antérieure?s?"
    r"|anterior(?:es)?|precedent[ei]|vorige|eerdere|voorgaande)\b",
    re.IGNORECASE,
)
_NEXT_PART = re.compile(r",|\b(?:and|und|et|y|e|en)\b", re.IGNORECASE)
_YEAR = re.compile(r"(?<!\d)(?:19|20)\d\d(?!\d)")
_WORD = re.compile(r"[^\W_]+")
_SECTION_NUMBER = re.compile(r"^[\W_]*(?:\d+[.)]?)+\s+")
_BARE_NUMBER = re.compile(r"^\W*(?:the\s+)?(\d{1,3}(?:\.\d+)+)\b")
_ARTICLES = frozenset(
    re.findall(
        r"\w+",
        "a an the all any this that our of from dated and in der die das den des dem vom von aller alle und"
        " le la les l de du des d toute toutes el los las del al todas todos il lo gli i di della dei delle tutte het"
        " een van deze o os as do da dos das",
    )
)
_VERSION_WORDS = frozenset(
    re.findall(
        r"\w+",
        "version versions edition revision issue document page pages valid fassung ausgabe auflage stand gültig"
        " archive archived archiv old older alt alte alten previous earlier former prior superseded withdrawn obsolete"
        " outdated draft final copy new frühere früheren vorherige bisherige précédente ancienne entwurf"
        " versión versiones edición revisión anterior anteriores antigua antiguo vigente válida válido válidos borrador"
        " versione versioni edizione revisione precedente precedenti valido valida bozza versie versies editie uitgave"
        " vorige eerdere oude geldig versão versões edição antiga antigo rascunho",
    )
)
"""Words that tell which version is meant, not which document."""
_GLUED_NUMBER = re.compile(r"(?<=[^\W\d_]{3})\d{1,2}$")
"""The version in "isp4" and "policy26"; that of "pl2" may be a product."""
_KIND = re.compile(
    r"\b(?:polic(?:y|ies)|guidelines?|guides?|manuals?|handbooks?|price ?lists?|tariffs?|terms|conditions|rules"
    r"|regulations?|procedures?|instructions?|code of conduct|standards?|catalogu?e)\b"
    r"|(?:richtlinien?|handbuch|preisliste|ordnung|leitfaden|anleitung|bedingungen|anweisung|merkblatt|katalog)\b"
    r"|betriebsvereinbarung|\b(?:politique|manuel|tarifs?|règlement|directives?|procédure|liste de prix)\b"
    r"|\b(?:políticas?|normas?|normativa|reglamento|regulamento|guías?|guia|tarifas|condici?ones|condições"
    r"|procedimientos?|procedimentos?|instrucciones|instruções|catálogo|(?:lista|tabela) de pre(?:cios|ços)|preçário)\b"
    r"|\b(?:politica|regolamento|manuale|guida|listino|condizioni|procedura|istruzioni|tariffario|linee guida)\b"
    r"|(?:regeling|reglement|handleiding|handboek|prijslijst|voorwaarden|richtlijn(?:en)?|beleid)\b"
)
_SIBLING = re.compile(
    r"\b(?:reports?|minutes|meetings?|incidents?|invoices?|newsletters?|release notes|changelog|bulletins?|review"
    r"|survey|statements?|10 ?[kq]|rapport|compte rendu|procès verbal|facture|acta|informe|factura|boletín|verbale"
    r"|relazione|fattura|notulen|nieuwsbrief|factuur|ata|relatório|fatura|boletim)\b"
    r"|(?:bericht|protokoll|rechnung|abschluss|rundbrief|verslag)\b"
)
_ABOUT = re.compile(r"\s+(?:of|on|for|about|zum?|zur|über|sur|du|del?|sobre|di|del?l[ao]|sul|van|over|d[ao])\b")


@dataclass(frozen=True, slots=True)
class Statement:
    """What a document says to replace or to be replaced by: the words, versions and dates that name it.

    All are empty for "all earlier versions". is_newer: the document that says it is the newer one. is_quoted: it names
    a title in quotes.
    """

    words: frozenset[str]
    numbers: tuple[Number, ...]
    periods: tuple[Period, ...]
    is_newer: bool
    is_quoted: bool


@dataclass(frozen=True)
class Version:
    """One document as a version of something; what is costly to read is read on first use, for few documents."""

    outline: Outline

    @property
    def id(self) -> str:
        return self.outline.document.id

    @property
    def name(self) -> str:
        return self.outline.document.name

    @property
    def title(self) -> str:
        return self.outline.document.title

    @cached_property
    def subject(self) -> str:
        """The title without version and date; a family shares it."""
        return subject_of(self.title)

    @cached_property
    def scope(self) -> frozenset[str]:
        """Words of path and file name that are not in the title."""
        words = frozenset(_GLUED_NUMBER.sub("", word) for word in subject_of(self._path).split())
        return words - frozenset(_words(self.title)) - _VERSION_WORDS

    @cached_property
    def number(self) -> Number | None:
        """The stated version."""
        return next(iter(numbers_in(self.title) or numbers_in(self._path)), None) or _number_of(self.outline.opening)

    @cached_property
    def since(self) -> date | None:
        """The stated first day of validity, else that of the period in title or name."""
        for match in _EFFECTIVE.finditer(self.outline.opening):
            following = self.outline.opening[match.end() : match.end() + _DATE_CHARACTERS]
            if (periods := periods_in(following)) and not _UNTIL.match(following):
                return periods[0][0]
        periods = periods_in(self.title) or periods_in(self._path)
        return periods[-1][0] if periods else None

    @cached_property
    def headings(self) -> frozenset[str]:
        """Headings without numbers, versions and dates."""
        return frozenset(map(plain_heading, self.outline.headings)) - {"", self.subject}

    @cached_property
    def identifiers(self) -> frozenset[str]:
        """Codes in the opening without years, such as part numbers."""
        return frozenset(_YEAR.sub("", term.casefold()) for term in exact_terms(self.outline.opening))

    @cached_property
    def statements(self) -> tuple[Statement, ...]:
        """What the opening says of documents that it replaces or that replace it."""
        return tuple(_statements(self.outline.opening))

    @property
    def _path(self) -> str:
        """Folders and file name without ending."""
        return self.name.removesuffix(PurePosixPath(self.name).suffix).replace("/", " ").replace("_", " ")

    @cached_property
    def words(self) -> frozenset[str]:
        """Words of the subject that tell documents apart."""
        return _telling(self.subject)

    @cached_property
    def is_sibling(self) -> bool:
        """Whether the title names a report, minutes or the like; these are never versions."""
        return not self.is_replaceable and _SIBLING.search(self.subject) is not None

    @cached_property
    def is_replaceable(self) -> bool:
        """Whether the title names a policy, manual, price list or the like, rather than a report or minutes."""
        kinds = list(_KIND.finditer(self.subject))
        siblings = list(_SIBLING.finditer(self.subject))
        if not kinds or not siblings:
            return bool(kinds)
        about = any(_ABOUT.match(self.subject, sibling.end()) for sibling in siblings)
        return kinds[-1].end() == len(self.subject) and not about  # such as "incident policy", not "report on rules"

    @property
    def label(self) -> str:
        """What tells it from the others of its family: year, version, or file name."""
        if years := _YEAR.findall(self.title) or _YEAR.findall(self.name):
            return str(years[-1])
        if self.number:
            return f"version {'.'.join(map(str, self.number))}"
        return str(self.since.year) if self.since else PurePosixPath(self.name).name

    @property
    def full_name(self) -> str:
        """Title, with the label unless the title has it."""
        return self.title if self.label in self.title else f"{self.title} ({self.label})"

    def is_newer_than(self, other: Version) -> bool | None:
        """Return whether version and day make it newer; None if they do not tell, or contradict each other."""
        newer = []
        if self.number and other.number and self.number != other.number:
            newer.append(self.number > other.number)
        if self.since and other.since and self.since != other.since:
            newer.append(self.since > other.since)
        return newer[0] if len(set(newer)) == 1 else None


def subject_of(title: str) -> str:
    """Return the words of a title without version and dates: "Price list 2025, v2" is "price list"."""
    return " ".join(_words(without_dates(_NUMBER.sub(" ", title))))


def _telling(text: str) -> frozenset[str]:
    """Return the words that tell which document is meant, whatever its version."""
    return frozenset(subject_of(text).split()) - _ARTICLES - _VERSION_WORDS


def plain_heading(heading: str) -> str:
    """Return the words of a heading without its number, version and dates."""
    return subject_of(_SECTION_NUMBER.sub("", heading))


def numbers_in(text: str) -> list[Number]:
    """Return the versions that a text names."""
    return [_as_number(match[1] or match[2]) for match in _NUMBER.finditer(text)]


def _number_of(opening: str) -> Number | None:
    """Return the first version in an opening that is not of a document that replaces it or is replaced."""
    rest = opening
    for match in reversed([*_REPLACES.finditer(opening), *_REPLACED.finditer(opening)]):
        rest = rest[: match.start()] + rest[match.start() + len(_statement_at(opening, match.end())) :]
    return next(iter(numbers_in(rest)), None)


def _as_number(text: str) -> Number:
    parts = [int(part) for part in text.split(".")]
    while len(parts) > 1 and parts[-1] == 0:
        parts.pop()
    return tuple(parts)


def _statements(opening: str) -> Iterator[Statement]:
    if not _HINT.search(opening):  # much quicker
        return
    for pattern, is_newer in ((_REPLACES, True), (_REPLACED, False)):
        for match in pattern.finditer(opening):
            text = _statement_at(opening, match.end())
            quoted = _QUOTED.findall(text)
            for part in dict.fromkeys([*quoted, text, *_NEXT_PART.split(text)]):
                bare = _BARE_NUMBER.match(part)
                numbers = [*numbers_in(part), *([_as_number(bare[1])] if bare else [])]
                rest = part[bare.end() :] if bare else part
                statement = Statement(_telling(rest), tuple(numbers), tuple(periods_in(rest)), is_newer, part in quoted)
                if statement.words or numbers or statement.periods or _EARLIER.search(part):
                    yield statement


def _statement_at(opening: str, start: int) -> str:
    """Return the rest of the sentence or table cell."""
    text = opening[start : start + _MAX_STATEMENT]
    end = _END.search(text)
    return re.sub(r"\s+", " ", text[: end.start()] if end else text)


def _words(text: str) -> list[str]:
    return _WORD.findall(text.casefold())
