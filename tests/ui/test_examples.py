from __future__ import annotations

from datetime import UTC, datetime

from app.translation import Language
from app.ui.ask.examples import example_questions
from ingest.chunk import Chunk
from ingest.listing import StoredDocument
from tests.app.builders import make_chunk


def examples(*documents: list[Chunk], language: Language = "en") -> list[str]:
    stored = [
        StoredDocument(str(n), chunks[0].document, chunks[0].title, "", "", None, len(chunks), datetime.now(UTC))
        for n, chunks in enumerate(documents)
    ]
    return example_questions(stored, lambda document_id: documents[int(document_id)], language)


def section(heading: str, text: str = "Some text.", title: str = "Travel policy") -> Chunk:
    return make_chunk(text, title=title, headings=(heading,))


def test_a_heading_that_is_a_question_comes_first() -> None:
    faq = [section("General"), section("3.2 How do I reset my badge?")]
    assert examples([section("Hotels")], faq) == [
        "How do I reset my badge?",
        "What does “Travel policy” say about “Hotels”?",
    ]


def test_a_heading_that_repeats_the_title_is_no_topic() -> None:
    assert examples([section("Policy"), section("Hotels")]) == ["What does “Travel policy” say about “Hotels”?"]


def test_a_heading_of_several_words_is_a_better_topic_than_a_short_one() -> None:
    headings = ["In short", "Who may exceed the cap", "How to book a hotel"]
    asked = examples([section(heading) for heading in headings])
    assert asked == ["What does “Travel policy” say about “Who may exceed the cap”?"]


def test_numbers_and_sentences_are_no_topics() -> None:
    headings = ["2026", "This heading is a whole sentence, which goes on and on and on."]
    assert examples([section(heading) for heading in headings]) == ["What is “Travel policy” about?"]


def test_three_examples_come_from_all_over_many_documents_without_reading_them_all() -> None:
    documents = [[section("Costs", title=f"Policy {number}")] for number in range(1000)]
    read: list[str] = []
    stored = [StoredDocument(str(n), "", "", "", "", None, 1, datetime.now(UTC)) for n in range(1000)]

    def chunks_of(document_id: str) -> list[Chunk]:
        read.append(document_id)
        return documents[int(document_id)]

    assert example_questions(stored, chunks_of)[0] == "What does “Policy 0” say about “Costs”?"
    assert len(read) == 12
    assert int(read[-1]) > 800


def test_a_document_without_passages_gives_no_example() -> None:
    stored = StoredDocument("a", "a.md", "A", "", "", None, 0, datetime.now(UTC))
    assert example_questions([stored], lambda _: []) == []


def test_a_document_in_another_language_is_asked_about_without_words_of_the_page() -> None:
    english = [section("Who may exceed the cap", "The cap is the limit of the budget.")]
    german = [section("Wer mehr ausgeben darf", "Die Grenze ist der Betrag.", "Reisen")]
    untold = [section("", "The cap is not for you.", "Caps")]
    assert examples(english, german, untold, language="de") == [
        "Travel policy: Who may exceed the cap",
        "What does “Reisen” say about “Wer mehr ausgeben darf”?",  # in German on a page
        "Caps",
    ]
    assert examples(german) == ["Reisen: Wer mehr ausgeben darf"]
