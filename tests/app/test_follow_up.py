from __future__ import annotations

import itertools
import re
import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

import pytest

from app.answer.question import parts_of
from app.evaluation.benchmark import read_benchmark
from app.language_model.protocol import LanguageModelError
from app.search.follow_up import MAX_CHARACTERS, MAX_REWRITTEN_CHARACTERS, follow_up_prompt, is_follow_up, rewrite
from tests.benchmarks.follow_up import DATA, QUESTIONS, read_dialogues
from tests.conftest import FakeLanguageModel

FRANCE = "How many days of leave do I get in France?"
IN_BRACKETS = f"and in Germany? ({FRANCE})"
RESET = "Where do I ask for a password reset?"


@pytest.mark.parametrize(
    "question",
    [
        "and in Germany?",
        "no, I meant the meals",
        "I mean in Bristol",
        "nein, ich meinte die Bahn",
        "not the hotel, the train",
        "only for managers?",
        "more than 80 hours?",
        "even during a tender?",
        "nur für Leiter?",
        "E-104?",
        "120?",
        "where can I get the old one?",
        "what about that?",
        "Who buys food meanwhile?",
        "what is the notice period during it?",
        "what if I'm late?",
        "what’s the salary for it?",  # noqa: RUF001
        "thanks! is it paid?",
        "And how do I request leave?",
        "what about the Pro plan?",
        "How about Bristol",
        "ok, and for guests?",
        "but is lunch included?",
        "und in Deutschland?",
        "Wie sieht es bei Teilzeit aus?",
        "et en Allemagne ?",
        "Qu'en est-il de la Suisse ?",
        "y en Alemania",
        "¿Y en Alemania?",
        "on Saturdays too?",
        "is breakfast also paid then?",
        "for how long?",
        "how long does it take?",
        "why?",
        "in London?",
        "vouchers?",
        "how long does the delivery take?",
        "can they be split into half days?",
        "who has to approve that?",
        "Who can allow more than that?",
        "does it have to be the original?",
        "what is there to eat there?",
        "where can I eat there?",
        "how do I book one?",
        "what does this form ask for?",
        "within how many days does he have to send the parcel?",
    ],
)
def test_what_leans_on_the_question_before_is_a_follow_up(question: str) -> None:
    assert is_follow_up(question)


@pytest.mark.parametrize(
    "question",
    [
        "",
        "?!",
        "thanks!",
        "hello, are you still there?",
        "vielen dank, sehr gut",
        "Thanks, how do I order a phone for a customer?",
        "What is over 80 hours called in the contract of a manager?",
        "What does the form for parental leave ask for, and who signs it?",
        FRANCE,
        RESET,
        "parental leave",
        "TB-2120 price?",
        "E-117 on a PL-300",
        "y-axis of the chart in Tideline",
        "What is Kingfisher?",
        "How do I keep unused holiday for next year, does it happen by itself?",
        "Someone hit my leased car, it is 9 pm. Who do I call?",
        "Is it allowed to bring a dog to the office?",
        "How long does it take to get a new hardware key?",
        "Is there a canteen in the Bristol office?",
        "May IT read the mail in my account?",
        "How much can I spend on courses this year?",
        "How do I know that my laptop is encrypted?",
        "What can customers do when they lose the RMA number?",
        "¿Cuántos días de vacaciones tengo?",
        "No answer to my request for leave, is that a yes?",
        "So how many float days do part-timers have?",
    ],
)
def test_what_names_its_subject_stands_alone(question: str) -> None:
    assert not is_follow_up(question)
    assert rewrite(question, [RESET]) == question


@pytest.mark.parametrize("question", ["and in Germany?", "what about the Pro plan?", "vouchers?", "und in Rom?"])
def test_the_new_question_leads_and_the_last_one_stands_in_brackets(question: str) -> None:
    assert rewrite(f" {question} ", [RESET, FRANCE]) == f"{question} ({FRANCE})"


def test_thanks_and_greetings_are_neither_follow_ups_nor_what_one_follows() -> None:
    assert rewrite("thanks a lot!", [FRANCE], detect=False) == "thanks a lot!"
    assert rewrite("and in Germany?", [FRANCE, "ok, thanks"]) == f"and in Germany? ({FRANCE})"
    assert rewrite("and in Germany?", ["hi there"]) == "and in Germany?"


def test_follow_ups_of_follow_ups_keep_the_first_question_and_do_not_grow() -> None:
    earlier = [FRANCE]
    for question in ("and in Germany?", "can it be carried over?", "and who decides about that?"):
        earlier.append(rewrite(question, earlier))
    first = FRANCE.rstrip("?")
    assert earlier[1:] == [
        f"and in Germany? ({FRANCE})",
        f"can it be carried over? (and in Germany?; {first})",
        f"and who decides about that? (can it be carried over?; {first})",
    ]


def test_brackets_that_people_typed_do_not_pass_for_those_behind_a_follow_up() -> None:
    first = rewrite("And in Berlin?", ["What is the Personal Time Off (PTO) policy?"])
    assert first == "And in Berlin? (What is the Personal Time Off PTO policy?)"
    second = rewrite("and in Rome?", [first])
    assert second == "and in Rome? (And in Berlin?; What is the Personal Time Off PTO policy)"
    assert parts_of(second) == [second]


def test_a_known_follow_up_is_not_asked_whether_it_is_one() -> None:
    question = "What if I only started in the middle of September?"
    assert rewrite(question, [FRANCE]) == question
    assert rewrite(question, [FRANCE], detect=False) == f"{question} ({FRANCE})"


def test_the_first_question_is_never_rewritten() -> None:
    assert rewrite("and in Germany?", []) == "and in Germany?"


@pytest.mark.timeout(100)  # looked at as a whole, they would take hours
def test_long_texts_are_looked_at_to_their_limit() -> None:
    for text in ("to foo " * 500_000, "and " * 900_000, "(" * 900_000, "in in in?! " * 300_000, " " * 900_000 + "it"):
        assert len(rewrite(text, [text, text])) <= max(len(text), MAX_CHARACTERS)
    assert not is_follow_up("How many days of leave are there in Bremen " + "x" * MAX_CHARACTERS + " and that too?")
    assert rewrite("what about " + "x" * 1980, [FRANCE]) == "what about " + "x" * 1980


# with a language model ---------------------------------------------------------------------------------


def test_a_language_model_writes_the_full_question_from_the_last_three() -> None:
    model = FakeLanguageModel("How many days of leave ", "do I get in Germany?\n")
    earlier = ["one?", "two\nlines?", "three?", FRANCE]
    assert rewrite("and in Germany?", earlier, model) == "How many days of leave do I get in Germany?"
    system, user = model.messages
    assert (system["role"], user["role"]) == ("system", "user")
    assert user["content"] == (
        f"Earlier questions:\n- two lines?\n- three?\n- {FRANCE}\n\nLast question: and in Germany?"
    )
    assert model.messages == follow_up_prompt("and in Germany?", earlier)


@pytest.mark.parametrize(
    ("written", "question"),
    [
        ('"How much leave in Germany?"', "How much leave in Germany?"),
        ("Question: How much leave in Germany?", "How much leave in Germany?"),
        ("Wie viel Urlaub habe ich in Deutschland?", "Wie viel Urlaub habe ich in Deutschland?"),
    ],
)
def test_quotes_and_labels_round_the_question_go(written: str, question: str) -> None:
    assert rewrite("and in Germany?", [FRANCE], FakeLanguageModel(written)) == question


@pytest.mark.parametrize(
    "written",
    [
        "How do I reach Dr. Smith?",
        "How do I reach (Prof. Smith) or Mrs. J. Doe?",
        "Is there parking in St. Gallen?",
        "Does a hotel cost approx. EUR 150, e.g. Hotel Adler?",
        "Wie erreiche ich Hr. Müller?",
        "Gilt das z. B. Montags oder z.B. Dienstags?",
        "What does Section 3: Leave say about Germany?",
        "In which cases does it cost 2.5 days, or 1:30 h?",
    ],
)
def test_a_dot_or_colon_within_a_question_makes_it_no_answer(written: str) -> None:
    assert rewrite("and in Germany?", [FRANCE], FakeLanguageModel(written)) == written


@pytest.mark.parametrize(
    "written",
    [
        "",
        "  \n ",
        "You get 30 days of leave in Germany.",
        "You get 30 days. Do you want to know more?",
        "There are thirty days. Is that right?",
        "You get 30 days in Germany. Is that right?",
        "It is 150 EUR. Is that right?",
        "It is 30. Is that right?",
        "It is 20 m. Is that right?",
        "It is the manager's. Is that right?",
        "You can do it. Is that right?",
        "Dr. Smith decides. Is that right?",
        "What a question! You get 30 days, right?",
        "No. Do you want to know more?",
        "Sure! How much leave in Germany?",
        "Sie haben 30 Tage. Ist das richtig?",
        "Step 1: Do you live in Germany?",
        "How much leave in Germany [1]?",
        "Here is the question: How much leave in Germany?",
        "How much leave in Germany?\nHow much in France?",
        "x" * MAX_REWRITTEN_CHARACTERS + "?",
        "and in Germany?",
    ],
)
def test_what_is_no_single_question_leaves_the_last_question_in_brackets(written: str) -> None:
    assert rewrite("and in Germany?", [FRANCE], FakeLanguageModel(written)) == IN_BRACKETS


def test_a_language_model_that_fails_leaves_the_last_question_in_brackets() -> None:
    model = FakeLanguageModel("How much leave in ", LanguageModelError("broken"))
    assert rewrite("and in Germany?", [FRANCE], model) == IN_BRACKETS


def test_an_endless_text_is_not_read_to_its_end() -> None:
    class Endless(FakeLanguageModel):
        def stream(self, messages: Sequence[Mapping[str, str]], stop: threading.Event | None = None) -> Iterator[str]:
            yield from itertools.repeat("more ")

    assert rewrite("and in Germany?", [FRANCE], Endless()) == IN_BRACKETS


def test_what_was_written_until_it_was_stopped_is_not_used() -> None:
    stop = threading.Event()

    class Stopped(FakeLanguageModel):
        def stream(self, messages: Sequence[Mapping[str, str]], stop: threading.Event | None = None) -> Iterator[str]:
            assert stop
            yield "Was that all?"
            stop.set()

    assert rewrite("and in Germany?", [FRANCE], Stopped(), stop) == IN_BRACKETS


def test_a_question_that_stands_alone_costs_no_call() -> None:
    model = FakeLanguageModel("Something else?")
    assert rewrite(RESET, [FRANCE], model) == RESET
    assert model.messages == []


# the benchmark -----------------------------------------------------------------------------------------


def test_each_dialogue_of_the_benchmark_has_its_answer_in_the_sample() -> None:
    texts = {each.name: words(each.text) for each in read_benchmark(DATA / "eval" / "sample").documents}
    dialogues = read_dialogues(QUESTIONS).values()
    assert Counter(each.part for each in dialogues) == {"develop": 32, "report": 32}
    assert [each for each in dialogues if words(each.quote) not in texts[each.document]] == []


def words(text: str) -> str:
    return " ".join(re.findall(r"[^\W_]+", text.lower()))
