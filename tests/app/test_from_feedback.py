"""From labelled passages to examples: what is used, what is mined, what is missing, and where each comes from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from app.feedback.rules import LabeledPassage, decided
from app.training.labels.from_feedback import feedback_examples, readiness, replay_examples
from ingest.chunk import Chunk
from ingest.pipeline import ingest
from ingest.table import ChunkTable
from tests.conftest import FakeEmbedder

pytestmark = pytest.mark.slow

NUM_NEGATIVES = 5


@pytest.fixture
def items(tmp_path: Path) -> ChunkTable:
    """Sixty documents of a few sentences, each about its own item, all about colours."""
    folder = tmp_path / "items"
    folder.mkdir()
    for number in range(60):
        (folder / f"item-{number}.md").write_text(
            f"# Item{number}\n\nThe colour of every item{number} is colour{number} in the usual light of the day.\n"
            f"Nobody paints item{number} in another colour without asking the painter{number} before.\n"
        )
    table = ChunkTable(tmp_path / "home", FakeEmbedder())
    list(ingest([folder], table, FakeEmbedder()))
    return table


def chunk_of(table: ChunkTable, number: int) -> Chunk:
    document = next(each for each in table.documents() if each.name == f"item-{number}.md")
    return table.chunks_of(document.id)[0]


def labelled(
    table: ChunkTable, item: int, *, about: int | None = None, relevant: bool | None = True, **changes: object
) -> LabeledPassage:
    """The passage of an item, judged for the question about it or about another one."""
    chunk, about = chunk_of(table, item), item if about is None else about
    question = f"word{about} colour of item{about} thing{about}?"
    given = {"rank": 1, "relevant": relevant, "weight": 0.3 if relevant else 0.7, "origin": "kept by 1"} | changes
    return LabeledPassage(question=question, **asdict(chunk.ref), **given)  # type: ignore[arg-type]  # by name


def examples_of(table: ChunkTable, labels: Sequence[LabeledPassage], seed: int = 0):  # type: ignore[no-untyped-def]
    found = feedback_examples(labels, table, FakeEmbedder(), table.home, NUM_NEGATIVES, seed)
    return (*found.train, *found.validation)


def test_struck_out_passages_come_first_then_mined_and_random_ones(items: ChunkTable) -> None:
    labels = [
        each for n in range(12) for each in (labelled(items, n), labelled(items, n + 20, about=n, relevant=False))
    ]
    examples = examples_of(items, labels)
    assert examples
    for example in examples:
        number = next(n for n in range(12) if labels[2 * n].question == example.query)
        assert example.positive == chunk_of(items, number).passage
        assert example.negatives[0] == chunk_of(items, number + 20).passage
        assert len(example.negatives) == NUM_NEGATIVES
        assert example.positive not in example.negatives
        assert example.weight == pytest.approx(0.7)
        assert example.evidence == "kept by 1; 1 struck out, 3 mined, 1 random"


def test_kept_alone_weighs_little(items: ChunkTable) -> None:
    assert {each.weight for each in examples_of(items, [labelled(items, n) for n in range(12)])} == {0.3}


def test_who_says_too_much_neither_answers_nor_strikes_out_with_full_weight(items: ChunkTable) -> None:
    capped = [labelled(items, n, weight=0.01, kept_by=("mallory",)) for n in range(12)]
    capped += [labelled(items, n + 20, about=n, relevant=False, struck_by=("ann", "bob")) for n in range(12)]
    assert all(each.weight == pytest.approx(0.7 * 0.01 / 0.3) for each in examples_of(items, capped))
    judged = [labelled(items, n, weight=1.0, judged_by="curator") for n in range(12)]
    judged += [labelled(items, n + 20, about=n, relevant=False, weight=0.05, struck_by=("mallory",)) for n in range(12)]
    for example in examples_of(items, judged):
        assert example.weight == 1.0
        assert example.evidence == "kept by 1; 0 struck out, 4 mined, 1 random"
        struck = next(each for each in judged[12:] if each.question == example.query)
        assert struck.passage not in example.negatives


def test_the_evidence_says_what_was_used(items: ChunkTable) -> None:
    labels = [labelled(items, n) for n in range(12)]
    labels += [labelled(items, n + place, about=n, relevant=False) for n in range(12) for place in range(20, 27)]
    assert {each.evidence for each in examples_of(items, labels)} == {"kept by 1; 5 struck out, 0 mined, 0 random"}


def test_in_a_few_documents_no_passage_is_its_own_negative(tmp_path: Path) -> None:
    folder = tmp_path / "few"
    folder.mkdir()
    for number in range(3):
        (folder / f"item-{number}.md").write_text(f"# Item{number}\n\nThe colour of item{number} is colour{number}.\n")
    table = ChunkTable(tmp_path / "home", FakeEmbedder())
    list(ingest([folder], table, FakeEmbedder()))
    labels = [replace(labelled(table, n % 3), question=f"word{n} item{n % 3} thing{n} what{n}?") for n in range(60)]
    for seed in range(5):
        for example in examples_of(table, labels, seed):
            assert example.positive not in example.negatives


def test_a_question_without_a_passage_that_answers_gives_no_example(items: ChunkTable) -> None:
    labels = [labelled(items, n + 20, about=n, relevant=False) for n in range(12)]
    assert examples_of(items, labels) == ()


def test_of_several_that_were_kept_the_first_shown_is_taken_and_of_a_curators_two(items: ChunkTable) -> None:
    kept = [labelled(items, n + 20 * place, about=n, rank=3 - place) for n in range(12) for place in (0, 1)]
    assert {each.positive for each in examples_of(items, kept)} <= {chunk_of(items, n + 20).passage for n in range(12)}
    table_of = [labelled(items, n, weight=1.0, judged_by="curator") for n in range(12)]
    table_of += [labelled(items, n + 20, about=n, weight=1.0, judged_by="curator") for n in range(12)]
    assert len(examples_of(items, table_of)) == 2 * len({each.query for each in examples_of(items, table_of)})


def test_questions_of_the_gate_are_not_trained_on(items: ChunkTable) -> None:
    labels = [labelled(items, n) for n in range(30)]
    found = feedback_examples(labels, items, FakeEmbedder(), items.home, NUM_NEGATIVES, 0)
    trained_on = {each.query for each in (*found.train, *found.validation)}
    assert found.gate
    assert not trained_on & set(found.gate)
    assert trained_on | set(found.gate) == {each.question for each in labels}


def test_the_same_seed_gives_the_same_examples(items: ChunkTable) -> None:
    labels = [labelled(items, n) for n in range(12)]
    assert examples_of(items, labels, 1) == examples_of(items, labels, 1)


def test_what_nobody_agrees_on_is_not_used(items: ChunkTable) -> None:
    labels = [labelled(items, 1), labelled(items, 2, about=1, relevant=None, weight=0.0)]
    assert decided(labels) == {labels[0].question: [labels[0]]}


def test_readiness_counts_and_says_what_is_missing(items: ChunkTable) -> None:
    labels = [
        labelled(items, 1, kept_by=("ann",)),
        labelled(items, 2, about=1, relevant=False, struck_by=("ann", "bob")),
        labelled(items, 3, about=3, relevant=False, struck_by=("bob",)),
        labelled(items, 4, about=4, relevant=None, struck_by=("ann",), kept_by=("cid",)),
    ]
    ready = readiness(labels)
    assert (ready.num_positives, ready.num_negatives, ready.num_contradictions) == (1, 2, 1)
    assert (ready.num_questions, ready.num_without_positive, ready.num_users) == (2, 1, 3)
    assert ready.missing[0].startswith("66 more questions with an answering passage")
    assert ready.missing[1] == "an answering passage for 1 question with only struck-out sources"


def test_enough_is_enough(items: ChunkTable) -> None:
    labels = [labelled(items, n % 60, about=n) for n in range(67)]
    labels += [labelled(items, 30, about=0, relevant=False)]
    assert readiness(labels).missing == ()
    assert readiness(labels[:-1]).missing == ("at least one struck-out source",)


def test_answers_that_stand_in_no_document_cannot_compare(items: ChunkTable) -> None:
    labels = [replace(labelled(items, n % 60, about=n), chunk_id="" if n < 40 else "id") for n in range(80)]
    labels += [labelled(items, 30, about=0, relevant=False)]
    ready = readiness(labels)
    assert (ready.num_questions, ready.num_comparable) == (80, 40)
    assert ready.missing[0].startswith("27 more questions that a passage of the documents answers")


def test_replay_asks_with_a_sentence_for_its_passage_without_it(items: ChunkTable) -> None:
    replayed = replay_examples(items, FakeEmbedder(), 10, NUM_NEGATIVES, 0)
    assert len(replayed) == 10
    for example in replayed:
        assert example.query not in example.positive
        number = next(n for n in range(60) if f"item{n} " in example.query)
        assert example.positive.startswith(f"Item{number}\n")
        assert all(example.query not in negative for negative in example.negatives)


def test_a_document_that_is_removed_meanwhile_is_not_replayed(
    items: ChunkTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone, chunks_of = items.documents()[0].id, items.chunks_of
    monkeypatch.setattr(items, "chunks_of", lambda document_id: [] if document_id == gone else chunks_of(document_id))
    assert len(replay_examples(items, FakeEmbedder(), 30, NUM_NEGATIVES, 0)) == 30


def test_an_empty_table_replays_nothing(tmp_path: Path) -> None:
    assert replay_examples(ChunkTable(tmp_path, FakeEmbedder()), FakeEmbedder(), 5, 2, 0) == []
