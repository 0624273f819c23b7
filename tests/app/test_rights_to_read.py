"""Two people with different collections, on everything below the pages: ann reads `handbook`, ben reads `it`."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from app.access.rights import Rights
from app.answering import Answerer, AnswerJobStore
from app.feedback import FeedbackStore, Judgement, StoredAnswer
from app.feedback.conversation_markdown import as_markdown
from app.feedback.reading import HIDDEN, ReadableAnswers
from app.feedback.statements import standing, withdrawn
from app.memory.votes import Statement
from app.pipeline import Pipeline
from app.search.filters import EVERYTHING, Filter, FilterError
from app.search.spelling import Spelling
from app.settings import Settings
from ingest.chunk import Chunk
from ingest.pipeline import ingest
from ingest.removal import move, remove
from ingest.table import ChunkTable
from tests.app.builders import make_earlier
from tests.conftest import FakeEmbedder, FakeLanguageModel

ANN = Rights("ann", "reader", frozenset({"handbook"}))
BEN = Rights("ben", "reader", frozenset({"it"}))
NOBODY = Rights("eve", "reader", frozenset())
ALL = Rights("root")
QUESTION = "What does the VPN need?"
SECRET = ("hardware key", "extension 4400", "vpn.md", '"VPN"', "tunnel")
"""What only the document of `it` says."""


def leaks(*shown: object) -> list[str]:
    text = json.dumps([str(each) for each in shown]) + "".join(map(str, shown))
    return [word for word in SECRET if word in text]


@pytest.fixture
def store(settings: Settings) -> FeedbackStore:
    return FeedbackStore(settings.home)


@pytest.fixture
def secret(table: ChunkTable) -> Chunk:
    (chunk,) = table.chunks_of(next(each.id for each in table.documents() if each.name == "it/vpn.md"))
    return chunk


@pytest.fixture
def add(table: ChunkTable, documents: Path, embedder: FakeEmbedder) -> Callable[[str, str], None]:
    def add_document(name: str, text: str) -> None:
        (documents / name).parent.mkdir(exist_ok=True)
        (documents / name).write_text(text)
        list(ingest([documents], table, embedder))

    return add_document


def put_into(table: ChunkTable, name: str, collection: str) -> None:
    with table.writing():
        move([each for each in table.documents() if each.name == name], collection, table)


# search ------------------------------------------------------------------------------------------------


def test_neither_list_finds_what_may_not_be_read(pipeline: Pipeline, secret: Chunk) -> None:
    found = pipeline.rank(QUESTION, within=EVERYTHING.read_by(ANN))
    assert {ranked.chunk.document for ranked in found.ranking} == {"handbook/leave.md", "handbook/travel.md"}
    assert not leaks(replace(found, question=""))
    mine = pipeline.rank(QUESTION, within=EVERYTHING.read_by(BEN))
    assert [ranked.chunk for ranked in mine.ranking] == [secret]
    assert len(pipeline.rank(QUESTION).ranking) == 4


def test_what_may_not_be_read_is_never_fetched(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    fetched: list[str] = []
    whole_rows = ChunkTable._whole_rows

    def watched(self: ChunkTable, query: object) -> list[dict[str, str]]:
        rows = whole_rows(self, query)
        fetched.extend(row["document"] for row in rows)
        return rows

    monkeypatch.setattr(ChunkTable, "_whole_rows", watched)
    monkeypatch.setattr("ingest.table.searching._MANY_IDS", 0)  # also where it looks deeper first
    for within in (Filter(), Filter(documents=("handbook/leave.md",)), Filter(types=("md",))):
        pipeline.rank(QUESTION, within=within.read_by(ANN))
    assert fetched
    assert "it/vpn.md" not in fetched


def test_who_may_read_nothing_finds_nothing(pipeline: Pipeline) -> None:
    assert pipeline.ask(QUESTION, within=EVERYTHING.read_by(NOBODY)).ranking == ()


@pytest.mark.parametrize(
    ("chosen", "unknown"),
    [
        (Filter(collections=("it",)), Filter(collections=("xx",))),
        (Filter(documents=("it/vpn.md",)), Filter(documents=("xx/xxx.xx",))),
    ],
)
def test_a_filter_by_what_may_not_be_read_says_what_an_unknown_one_says(
    table: ChunkTable, chosen: Filter, unknown: Filter
) -> None:
    said = []
    for each in (chosen, unknown):
        with pytest.raises(FilterError) as error:
            each.read_by(ANN).document_ids(table)
        said.append(str(error.value))
    assert said[0].replace("it/vpn.md", "xx/xxx.xx").replace("'it'", "'xx'") == said[1]
    assert "handbook" in said[0]


@pytest.mark.usefixtures("rare_words")
def test_words_that_may_not_be_read_correct_nothing(table: ChunkTable, embedder: FakeEmbedder) -> None:
    spelling = Spelling()
    for _ in range(2):  # also once somebody else's words are counted
        assert spelling.correct("the hardwrae", table, embedder, EVERYTHING.read_by(ANN)) == "the hardwrae"
        assert spelling.correct("the hardwrae", table, embedder, EVERYTHING.read_by(BEN)) == "the hardware"
        assert spelling.correct("the paretnal", table, embedder, EVERYTHING.read_by(BEN)) == "the paretnal"
        assert spelling.correct("the hardwrae", table, embedder) == "the hardware"


@pytest.mark.usefixtures("rare_words")
def test_a_word_of_others_is_corrected_as_if_they_had_none(
    table: ChunkTable, embedder: FakeEmbedder, add: Callable[[str, str], None]
) -> None:
    """The typo is a word of a document that may not be read, which must not show."""
    add("it/code.md", "# Code\n\nThe code name is paretnal.\n")
    assert Spelling().correct("the paretnal", table, embedder, EVERYTHING.read_by(ANN)) == "the parental"


def test_a_newer_version_that_may_not_be_read_does_not_show(
    pipeline: Pipeline, table: ChunkTable, add: Callable[[str, str], None]
) -> None:
    text = "# Travel policy {0}\n\nVersion {1}\n\n## Hotels\n\nA hotel in Bern costs {2} francs.\n"
    add("handbook/policy-2024.md", text.format(2024, 1, 100))
    add("handbook/policy-2026.md", text.format(2026, 2, 300))
    put_into(table, "handbook/policy-2026.md", "board")
    question = "What does a hotel in Bern cost?"
    everything = pipeline.rank(question)
    assert "2026" in str({ranked.candidate.superseded_by for ranked in everything.ranking})
    mine = pipeline.rank(question, within=EVERYTHING.read_by(ANN))
    assert {ranked.candidate.superseded_by for ranked in mine.ranking} == {""}
    assert pipeline.families_for(EVERYTHING.read_by(ANN)).all() == []


def test_a_copy_that_may_not_be_read_is_not_named(pipeline: Pipeline, add: Callable[[str, str], None]) -> None:
    text = "# Canteen\n\nThe canteen opens at eleven.\n"
    add("handbook/canteen.md", text)
    add("it/copy.md", text)
    question = "When does the canteen open?"
    assert pipeline.rank(question).ranking[0].candidate.also_in
    assert "it/copy.md" not in str(pipeline.rank(question, within=EVERYTHING.read_by(ANN)))
    assert "handbook/canteen.md" not in str(pipeline.rank(question, within=EVERYTHING.read_by(BEN)))


def test_damage_names_no_document_to_who_may_not_read_it(pipeline: Pipeline) -> None:
    table = pipeline.table
    table._damaged, table._damaged_version = {"it/vpn.md"}, table.version
    assert "it/vpn.md is damaged" in pipeline.rank(QUESTION).note
    assert pipeline.rank(QUESTION, within=EVERYTHING.read_by(ANN)).note == ""


# votes -------------------------------------------------------------------------------------------------


def test_a_named_passage_acts_only_for_who_may_read_it(pipeline: Pipeline, store: FeedbackStore, secret: Chunk) -> None:
    asked = "How many days of leave are there?"
    store.judge([Judgement.of(asked, secret.ref, "relevant", "root")])
    assert pipeline.rank(asked, within=EVERYTHING.read_by(BEN)).ranking[0].chunk == secret
    mine = pipeline.rank(asked, within=EVERYTHING.read_by(ANN))
    assert not leaks(mine)
    assert all(ranked.vote is None for ranked in mine.ranking)


def test_a_named_passage_is_found_in_the_copy_that_may_be_read(
    pipeline: Pipeline, store: FeedbackStore, secret: Chunk, add: Callable[[str, str], None]
) -> None:
    add("handbook/network.md", f"# VPN\n\n{secret.text}\n")
    named = Judgement.of("How many days?", replace(secret, id="gone").ref, "relevant", "root")
    store.judge([named])
    best = pipeline.rank("How many days?", within=EVERYTHING.read_by(ANN)).ranking[0]
    assert best.chunk.document == "handbook/network.md"


@pytest.mark.parametrize(
    ("said_by", "acts_for"),
    [(ALL, "ann ben root"), (BEN, "ben"), (Rights("carl", "curator", frozenset({"it", "handbook"})), "ann ben")],
    ids=["of all", "of it", "of both"],
)
def test_that_nothing_answers_is_said_to_who_may_read_no_more(
    pipeline: Pipeline, store: FeedbackStore, said_by: Rights, acts_for: str
) -> None:
    names = said_by.collections
    collections = None if names is None else tuple(sorted(names))
    store.say([Statement("Is there a pool?", "root", collections=collections)])
    said = {
        rights.user
        for rights in (ANN, BEN, ALL)
        if pipeline.rank("Is there a pool?", within=EVERYTHING.read_by(rights)).statement
    }
    assert said == set(acts_for.split())


def test_that_nothing_answers_says_nothing_to_who_may_not_read_what_was_shown(
    pipeline: Pipeline, store: FeedbackStore, secret: Chunk
) -> None:
    store.say([Statement("Is there a pool?", "root", shown=(secret.id,))])
    assert pipeline.rank("Is there a pool?", within=EVERYTHING.read_by(ANN)).statement is None
    assert pipeline.rank("Is there a pool?", within=EVERYTHING.read_by(BEN)).statement


def test_a_written_answer_is_for_who_may_read_its_sources(
    pipeline: Pipeline, store: FeedbackStore, secret: Chunk
) -> None:
    store.say([Statement("Is there a pool?", "root", text="In the cellar [1].", sources=(secret.ref,))])
    texts = {
        rights.user: list(pipeline.write(pipeline.rank("Is there a pool?", within=EVERYTHING.read_by(rights))))[-1].text
        for rights in (ANN, BEN, ALL)
    }
    assert {user for user, text in texts.items() if text == "In the cellar [1]."} == {BEN.user, ALL.user}


def test_that_nothing_answers_ends_no_answer_for_who_may_read_more(
    pipeline: Pipeline, store: FeedbackStore, secret: Chunk
) -> None:
    store.say([Statement("Is there a pool?", "root", text="In the cellar [1].", sources=(secret.ref,))])
    store.say([Statement("Is there a pool?", "ann", collections=("handbook",))])
    said = {}
    for rights in (ANN, BEN, ALL):
        statement = pipeline.rank("Is there a pool?", within=EVERYTHING.read_by(rights)).statement
        said[rights.user] = statement and statement.user
    assert said == {"ann": "ann", "ben": "root", "root": "root"}
    assert {each.user for each in standing(store.statements())} == {"ann", "root"}
    store.say(withdrawn(store.statements(), "Is there a pool?", "ann", ("handbook",)))
    assert [each.user for each in standing(store.statements())] == ["root"]


def test_a_written_answer_replaces_none_that_its_curator_may_not_have_seen(
    pipeline: Pipeline, store: FeedbackStore, table: ChunkTable, secret: Chunk
) -> None:
    leave = next(
        chunk for each in table.documents() if each.name == "handbook/leave.md" for chunk in table.chunks_of(each.id)
    )
    store.say([Statement("Is there a pool?", "root", text="In the cellar [1].", sources=(secret.ref,))])
    later = Statement("Is there a pool?", "ann", text="There is none [1].", sources=(leave.ref,))
    store.say([replace(later, collections=("handbook",))])
    said = {}
    for rights in (ANN, BEN, ALL):
        statement = pipeline.rank("Is there a pool?", within=EVERYTHING.read_by(rights)).statement
        said[rights.user] = statement and statement.user
    assert said == {"ann": "ann", "ben": "root", "root": "root"}


def test_a_vote_hides_the_question_of_others_whose_answer_showed_what_may_not_be_read(
    pipeline: Pipeline, store: FeedbackStore
) -> None:
    question = "How many days of leave are there for the tunnel?"
    stored = asked(pipeline, store, question)
    assert {"handbook/leave.md", "it/vpn.md"} <= {each.chunk.document for each in stored.answer.citations}
    leave = next(each.chunk for each in stored.answer.citations if each.chunk.document == "handbook/leave.md")
    for user in ("ben", "carl"):
        store.record(stored, leave.id, "deleted", user)
    told = {}
    for rights in (ANN, ALL):
        ranking = pipeline.rank(question, within=EVERYTHING.read_by(rights), user="dora").ranking
        (vote,) = (ranked.vote for ranked in ranking if ranked.vote)
        told[rights.user] = vote.vote.question
    assert told == {"ann": "", "root": question}


def test_a_passage_named_for_others_does_not_end_that_nothing_answers(
    pipeline: Pipeline, store: FeedbackStore, secret: Chunk
) -> None:
    store.say([Statement("Is there a pool?", "root")])
    store.judge([Judgement.of("Is there a pool?", secret.ref, "relevant", "ben")])
    said = {
        rights.user: pipeline.rank("Is there a pool?", within=EVERYTHING.read_by(rights)).statement is not None
        for rights in (ANN, BEN, ALL)
    }
    assert said == {"ann": True, "ben": False, "root": False}


def test_a_statement_of_an_earlier_version_is_of_all_documents(store: FeedbackStore) -> None:
    home = store._records._path.parent
    store.check_writable()
    make_earlier(home, 1, "statements")
    with closing(sqlite3.connect(home / "feedback.sqlite3")) as connection, connection:
        columns = "sequence INTEGER PRIMARY KEY AUTOINCREMENT, question TEXT, user TEXT, at TEXT, shown TEXT, withdrawn"
        connection.execute(f"CREATE TABLE unanswered ({columns} INTEGER)")
        connection.execute("INSERT INTO unanswered VALUES (1, 'Pool?', 'root', '2026-01-01T00:00:00+00:00', '', 0)")
    assert [each.collections for each in FeedbackStore(home).statements()] == [None]


# answers of earlier --------------------------------------------------------------------------------------


def asked(pipeline: Pipeline, store: FeedbackStore, question: str = QUESTION) -> StoredAnswer:
    """An answer that ann got when she could read everything, in the conversation `talk`."""
    stored = store.answer(store.save_answer(pipeline.ask(question), "talk", "ann"), "ann")
    assert stored is not None
    return stored


def readable(pipeline: Pipeline, store: FeedbackStore, rights: Rights) -> ReadableAnswers:
    return pipeline.readable_answers(store, rights)


def test_an_answer_on_what_may_no_longer_be_read_is_hidden_everywhere(pipeline: Pipeline, store: FeedbackStore) -> None:
    stored = asked(pipeline, store)
    token = store.share("talk", "ann")
    assert leaks(stored.answer.text)
    mine = readable(pipeline, store, ANN)
    (turn,) = mine.conversation("talk", "ann")
    assert mine.answer(stored.id, "ann") == turn
    assert mine.shared_conversation(token) == [turn]
    assert (turn.answer.question, turn.answer.text) == (QUESTION, HIDDEN)
    assert not leaks(turn, as_markdown([turn]), turn.answer.as_record())
    assert mine.conversations("ann", "hardware key") == []
    assert [each.title for each in mine.conversations("ann", "vpn need")] == [QUESTION]
    assert [each.title for each in readable(pipeline, store, ALL).conversations("ann", "hardware key")] == [QUESTION]


def test_rights_that_are_given_back_open_it_again(pipeline: Pipeline, store: FeedbackStore) -> None:
    stored = asked(pipeline, store)
    readable(pipeline, store, ANN).conversation("talk", "ann")
    both = Rights("ann", "reader", frozenset({"handbook", "it"}))
    assert readable(pipeline, store, both).answer(stored.id, "ann") == stored
    assert readable(pipeline, store, ALL).answer(stored.id, "ann") == stored


def test_a_share_link_shows_what_its_reader_may_read(pipeline: Pipeline, store: FeedbackStore) -> None:
    store.save_answer(pipeline.ask(QUESTION, within=Filter(collections=("it",))), "talk", "root")
    token = store.share("talk", "root")
    shown = {
        rights.user: readable(pipeline, store, rights).shared_conversation(token)[0].answer.text
        for rights in (ANN, BEN, NOBODY, ALL)
    }
    assert shown["ann"] == shown["eve"] == HIDDEN
    assert shown["ben"] == shown["root"] != HIDDEN


def test_what_an_answer_only_ranked_is_left_out(pipeline: Pipeline, store: FeedbackStore, secret: Chunk) -> None:
    full = pipeline.ask("How many days of leave are there?")
    cited = tuple(each for each in full.citations if each.chunk.document_id != secret.document_id)
    full = replace(full, citations=cited)
    assert leaks(full.ranking)
    stored_id = store.save_answer(full, "talk", "ann")
    turn = readable(pipeline, store, ANN).answer(stored_id, "ann")
    assert turn is not None
    assert turn.answer.text == full.text
    assert not leaks(turn, turn.answer.as_record())


def test_a_ranking_has_no_gap_where_a_passage_is_hidden(
    pipeline: Pipeline, store: FeedbackStore, secret: Chunk
) -> None:
    full = pipeline.ask("How many days of leave are there?")
    first = sorted(full.ranking, key=lambda each: each.chunk.id != secret.id)
    ranking = tuple(
        replace(
            each,
            rank=number,
            unvoted_rank=number,
            candidate=replace(each.candidate, fused_rank=number, vector_rank=number, text_rank=number + 4),
        )
        for number, each in enumerate(first, 1)
    )
    cited = tuple(each for each in full.citations if each.chunk.id != secret.id)
    stored_id = store.save_answer(replace(full, ranking=ranking, citations=cited), "talk", "ann")
    turn = readable(pipeline, store, ANN).answer(stored_id, "ann")
    assert turn is not None
    rows = [ranked.as_row() for ranked in turn.answer.ranking]
    for name in ("rank", "unvoted_rank", "fused_rank", "vector_rank", "text_rank"):
        assert [row[name] for row in rows] == [1, 2, 3], name
    assert readable(pipeline, store, ALL).answer(stored_id, "ann") == store.answer(stored_id, "ann")


def test_names_of_copies_and_newer_versions_close_too(pipeline: Pipeline, store: FeedbackStore) -> None:
    full = pipeline.ask("How many days of leave are there?", within=Filter(collections=("handbook",)))
    names = {"also_in": ("handbook/travel.md", "it/vpn.md"), "superseded_by": "VPN (2026)"}
    full = replace(
        full,
        citations=tuple(replace(each, **names) for each in full.citations),  # type: ignore[arg-type]
        ranking=tuple(
            replace(each, candidate=replace(each.candidate, **names))  # type: ignore[arg-type]
            for each in full.ranking
        ),
    )
    turn = readable(pipeline, store, ANN).answer(store.save_answer(full, "talk", "ann"), "ann")
    assert turn is not None
    assert {each.also_in for each in turn.answer.citations} == {("handbook/travel.md",)}
    assert "VPN" not in str(turn)
    assert "it/vpn.md" not in str(turn)


def test_a_note_for_who_reads_all_is_not_shown_to_others(pipeline: Pipeline, store: FeedbackStore) -> None:
    note = "A passage of it/vpn.md is damaged on the disk and was left out."
    full = pipeline.ask("How many days of leave are there?", within=Filter(collections=("handbook",)))
    stored_id = store.save_answer(replace(full, note=note, ranking_note=note), "talk", "root")
    mine, theirs = (readable(pipeline, store, rights).answer(stored_id, "root") for rights in (ANN, ALL))
    assert mine is not None
    assert theirs is not None
    assert mine.answer.text == theirs.answer.text == full.text
    assert not leaks(mine)
    assert theirs.answer.note == note


def test_documents_that_are_gone_are_closed_for_who_may_not_read_all(
    pipeline: Pipeline, store: FeedbackStore, table: ChunkTable
) -> None:
    stored = asked(pipeline, store)
    with table.writing():
        remove([each for each in table.documents() if each.name == "it/vpn.md"], table)
    for rights in (ANN, BEN):
        turn = readable(pipeline, store, rights).answer(stored.id, "ann")
        assert turn is not None
        assert turn.answer.text == HIDDEN
    assert readable(pipeline, store, ALL).answer(stored.id, "ann") == stored


def test_moving_a_document_away_closes_it_at_once(pipeline: Pipeline, store: FeedbackStore, table: ChunkTable) -> None:
    within = EVERYTHING.read_by(BEN)
    stored_id = store.save_answer(pipeline.ask(QUESTION, within=within), "talk", "ben")
    put_into(table, "it/vpn.md", "board")
    assert pipeline.ask(QUESTION, within=within).ranking == ()
    turn = readable(pipeline, store, BEN).answer(stored_id, "ben")
    assert turn is not None
    assert turn.answer.text == HIDDEN


def test_a_follow_up_tells_the_language_model_nothing_that_is_hidden(
    settings: Settings, table: ChunkTable, embedder: FakeEmbedder, store: FeedbackStore
) -> None:
    language_model = FakeLanguageModel("And what costs the VPN?")
    pipeline = Pipeline(settings, embedder, language_model)
    told = replace(
        pipeline.ask("What does it need?"), query="What does the hardware key need?", text="Call extension 4400 [1]"
    )
    store.save_answer(told, "talk", "ann")
    turns = readable(pipeline, store, ANN).conversation("talk", "ann")
    pipeline.in_full("And what does it cost?", [turn.answer.searched for turn in turns])
    assert "What does it need?" in str(language_model.messages)
    assert not leaks(language_model.messages)


def test_an_answer_that_is_ranked_again_follows_the_rights_of_now(
    pipeline: Pipeline, store: FeedbackStore, settings: Settings
) -> None:
    full = pipeline.ask("How many days of leave are there?", within=Filter().read_by(ALL))
    stored_id = store.save_answer(full, "talk", "ann")
    answerer = Answerer(pipeline, store, AnswerJobStore(settings.home))
    stored = store.answer(stored_id, "ann")
    assert stored is not None
    assert leaks(stored.answer.ranking)
    answerer.rank_again(stored, "none", (), ANN)
    answerer.wait()
    again = store.answer(stored_id, "ann")
    assert again is not None
    assert again.answer.ranking
    assert not leaks(again.answer)


def test_a_filter_on_what_may_no_longer_be_read_says_so_and_shows_nothing(
    pipeline: Pipeline, store: FeedbackStore, settings: Settings
) -> None:
    stored_id = store.save_answer(pipeline.ask(QUESTION, within=Filter(collections=("it",))), "talk", "ann")
    answerer = Answerer(pipeline, store, AnswerJobStore(settings.home))
    again_id = answerer.ask(QUESTION, "talk", "ann", within=Filter(collections=("it",)).read_by(ANN))
    answerer.wait()
    again = readable(pipeline, store, ANN).answer(again_id, "ann")
    assert again is not None
    assert again.answer.note == "there is no collection 'it'; choose from: handbook"
    assert again.answer.ranking == ()
    assert stored_id != again_id
