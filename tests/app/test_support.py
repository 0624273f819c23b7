from __future__ import annotations

import re
from collections.abc import Sequence

import pytest

from app.answer.support import MIN_SUPPORT, CitedSentence, check_support
from tests.conftest import FakeReranker


class WordScorer(FakeReranker):
    """The share of the sentence's words that a passage has."""

    def score(self, query: str, passages: Sequence[str]) -> list[float]:
        self.calls.append((query, list(passages)))
        wanted, there = _words(query), [_words(passage) for passage in passages]
        return [len(wanted & words) / len(wanted) for words in there]


def _words(text: str) -> set[str]:
    return set(re.findall(r"\w+", text.lower()))


PASSAGES = {
    1: "Leave > Annual leave\nEverybody has 30 days of leave in a year. It is to be asked for in good time.",
    2: "Travel\nA hotel may cost 1,250 euros a week. Trains come first for eight of ten trips.",
}


def check(text: str) -> list[tuple[str, tuple[int, ...], bool]]:
    return [(each.text, each.numbers, each.is_supported) for each in check_support(text, PASSAGES, WordScorer())]


def test_what_the_cited_passage_says_is_supported_and_what_another_says_is_not() -> None:
    assert check("Everybody has 30 days of leave. [1] Trains come first [1].") == [
        ("Everybody has 30 days of leave. [1]", (1,), True),
        ("Trains come first [1].", (1,), False),
    ]


def test_the_score_is_that_of_the_nearest_sentence() -> None:
    (found,) = check_support("Trains come last [2].", PASSAGES, WordScorer())
    assert (found.numbers, found.is_supported) == ((2,), True)
    assert found.score == pytest.approx(2 / 3)


def test_a_figure_that_no_cited_passage_has_outweighs_all_words() -> None:
    (found,) = check_support("Everybody has 31 days of leave in a year [1].", PASSAGES, WordScorer())
    assert (found.score, found.is_supported) == (0, False)


def test_a_name_that_no_cited_passage_has_outweighs_all_words_and_its_ending_does_not_matter() -> None:
    passages = {1: "Prices\nThe price of a probe for Aldervane is 12 euros a piece."}

    def score(sentence: str) -> float:
        (found,) = check_support(sentence, passages, WordScorer())
        return found.score

    assert score("The price of a probe is 12 euros for Aldervane's [1].") > 0
    assert score("The price of a probe is 12 euros for Tarnbeck [1].") == 0
    assert score("The price of a probe is 12 euros in the UK [1].") > 0  # an abbreviation may be written out there


def test_where_nouns_have_capitals_a_capital_makes_no_name() -> None:
    passages = {1: "Der Urlaub\nIm Jahr hat jede Kraft einen Anspruch auf dreißig Tage Urlaub ohne Abzug vom Lohn."}
    (found,) = check_support("Im Jahr hat jede Kraft einen Anspruch auf die Freistellung [1].", passages, WordScorer())
    assert found.is_supported


@pytest.mark.parametrize("figure", ["1250", "1,250", "1.250", "1,250.00", "01250"])
def test_a_figure_may_be_written_in_another_way(figure: str) -> None:
    assert check(f"A hotel may cost {figure} euros a week [2].")[0][2]


def test_a_number_in_words_is_a_figure_of_the_passage() -> None:
    assert check("Trains come first for 8 of 10 trips [2].")[0][2]
    assert not check("Trains come first for 9 of 10 trips [2].")[0][2]


def test_several_citations_are_taken_together() -> None:
    together = "Everybody has 30 days of leave in a year, a hotel may cost 1250 euros [1][2]."
    (found,) = check_support(together, PASSAGES, WordScorer())
    assert found.numbers == (1, 2)
    assert found.score > 0
    assert check_support(together.replace("[2]", ""), PASSAGES, WordScorer())[0].score == 0


def test_an_uncited_statement_meets_each_passage_by_itself() -> None:
    assert check("Trains come first for trips.") == [("Trains come first for trips.", (), True)]
    assert check("Everybody has lunch with 30 euros, a hotel has 1250.") == [
        ("Everybody has lunch with 30 euros, a hotel has 1250.", (), False)
    ]
    assert check("Dogs sleep in the barn, it is for cats to be in a bed.")[0][1:] == ((), False)


def test_headings_lead_ins_questions_and_courtesies_state_nothing() -> None:
    assert (
        check("## Leave days\n**Travel costs**\nThis is what the passages say:\nWhat of leave in a year?\nYes, it is.")
        == []
    )


def test_items_inherit_what_their_lead_in_cites() -> None:
    text = (
        "The rules of travel [2]:\n- **Trains** come first\n- everybody has leave [1]\n\nTrains come first in travel."
    )
    assert [numbers for _, numbers, _ in check(text)] == [(2,), (1,), ()]


def test_rows_of_a_table_are_statements_and_its_head_is_not() -> None:
    assert check("| What | How much |\n|---|---|\n| hotel | 1,250 euros a week [2] |") == [
        ("| hotel | 1,250 euros a week [2] |", (2,), True)
    ]


def test_marks_of_markdown_and_citations_are_not_scored() -> None:
    scorer = WordScorer()
    check_support("- **Trains** come [first](http://x.org/5) of `all` [2].", PASSAGES, scorer)
    assert [query for query, _ in scorer.calls] == ["Trains come first of all."]


def test_an_abbreviation_ends_no_sentence() -> None:
    (found,) = check("Everybody has z. B. 30 days of leave in a year [1].")
    assert found[2]


def test_in_another_language_the_figures_alone_are_compared() -> None:
    german = "Alle haben 30 Tage Urlaub, und zwar pro Jahr [1]. Sie sind vor dem Ende zu nehmen [1]."
    assert [supported for *_, supported in check(german)] == [True, True]
    assert [supported for *_, supported in check(german.replace("30", "28"))] == [False, True]


def test_a_number_that_was_not_given_counts_as_no_citation() -> None:
    assert check("Trains come first for trips [7].")[0][1:] == ((), True)


def test_without_passages_nothing_is_supported() -> None:
    assert check_support("Trains come first for trips.", {}, WordScorer()) == (
        CitedSentence("Trains come first for trips.", (), 0.0, False),
    )
    assert check_support("", PASSAGES, WordScorer()) == ()


def test_passages_are_handed_over_whole_so_that_each_is_encoded_once() -> None:
    scorer = WordScorer()
    check_support("Trains come first [2]. Everybody has leave [1].", PASSAGES, scorer)
    assert len(scorer.calls) == 2
    assert scorer.calls[0][1] == scorer.calls[1][1]


def test_what_is_quoted_word_for_word_is_supported_by_the_real_scorer() -> None:
    from app.reranking.late_interaction import LateInteractionReranker

    scorer = LateInteractionReranker()
    said, other = check_support(
        "Trains come first for eight of ten trips. [2] The kitchen is cleaned by those who used it [1].",
        PASSAGES,
        scorer,
    )
    assert said.score == pytest.approx(1.0, abs=0.02)
    assert other.score < MIN_SUPPORT
