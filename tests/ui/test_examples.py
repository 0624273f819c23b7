from __future__ import annotations

from datetime import UTC, datetime

from app.ui.ask.examples import example_questions
from ingest.chunk import Chunk
from ingest.listing import StoredDocument
from tests.app.builders import make_chunk


def examples(*documents: list[Chunk]) -> list[str]:
    stored = [
        StoredDocument(str(n), chunks[0].document, chunks[0].title, "", "", None, len(chunks), datetime.now(UTC))
        for n, chunks in enumerate(documents)
    ]
    return example_questions(stored, lambda document_id: documents[int(document_id)])


def section(heading: str, text: str = "Some text.", title: str = "Travel policy") -> Chunk:
    return make_chunk(text, title=title, headings=(heading,))


def test_a_heading_that_is_a_question_comes_first() -> None:
    faq = [section("General"), section("3.2 How do I reset my badge?")]
    assert examples([section("Hotels")], faq) == [
        "How do I reset my badge?",
        "Travel policy: Hotels",
    ]


def test_a_heading_that_repeats_the_title_is_no_topic() -> None:
    assert examples([section("Policy"), section("Hotels")]) == ["Travel policy: Hotels"]


def test_a_heading_of_several_words_is_a_better_topic_than_a_short_one() -> None:
    headings = ["In short", "Who may exceed the cap", "How to book a hotel"]
    asked = examples([section(heading) for heading in headings])
    assert asked == ["Travel policy: Who may exceed the cap"]


def test_numbers_and_sentences_are_no_topics() -> None:
    headings = ["2026", "This heading is a whole sentence, which goes on and on and on."]
    assert examples([section(heading) for heading in headings]) == ["Travel policy"]


def test_three_examples_come_from_all_over_many_documents_without_reading_them_all() -> None:
    documents = [[section("Costs", title=f"Policy {number}")] for number in range(1000)]
    read: list[str] = []
    stored = [StoredDocument(str(n), "", "", "", "", None, 1, datetime.now(UTC)) for n in range(1000)]

    def chunks_of(document_id: str) -> list[Chunk]:
        read.append(document_id)
        return documents[int(document_id)]

    assert example_questions(stored, chunks_of)[0] == "Policy 0: Costs"
    assert len(read) == 12
    assert int(read[-1]) > 800


def test_a_document_without_passages_gives_no_example() -> None:
    stored = StoredDocument("a", "a.md", "A", "", "", None, 0, datetime.now(UTC))
    assert example_questions([stored], lambda _: []) == []
