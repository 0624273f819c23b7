from __future__ import annotations

import pytest

from app.search.languages import FOREIGN_QUESTION, foreign_question_note
from ingest.embed.embedder import Embedder, load_embedder
from tests.conftest import FakeEmbedder

pytestmark = pytest.mark.slow

ENGLISH = ["Everybody has thirty days of leave a year.", "A trip is approved by the head of the department."]
GERMAN = ["Alle haben dreißig Urlaubstage im Jahr.", "Eine Dienstreise genehmigt die Abteilungsleitung."]


@pytest.fixture(scope="module")
def embedder() -> Embedder:
    return load_embedder()


@pytest.mark.parametrize(
    "question",
    [
        "Wie viele Urlaubstage habe ich im Jahr?",
        "Combien de jours de congé avons-nous chaque année ?",
        "¿Cuántos días de vacaciones tengo al año?",
        "年假有几天",
        "Сколько дней отпуска?",
    ],
)
def test_a_question_in_another_language_than_the_documents_is_told(question: str, embedder: Embedder) -> None:
    assert foreign_question_note(question, ENGLISH, embedder) == FOREIGN_QUESTION
    assert foreign_question_note(question, GERMAN, embedder) == ""


@pytest.mark.parametrize(
    "question",
    [
        "How many days of leave do I have?",
        "How do I diagnose acute lymphoblastic leukemia?",
        "What is the purpose of JsonAccessLog and fileNamePattern?",
        "Elternzeit Bundesurlaubsgesetz",
        "TB-3100/5 ZX-15321/5 E-47",
        "What is the β of this portfolio?",
        "",
    ],
)
def test_english_questions_names_and_codes_are_not(question: str, embedder: Embedder) -> None:
    assert foreign_question_note(question, ENGLISH, embedder) == ""


def test_nothing_is_said_of_other_embedders_or_without_passages(embedder: Embedder) -> None:
    assert foreign_question_note("Wie viele Urlaubstage habe ich im Jahr?", ENGLISH, FakeEmbedder()) == ""
    assert foreign_question_note("Wie viele Urlaubstage habe ich im Jahr?", [], embedder) == ""
