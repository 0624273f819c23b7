from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import get_args

import pytest

from app.feedback import FeedbackStore, Judgement, Label
from app.language_model.protocol import LanguageModelError
from app.models import Models
from app.training.exchange.exports import ExportFormat
from app.training.labels.split import COMPARED, parts_of
from app.training.proposals.propose import NO_LANGUAGE_MODEL
from app.training.proposals.store import ProposalStore
from tests.app.builders import make_answer
from tests.app.conftest import Citeloop
from tests.conftest import FakeEmbedder, FakeLanguageModel

pytestmark = pytest.mark.usefixtures("fake_models")

DAYS, HOTEL, TRAINS = "Dreißig Tage.", "A hotel costs 150.", "Trains come first."


def judge(home: Path, question: str, **labels: Label) -> None:
    texts = {"days": DAYS, "hotel": HOTEL, "trains": TRAINS}
    FeedbackStore(home).judge(
        Judgement(user="eve", question=question, label=label, document="a.pdf", page=2, title="Guide", text=texts[name])
        for name, label in labels.items()
    )


@pytest.fixture
def labels(home: Path) -> None:
    """A question with one relevant and one irrelevant passage, and one that has a relevant one only."""
    judge(home, "How many days?", days="relevant", hotel="not relevant", trains="left out")
    judge(home, "Which way?", trains="relevant")


# inbox -------------------------------------------------------------------------------------------------


def test_inbox_prints_what_to_decide_next(citeloop: Citeloop, home: Path) -> None:
    assert citeloop("feedback", "inbox").stdout == "Nothing to decide\n"
    FeedbackStore(home).save_answer(replace(make_answer(), found=False), "talk", "ada")
    line = citeloop("feedback", "inbox").stdout
    assert line.startswith("  0.6  How many days? (not answered; asked once by 1 person since 20")
    (item,) = citeloop("feedback", "inbox", "--json").json
    assert (item["question"], item["num_asked"], item["trouble"]) == ("How many days?", 1, "not answered")


# list --------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("labels")
def test_list_prints_the_passages_question_by_question(citeloop: Citeloop) -> None:
    outcome = citeloop("feedback", "list")
    assert (outcome.status, outcome.stderr) == (0, "")
    assert outcome.stdout.splitlines() == [
        "How many days?",
        "  + 1.00  curator: Guide Dreißig Tage. (a.pdf, page 2)",
        "  - 1.00  curator: Guide A hotel costs 150. (a.pdf, page 2)",
        "  ? 0.00  left out (curator): Guide Trains come first. (a.pdf, page 2)",
        "Which way?",
        "  + 1.00  curator: Guide Trains come first. (a.pdf, page 2)",
        "2 relevant, 1 not relevant, 1 undecided, 0 contradicted",
    ]


@pytest.mark.usefixtures("labels")
def test_list_as_json_has_the_counts_and_every_passage(citeloop: Citeloop) -> None:
    listed = citeloop("feedback", "list", "--json").json
    passages = listed.pop("passages")
    assert listed == {"relevant": 2, "not_relevant": 1, "undecided": 1, "contradicted": 0}
    assert [(each["question"], each["text"], each["relevant"]) for each in passages] == [
        ("How many days?", DAYS, True),
        ("How many days?", HOTEL, False),
        ("How many days?", TRAINS, None),
        ("Which way?", TRAINS, True),
    ]


def test_list_counts_what_users_contradict_each_other_on(citeloop: Citeloop, home: Path) -> None:
    store = FeedbackStore(home)
    store.save_answer(make_answer(), "talk", "ada")
    (shown,) = store.conversation("talk", "ada")
    chunk_id = shown.answer.citations[0].chunk.id
    store.record(shown, chunk_id, "deleted", "ada")
    store.record(shown, chunk_id, "kept", "bob")
    assert citeloop("feedback", "list").stdout.endswith(
        "struck out by 1: Guide Thirty days. (guide.md)\n0 relevant, 1 not relevant, 0 undecided, 1 contradicted\n"
    )


def test_list_shows_the_beginning_of_a_passage_and_nothing_that_a_terminal_obeys(
    citeloop: Citeloop, home: Path
) -> None:
    text = "\x1b[31mred " + "word " * 100
    FeedbackStore(home).judge([Judgement(user="eve", question="how\x1b?", label="relevant", text=text)])
    question, line, _ = citeloop("feedback", "list").stdout.splitlines()
    assert question == "how??"
    assert line.startswith("  + 1.00  curator: ?[31mred word")
    assert line.endswith("...")
    assert len(line) < 130


def test_list_of_nothing_says_so(citeloop: Citeloop) -> None:
    assert citeloop("feedback", "list").stdout == "0 relevant, 0 not relevant, 0 undecided, 0 contradicted\n"


# export and import -------------------------------------------------------------------------------------


@pytest.mark.usefixtures("labels")
@pytest.mark.parametrize("export_format", get_args(ExportFormat))
def test_an_export_is_taken_by_another_installation_once(
    export_format: str, citeloop: Citeloop, tmp_path: Path
) -> None:
    num_labels = 2 if export_format == "triplets" else 3
    path, other = tmp_path / "exported", tmp_path / "other"
    exported = citeloop("feedback", "export", "--format", export_format, "--output", path)
    assert (exported.status, exported.stdout) == (0, "")
    imported = citeloop("feedback", "import", path, "--home", other)
    assert imported.stdout == (
        f"{num_labels} labels read, {num_labels} new, 0 already there\n"
        f"{num_labels} are of passages in no document: they only train\n"
    )
    again = citeloop("feedback", "import", path, "--home", other, "--json")
    counts = {"read": num_labels, "new": 0, "already_there": num_labels, "overruled": 0}
    assert again.json == {**counts, "in_the_documents": 0}
    listed = citeloop("feedback", "list", "--home", other, "--json").json
    assert {each["origin"] for each in listed["passages"]} == {"imported from exported"}
    assert listed["relevant"] + listed["not_relevant"] == num_labels


@pytest.mark.usefixtures("labels")
@pytest.mark.parametrize("export_format", ["triplets", "pairs"])
def test_an_export_is_printed_as_it_is_written(export_format: str, citeloop: Citeloop, tmp_path: Path) -> None:
    printed = citeloop("feedback", "export", "--format", export_format).stdout
    citeloop("feedback", "export", "--format", export_format, "--output", tmp_path / "file")
    assert printed == (tmp_path / "file").read_text(encoding="utf-8")
    assert HOTEL in printed


def test_an_export_for_training_leaves_out_what_only_compares_models(citeloop: Citeloop, home: Path) -> None:
    for number in range(30):
        judge(home, f"word{number} colour{number} thing{number}?", days="relevant")
    exported = citeloop("feedback", "export", "--format", "pairs", "--for-training").stdout
    whole = citeloop("feedback", "export", "--format", "pairs").stdout
    asked = {json.loads(line)["query"] for line in exported.splitlines()}
    parts = parts_of(sorted({json.loads(line)["query"] for line in whole.splitlines()}), home, FakeEmbedder())
    assert asked == {question for question, part in parts.items() if part not in COMPARED}
    assert 10 < len(asked) < 30
    assert citeloop("feedback", "export", "--for-training").status == 2


def test_an_export_for_training_leaves_out_what_our_own_training_does(
    citeloop: Citeloop, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = {"Which days?": "train", "Which hours?": "validation", "Which weeks?": "gate", "Whose weeks?": "left out"}
    for question in parts:
        judge(home, question, days="relevant")
    monkeypatch.setattr("app.training.labels.split.parts_of", lambda *_: parts)
    exported = citeloop("feedback", "export", "--format", "pairs", "--for-training").stdout
    assert {json.loads(line)["query"] for line in exported.splitlines()} == {"Which days?", "Which hours?"}


@pytest.mark.usefixtures("labels")
def test_questions_that_are_left_out_are_said(citeloop: Citeloop) -> None:
    assert citeloop("feedback", "export", "--format", "triplets").stderr == (
        "1 of 2 questions are left out: triplets needs both a relevant and an irrelevant passage\n"
    )
    assert citeloop("feedback", "export", "--format", "pairs").stderr == ""


@pytest.mark.integration
@pytest.mark.usefixtures("labels")
def test_a_beir_export_is_evaluated(citeloop: Citeloop, tmp_path: Path) -> None:
    citeloop("feedback", "export", "--format", "beir", "--output", tmp_path / "beir")
    outcome = citeloop("evaluate", tmp_path / "beir", "--rerankers", "none", "--json")
    assert outcome.status == 0
    assert outcome.json["num_queries"] == 2


def test_beir_wants_a_new_folder(citeloop: Citeloop, home: Path, tmp_path: Path) -> None:
    judge(home, "How many days?", days="relevant")
    outcome = citeloop("feedback", "export", "--format", "beir")
    assert outcome.status == 2
    assert "beir is a folder" in outcome.stderr
    (tmp_path / "file").touch()
    outcome = citeloop("feedback", "export", "--format", "beir", "--output", tmp_path)
    assert (outcome.status, outcome.stderr) == (
        1,
        f"error: {tmp_path} exists already; choose a new folder\n",
    )


def test_without_labels_an_export_fails_and_writes_nothing(citeloop: Citeloop, tmp_path: Path) -> None:
    outcome = citeloop("feedback", "export", "--format", "pairs", "--output", tmp_path / "pairs.jsonl")
    assert outcome.status == 1
    assert outcome.stderr == "error: there is nothing to export as pairs: no question has a labeled passage\n"
    assert not (tmp_path / "pairs.jsonl").exists()


def test_a_file_with_one_wrong_line_leaves_nothing_behind(citeloop: Citeloop, tmp_path: Path) -> None:
    path = tmp_path / "answers.csv"
    path.write_text("question,answer,label\nHow many?,Thirty.,1\nHow much?,150.,maybe\n")
    outcome = citeloop("feedback", "import", path)
    assert (outcome.status, outcome.stdout) == (1, "")
    assert outcome.stderr.startswith(f"error: {path} row 3: expected the label 1 or 0")
    assert outcome.stderr.count("\n") == 1
    assert citeloop("feedback", "list", "--json").json["passages"] == []


@pytest.mark.usefixtures("labels")
def test_a_log_is_no_file_of_labels(citeloop: Citeloop, home: Path, tmp_path: Path) -> None:
    store = FeedbackStore(home)
    store.save_answer(make_answer(), "talk", "ada")
    (shown,) = store.conversation("talk", "ada")
    store.record(shown, shown.answer.citations[0].chunk.id, "deleted", "ada")
    citeloop("feedback", "export", "--format", "log", "--output", tmp_path / "log.jsonl")
    assert [json.loads(line)["action"] for line in (tmp_path / "log.jsonl").read_text().splitlines()] == ["deleted"]
    outcome = citeloop("feedback", "import", tmp_path / "log.jsonl")
    assert outcome.status == 1
    assert "a log of events cannot be imported" in outcome.stderr


def test_what_a_curator_has_said_is_not_undone_by_importing_again(
    citeloop: Citeloop, home: Path, tmp_path: Path
) -> None:
    (tmp_path / "answers.csv").write_text(f"question,answer\nHow many days?,{DAYS}\nHow?,So.\n", encoding="utf-8")
    assert citeloop("feedback", "import", tmp_path / "answers.csv").stdout.startswith("2 labels read, 2 new, 0 already")
    judge(home, "how many days", days="not relevant")
    assert citeloop("feedback", "import", tmp_path / "answers.csv").stdout.startswith(
        "2 labels read, 0 new, 1 already there, 1 skipped because a curator decided otherwise\n"
    )
    assert citeloop("feedback", "list", "--json").json["not_relevant"] == 1


def test_what_a_curator_has_confirmed_is_not_undone_by_importing_the_opposite(
    citeloop: Citeloop, home: Path, tmp_path: Path
) -> None:
    for label, counts in (("yes", (1, 0)), ("no", (0, 1))):
        (tmp_path / "answers.csv").write_text(
            f"question,answer,label\nHow many days?,{DAYS},{label}\n", encoding="utf-8"
        )
        imported = citeloop("feedback", "import", tmp_path / "answers.csv", "--json").json
        assert (imported["new"], imported["overruled"]) == counts
        judge(home, "how many days", days="relevant")
    assert citeloop("feedback", "list", "--json").json["relevant"] == 1


def test_a_later_import_stands_over_an_earlier_one(citeloop: Citeloop, tmp_path: Path) -> None:
    for label, counted in (("yes", "relevant"), ("no", "not_relevant")):
        (tmp_path / "answers.csv").write_text(f"question,answer,label\nHow?,So.,{label}\n")
        assert citeloop("feedback", "import", tmp_path / "answers.csv", "--json").json["new"] == 1
        assert citeloop("feedback", "list", "--json").json[counted] == 1


def test_wrong_usage(citeloop: Citeloop) -> None:
    for arguments in (["import", "no such file"], ["export", "--format", "nonsense"], ["import"]):
        outcome = citeloop("feedback", *arguments)
        assert (outcome.status, outcome.stdout) == (2, "")


# propose -----------------------------------------------------------------------------------------------


HOTEL_QUESTION = "What may a hotel cost per night?"


@pytest.fixture
def writer(monkeypatch: pytest.MonkeyPatch) -> None:
    """A language model that asks about hotels, whatever it reads."""
    monkeypatch.setattr(Models, "language_model", property(lambda _: FakeLanguageModel(HOTEL_QUESTION)))


@pytest.mark.usefixtures("writer", "table")
def test_propose_prints_what_it_kept_and_counts_the_rest(citeloop: Citeloop, home: Path) -> None:
    outcome = citeloop("feedback", "propose", "--seed", "1")
    assert outcome.status == 0
    *proposed, counts = outcome.stdout.splitlines()
    assert proposed == [f"{HOTEL_QUESTION} (handbook/travel.md)"]
    assert counts.startswith("3 passages asked about, 1 questions proposed; refused: ")
    assert "until a curator accepts them" in outcome.stderr
    assert citeloop("feedback", "list", "--json").json["passages"] == []
    (kept,) = ProposalStore(home).proposals()
    assert ProposalStore(home).accept(kept.id, kept.question, "eve")
    (listed,) = citeloop("feedback", "list", "--json").json["passages"]
    assert (listed["question"], listed["origin"]) == (HOTEL_QUESTION, "proposed by fake-writer")


@pytest.mark.usefixtures("writer", "table")
def test_propose_as_json(citeloop: Citeloop) -> None:
    record = citeloop("feedback", "propose", "--count", "20", "--json").json
    assert list(record) == ["asked", "proposed", "refused", "proposals"]
    assert (record["asked"], record["proposed"], sum(record["refused"].values())) == (3, 1, 2)
    assert [each["question"] for each in record["proposals"]] == [HOTEL_QUESTION]
    assert citeloop("feedback", "propose", "--count", "1", "--json").json["asked"] == 1


@pytest.mark.usefixtures("table")
def test_propose_without_a_language_model_says_how_to_set_one(citeloop: Citeloop) -> None:
    outcome = citeloop("feedback", "propose")
    assert (outcome.status, outcome.stdout) == (1, "")
    assert outcome.stderr == f"error: {NO_LANGUAGE_MODEL}\n"


@pytest.mark.usefixtures("table")
def test_propose_says_what_it_kept_before_the_language_model_failed(
    citeloop: Citeloop, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = iter([HOTEL_QUESTION])

    class Failing(FakeLanguageModel):
        def stream(self, *_: object) -> Iterator[str]:
            for piece in written:
                yield piece
                return
            raise LanguageModelError("busy")

    failing = Failing()
    monkeypatch.setattr(Models, "language_model", property(lambda _: failing))
    outcome = citeloop("feedback", "propose", "--seed", "1")
    assert outcome.status == 1
    assert outcome.stdout.splitlines()[-1].startswith("2 passages asked about")  # one failure may be the passage's
    assert outcome.stderr.splitlines()[-1] == "error: busy"


@pytest.mark.usefixtures("fake_models")
def test_propose_without_documents_asks_nothing(citeloop: Citeloop, writer: None) -> None:
    assert citeloop("feedback", "propose").stdout == "0 passages asked about, 0 questions proposed\n"
