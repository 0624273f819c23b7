from __future__ import annotations

import threading
from pathlib import Path

import pytest

from app.search.spelling import Spelling, nearest, other_umlauts
from ingest.embedded import embed_documents
from ingest.parse import parse_text
from ingest.table import ChunkTable, TableError
from tests.conftest import PATIENCE, FakeEmbedder

COUNTS = {
    "customers": 20,
    "schedule": 20,
    "helper": 9,
    "help": 30,
    "metrics": 9,
    "metric": 9,
    "cell": 90,
    "document": 90,
    "metastases": 5,
    "cet": 1,
    "overtiem": 1,
    "overtimes": 5,
}


@pytest.fixture
def spelling() -> Spelling:
    return Spelling()


@pytest.fixture
def german(home: Path, embedder: FakeEmbedder) -> ChunkTable:
    table = ChunkTable(home, embedder)
    text = "# Vertrag\n\nDie Kündigung braucht drei Monate. Die Kündigung der Wohnung, die Kuendigungsfrist, Kündigung."
    put(table, embedder, text, "vertrag.md")
    return table


def put(table: ChunkTable, embedder: FakeEmbedder, text: str, name: str) -> None:
    with table.writing():
        table.replace(embed_documents([parse_text(text, name, name)], embedder))


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("schedlue", "schedule"),  # swapped
        ("shedule", "schedule"),  # left out
        ("scchedule", "schedule"),  # twice
        ("schedulr", "schedule"),  # the key beside
        ("custumers", "customers"),  # another vowel
        ("clel", "cell"),
        ("matasteses", "metastases"),  # two slips in a long word
        ("helpr", "helper"),  # rather than a letter too many in "help"
        ("metrica", "metrics"),
    ],
)
def test_a_slip_becomes_the_word_that_was_meant(typed: str, meant: str) -> None:
    assert nearest(typed, COUNTS) == meant


@pytest.mark.parametrize(
    "typed",
    [
        "celk",  # of four letters
        "documentdb",  # a compound
        "schepule",  # p is not beside d
        "ketrics",  # nobody mistypes the first letter
        "cert",  # a word, though unknown to the documents
        "submarine",
        "metricxx",
        "overtiem",  # the documents have it
    ],
)
def test_what_may_be_meant_stays(typed: str) -> None:
    assert nearest(typed, COUNTS) == ""


def test_a_rare_word_that_no_dictionary_has_is_no_correction() -> None:
    assert nearest("zylnode", {"zylnodes": 2}) == ""
    assert nearest("zylnode", {"zylnodes": 3}) == "zylnodes"


def test_the_more_frequent_of_two_words_is_meant() -> None:
    assert nearest("contet", {"content": 5, "contest": 50}) == "contest"
    assert nearest("contet", {"content": 50, "contest": 5}) == "content"


def test_a_word_of_another_language_may_be_a_slip() -> None:
    assert nearest("dyas", {"days": 90}, ["en"]) == "days"
    assert nearest("dyas", {"days": 90}, ["de"]) == "", "a system of rocks"


def test_umlauts_may_be_typed_as_two_letters() -> None:
    assert other_umlauts("kuendigung", {"kündigung": 1}) == "kündigung"
    assert other_umlauts("kündigung", {"kuendigung": 1}) == "kuendigung"
    assert other_umlauts("steuererhoehung", {"steuererhöhung": 1}) == "steuererhöhung"
    assert other_umlauts("steuer", {"steür": 1}) == ""


@pytest.mark.usefixtures("rare_words")
def test_unknown_words_of_a_query_become_words_of_the_documents(
    spelling: Spelling, table: ChunkTable, embedder: FakeEmbedder
) -> None:
    assert spelling.correct("Paretnal leave before the brith?", table, embedder) == "Parental leave before the birth?"
    assert spelling.correct("the hotle's hardwrae key", table, embedder) == "the hotel's hardware key"


@pytest.mark.usefixtures("rare_words")
@pytest.mark.parametrize(
    "query",
    [
        "How many days of leave?",
        "days requested by parents",  # another inflection
        'the "paretnal" leave',
        "the „paretnal“ leave",
        "`paretnal`",
        "paretnal_leave, paretnal.leave, paretnal/leave, paretnal-leave, --paretnal, paretnal2, @paretnal",
        "PARETNAL paretnalLeave",
        "leave of Mrs Paretnal",
        "育児休暇のparetnal",
        "paretnal hotle hardwrae tunenl",  # so many are another language
        "",
    ],
)
def test_other_words_stay_as_typed(query: str, spelling: Spelling, table: ChunkTable, embedder: FakeEmbedder) -> None:
    assert spelling.correct(query, table, embedder) == query


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("can i borow a mac", "can i borrow a mac"),  # left out
        ("can i borrrow a mac", "can i borrow a mac"),  # twice
        ("can i borowe a mac", "can i borowe a mac"),  # two slips
        ("which topos", "which topos"),  # a letter too many may be meant
        ("can i vist", "can i vist"),  # so short a word is a slip of many
        ("can i Borow a mac", "can i Borow a mac"),  # a name
    ],
)
def test_common_words_need_not_be_in_the_documents(
    typed: str, meant: str, spelling: Spelling, table: ChunkTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    common = {"can", "i", "a", "mac", "which", "borrow", "tops", "visit"}
    embedder = FakeEmbedder()
    monkeypatch.setattr(embedder, "count_tokens", lambda word: 1 if word in common else 2)
    assert spelling.correct(typed, table, embedder) == meant


def test_a_word_that_the_tokenizer_knows_as_a_whole_stays(
    spelling: Spelling, table: ChunkTable, embedder: FakeEmbedder
) -> None:
    assert spelling.correct("paretnal leave", table, embedder) == "paretnal leave"


@pytest.mark.usefixtures("rare_words")
def test_umlauts_are_corrected_in_names_too(spelling: Spelling, german: ChunkTable, embedder: FakeEmbedder) -> None:
    assert spelling.correct("die Kuendigung der Wohnung", german, embedder) == "die Kündigung der Wohnung"


@pytest.mark.usefixtures("rare_words")
def test_new_documents_bring_new_words(spelling: Spelling, table: ChunkTable, embedder: FakeEmbedder) -> None:
    assert spelling.correct("the submraine", table, embedder) == "the submraine"
    put(table, embedder, "# Ships\n\nThe submarine dives.", "ships.md")
    assert spelling.correct("the submraine", table, embedder) == "the submarine"


@pytest.mark.usefixtures("rare_words")
def test_while_new_words_are_counted_the_old_ones_serve(
    spelling: Spelling, table: ChunkTable, embedder: FakeEmbedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.search.spelling._PATIENCE_SECONDS", 0.01)
    spelling.correct("paretnal", table, embedder)
    put(table, embedder, "# Ships\n\nThe submarine dives.", "ships.md")
    released, count = threading.Event(), table.word_counts
    monkeypatch.setattr(table, "word_counts", lambda _within: released.wait(PATIENCE) and count())
    assert spelling.correct("paretnal submraine", table, embedder) == "parental submraine"
    released.set()
    monkeypatch.setattr("app.search.spelling._PATIENCE_SECONDS", PATIENCE)
    assert spelling.correct("paretnal submraine", table, embedder) == "parental submarine"


@pytest.mark.usefixtures("rare_words")
def test_words_that_cannot_be_counted_correct_nothing(
    spelling: Spelling, table: ChunkTable, embedder: FakeEmbedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_within: object) -> dict[str, int]:
        raise TableError("damaged")

    monkeypatch.setattr(table, "word_counts", fail)
    assert spelling.correct("paretnal leave", table, embedder) == "paretnal leave"


@pytest.mark.usefixtures("rare_words")
def test_without_documents_nothing_is_corrected(spelling: Spelling, home: Path, embedder: FakeEmbedder) -> None:
    assert spelling.correct("paretnal leave", ChunkTable(home, embedder), embedder) == "paretnal leave"
