from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import SecretStr

from app.answer import (
    ALL_STRUCK_OUT,
    EXTRACTIVE,
    NO_DOCUMENTS,
    NO_QUESTION,
    NOT_CLEAR_ONE,
    NOT_FOUND,
    NOTHING_MATCHES,
    extract,
    quote,
)
from app.language_model.endpoint import Endpoint, save_endpoint
from app.language_model.protocol import LanguageModelError
from app.pipeline import Pipeline, Step
from app.reranking.rerank import PartialScores, Reranker, RerankerError
from app.search.filters import EVERYTHING, Filter
from app.search.search import Candidate
from app.settings import Settings
from ingest.pipeline import ingest
from ingest.reindex import reindex
from ingest.table import ChunkTable
from tests.app.builders import WordScorer
from tests.app.conftest import BrokenReranker
from tests.conftest import DOCUMENTS, FakeEmbedder, FakeLanguageModel, FakeReranker

QUESTION = "How many days of annual leave a year?"


@pytest.fixture(autouse=True)
def rerankers(monkeypatch: pytest.MonkeyPatch) -> dict[str, Reranker | None]:
    """What can be loaded by name in these tests."""
    known: dict[str, Reranker | None] = {
        "none": None,
        "shipped": WordScorer(),
        "late-interaction": WordScorer(),
        "likes trains": FakeReranker({"Trains": 5.0}),
        "broken": BrokenReranker(),
    }

    def load(name: str, _settings: Settings) -> Reranker | None:
        if name not in known:
            raise RerankerError(f"unknown reranker {name!r}")
        return known[name]

    monkeypatch.setattr("app.models.load_reranker", load)
    return known


@pytest.fixture(autouse=True)
def every_piece_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.answer.writer._SHOW_SECONDS", 0.0)


@pytest.fixture
def written_by(settings: Settings, table: ChunkTable, embedder: FakeEmbedder) -> Callable[..., Pipeline]:
    """Makes a pipeline in which a language model writes these pieces."""
    return lambda *pieces: Pipeline(settings, embedder, FakeLanguageModel(*pieces))


# Search and rerank -----------------------------------------------------------------------------------


def test_an_extractive_answer_quotes_the_documents(pipeline: Pipeline) -> None:
    answer = pipeline.ask(QUESTION)
    assert "Everybody has 30 days of leave a year.\n\n— Leave [1]" in answer.text
    assert answer.citations[0].chunk.document == "handbook/leave.md"
    assert (answer.answered_by, answer.found, answer.complete, answer.note) == (EXTRACTIVE, True, True, "")
    assert 1 in answer.used
    *quotes, last = answer.text.split("\n\n— ")
    assert all(quote.rpartition("]\n\n")[2] in {each.chunk.text for each in answer.citations} for quote in quotes)
    assert last == "Leave [1]"


def test_a_question_beside_the_documents_is_not_answered(pipeline: Pipeline) -> None:
    answer = pipeline.ask("Quagga?")
    assert answer.text.startswith(NOT_CLEAR_ONE)
    assert (answer.found, answer.complete) == (False, True)
    assert answer.citations  # the nearest passages are shown


@pytest.mark.usefixtures("rare_words")
def test_typos_are_corrected_for_search_and_answer(pipeline: Pipeline) -> None:
    answer = pipeline.ask("How much may a hotle cost a nihgt?")
    assert answer.question == "How much may a hotle cost a nihgt?"
    assert answer.query == answer.searched == "How much may a hotel cost a night?"
    assert answer.corrected_from == answer.question
    assert (answer.found, answer.text) == (True, pipeline.ask(answer.query).text)


@pytest.mark.usefixtures("rare_words")
def test_a_question_without_typos_and_one_as_typed_are_not_corrected(pipeline: Pipeline) -> None:
    right = pipeline.rank("How much may a hotel cost a night?")
    as_typed = pipeline.rank("How much may a hotle cost a nihgt?", as_typed=True)
    assert [(each.query, each.corrected_from) for each in (right, as_typed)] == [("", ""), ("", "")]
    assert as_typed.ranking[0].candidate.text_score != right.ranking[0].candidate.text_score


@pytest.mark.usefixtures("rare_words")
def test_an_identifier_is_not_corrected(pipeline: Pipeline) -> None:
    assert pipeline.rank("Which VPN has the key E-4401 or 4401?").corrected_from == ""


def test_steps_are_told_in_order_before_their_work(
    pipeline: Pipeline, rerankers: dict[str, Reranker | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[Step | str] = []
    original = pipeline.search

    def search(query: str, within: Filter = EVERYTHING) -> list[Candidate]:
        steps.append("searched")
        return original(query, within)

    monkeypatch.setattr(pipeline, "search", search)
    pipeline.rank(QUESTION, on_step=steps.append)
    assert steps == ["search", "searched", "rerank"]


def test_each_step_is_timed_in_milliseconds(pipeline: Pipeline, rerankers: dict[str, Reranker | None]) -> None:
    class SlowReranker(FakeReranker):
        def score(self, query: str, passages: Sequence[str]) -> list[float]:
            time.sleep(0.05)
            return super().score(query, passages)

    rerankers["slow"] = SlowReranker()
    ranked = pipeline.rank(QUESTION, "slow")
    assert list(ranked.timings_ms) == ["search", "rerank"]
    assert 50 <= ranked.timings_ms["rerank"] < 25_000  # not in microseconds, either
    *_, answer = pipeline.write(ranked)
    assert list(answer.timings_ms) == ["search", "rerank", "answer"]
    assert {step: answer.timings_ms[step] for step in ranked.timings_ms} == ranked.timings_ms
    assert answer.timings_ms["answer"] >= 0


def test_a_ranking_has_its_sources_before_it_has_a_text(pipeline: Pipeline) -> None:
    ranked = pipeline.rank(QUESTION)
    assert (ranked.text, ranked.found, ranked.complete) == ("", False, False)
    assert [citation.chunk for citation in ranked.citations] == [each.chunk for each in ranked.ranking[:5]]


def test_the_reranker_named_orders_the_candidates(pipeline: Pipeline, rerankers: dict[str, Reranker | None]) -> None:
    before, after = pipeline.rank(QUESTION), pipeline.rank(QUESTION, "likes trains")
    assert (before.reranker, after.reranker) == ("none", "likes trains")
    assert after.ranking[0].chunk.document == "handbook/travel.md" != before.ranking[0].chunk.document
    assert after.ranking[0].rank_change > 0
    assert after.citations[0].chunk == after.ranking[0].chunk
    assert {each.chunk.id for each in after.ranking} == {each.chunk.id for each in before.ranking}


def test_the_reranker_of_the_settings_is_used_where_none_is_named(
    settings: Settings, table: ChunkTable, embedder: FakeEmbedder, rerankers: dict[str, Reranker | None]
) -> None:
    pipeline = Pipeline(settings.model_copy(update={"reranker": "likes trains"}), embedder)
    assert pipeline.ask(QUESTION).reranker == "likes trains"
    assert pipeline.ask(QUESTION, "none").reranker == "none"


def test_the_settings_say_how_many_candidates_and_citations(
    settings: Settings, table: ChunkTable, embedder: FakeEmbedder
) -> None:
    few = Pipeline(settings.model_copy(update={"num_candidates": 2, "num_citations": 1}), embedder)
    answer = few.ask(QUESTION)
    assert (len(answer.ranking), len(answer.citations)) == (2, 1)


class PartialReranker(FakeReranker):
    """A service that returns only its best two."""

    def score(self, query: str, passages: Sequence[str]) -> list[float]:
        return PartialScores([2.0, 1.0, *[0.0] * len(passages[2:])], range(2, len(passages)))


def test_a_reranker_that_leaves_passages_out_is_told(pipeline: Pipeline, rerankers: dict[str, Reranker | None]) -> None:
    rerankers["partial"] = PartialReranker()
    answer = pipeline.ask(QUESTION, "partial")
    assert answer.note == "Reranker partial scored 2 of 4 passages; the others follow in the order of search."
    assert [ranked.reranker_score for ranked in answer.ranking] == [2.0, 1.0, None, None]
    assert (pipeline.ask(QUESTION, "none").note, pipeline.ask(QUESTION, "likes trains").note) == ("", "")


@pytest.mark.parametrize("name", ["broken", "nonsense"])
def test_a_reranker_that_fails_is_raised(name: str, pipeline: Pipeline, rerankers: dict[str, Reranker | None]) -> None:
    with pytest.raises(RerankerError):
        pipeline.rank(QUESTION, name)
    with pytest.raises(RerankerError):
        pipeline.ask(QUESTION, name)


@pytest.mark.parametrize(
    ("name", "reason"), [("broken", "the service is down"), ("nonsense", "unknown reranker 'nonsense'")]
)
def test_falling_back_shows_the_order_of_search_and_says_why(
    name: str, reason: str, pipeline: Pipeline, rerankers: dict[str, Reranker | None]
) -> None:
    answer = pipeline.rank(QUESTION, name, fall_back=True)
    assert name in answer.note
    assert reason in answer.note
    assert answer.reranker == "none"
    assert answer.ranking == pipeline.rank(QUESTION, "none").ranking
    assert list(answer.timings_ms) == ["search", "rerank"]
    *_, written = pipeline.write(answer)
    assert (written.note, written.found) == (answer.note, True)


def test_a_reranker_is_loaded_once_by_many_threads(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded: list[str] = []

    def load(name: str, _settings: Settings) -> Reranker:
        time.sleep(0.02)
        loaded.append(name)
        return FakeReranker()

    monkeypatch.setattr("app.models.load_reranker", load)
    found: list[Reranker | None] = []
    threads = [
        threading.Thread(target=lambda: found.append(pipeline.models.reranker("slow to load"))) for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert loaded == ["slow to load"]
    assert len({id(reranker) for reranker in found}) == 1


def test_a_reranker_that_could_not_be_loaded_is_tried_again(
    pipeline: Pipeline, rerankers: dict[str, Reranker | None]
) -> None:
    with pytest.raises(RerankerError):
        pipeline.models.reranker("late")
    rerankers["late"] = FakeReranker()
    assert pipeline.models.reranker("late") is rerankers["late"]


def test_a_home_without_documents_says_that_it_found_nothing(
    tmp_path: Path, settings: Settings, embedder: FakeEmbedder
) -> None:
    writer = FakeLanguageModel("made up")
    for language_model in (None, writer):
        answer = Pipeline(settings, embedder, language_model).ask(QUESTION)
        assert (answer.text, answer.found, answer.complete) == (NO_DOCUMENTS, False, True)
        assert (answer.citations, answer.ranking) == ((), ())
    assert writer.messages == []  # nothing to write from


def test_thanks_are_not_searched(pipeline: Pipeline) -> None:
    answer = pipeline.ask("Thanks a lot!")
    assert (answer.text, answer.ranking, answer.found) == (NO_QUESTION, (), False)


def test_an_empty_question_finds_nothing(pipeline: Pipeline) -> None:
    answer = pipeline.ask("  ")
    assert (answer.text, answer.ranking) == (NOTHING_MATCHES, ())


# Written answers -------------------------------------------------------------------------------------


def test_a_written_answer_grows_and_only_the_last_is_complete(written_by: Callable[..., Pipeline]) -> None:
    pipeline = written_by("Thirty ", "days ", "[1].")
    *growing, last = pipeline.write(pipeline.rank(QUESTION))
    assert [answer.text for answer in growing] == ["Thirty", "Thirty days", "Thirty days [1]."]
    assert {answer.complete for answer in growing} == {False}
    assert (last.text, last.complete, last.found, last.note) == ("Thirty days [1].", True, True, "")
    assert last.answered_by == "fake-writer"
    assert last.used == {1}


def test_a_finished_answer_has_no_numbers_that_were_not_given(written_by: Callable[..., Pipeline]) -> None:
    assert written_by("Thirty days [1][99].").ask(QUESTION).text == "Thirty days [1]."


def test_the_language_model_reads_the_cited_passages_only(
    settings: Settings, table: ChunkTable, embedder: FakeEmbedder
) -> None:
    writer = FakeLanguageModel("Thirty days [1].")
    answer = Pipeline(settings.model_copy(update={"num_citations": 1}), embedder, writer).ask(QUESTION)
    content = writer.messages[-1]["content"]
    shown, *hidden = [ranked.chunk.text for ranked in answer.ranking]
    assert shown in content
    assert hidden
    assert not any(text in content for text in hidden)
    assert content.endswith(f"Question: {QUESTION}")


def test_a_language_model_may_say_that_the_documents_do_not(written_by: Callable[..., Pipeline]) -> None:
    answer = written_by("NOT IN ", "THE DOCUMENTS").ask(QUESTION)
    assert (answer.text, answer.found, answer.complete) == (NOT_FOUND, False, True)
    assert answer.citations


def test_an_answer_that_is_cut_off_keeps_its_text_and_sources_and_is_not_complete(
    written_by: Callable[..., Pipeline],
) -> None:
    pipeline = written_by("Thirty days [1] ", "or [77]", LanguageModelError("cut off (length)"))
    ranked = pipeline.rank(QUESTION)
    *_, last = pipeline.write(ranked)
    assert (last.text, last.complete, last.found) == ("Thirty days [1] or", False, True)
    assert last.note == "cut off (length)"
    assert (last.citations, last.ranking) == (ranked.citations, ranked.ranking)
    assert ranked.citations
    assert "answer" in last.timings_ms


def test_an_answer_that_never_begins_is_quoted_instead_with_a_note(written_by: Callable[..., Pipeline]) -> None:
    pipeline = written_by(LanguageModelError("cannot be reached; check OPENAI_BASE_URL"))
    answer = pipeline.ask(QUESTION)
    assert (answer.answered_by, answer.complete) == (EXTRACTIVE, True)
    assert answer.text == quote(extract(QUESTION, answer.citations, pipeline.models.quote_scorer, 0.5).quotes)
    assert answer.note == "cannot be reached; check OPENAI_BASE_URL"
    assert answer.citations


def test_the_note_of_a_fall_back_stays_beside_the_language_models(
    written_by: Callable[..., Pipeline], rerankers: dict[str, Reranker | None]
) -> None:
    pipeline = written_by(LanguageModelError("cut off"))
    *_, last = pipeline.write(pipeline.rank(QUESTION, "broken", fall_back=True))
    assert "the service is down" in last.note
    assert last.note.endswith(" cut off")


# Writing again ---------------------------------------------------------------------------------------


def test_an_answer_knows_its_embedder(pipeline: Pipeline) -> None:
    assert pipeline.ask(QUESTION).embedder == "fake"


def test_an_extractive_answer_is_written_again_from_what_remains(pipeline: Pipeline) -> None:
    answer = pipeline.ask("Parents request parental leave; a year of leave")
    struck = answer.citations[0].chunk.id
    assert 1 in answer.used
    (again,) = pipeline.rewrite(answer, {struck})
    assert again.without == (struck,)
    assert 1 not in again.used
    assert again.used
    assert again.complete
    assert (again.citations, again.ranking, again.question) == (answer.citations, answer.ranking, answer.question)
    assert (again.reranker, again.embedder) == (answer.reranker, answer.embedder)
    (back,) = pipeline.rewrite(again, [])
    assert replace(back, timings_ms={}) == replace(answer, timings_ms={})


def test_writing_again_is_timed_and_the_times_of_the_ranking_stay(pipeline: Pipeline) -> None:
    answer = pipeline.ask(QUESTION)
    (again,) = pipeline.rewrite(answer, ())
    assert list(again.timings_ms) == list(answer.timings_ms)
    assert again.timings_ms["search"] == answer.timings_ms["search"]
    assert again.timings_ms["answer"] != answer.timings_ms["answer"]


def test_with_all_sources_struck_out_the_answer_says_so(
    pipeline: Pipeline, written_by: Callable[..., Pipeline]
) -> None:
    for each in (pipeline, written_by("Thirty days [1].")):
        answer = each.ask(QUESTION)
        (again,) = each.rewrite(answer, {citation.chunk.id for citation in answer.citations})
        assert (again.text, again.answered_by) == (ALL_STRUCK_OUT, EXTRACTIVE)
        assert (again.found, again.complete) == (False, True)
        assert again.without == tuple(citation.chunk.id for citation in answer.citations)


def test_a_language_model_writes_again_from_what_remains_under_the_same_numbers(
    settings: Settings, table: ChunkTable, embedder: FakeEmbedder
) -> None:
    writer = FakeLanguageModel("Thirty", " days [1]", " or so [2].")
    pipeline = Pipeline(settings, embedder, writer)
    answer = pipeline.ask(QUESTION)
    first, second, *_ = answer.citations
    *growing, last = pipeline.rewrite(answer, {first.chunk.id})
    assert [each.text for each in growing] == ["Thirty", "Thirty days", "Thirty days or so [2]."]
    assert not any(each.complete or each.found for each in growing)
    assert (last.text, last.answered_by, last.complete) == ("Thirty days or so [2].", "fake-writer", True)
    content = writer.messages[-1]["content"]
    assert first.chunk.text not in content
    assert f"[2] {second.chunk.passage}" in content


def test_what_is_no_citation_is_not_noted_as_left_out(pipeline: Pipeline) -> None:
    (again,) = pipeline.rewrite(pipeline.ask(QUESTION), {"somewhere else"})
    assert again.without == ()


def test_a_failure_of_the_first_writing_is_not_said_of_the_second(
    settings: Settings, table: ChunkTable, embedder: FakeEmbedder
) -> None:
    down = Pipeline(settings, embedder, FakeLanguageModel(LanguageModelError("no connection")))
    *_, answer = down.write(down.rank(QUESTION, "broken", fall_back=True))
    assert answer.note.endswith("no connection")
    *_, still = down.rewrite(answer, ())
    assert still.note == answer.note  # once, not twice
    *_, again = Pipeline(settings, embedder, FakeLanguageModel("Thirty days [1].")).rewrite(still, ())
    assert again.note == answer.ranking_note
    assert "the service is down" in again.note
    assert again.answered_by == "fake-writer"


def test_writing_again_that_is_cut_off_says_so(written_by: Callable[..., Pipeline]) -> None:
    answer = written_by("Thirty days [1].").ask(QUESTION)
    *_, last = written_by("Thirty days [2]", LanguageModelError("cut off")).rewrite(answer, ())
    assert (last.text, last.complete, last.note) == ("Thirty days [2]", False, "cut off")


# Who finds the sentences -----------------------------------------------------------------------------


def test_the_embedders_token_vectors_find_the_sentences_whichever_reranker_ranks(
    pipeline: Pipeline, rerankers: dict[str, Reranker | None]
) -> None:
    scorer: object = pipeline.models.sentence_scorer
    assert scorer is rerankers["late-interaction"]
    answer = pipeline.ask(QUESTION, "likes trains")
    assert answer.citations[0].chunk.document == "handbook/travel.md"
    assert "Everybody has 30 days of leave a year." in answer.text


def test_what_only_sorts_finds_no_sentences(pipeline: Pipeline, rerankers: dict[str, Reranker | None]) -> None:
    class OnlySorts:
        name, blend = "a cross-encoder", None

        def score(self, query: str, passages: Sequence[str]) -> list[float]:
            return [float(len(passage)) for passage in passages]

    rerankers["shipped"] = rerankers["late-interaction"] = OnlySorts()
    with pytest.raises(RerankerError, match="shipped only sorts; quoting and checking citations need late interaction"):
        _ = pipeline.models.quote_scorer
    with pytest.raises(RerankerError, match="late-interaction only sorts"):
        _ = pipeline.models.sentence_scorer


def test_a_sentence_scorer_that_is_given_takes_the_place_of_the_usual_one(
    settings: Settings, table: ChunkTable, embedder: FakeEmbedder
) -> None:
    likes_hotels = FakeReranker({"A hotel": 0.9})
    pipeline = Pipeline(settings, embedder, sentence_scorer=likes_hotels)
    assert pipeline.ask(QUESTION).text.startswith("A hotel may cost 150 euros a night.")


def test_a_written_answer_needs_no_sentence_scorer(
    written_by: Callable[..., Pipeline], rerankers: dict[str, Reranker | None]
) -> None:
    del rerankers["late-interaction"]
    assert written_by("Thirty days [1].").ask(QUESTION).complete


def test_without_key_or_address_answers_are_extractive(pipeline: Pipeline) -> None:
    assert pipeline.models.language_model is None


@pytest.mark.parametrize(
    "configured", [{"openai_api_key": SecretStr("k")}, {"openai_base_url": "http://127.0.0.1:1/v1"}]
)
def test_a_key_or_an_address_makes_the_configured_model_write(
    configured: dict[str, object], settings: Settings, embedder: FakeEmbedder
) -> None:
    pipeline = Pipeline(settings.model_copy(update={**configured, "openai_model": "writer-2"}), embedder)
    assert pipeline.models.language_model is not None
    assert pipeline.models.language_model.name == "writer-2"


def test_every_document_can_be_cited(pipeline: Pipeline) -> None:
    found = {ranked.chunk.document for ranked in pipeline.rank("leave hotel VPN").ranking}
    assert found == set(DOCUMENTS)


# The table that serves -------------------------------------------------------------------------------


class OtherEmbedder(FakeEmbedder):
    name = "other"
    dimension = 32


@pytest.fixture
def embedders(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two embedders that can be loaded by name."""
    known = {embedder.name: embedder for embedder in (FakeEmbedder(), OtherEmbedder())}
    monkeypatch.setattr("app.models.load_embedder", lambda name: known[name])
    monkeypatch.setattr("app.models.recorded_name", lambda name: name)


@pytest.mark.usefixtures("table", "embedders")
def test_a_table_is_searched_with_the_embedder_that_made_it(settings: Settings) -> None:
    pipeline = Pipeline(settings.model_copy(update={"embedder": "other"}))
    assert pipeline.models.embedder.name == "fake"
    assert pipeline.search(QUESTION)
    assert "embedded with fake" in pipeline.models.hint
    assert "citeloop reindex" in pipeline.models.hint
    assert Pipeline(settings).models.hint == ""


@pytest.mark.parametrize("works", [True, False])
def test_a_secret_in_the_address_of_a_reranker_is_in_no_answer(
    works: bool, pipeline: Pipeline, rerankers: dict[str, Reranker | None]
) -> None:
    address = "http:http://bob:s3cret@127.0.0.1:9/v1?key=s3cret"
    rerankers[address] = WordScorer() if works else BrokenReranker()
    answer = pipeline.rank(QUESTION, address, fall_back=True)
    assert "http:http://127.0.0.1:9/v1" in (answer.reranker if works else answer.note)
    assert "s3cret" not in f"{answer.note} {answer.reranker}"


@pytest.mark.usefixtures("embedders")
def test_a_table_that_is_made_meanwhile_is_searched_with_its_embedder(
    settings: Settings, home: Path, documents: Path
) -> None:
    pipeline = Pipeline(settings.model_copy(update={"embedder": "fake"}))
    assert (pipeline.models.embedder.name, pipeline.search(QUESTION)) == ("fake", [])
    list(ingest([documents], ChunkTable(home, OtherEmbedder()), OtherEmbedder()))
    assert pipeline.search(QUESTION)
    assert pipeline.models.embedder.name == "other"


@pytest.mark.usefixtures("embedders")
def test_a_new_table_is_made_with_the_embedder_of_the_settings(settings: Settings) -> None:
    pipeline = Pipeline(settings.model_copy(update={"embedder": "other"}))
    assert (pipeline.models.embedder.name, pipeline.models.hint) == ("other", "")


@pytest.mark.usefixtures("table", "embedders")
def test_a_running_pipeline_follows_to_the_new_table(settings: Settings) -> None:
    pipeline = Pipeline(settings.model_copy(update={"embedder": "fake"}))
    before = {candidate.chunk.id for candidate in pipeline.search(QUESTION)}
    assert {result.status for result in reindex(settings.home, OtherEmbedder())} == {"added"}
    assert {candidate.chunk.id for candidate in pipeline.search(QUESTION)} == before
    assert pipeline.models.embedder.name == "other"


def test_a_damaged_passage_is_not_cited_and_the_answer_says_so(pipeline: Pipeline, settings: Settings) -> None:
    for path in (settings.home / "table" / "chunks.lance" / "data").glob("*.lance"):
        path.write_bytes(path.read_bytes().replace(b"30 days of leave", b"31 days of leave"))
    answer = pipeline.ask(QUESTION)
    assert "31 days" not in answer.text
    assert "handbook/leave.md is damaged" in answer.note
    assert "citeloop doctor" in answer.note


def test_a_question_in_another_language_is_told_with_its_answer(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.pipeline.foreign_question_note", lambda query, passages, _: f"{query} {len(passages) > 0}")
    assert pipeline.ask("Wie viele Urlaubstage?").note == "Wie viele Urlaubstage? True"


def test_settings_that_are_damaged_leave_the_quotes_and_say_so(pipeline: Pipeline, settings: Settings) -> None:
    pipeline.models._given_language_model = None
    (settings.home / "endpoint.json").write_text("{")
    answer = pipeline.ask(QUESTION)
    assert (answer.answered_by, answer.found, answer.complete) == (EXTRACTIVE, True, True)
    assert "endpoint.json is damaged" in answer.note
    (settings.home / "endpoint.json").unlink()
    (settings.home / "prompts.json").write_text("{")
    assert "prompts.json cannot be read" in pipeline.ask(QUESTION).note


def test_the_endpoint_of_the_moment_writes_and_one_that_writes_already_goes_on(
    settings: Settings, table: ChunkTable, embedder: FakeEmbedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also with a key that has changed; a stream that began with the old one ends with it."""
    made: list[Endpoint] = []

    class Writes(FakeLanguageModel):
        def __init__(self, endpoint: Endpoint) -> None:
            super().__init__("Thirty ", "days [1].")
            self.name = f"{endpoint.model} {endpoint.key}"
            made.append(endpoint)

    monkeypatch.setattr("app.language_model.openai_model.OpenAILanguageModel", Writes)
    pipeline = Pipeline(settings, embedder)
    assert pipeline.ask(QUESTION).answered_by == EXTRACTIVE
    save_endpoint(settings.home, Endpoint("http://one.test/v1", "first", SecretStr("key-1")))
    begun = pipeline.write(pipeline.rank(QUESTION))
    assert next(begun).answered_by == "first key-1"
    save_endpoint(settings.home, Endpoint("http://two.test/v1", "second", SecretStr("key-2")))
    assert pipeline.ask(QUESTION).answered_by == "second key-2"
    *_, last = begun
    assert (last.answered_by, last.text, last.complete) == ("first key-1", "Thirty days [1].", True)
    save_endpoint(settings.home, Endpoint("http://two.test/v1", "second", SecretStr("key-3")))
    assert pipeline.ask(QUESTION).answered_by == "second key-3"
    assert pipeline.ask(QUESTION).complete
    assert len(made) == 3  # not one for each question
