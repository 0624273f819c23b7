from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from types import SimpleNamespace

import pytest

from app.answer import ABSTENTION, EXTRACTIVE, INSTRUCTIONS, NOT_FOUND, Answer, Checked, Citation, checked
from app.answer import writer as writing
from app.answer.writer import Writer
from app.language_model.protocol import LanguageModel, LanguageModelError
from tests.app.builders import WordScorer, make_answer, make_chunk
from tests.conftest import FakeLanguageModel

QUESTION = "How many days of leave a year?"
PASSAGES = ("Everybody has 30 days of leave a year.", "Trains come first.", "Hotels cost 150 euros.")
QUOTED = "Everybody has 30 days of leave a year.\n\n— Guide [1]"
HALF_CITATION = re.compile(r"[\[【][^\]】]*$")


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """The time that the writer sees: `now`, in seconds."""
    clock = SimpleNamespace(now=1000.0)
    clock.monotonic = clock.perf_counter = lambda: clock.now
    monkeypatch.setattr(writing, "time", clock)
    return clock


@pytest.fixture
def every_piece_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "_SHOW_SECONDS", 0.0)


class TimedLanguageModel(FakeLanguageModel):
    """Takes so long for each piece."""

    def __init__(self, clock: SimpleNamespace, seconds: float, *pieces: str) -> None:
        super().__init__(*pieces)
        self._clock, self._seconds = clock, seconds

    def stream(self, messages: Sequence[Mapping[str, str]], stop: threading.Event | None = None) -> Iterator[str]:
        for piece in super().stream(messages, stop):
            self._clock.now += self._seconds
            yield piece


def unwritten(*texts: str) -> Answer:
    shown = texts or PASSAGES
    citations = tuple(Citation(n, make_chunk(text, document=f"{n}.md")) for n, text in enumerate(shown, 1))
    return replace(
        make_answer(""), question=QUESTION, citations=citations, answered_by="fake-writer", found=False, complete=False
    )


def writer_of(language_model: LanguageModel | None, context_tokens: int = 8192) -> Writer:
    return Writer(language_model, WordScorer, WordScorer, lambda text: len(text.split()), context_tokens)


def written(*pieces: str | LanguageModelError, answer: Answer | None = None) -> list[Answer]:
    answer = answer or unwritten()
    return list(writer_of(FakeLanguageModel(*pieces)).write(answer, answer.citations))


# Growing ---------------------------------------------------------------------------------------------


def test_a_growing_text_is_shown_every_so_often_and_its_end_always(clock: SimpleNamespace) -> None:
    answer = unwritten()
    language_model = TimedLanguageModel(clock, writing._SHOW_SECONDS * 0.4, *(f"w{number} " for number in range(20)))
    *growing, last = writer_of(language_model).write(answer, answer.citations)
    assert [len(each.text.split()) for each in growing] == [1, 4, 7, 10, 13, 16, 19]
    assert not any(each.complete or each.found for each in growing)
    assert len(last.text.split()) == 20
    assert (last.complete, last.found, last.stopped, last.note) == (True, True, False, "")


@pytest.mark.slow
def test_the_work_for_a_long_text_depends_on_its_time_and_not_on_its_pieces(
    clock: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []

    def counted(text: str, numbers: set[int], *, grows: bool = False) -> Checked:
        calls.append(len(text))
        return checked(text, numbers, grows=grows)

    monkeypatch.setattr(writing, "checked", counted)
    answer = unwritten()
    seconds = 10.0
    language_model = TimedLanguageModel(clock, seconds / 50_000, *["a "] * 50_000)
    *_, last = writer_of(language_model).write(answer, answer.citations)
    assert len(last.text) == 99_999
    assert calls[-1] == 100_000
    assert seconds / writing._SHOW_SECONDS * 0.9 < len(calls) <= seconds / writing._SHOW_SECONDS + 2


@pytest.mark.usefixtures("every_piece_is_shown")
@pytest.mark.parametrize(
    "text", ["Thirty [1], or [12, 3]. Or so [2].", "Thirty 【1】 or so 【2†source】 and 【12†a.md】.", "See [1][2] [3]"]
)
def test_no_half_citation_is_ever_shown(text: str) -> None:
    for answer in written(*text):
        assert not HALF_CITATION.search(answer.text)
        assert answer.used <= {1, 2, 3}


@pytest.mark.usefixtures("every_piece_is_shown")
def test_numbers_of_passages_that_were_not_given_are_dropped_and_counted_as_it_grows() -> None:
    growing = written("Thirty [1]", " or [9]", " so [7]", ".")
    assert [(each.text, each.num_dropped) for each in growing[:3]] == [
        ("Thirty [1]", 0),
        ("Thirty [1] or", 1),
        ("Thirty [1] or so", 2),
    ]
    assert (growing[-1].text, growing[-1].num_dropped) == ("Thirty [1] or so.", 2)


def test_a_passage_that_was_merged_away_was_not_given() -> None:
    answer = unwritten(PASSAGES[0], PASSAGES[0], PASSAGES[1])
    *_, last = written("Thirty [1][2]. Trains [3].", answer=answer)
    assert (last.text, last.num_dropped) == ("Thirty [1]. Trains [3].", 1)


def test_a_passage_beyond_the_budget_was_not_given() -> None:
    answer = unwritten("Short one.", "long " * 2000, "Another one.")
    language_model = FakeLanguageModel("One [1], two [2], three [3].")
    *_, last = writer_of(language_model, 1024).write(answer, answer.citations)
    assert (last.text, last.num_dropped) == ("One [1], two, three [3].", 1)
    assert "long long" not in language_model.messages[-1]["content"]


def test_a_passage_that_is_not_among_these_citations_was_not_given() -> None:
    answer = unwritten()
    language_model = FakeLanguageModel("Thirty [1]. Trains [2].")
    *_, last = writer_of(language_model).write(answer, answer.citations[1:])
    assert (last.text, last.num_dropped, last.citations) == ("Thirty. Trains [2].", 1, answer.citations)
    assert PASSAGES[0] not in language_model.messages[-1]["content"]


@pytest.mark.usefixtures("every_piece_is_shown")
def test_half_a_character_breaks_nothing() -> None:
    """Some servers send the two halves of an emoji one by one."""
    answers = written("Leave \ud83c", "\udfd6 [1]", " \ud83c")
    for answer in answers:
        answer.text.encode()
    assert "Leave \U0001f3d6 [1]" in answers[-1].text


# What is sent ----------------------------------------------------------------------------------------


def test_the_instructions_passages_and_what_was_searched_are_sent() -> None:
    answer = replace(unwritten(), question="and in Hamburg?", query="How much is a hotel in Hamburg?")
    language_model = FakeLanguageModel("Yes [1].")
    writer = replace(writer_of(language_model), instructions=f"Be brief, or say {ABSTENTION}.")
    *_, last = writer.write(answer, answer.citations)
    system, user = language_model.messages
    assert system == {"role": "system", "content": f"Be brief, or say {ABSTENTION}."}
    assert user["content"].endswith("\n\nQuestion: How much is a hotel in Hamburg?")
    assert all(text in user["content"] for text in PASSAGES)
    assert (last.question, last.query) == (answer.question, answer.query)


@pytest.mark.parametrize("context_tokens", [1024, 2048, 8192])
def test_what_is_sent_leaves_room_for_the_answer_and_uses_the_rest(context_tokens: int) -> None:
    answer = unwritten(*(f"passage{n} " * 100 for n in range(100)))
    language_model = FakeLanguageModel("Yes [1].")
    list(writer_of(language_model, context_tokens).write(answer, answer.citations))
    sent = sum(len(message["content"].split()) for message in language_model.messages)
    room = min(1024, context_tokens // 4)
    assert context_tokens - room - 110 < sent <= context_tokens - room


def test_longer_instructions_leave_less_to_the_passages() -> None:
    answer = unwritten(*(f"passage{n} " * 100 for n in range(20)))

    def num_passages(instructions: str) -> int:
        language_model = FakeLanguageModel("Yes [1].")
        list(replace(writer_of(language_model, 2048), instructions=instructions).write(answer, answer.citations))
        return len(re.findall(r"^\[\d+\]", language_model.messages[1]["content"], re.MULTILINE))

    assert num_passages(INSTRUCTIONS) > num_passages(INSTRUCTIONS + " and so on" * 200) > 0


# What goes wrong -------------------------------------------------------------------------------------


def test_without_a_language_model_the_passages_are_quoted() -> None:
    answer = unwritten()
    (last,) = writer_of(None).write(answer, answer.citations)
    assert (last.text, last.answered_by, last.found, last.complete) == (QUOTED, EXTRACTIVE, True, True)
    assert writer_of(None).name == EXTRACTIVE
    assert writer_of(FakeLanguageModel()).name == "fake-writer"


@pytest.mark.parametrize("before", ["", "Sure! "])
def test_instructions_that_are_repeated_are_no_answer(before: str) -> None:
    *_, last = written(before, *INSTRUCTIONS.splitlines(keepends=True), "Passages: [1]")
    assert (last.text, last.answered_by, last.found, last.complete) == (QUOTED, EXTRACTIVE, True, True)
    assert "repeated its instructions" in last.note
    assert last.num_dropped == 0


@pytest.mark.usefixtures("every_piece_is_shown")
def test_instructions_are_refused_as_soon_as_a_line_of_them_is_there() -> None:
    pieces = [*INSTRUCTIONS.splitlines(keepends=True), *["and more "] * 100]
    assert len(written(*pieces)) < 4


@pytest.mark.parametrize("pieces", [(), ("",), (" \n",), ("[",), ("[9]",), ("NOT IN THE",), (ABSTENTION + ".",)])
def test_an_error_before_there_is_any_text_leaves_quotations_and_a_note(pieces: Sequence[str]) -> None:
    answer = replace(unwritten(), note="The order of search.")
    *_, last = written(*pieces, LanguageModelError("it is busy"), answer=answer)
    assert (last.text, last.answered_by, last.found, last.complete) == (QUOTED, EXTRACTIVE, True, True)
    assert last.note == "The order of search. it is busy"
    assert last.num_dropped == 0


@pytest.mark.parametrize("text", ["<thinking>Thirty?</thinking>", "[THINK]Thirty [1].", "<think>Thirty?"])
def test_thoughts_without_an_answer_leave_quotations_and_a_note(text: str) -> None:
    *_, last = written(text)
    assert (last.text, last.answered_by, last.found, last.complete) == (QUOTED, EXTRACTIVE, True, True)
    assert last.note == "fake-writer only thought; ask again or use another model"


def test_an_error_in_the_middle_leaves_what_is_there_and_a_note() -> None:
    answer = replace(unwritten(), note="The order of search.")
    *_, last = written("Thirty [1] ", "or [", LanguageModelError("it broke off"), answer=answer)
    assert (last.text, last.answered_by) == ("Thirty [1] or", "fake-writer")
    assert (last.complete, last.found, last.stopped) == (False, True, False)
    assert last.note == "The order of search. it broke off"


def test_a_whole_sentence_that_was_cut_off_is_kept() -> None:
    for sentence in ("There are 30 days of leave [1].", "There are 30 days of leave."):
        *_, last = written(sentence, LanguageModelError("it broke off"))
        assert (last.text, last.answered_by, last.note) == (sentence, "fake-writer", "it broke off")


class Stopped(FakeLanguageModel):
    """Is told to stop after the last of its pieces, of which more would come."""

    def stream(self, messages: Sequence[Mapping[str, str]], stop: threading.Event | None = None) -> Iterator[str]:
        assert stop is not None
        yield from super().stream(messages, stop)
        stop.set()


@pytest.mark.parametrize(
    ("piece", "text", "found"),
    [
        ("Thirty [1] or [1", "Thirty [1] or", True),
        ("", "", False),
        (ABSTENTION[:9], "", False),
        (ABSTENTION + ".", "", False),
    ],
)
def test_what_was_stopped_keeps_its_text_and_is_not_whole(piece: str, text: str, found: bool) -> None:
    answer = replace(unwritten(), note="The order of search.")
    *_, last = writer_of(Stopped(piece)).write(answer, answer.citations, threading.Event())
    assert (last.text, last.found, last.stopped, last.complete) == (text, found, True, False)
    assert (last.note, last.answered_by) == ("The order of search.", "fake-writer")


def test_a_stop_that_was_never_asked_for_stops_nothing() -> None:
    answer = unwritten()
    *_, last = writer_of(FakeLanguageModel("Thirty [1].")).write(answer, answer.citations, threading.Event())
    assert (last.text, last.stopped, last.complete) == ("Thirty [1].", False, True)


@pytest.mark.usefixtures("every_piece_is_shown")
def test_the_models_words_for_finding_nothing_become_ours_and_are_never_shown() -> None:
    *growing, last = written("NOT IN ", "THE DOC", "UMENTS", ".")
    assert {each.text for each in growing} == {""}
    assert (last.text, last.found, last.complete, last.answered_by) == (NOT_FOUND, False, True, "fake-writer")


def test_what_was_answered_before_the_words_for_finding_nothing_stays() -> None:
    text = f"Thirty days [1]. As to hotels: {ABSTENTION}"
    *_, last = written(text)
    assert (last.text, last.found) == (text, True)


@pytest.mark.parametrize(
    "text", [" \n" * 50_000, "[" * 100_000, "[1 " * 33_000, "【" * 100_000, "[1]" + "\n" * 100_000]
)
def test_a_model_that_repeats_itself_for_ever_does_not_hold_up_the_server(text: str) -> None:
    """What is tried from each place of a long run again takes minutes, which the limit of the tests' time ends."""
    for grows in (True, False):
        assert len(checked(text, {1}, grows=grows).text) <= len(text) + len(NOT_FOUND)
