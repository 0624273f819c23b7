"""Each format written, read by the library that it is for, and taken back."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import pytest

from app.evaluation.benchmark import read_benchmark
from app.feedback import FeedbackStore, Judgement, Label, question_key
from app.feedback.rules import LabeledPassage, label
from app.training.exchange.exports import (
    MAX_TRIPLETS,
    ExchangeError,
    ExportFormat,
    export_bytes,
    needs_both,
    write_export,
)
from app.training.exchange.imports import MAX_CHARACTERS, import_labels, read_labels
from app.training.exchange.places import located
from ingest import CiteloopError
from ingest.chunk import chunk
from ingest.home.whole_folders import FolderError
from ingest.pipeline import ingest
from ingest.table import ChunkTable
from tests.app.builders import write_benchmark
from tests.conftest import FakeEmbedder

FORMATS = pytest.mark.parametrize("export_format", get_args(ExportFormat))


def labeled(question: str, text: str, relevant: bool | None, **changed: Any) -> LabeledPassage:
    passage = LabeledPassage(
        question=question,
        chunk_id="c" * 16,
        document="handbook/leave.md",
        title="Leave",
        heading="Annual > Days",
        text=text,
        relevant=relevant,
        weight=0.7,
        origin="struck out by 1",
    )
    return replace(passage, **changed)


LABELED = [
    labeled("How many days?", "Thirty.\nOr \"more\"\twith 'tabs'.", True, weight=1.0, origin="curator", page=3),
    labeled("How many days?", "# A hotel\n\n| costs | 150 |\u2028\x85 €", False),
    labeled("how  many days", "Nothing about it.", False, title="", heading="", document="a\tb\n.md"),
    labeled("How many days?", "Nobody knows.", None, weight=0.0),
    labeled("tabs\tand\nlines \u2028 🏖?", "Thirty.\nOr \"more\"\twith 'tabs'.", True),
    labeled("Only wrong ones?", "Trains first.", False),
]


def said(passages: Iterable[LabeledPassage]) -> set[tuple[str, str, bool]]:
    return {
        (question_key(each.question), each.passage, each.relevant) for each in passages if each.relevant is not None
    }


def taken(path: Path) -> set[tuple[str, str, bool]]:
    return said(label([], read_labels(path, "ada")))


def written(export_format: ExportFormat, passages: Sequence[LabeledPassage], folder: Path) -> Path:
    path = folder / f"{export_format}.json"
    write_export(export_format, passages, path)
    return path


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]


# There and back ----------------------------------------------------------------------------------------


@FORMATS
def test_what_is_exported_and_imported_says_the_same(export_format: ExportFormat, tmp_path: Path) -> None:
    kept = [
        each
        for each in LABELED
        if not needs_both(export_format) or question_key(each.question) == question_key("How many days?")
    ]
    assert said(kept)
    assert taken(written(export_format, LABELED, tmp_path)) == said(kept)


@FORMATS
def test_an_import_is_of_the_passage_that_was_labelled(export_format: ExportFormat, tmp_path: Path, home: Path) -> None:
    store = FeedbackStore(home)
    one = [
        Judgement.of(each.question, each, "relevant" if each.relevant else "not relevant", "bob")
        for each in LABELED[:2]
    ]
    assert store.judge(one) == 2
    path = written(export_format, label([], store.judgements()), tmp_path)
    assert store.judge(read_labels(path, "ada")) == 0


@FORMATS
def test_importing_twice_adds_nothing(export_format: ExportFormat, tmp_path: Path, home: Path) -> None:
    path, store = written(export_format, LABELED, tmp_path), FeedbackStore(home)
    judgements = read_labels(path, "ada")
    assert store.judge(judgements) == len(judgements) > 0
    assert store.judge(read_labels(path, "ada")) == 0
    assert {each.origin for each in store.judgements()} == {f"imported from {path.name}"}
    assert {each.user for each in store.judgements()} == {"ada"}


def test_the_place_of_a_passage_is_kept_in_a_beir_folder(tmp_path: Path) -> None:
    imported = read_labels(written("beir", LABELED[:2], tmp_path), "ada")
    assert [(each.document, each.page) for each in imported] == [("handbook/leave.md", 3), ("handbook/leave.md", None)]


@FORMATS
def test_the_bytes_to_download_are_what_is_written(export_format: ExportFormat, tmp_path: Path) -> None:
    name, content = export_bytes(export_format, LABELED)
    assert name.startswith(f"citeloop-{export_format}.")
    assert export_bytes(export_format, LABELED) == (name, content)
    if export_format != "beir":
        assert written(export_format, LABELED, tmp_path).read_bytes() == content
        return
    zipfile.ZipFile(io.BytesIO(content)).extractall(tmp_path)
    assert taken(tmp_path / "citeloop-beir") == said(LABELED)


@FORMATS
def test_nothing_labelled_is_nothing_to_export(export_format: ExportFormat, tmp_path: Path) -> None:
    with pytest.raises(ExchangeError, match=f"nothing to export as {export_format}: no question has"):
        write_export(export_format, [LABELED[3]], tmp_path / "new")
    assert not (tmp_path / "new").exists()


# As the libraries read them ----------------------------------------------------------------------------


def loaded(path: Path, folder: Path) -> Any:
    from datasets import load_dataset

    return load_dataset("json", data_files=str(path), split="train", cache_dir=str(folder / "cache"))


def test_triplets_are_the_columns_that_a_loss_takes_in_this_order(tmp_path: Path) -> None:
    from sentence_transformers.base.data_collator import BaseDataCollator

    dataset = loaded(written("triplets", LABELED, tmp_path), tmp_path)
    assert dataset.column_names == ["anchor", "positive", "negative"]
    batch = BaseDataCollator(lambda texts, **_: {"text": texts})(list(dataset))
    assert list(batch) == ["anchor_text", "positive_text", "negative_text"]
    assert batch["anchor_text"] == ["How many days?"] * 2
    assert batch["positive_text"] == [LABELED[0].passage] * 2
    assert batch["negative_text"] == [LABELED[1].passage, LABELED[2].passage]


def test_pairs_are_what_a_cross_encoder_takes_once_weight_and_origin_are_dropped(tmp_path: Path) -> None:
    from sentence_transformers.cross_encoder.data_collator import CrossEncoderDataCollator

    dataset = loaded(written("pairs", LABELED, tmp_path), tmp_path)
    assert dataset.column_names == ["query", "passage", "label", "weight", "origin"]
    batch = CrossEncoderDataCollator(lambda texts: texts)(list(dataset.select_columns(["query", "passage", "label"])))
    assert list(batch) == ["label", "query", "passage"]
    assert batch["label"].tolist() == [1.0, 0.0, 0.0, 1.0, 0.0]
    assert batch["label"].dtype.is_floating_point
    assert batch["passage"][0] == LABELED[0].passage
    assert (dataset["weight"][0], dataset["origin"][0]) == (1.0, "curator")


def test_a_beir_folder_is_a_benchmark_whose_passages_read_as_they_did(tmp_path: Path) -> None:
    benchmark = read_benchmark(written("beir", LABELED, tmp_path))
    assert list(benchmark.queries.values()) == [LABELED[0].question, LABELED[4].question]
    passages = {
        document.name: [each.passage for each in chunk(document, lambda text: len(text.split()), 100)]
        for document in benchmark.documents
    }
    relevant = [passages[name] for judged in benchmark.qrels.values() for name in judged]
    assert relevant == [[LABELED[0].passage], [LABELED[0].passage]]
    assert sorted(passages.values()) == sorted(
        {each.passage: [each.passage] for each in LABELED if each.weight}.values()
    )


def test_a_beir_folder_says_what_is_not_relevant_by_a_zero(tmp_path: Path) -> None:
    lines = (written("beir", LABELED, tmp_path) / "qrels" / "test.tsv").read_text().splitlines()
    assert lines[0] == "query-id\tcorpus-id\tscore"
    assert [line.split("\t")[::2] for line in lines[1:]] == [
        ["q1", "1"],
        ["q1", "0"],
        ["q1", "0"],
        ["q2", "1"],
        ["q3", "0"],
    ]


def test_a_beir_folder_is_new(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    write_export("beir", LABELED, tmp_path / "empty")
    for taken_already in (tmp_path / "empty", tmp_path / "empty" / "corpus.jsonl"):
        with pytest.raises(FolderError, match="exists already; choose a new folder"):
            write_export("beir", LABELED, taken_already)


@pytest.mark.parametrize(
    ("num_positives", "num_negatives"), [(1, 1), (3, 4), (4, 3), (3, 5), (20, 30), (2, 100), (100, 2)]
)
def test_triplets_are_capped_and_leave_no_passage_out(num_positives: int, num_negatives: int, tmp_path: Path) -> None:
    passages = [labeled("q?", f"p{number}", True) for number in range(num_positives)]
    passages += [labeled("q?", f"n{number}", False) for number in range(num_negatives)]
    path = written("triplets", passages, tmp_path)
    triplets = {(row["positive"], row["negative"]) for row in rows(path)}
    assert len(triplets) == len(rows(path))
    assert len(triplets) == min(num_positives * num_negatives, max(MAX_TRIPLETS, num_positives, num_negatives))
    assert taken(path) == said(passages)


# Spreadsheets ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        b'question,answer,label\nHow much?,"150, or\nmore",yes\nHow far?,Trains,0\n',
        b'\xef\xbb\xbfQuestion;Answer;Label\r\nHow much?;"150, or\r\nmore";TRUE\r\n\r\nHow far?;Trains;No\r\n',
        b'label\tnotes\tanswer\tquestion\n1\tx\t"150, or\nmore"\tHow much?\nFalse\t\tTrains\tHow far?\n',
        'question,answer,label\nHow much?,"150, or\nmore",1\nHow far?,Trains,0\n'.encode("utf-16"),
    ],
    ids=["commas", "semicolons with a mark", "tabs", "UTF-16"],
)
def test_a_spreadsheet_of_questions_and_answers(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "answers.csv"
    path.write_bytes(data)
    imported = [(each.question, each.title, each.text, each.label, each.origin) for each in read_labels(path, "ada")]
    assert imported == [
        ("How much?", "", "150, or\nmore", "relevant", "imported from answers.csv"),
        ("How far?", "", "Trains", "not relevant", "imported from answers.csv"),
    ]


def test_without_a_label_all_answers_belong_to_their_questions(tmp_path: Path) -> None:
    path = tmp_path / "answers.csv"
    path.write_bytes("question,answer\nWie groß?,Für Ärzte 5 €\nWie groß?,Zwei\u2028Zeilen\n".encode())
    assert [(each.text, each.label) for each in read_labels(path, "ada")] == [
        ("Für Ärzte 5 €", "relevant"),
        ("Zwei\u2028Zeilen", "relevant"),
    ]
    path.write_bytes("question;answer\nWie groß?;Für Ärzte 5 €\n".encode("cp1252"))
    assert [(each.question, each.text) for each in read_labels(path, "ada")] == [("Wie groß?", "Für Ärzte 5 €")]


# What is wrong is said ---------------------------------------------------------------------------------

PAIR = '{"query": "q?", "passage": "p", "label": 1}\n'


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.jsonl", "", "a.jsonl is empty: expected JSON lines with anchor"),
        ("a.csv", " \n\n", "a.csv is empty"),
        ("a.jsonl", "nonsense", "a.jsonl line 1 is not JSON: 'nonsense'; expected JSON lines"),
        ("a.txt", "nonsense", "a.txt lacks question, answer: expected the columns question, answer in its first line"),
        ("a.jsonl", PAIR + "nonsense\n", "a.jsonl line 2 is not JSON .*: 'nonsense'"),
        ("a.jsonl", PAIR + "\n[1]\n", "a.jsonl line 3: expected a JSON object, got"),
        (
            "a.jsonl",
            PAIR + '{"query": "q?"}\n',
            "a.jsonl line 2 lacks passage, label: expected the keys query, passage",
        ),
        ("a.jsonl", '{"text": "q?"}\n', "a.jsonl line 1 has the keys 'text'; expected JSON lines with anchor"),
        ("a.jsonl", PAIR.replace("1", '"maybe"'), "line 1: expected the label 1 or 0, .*, got 'maybe'"),
        ("a.jsonl", PAIR.replace("1", "0.5"), "line 1: expected the label 1 or 0, .*, got 0.5"),
        ("a.jsonl", PAIR.replace("1", "NaN"), "line 1: expected the label 1 or 0, .*, got nan"),
        ("a.jsonl", PAIR.replace("1", "[" * 100_000), "line 1 is not JSON"),
        ("a.jsonl", PAIR.replace('"p"', "7"), "line 1: expected text as the passage, got 7"),
        ("a.jsonl", PAIR.replace("q?", "  "), "line 1: expected text as the question, got '  '"),
        ("a.jsonl", PAIR.replace('"p"', r'"\ud83c"'), "line 1: the passage is not valid text"),
        (
            "a.jsonl",
            PAIR + PAIR.replace("1", "0"),
            "line 2: the passage is not relevant here, but relevant in .* line 1",
        ),
        ("a.jsonl", '{"answer_id": "a", "action": "deleted"}', "line 1: a log of events cannot be"),
        ("a.json", "[1]", "a.json line 1 is not JSON: '.1.'; expected JSON lines"),
        ("a.csv", "question,answer,label\na,b,maybe\n", "a.csv row 2: expected the label 1 or 0, .*, got 'maybe'"),
        ("a.csv", "question,answer,label\n\na,b\n", "a.csv row 3: expected the label 1 or 0, .*, got ''"),
        ("a.csv", "question,reply\na,b\n", "a.csv lacks answer"),
        ("a.csv", "question,answer\n,b\n", "a.csv row 2: expected text as the question, got ''"),
        ("a.csv", "question,answer\na,\n", "a.csv row 2: expected text as the passage"),
    ],
)
def test_a_wrong_line_is_named(name: str, text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(CiteloopError, match=message) as raised:
        read_labels(path, "ada")
    assert "\n" not in str(raised.value)
    assert len(str(raised.value)) < 600 + len(str(tmp_path))


def test_a_line_of_ten_megabytes_is_refused(tmp_path: Path) -> None:
    path, long = tmp_path / "long", "x" * 10_000_000
    for text in (
        PAIR + PAIR.replace('"p"', f'"{long}"'),
        f'question,answer\na,b\na,"{long}"\n',
        f"question,answer,{long}",
    ):
        path.write_text(text)
        with pytest.raises(CiteloopError) as raised:
            read_labels(path, "ada")
        assert len(str(raised.value)) < 600
    path.write_text(PAIR.replace('"p"', f'"{long[:MAX_CHARACTERS]}"'))
    assert len(read_labels(path, "ada")[0].text) == MAX_CHARACTERS


def test_binary_data_and_a_zip_are_said_to_be_that(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(export_bytes("beir", LABELED)[1])
    with pytest.raises(ExchangeError, match="a is a zip file; unpack it and import the folder"):
        read_labels(path, "ada")
    path.write_bytes(bytes(range(256)))
    with pytest.raises(CiteloopError, match="binary data"):
        read_labels(path, "ada")


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        (
            "qrels/test.tsv",
            "query-id\tcorpus-id\tscore\nq1\tnone\t1\n",
            r"test.tsv line 2: there is no document 'none'",
        ),
        ("qrels/test.tsv", "query-id\tcorpus-id\tscore\nq9\tnone\t1\n", r"test.tsv line 2: there is no query 'q9'"),
        ("qrels/test.tsv", "query-id\tcorpus-id\tscore\nq1\tnone\tmaybe\n", r"test.tsv line 2: expected query-id"),
        ("qrels/test.tsv", f"query-id\tcorpus-id\tscore\nq1\t{'x' * 200_000}\t1\n", "cannot be read: field larger"),
        ("corpus.jsonl", "nonsense", "corpus.jsonl line 1 is not JSON"),
    ],
)
def test_a_wrong_line_of_a_beir_folder_is_named(name: str, text: str, message: str, tmp_path: Path) -> None:
    folder = written("beir", LABELED, tmp_path)
    (folder / name).write_text(text)
    with pytest.raises(CiteloopError, match=message):
        read_labels(folder, "ada")


def test_a_folder_that_is_no_beir_folder_is_said(tmp_path: Path) -> None:
    with pytest.raises(CiteloopError, match=r"is not in BEIR layout: expected qrels\.tsv or"):
        read_labels(tmp_path, "ada")
    folder = written("beir", LABELED, tmp_path)
    (folder / "queries.jsonl").write_bytes('{"_id": "q1", "text": "für"}'.encode("cp1252"))
    with pytest.raises(CiteloopError, match="expected text in UTF-8"):
        read_labels(folder, "ada")


# Where imported passages stand ---------------------------------------------------------------------------


class NamedEmbedder(FakeEmbedder):
    """Of a local folder, as a table records it."""

    name = "/models/fake"


@pytest.fixture
def placed(tmp_path: Path) -> ChunkTable:
    """A table of one document."""
    (tmp_path / "leave.md").write_text(
        "# Leave\n\nEverybody has thirty days of annual leave a year, and managers too.\n"
    )
    table = ChunkTable(tmp_path / "home", NamedEmbedder())
    list(ingest([tmp_path / "leave.md"], table, NamedEmbedder()))
    return table


def imported(passage: str, label: Label = "relevant", question: str = "How many days?") -> Judgement:
    return Judgement(user="cara", question=question, label=label, origin="imported from a.csv", text=passage)


def test_a_passage_that_stands_in_the_documents_becomes_the_one_there(placed: ChunkTable) -> None:
    document = placed.documents()[0]
    chunk = placed.chunks_of(document.id)[0]
    words = chunk.text.split()
    part = " ".join(words[1:8]).upper()
    exact, quoted, foreign, short = located(
        [
            imported(chunk.text),
            imported(part, question="B"),
            imported("So says nobody at all here."),
            imported(words[0]),
        ],
        placed.home,
    )
    for each in (exact, quoted):
        assert (each.chunk_id, each.document, each.text) == (chunk.id, chunk.document, chunk.text)
        assert each.origin == "imported from a.csv"
    assert foreign.chunk_id == ""
    assert foreign.text == "So says nobody at all here."
    assert short.chunk_id == ""


def test_two_labels_of_one_passage_that_differ_both_stay(placed: ChunkTable) -> None:
    chunk = placed.chunks_of(placed.documents()[0].id)[0]
    part = " ".join(chunk.text.split()[1:8])
    judgements = [imported(chunk.text), imported(part, "not relevant")]
    for given in (judgements, judgements[::-1]):
        found, kept = located(given, placed.home)
        assert (found.chunk_id, found.label) == (chunk.id, "relevant")
        assert (kept.text, kept.label, kept.chunk_id) == (part, "not relevant", "")


def test_without_documents_imported_passages_stay_as_they_are(tmp_path: Path) -> None:
    assert located([imported("Thirty days.")], tmp_path) == [imported("Thirty days.")]


def test_what_is_imported_again_once_the_documents_are_there_is_placed(placed: ChunkTable, tmp_path: Path) -> None:
    chunk = placed.chunks_of(placed.documents()[0].id)[0]
    path, store = tmp_path / "answers.csv", FeedbackStore(placed.home)
    path.write_text(f'question,answer\nHow many days?,"{chunk.text}"\n', encoding="utf-8")
    (before,) = read_labels(path, "ada")
    store.judge([before])
    result = import_labels(path, store, "ada", placed.home)
    assert (result.num_new, result.num_located) == (1, 1)
    assert [each.chunk_id for each in store.judgements()] == [chunk.id]
    assert import_labels(path, store, "ada", placed.home).num_new == 0


@pytest.mark.parametrize(
    "metadata", [{"page": 2**70}, {"page": -1}, {"page": "three"}, {"document": 5}, {"document": "\ud800"}]
)
def test_a_place_that_makes_no_sense_is_said_or_left_out(metadata: dict[str, object], tmp_path: Path) -> None:
    path = write_benchmark(
        tmp_path / "beir",
        [{"_id": "d", "title": "", "text": "So.", "metadata": metadata}],
        [{"_id": "q", "text": "How?"}],
        [("q", "d", 1)],
    )
    store = FeedbackStore(tmp_path)
    if "document" in metadata:
        with pytest.raises(CiteloopError, match=r"as the document|not valid text"):
            import_labels(path, store, "ada", tmp_path)
        assert store.judgements() == []
    else:
        assert import_labels(path, store, "ada", tmp_path).num_new == 1
