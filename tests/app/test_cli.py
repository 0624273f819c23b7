from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import typer

from app.answer import NO_DOCUMENTS
from app.commands.main import cli
from app.feedback import FeedbackStore
from ingest.home.damaged_database import damaged_databases
from ingest.pipeline import ingest
from ingest.table import ChunkTable
from tests.app.builders import ANSWER_RECORD, CITATION_RECORD, make_answer
from tests.app.conftest import Citeloop, Outcome
from tests.conftest import FakeEmbedder

ROW = [
    "chunk_id",
    "document",
    "title",
    "heading",
    "page",
    "rank",
    "score",
    "reranker_score",
    "fused_rank",
    "fused_score",
    "vector_rank",
    "vector_score",
    "text_rank",
    "text_score",
    "rank_change",
    "unvoted_rank",
    "vote",
    "superseded_by",
    "text",
    "described_by",
]
pytestmark = pytest.mark.usefixtures("fake_models")

# Help and wrong usage --------------------------------------------------------------------------------


def commands(command: Any, *path: str) -> Iterator[tuple[str, ...]]:
    """The words of every command at or below this one."""
    if below := getattr(command, "commands", None):
        for name, subcommand in below.items():
            yield from commands(subcommand, *path, name)
    else:
        yield path


COMMANDS = list(commands(typer.main.get_command(cli)))


def test_these_are_the_commands() -> None:
    assert {" ".join(path) for path in COMMANDS} == {
        "ingest",
        "watch",
        "reindex",
        "share",
        "jobs cancel",
        "jobs list",
        "jobs resume",
        "keys add",
        "keys change",
        "keys list",
        "keys remove",
        "mcp",
        "ask",
        "search",
        "serve",
        "evaluate",
        "replay",
        "train",
        "feedback export",
        "feedback import",
        "feedback inbox",
        "feedback list",
        "feedback propose",
        "promote",
        "rollback",
        "backup",
        "restore",
        "sources add",
        "sources history",
        "sources list",
        "sources remove",
        "sources sync",
        "doctor",
        "access check",
        "access log",
        "documents list",
        "documents move",
        "models catalog",
        "models export",
        "models get",
        "models import",
        "models trial",
        "models try",
    }


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_the_help_of_every_command_has_an_example(path: tuple[str, ...], citeloop: Citeloop) -> None:
    shown = citeloop(*path, "--help")
    assert (shown.status, shown.stderr) == (0, "")
    assert "Example: " in shown.stdout
    assert "citeloop" in shown.stdout.split("Example: ")[1]


@pytest.mark.parametrize(
    "arguments",
    [
        ["nonsense"],
        ["feedback", "nonsense"],
        ["ask"],
        ["ask", "q", "--nonsense"],
        ["ask", "q", "--earlier", " "],
        ["search", "q", "--num-results", "0"],
        ["search", "q", "--num-results", "few"],
        ["serve", "--port", "65536"],
        ["ingest"],
        ["evaluate", "no such folder"],
    ],
    ids=" ".join,
)
def test_wrong_usage_is_status_2_and_said_on_stderr(arguments: list[str], citeloop: Citeloop) -> None:
    outcome = citeloop(*arguments)
    assert (outcome.status, outcome.stdout) == (2, "")
    assert outcome.stderr.startswith("Usage: ")


def test_the_version_is_printed_alone_whatever_stands_behind_it(citeloop: Citeloop) -> None:
    with (Path(__file__).parents[2] / "pyproject.toml").open("rb") as file:
        expected = f"citeloop {tomllib.load(file)['project']['version']}\n"
    for arguments in (["--version"], ["--version", "ask", "q"], ["--version", "nonsense"]):
        assert citeloop(*arguments) == Outcome(0, expected, "")


def test_the_help_names_the_version_and_what_the_program_does(citeloop: Citeloop) -> None:
    shown = citeloop("--help").stdout
    assert "--version" in shown
    assert "Ask your documents" in shown


def test_help_is_quick_because_nothing_heavy_is_imported() -> None:
    heavy = {"torch", "transformers", "sentence_transformers", "lancedb", "pyarrow", "numpy", "streamlit", "openai"}
    heavy |= {"sqlalchemy", "alembic"}
    code = f"import sys, app.commands.main; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# Failures --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments",
    [
        ["ask", "q", "--reranker", "nonsense"],
        ["search", "q", "--reranker", "nonsense", "--json"],
        ["ingest", "no such file"],
        ["evaluate", "."],
    ],
    ids=" ".join,
)
def test_a_failure_is_status_1_and_one_line_on_stderr(
    arguments: list[str], citeloop: Citeloop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    outcome = citeloop(*arguments)
    assert (outcome.status, outcome.stdout) == (1, "")
    assert outcome.stderr.startswith("error: ")
    assert outcome.stderr.count("\n") == 1


def test_a_table_of_another_embedder_is_said_in_one_line(
    citeloop: Citeloop, table: ChunkTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = FakeEmbedder()
    other.name = "other"
    monkeypatch.setattr("app.models.load_embedder", lambda _: other)
    outcome = citeloop("ask", "q")
    assert outcome.status == 1
    assert outcome.stderr.startswith("error: the table in ")
    assert outcome.stderr.count("\n") == 1


def said_in_one_line(outcome: Outcome) -> bool:
    return outcome.status in (1, 2) and "Traceback" not in outcome.stderr and outcome.stdout == ""


def test_a_wrong_variable_is_said_by_its_name(citeloop: Citeloop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CITELOOP_NUM_CANDIDATES", "many")
    outcome = citeloop("ask", "q")
    assert said_in_one_line(outcome)
    assert "CITELOOP_NUM_CANDIDATES" in outcome.stderr


def test_a_home_that_is_a_file_is_said(citeloop: Citeloop, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    outcome = citeloop("ask", "q", "--home", tmp_path / "file")
    assert said_in_one_line(outcome)
    assert "file" in outcome.stderr


def test_an_output_that_cannot_be_written_is_said(citeloop: Citeloop, tmp_path: Path) -> None:
    outcome = citeloop("feedback", "export", "--output", tmp_path / "no such folder" / "log.jsonl")
    assert said_in_one_line(outcome)


def test_a_damaged_feedback_database_is_set_aside(citeloop: Citeloop, home: Path) -> None:
    home.mkdir()
    (home / "citeloop.sqlite3").write_text("this is not a database " * 10)
    assert citeloop("feedback", "export").status == 0
    (aside,) = damaged_databases(home)
    assert aside.read_text() == "this is not a database " * 10


def test_a_question_of_broken_bytes_is_answered_or_refused(citeloop: Citeloop, table: ChunkTable) -> None:
    outcome = citeloop("ask", "leave \udcff")
    assert outcome.status == 0 or said_in_one_line(outcome)


# ingest ----------------------------------------------------------------------------------------------


@pytest.mark.integration
def test_ingest_reports_each_file(citeloop: Citeloop, documents: Path) -> None:
    (documents / "notes.xyz").write_text("?")
    first, second = citeloop("ingest", documents, "--json"), citeloop("ingest", documents, "--json")
    assert (first.status, first.stderr) == (0, "")
    assert list(first.json) == ["job", "files", "num_chunks"]
    assert all(list(file) == ["name", "source", "status", "num_chunks", "reason"] for file in first.json["files"])
    assert [file["status"] for file in first.json["files"]] == ["skipped", "added", "added", "added"]
    assert [file["status"] for file in second.json["files"]] == ["unchanged", "unchanged", "unchanged", "skipped"]
    assert first.json["num_chunks"] == second.json["num_chunks"] > 0


@pytest.mark.integration
def test_ingest_goes_on_past_a_damaged_file_and_ends_with_status_1(citeloop: Citeloop, documents: Path) -> None:
    (documents / "a.pdf").write_text("no pdf")
    outcome = citeloop("ingest", documents)
    assert outcome.status == 1
    assert "failed    a.pdf" in outcome.stdout
    assert "3 added, 1 failed" in outcome.stdout
    assert "3 documents, " in outcome.stdout


# ask and search --------------------------------------------------------------------------------------


def test_ask_prints_one_json_record_with_these_names(citeloop: Citeloop, table: ChunkTable) -> None:
    outcome = citeloop("ask", "How many days of leave a year?", "--json")
    assert (outcome.status, outcome.stderr) == (0, "")
    record = outcome.json
    assert list(record) == ANSWER_RECORD
    assert record["citations"]
    assert all(list(citation) == CITATION_RECORD for citation in record["citations"])
    assert all(list(row) == ROW for row in record["ranking"])
    assert list(record["timings_ms"]) == ["search", "rerank", "answer"]
    assert record["found"] is True
    assert "30 days of leave" in record["answer"]


def test_ask_prints_the_answer_and_its_sources_and_the_timings_on_stderr(citeloop: Citeloop, table: ChunkTable) -> None:
    outcome = citeloop("ask", "How many days of leave a year?")
    assert outcome.status == 0
    assert outcome.stdout.startswith("Everybody has 30 days of leave a year.\n\n— Leave [1]")
    assert "\n[1] Leave (handbook/leave.md)\n    Everybody has 30 days of leave a year." in outcome.stdout
    assert " ms" not in outcome.stdout
    assert outcome.stderr.startswith("\nreranker none; search ") or "reranker shipped; search " in outcome.stderr


@pytest.mark.parametrize("command", ["ask", "search"])
def test_no_document_changes_the_terminal(command: str, citeloop: Citeloop, table: ChunkTable, documents: Path) -> None:
    (documents / "it" / "\x1b[31mfax\x9b2J.md").write_text(
        "# Fax \x1b]0;owned\x07\n\nThe fax machine\x1b[2J beeps\u202e.\n"
    )
    list(ingest([documents], table, FakeEmbedder()))
    outcome = citeloop(command, "Does the fax machine beep?")
    assert "fax" in outcome.stdout
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", outcome.stdout)


def test_no_error_changes_the_terminal(citeloop: Citeloop) -> None:
    outcome = citeloop("search", "leave", "--reranker", "\x1b[31mred")
    assert (outcome.status, outcome.stderr.count("\x1b")) == (1, 0)


def test_a_follow_up_is_searched_with_the_question_before_it(citeloop: Citeloop, table: ChunkTable) -> None:
    earlier = ["--earlier", "What does a hotel cost in Bremen?"]
    one = citeloop("ask", "and in Hamburg?", *earlier, "--json").json
    assert (one["question"], one["query"]) == ("and in Hamburg?", "and in Hamburg? (What does a hotel cost in Bremen?)")
    two = citeloop("ask", "What if I stay for free?", *earlier, "--earlier", "and in Hamburg?", "--json").json
    assert two["query"] == "What if I stay for free? (and in Hamburg?; What does a hotel cost in Bremen)"
    assert citeloop("ask", "and in Hamburg?", *earlier).stderr.startswith(f"\nsearched: {one['query']}; reranker ")


@pytest.mark.usefixtures("rare_words", "table")
def test_typos_are_corrected_unless_searched_as_typed(citeloop: Citeloop) -> None:
    question, corrected = "How much may a hotle cost?", "How much may a hotel cost?"
    for command in ("ask", "search"):
        found = citeloop(command, question, "--json").json
        assert (found["query"], found["corrected_from"]) == (corrected, question)
        assert f"searched: {corrected}; as typed: --as-typed" in citeloop(command, question).stderr
        found = citeloop(command, question, "--as-typed", "--json").json
        assert (found["query"], found["corrected_from"]) == (question, "")
        assert "as typed" not in citeloop(command, question, "--as-typed").stderr


def test_ask_falls_back_to_the_order_of_search_when_a_reranker_fails(citeloop: Citeloop, table: ChunkTable) -> None:
    outcome = citeloop("ask", "leave", "--reranker", "broken", "--json")
    assert (outcome.status, outcome.json["reranker"]) == (0, "none")
    assert outcome.json["note"].startswith("Reranker broken could not be used, so this is the order of search: ")
    assert outcome.json["ranking"] == citeloop("ask", "leave", "--no-rerank", "--json").json["ranking"]
    assert "(Reranker broken could not be used" in citeloop("ask", "leave", "--reranker", "broken").stdout


def test_ask_without_documents_is_no_failure(citeloop: Citeloop) -> None:
    outcome = citeloop("ask", "anything?", "--json")
    assert outcome.status == 0
    assert (outcome.json["found"], outcome.json["citations"], outcome.json["ranking"]) == (False, [], [])


def test_no_rerank_keeps_the_order_of_search_whatever_is_named(citeloop: Citeloop, table: ChunkTable) -> None:
    plain = citeloop("ask", "leave", "--reranker", "trains", "--no-rerank", "--json").json
    assert plain["reranker"] == "none"
    assert all(row["rank_change"] == 0 and row["reranker_score"] is None for row in plain["ranking"])


def test_the_reranker_of_the_environment_is_used(
    citeloop: Citeloop, table: ChunkTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert citeloop("search", "leave", "--json").json["reranker"] == "shipped"
    monkeypatch.setenv("CITELOOP_RERANKER", "trains")
    assert citeloop("search", "leave", "--json").json["reranker"] == "trains"


def test_search_prints_the_ranking_with_these_names(citeloop: Citeloop, table: ChunkTable) -> None:
    outcome = citeloop("search", "parental leave", "--reranker", "trains", "--json")
    assert (outcome.status, outcome.stderr) == (0, "")
    assert list(outcome.json) == ["query", "corrected_from", "reranker", "ranking"]
    assert (outcome.json["query"], outcome.json["reranker"]) == ("parental leave", "trains")
    rows = outcome.json["ranking"]
    assert all(list(row) == ROW for row in rows)
    assert [row["rank"] for row in rows] == list(range(1, len(rows) + 1))
    assert rows[0]["document"] == "handbook/travel.md"
    assert rows[0]["rank_change"] == rows[0]["fused_rank"] - 1 > 0


def test_search_shows_who_moved_and_prints_as_many_as_asked(citeloop: Citeloop, table: ChunkTable) -> None:
    lines = citeloop("search", "parental leave", "--reranker", "trains", "--num-results", "2").stdout.splitlines()
    assert len(lines) == 2
    rank, moved, _score, *place = lines[0].split()
    assert (rank, place[-1]) == ("1", "(handbook/travel.md)")
    assert moved.startswith("+")
    assert lines[1].split()[1] == "-1"
    assert lines[1].endswith("Leave > Parental leave  (handbook/leave.md)")


def test_search_says_when_it_found_nothing(citeloop: Citeloop, table: ChunkTable) -> None:
    assert citeloop("search", "leave", "--since", "2100-01-01").stdout == "nothing found\n"


def test_a_day_that_is_none_is_wrong_usage(citeloop: Citeloop) -> None:
    outcome = citeloop("search", "leave", "--since", "yesterday")
    assert outcome.status == 2
    assert "expected a day such as 2026-03-31" in outcome.stderr


def test_search_says_when_there_are_no_documents(citeloop: Citeloop) -> None:
    assert citeloop("search", "anything").stdout == f"{NO_DOCUMENTS}\n"
    assert citeloop("search", "anything", "--json").json["ranking"] == []


def test_share_without_a_shared_folder_says_what_to_set(citeloop: Citeloop) -> None:
    outcome = citeloop("share")
    assert (outcome.status, outcome.stdout) == (1, "")
    assert "nothing is shared; set CITELOOP_TABLE_URI" in outcome.stderr


def test_the_home_of_the_option_goes_before_the_variable(
    citeloop: Citeloop, table: ChunkTable, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CITELOOP_HOME", str(tmp_path / "empty"))
    assert citeloop("search", "leave", "--json").json["ranking"] == []
    assert citeloop("search", "leave", "--json", "--home", home).json["ranking"]


# feedback, models, doctor, serve ---------------------------------------------------------------------


def struck_out(home: Path) -> None:
    store = FeedbackStore(home)
    store.save_answer(make_answer(passages=("Dreißig Tage.", "By train.")), "talk", "ada")
    (shown,) = store.conversation("talk", "ada")
    for citation in shown.answer.citations:
        store.record(shown, citation.chunk.id, "deleted", "ada", "outdated")


def test_export_prints_a_json_line_for_each_event_oldest_first(citeloop: Citeloop, home: Path) -> None:
    from app.feedback import FeedbackEvent

    struck_out(home)
    outcome = citeloop("feedback", "export")
    assert (outcome.status, outcome.stderr) == (0, "")
    events = [json.loads(line) for line in outcome.stdout.splitlines()]
    assert [event["text"] for event in events] == ["Dreißig Tage.", "By train."]
    assert all(list(event) == [field.name for field in fields(FeedbackEvent)] for event in events)
    assert "Dreißig" in outcome.stdout  # readable, not escaped


def test_export_writes_the_same_into_a_file(citeloop: Citeloop, home: Path, tmp_path: Path) -> None:
    struck_out(home)
    printed = citeloop("feedback", "export").stdout
    outcome = citeloop("feedback", "export", "--output", tmp_path / "log.jsonl")
    assert (outcome.status, outcome.stdout) == (0, "")
    assert (tmp_path / "log.jsonl").read_text(encoding="utf-8") == printed


def test_export_without_feedback_prints_nothing(citeloop: Citeloop) -> None:
    assert citeloop("feedback", "export") == Outcome(0, "", "")


def test_models_lists_every_kind(citeloop: Citeloop) -> None:
    kinds = ["none", "live", "shipped", "trained", "late-interaction", "cross-encoder", "http"]
    assert list(citeloop("models", "--json").json["rerankers"]) == kinds
    assert [line.split()[0] for line in citeloop("models").stdout.splitlines()[: len(kinds)]] == kinds


def test_doctor_says_what_works(citeloop: Citeloop, table: ChunkTable) -> None:
    outcome = citeloop("doctor", "--json")
    assert (outcome.status, outcome.stderr) == (0, "")
    assert list(outcome.json) == ["checks"]
    assert all(list(each) == ["name", "ok", "detail"] and each["ok"] for each in outcome.json["checks"])
    assert all(line.startswith("ok ") for line in citeloop("doctor").stdout.splitlines())


def test_doctor_ends_with_status_1_if_something_does_not_work(
    citeloop: Citeloop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CITELOOP_RERANKER", "nonsense")
    outcome = citeloop("doctor")
    assert outcome.status == 1
    assert "FAILED reranker: unknown reranker 'nonsense'" in outcome.stdout
    assert citeloop("doctor", "--json").status == 1


def test_serve_hands_home_host_and_port_to_the_pages(
    citeloop: Citeloop, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    served: list[tuple[object, ...]] = []
    pages, server = ModuleType("app.ui"), ModuleType("app.ui.server")

    def serve(host: str, port: int, **options: object) -> None:
        served.append((host, port, *options.values(), os.environ["CITELOOP_HOME"]))

    server.serve = serve  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "app.ui", pages)
    monkeypatch.setitem(sys.modules, "app.ui.server", server)
    monkeypatch.delenv("PORT", raising=False)
    citeloop("serve")
    citeloop(
        "serve", "--port", "0", "--host", "0.0.0.0", "--api", "--without-login", "--public-url", "https://a.example"
    )
    monkeypatch.setenv("PORT", "8600")
    monkeypatch.setenv("CITELOOP_PUBLIC_URL", "https://a.example https://b.example")
    citeloop("serve")
    assert served == [
        ("127.0.0.1", 8501, False, (), False, str(home)),
        ("0.0.0.0", 0, True, ["https://a.example"], True, str(home)),
        ("127.0.0.1", 8600, False, ["https://a.example", "https://b.example"], False, str(home)),
    ]


def test_serve_hands_the_home_of_its_option_to_the_pages_as_an_absolute_path(
    citeloop: Citeloop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    served: list[str] = []
    pages, server = ModuleType("app.ui"), ModuleType("app.ui.server")
    server.serve = lambda *_, **__: served.append(os.environ["CITELOOP_HOME"])  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "app.ui", pages)
    monkeypatch.setitem(sys.modules, "app.ui.server", server)
    monkeypatch.chdir(tmp_path)
    citeloop("serve", "--home", "mine")
    assert served == [str(tmp_path / "mine")]


def test_a_filter_leaves_the_other_documents_out(citeloop: Citeloop, table: ChunkTable) -> None:
    found = citeloop("search", "leave", "--collection", "it", "--json").json["ranking"]
    assert {row["document"] for row in found} == {"it/vpn.md"}
    cited = citeloop("ask", "leave", "--type", "md", "--document", "handbook/travel.md", "--json").json["citations"]
    assert {citation["document"] for citation in cited} == {"handbook/travel.md"}
    assert citeloop("search", "leave", "--since", "2999-01-01", "--json").json["ranking"] == []
    unknown = citeloop("search", "leave", "--collection", "nowhere")
    assert unknown.status == 1
    assert "choose from: handbook, it" in unknown.stderr
