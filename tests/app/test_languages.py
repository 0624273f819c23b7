"""What is known by its words is known in Spanish, Italian, Dutch and Portuguese, too."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from app.answer.blocks import split_sentences
from app.answer.question import asked_value, asks_for_steps, parts_of
from app.memory.wording import Wording
from app.search.dates import asked_periods, asks_for_latest, periods_in
from app.search.follow_up import is_follow_up, is_small_talk, rewrite
from app.search.spelling import Spelling
from app.search.words.versions import ASKS_FOR_EARLIER
from ingest.embed.embedder import MULTILINGUAL_EMBEDDER
from ingest.table import ChunkTable
from tests.app.test_families import names, version
from tests.app.test_spelling import put
from tests.conftest import FakeEmbedder


@pytest.mark.parametrize(
    "question",
    [
        "¿y para los becarios?",
        "¿también para los becarios?",
        "no, me refería al tren",
        "¿solo para fijos?",
        "¿quién lo paga?",
        "o en Madrid?",
        "e per gli stagisti?",
        "e i primari?",
        "ma per i soci?",
        "no, intendevo il treno",
        "chi lo paga?",
        "en voor stagiairs?",
        "hoe zit het met stagiairs?",
        "nee, ik bedoelde de trein",
        "alleen voor managers?",
        "wie betaalt dat?",
        "maar in België?",
        "geldt dat ook voor stagiairs?",
        "e as chefias?",
        "mas no Porto?",
        "só para chefias?",
        "quem o paga?",
        "wer bezahlt das?",
        "qui le paie ?",
    ],
)
def test_a_follow_up_is_known_by_its_opening(question: str) -> None:
    assert is_follow_up(question)


@pytest.mark.parametrize(
    "question",
    [
        "O que acontece se perder o cartão?",
        "o prazo de entrega é de quantos dias?",
        "o posso usare la macchina mia?",
        "Ma prime est-elle imposée ?",
        "En cas de maladie, qui dois-je prévenir ?",
        "En qué casos puedo viajar en primera?",
        "E-mail dell'ufficio paghe",
        "¿Dónde está la salida de emergencia?",
        "Chi firma gli anticipi?",
        "Wie tekent de voorschotten?",
        "Quem assina os adiantamentos?",
    ],
)
def test_a_word_that_opens_follow_ups_in_another_language_opens_none_here(question: str) -> None:
    assert not is_follow_up(question)


@pytest.mark.parametrize(
    "text",
    [
        "muchas gracias, hasta luego",
        "hola, buenos días",
        "¡gracias!",
        "vale, gracias",
        "grazie mille, buona giornata!",
        "va bene, grazie",
        "bedankt, fijne dag!",
        "oké, dank je wel",
        "muito obrigada, até amanhã!",
        "olá, bom dia",
        "guten Tag",
        "bonjour, merci beaucoup",
    ],
)
def test_thanks_and_greetings_ask_nothing(text: str) -> None:
    assert is_small_talk(text)
    assert rewrite(text, ["How many days do I get?"]) == text


@pytest.mark.parametrize("text", ["hola, ¿cuántos días tengo?", "vale", "vale de comida", "buon pasto", "oliva"])
def test_a_word_that_is_no_greeting_is_searched(text: str) -> None:
    assert not is_small_talk(text)


class RareWords(FakeEmbedder):
    """Reads every word in several pieces."""

    def count_tokens(self, text: str) -> int:
        return 2 * len(text.split())


FIRST_OF_MARCH = date(2025, 3, 1), date(2025, 3, 1)


@pytest.mark.parametrize(
    "text",
    [
        "a partir del 1 de marzo de 2025",
        "1 de marzo del 2025",
        "1º de marzo de 2025",
        "1° marzo 2025",
        "vanaf 1 maart 2025",
        "a 1 de março de 2025",
        "1.º de março de 2025",
        "le 1er mars 2025",
    ],
)
def test_a_day_is_read_in_each_language(text: str) -> None:
    assert periods_in(text) == [FIRST_OF_MARCH]


def test_hours_and_kilometers_are_no_years() -> None:
    assert periods_in("2000 horas, 2000 ore, 2000 uur, 2000 heures, 2020 kilómetros") == []


@pytest.mark.parametrize(
    "question",
    ["después de marzo de 2025", "dopo marzo 2025", "na maart 2025", "depois de março de 2025", "nach März 2025"],
)
def test_after_a_month_begins_with_the_next_one(question: str) -> None:
    assert asked_periods(question) == [(date(2025, 4, 1), date.max)]


@pytest.mark.parametrize("question", ["antes de 2024", "prima del 2024", "voor 2024", "avant 2024"])
def test_before_a_year_ends_with_the_last_one(question: str) -> None:
    assert asked_periods(question) == [(date.min, date(2023, 12, 31))]


@pytest.mark.parametrize(
    "question", ["hasta marzo de 2025", "fino a marzo 2025", "tot maart 2025", "até março de 2025"]
)
def test_until_a_month_includes_it(question: str) -> None:
    assert asked_periods(question) == [(date.min, date(2025, 3, 31))]


@pytest.mark.parametrize(
    "question",
    [
        "la última acta",
        "el acta más reciente",
        "il verbale più recente",
        "l'ultima riunione",
        "de nieuwste notulen",
        "de laatste vergadering",
        "a ata mais recente",
        "le plus récent compte rendu",
    ],
)
def test_the_latest_is_asked_for(question: str) -> None:
    assert asks_for_latest(question)


@pytest.mark.parametrize(
    "sentence",
    [
        "Dña. Carmen firma, p. ej. para ferias.",
        "Gli anticipi li firma il dott. Bassi, ad es. per le fiere.",
        "Decidono l'ing. Neri e l'avv. Gialli.",
        "Voorschotten tekent dhr. De Wit, bijv. voor beurzen.",
        "Mevr. Smit tekent.",
        "Nos termos do art. 5.º do contrato a roupa é grátis.",
        "A decisão é do Eng. Costa.",
    ],
)
def test_an_abbreviation_ends_no_sentence(sentence: str) -> None:
    assert split_sentences(f"{sentence} Lorem ipsum.") == [sentence, "Lorem ipsum."]


@pytest.mark.parametrize(
    ("question", "value", "other"),
    [
        ("¿Cuánto cuesta el aparcamiento?", "Son 1.250,50 €.", "Está detrás del almacén."),
        ("¿Cuál es el teléfono del almacén?", "976 555 134", "Está cerrado."),
        ("¿Cuántas sedes hay?", "Hay dos sedes.", "Las sedes están cerca."),
        ("Quanto costa il parcheggio?", "Costa 30 centesimi.", "Si trova a nord."),
        ("Qual è il numero di telefono?", "051 555 134", "Si chiama in portineria."),
        ("Quanti giorni ho?", "Sono dieci.", "I giorni si chiedono prima."),
        ("Wat kost parkeren?", "Parkeren is gratis.", "Parkeren is verboden."),
        ("Hoeveel dagen heb ik?", "Het zijn er twintig.", "Verlof vraag je aan."),
        ("Quanto custa o parque?", "São 3 euros.", "Fica no piso B."),
        ("Quantos dias tenho?", "São vinte e dois.", "Os dias pedem-se antes."),
        ("Wie viel kostet das?", "30 Euro.", "Das ist verboten."),
    ],
)
def test_a_question_asks_for_a_kind_of_value(question: str, value: str, other: str) -> None:
    asked = asked_value(question)
    assert asked
    assert asked.form.search(value)
    assert not asked.form.search(other)


@pytest.mark.parametrize(
    "question",
    [
        "¿Cuántos días tengo y quién los aprueba?",
        "Quanti giorni ho e chi li approva?",
        "Hoeveel dagen heb ik en wie keurt ze goed?",
        "Quantos dias tenho e quem os aprova?",
    ],
)
def test_a_question_has_two_parts(question: str) -> None:
    assert len(parts_of(question)) == 2


def test_a_french_preposition_joins_no_questions() -> None:
    question = "Combien de jours ai-je en quelle année ?"
    assert parts_of(question) == [question]


@pytest.mark.parametrize(
    "question",
    ["¿Cómo se limpia el horno?", "Come si pulisce il forno?", "Hoe maak ik de oven schoon?", "Como se limpa o forno?"],
)
def test_steps_are_asked_for(question: str) -> None:
    assert asks_for_steps(question)


@pytest.mark.parametrize(
    ("title", "replaces", "older"),
    [
        (
            "Política de viajes",
            "Vigente a partir del 1 de marzo de 2025. Sustituye a la versión de 2023.",
            "Vigente desde",
        ),
        ("Regolamento trasferte", "Valido dal 1° marzo 2025. Sostituisce la versione del 2023.", "In vigore dal"),
        ("Reisregeling", "Geldt vanaf 1 maart 2025 en vervangt de versie van 2023.", "Geldig vanaf"),
        ("Política de viagens", "Válida a partir de 1 de março de 2025. Substitui a versão de 2023.", "Em vigor desde"),
    ],
)
def test_a_document_says_what_it_replaces(title: str, replaces: str, older: str) -> None:
    newer = version("new.md", title, replaces, ())
    assert names(newer, version("old.md", title, f"{older} 2023.", ())) == [["new.md", "old.md"]]


@pytest.mark.parametrize(
    ("title", "others"),
    [
        ("Lista de precios {}", "Acta de la reunión {}"),
        ("Listino prezzi {}", "Verbale della riunione {}"),
        ("Prijslijst {}", "Notulen van de vergadering {}"),
        ("Tabela de preços {}", "Ata da reunião {}"),
    ],
)
def test_a_price_list_is_replaced_and_minutes_are_not(title: str, others: str) -> None:
    both = [
        version(f"{kind}{year}.md", text.format(year))
        for kind, text in (("list", title), ("minutes", others))
        for year in (2024, 2025)
    ]
    assert names(*both) == [["list2025.md", "list2024.md"]]


@pytest.mark.parametrize(("embedder_name", "searched"), [(MULTILINGUAL_EMBEDDER, "sedes"), ("fake", "sendes")])
def test_a_word_of_a_language_that_is_read_is_no_slip(embedder_name: str, searched: str, home: Path) -> None:
    embedder = RareWords()
    table = ChunkTable(home, embedder)
    put(table, embedder, "Cuantas sendes tiene la empresa: sendes y sendes.", "empresa.md")
    embedder.name = embedder_name
    question = "cuantas sedes tiene la empresa"
    assert Spelling().correct(question, table, embedder) == question.replace("sedes", searched)


def test_a_negation_changes_what_is_asked() -> None:
    for one in ("¿Puedo viajar sin permiso?", "Posso viaggiare senza permesso?", "Mag ik niet reizen?"):
        assert Wording.of(one).negated


@pytest.mark.parametrize(
    "question",
    [
        "How do I reach Dan?",
        "No show fee for hotels",
        "per diem rates in Denver",
        "A co-worker shouts at people, where can victims complain?",
        "Ed Miller lost the badge of the Denver office",
    ],
)
def test_an_english_question_is_no_follow_up_for_a_word_of_another_language(question: str) -> None:
    assert not is_follow_up(question)


@pytest.mark.parametrize("question", ["What should I do if I lose my badge?", "how can i do that when i am abroad?"])
def test_the_english_i_joins_no_questions(question: str) -> None:
    assert parts_of(question) == [question]


def test_english_words_keep_their_meaning_beside_those_of_other_languages() -> None:
    assert asked_periods("Why do the 2022 accounts differ?") == [(date(2022, 1, 1), date(2022, 12, 31))]
    assert split_sentences("The light is red. Press the button.") == ["The light is red.", "Press the button."]
    assert not ASKS_FOR_EARLIER.search("When do I start using the price list?")
    assert Wording.of("Is my son insured?") != Wording.of("Am I insured?")
    newer = version("new.md", "E-mail policy 2025", "This replaces the e-mail policy of 2023.", ())
    assert names(newer, version("old.md", "Mail policy 2023", "", ())) == []
