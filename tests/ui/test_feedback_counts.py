from __future__ import annotations

from app.feedback import Judgement
from app.feedback.rules import LabeledPassage, label
from app.training.labels.from_feedback import questions_needed
from app.ui.feedback.counts import by_origin, questions_of


def passage(text: str, relevant: bool | None = None, **said: object) -> LabeledPassage:
    return LabeledPassage(question="q?", text=text, relevant=relevant, **said)  # type: ignore[arg-type]


def test_labels_are_counted_by_where_they_come_from() -> None:
    judged = [
        Judgement(user="ann", question="q?", label="relevant", text="one"),
        Judgement(user="ann", question="q?", label="left out", text="two"),
        Judgement(user="ann", question="q?", label="not relevant", text="three", origin="imported from a.csv"),
        Judgement(user="ann", question="q?", label="left out", text="four", origin="imported from a.csv"),
        Judgement(user="ann", question="q?", label="relevant", text="five", origin="imported from labels (1)"),
        Judgement(user="ann", question="q?", label="left out", text="six", origin="imported from labels (1)"),
    ]
    people = [
        passage("a", False, struck_by=("ann", "ben")),
        passage("b", True, kept_by=("ann",)),
        passage("d", None, origin="users contradict each other"),
    ]
    assert {origin: dict(counts) for origin, counts in by_origin([*label([], judged), *people]).items()} == {
        "decided by a curator": {"answers": 1, "not used": 1},
        "imported from a.csv": {"does not answer": 1, "not used": 1},
        "imported from labels (1)": {"answers": 1, "not used": 1},
        "struck out by people": {"does not answer": 1},
        "kept by people": {"answers": 1},
        "users contradict each other": {"not used": 1},
    }


def test_to_decide_a_contradiction_does_not_move_it() -> None:
    calm, disputed = passage("a", True), passage("b", None, struck_by=("ann",), kept_by=("ben",))
    (open_one,) = questions_of([calm, disputed])
    decided = passage("b", True, struck_by=("ann",), kept_by=("ben",), judged_by="cleo")
    (closed,) = questions_of([calm, decided])
    assert [each.text for each in open_one.passages] == [each.text for each in closed.passages] == ["b", "a"]
    assert (open_one.is_contradicted, closed.is_contradicted) == (True, False)


def test_each_part_of_the_questions_must_be_large_enough() -> None:
    assert questions_needed() == 67
