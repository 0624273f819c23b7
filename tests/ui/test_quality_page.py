from __future__ import annotations

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from app.evaluation.decision import verdict
from app.evaluation.metrics import Difference
from app.evaluation.report_files import write_report
from app.evaluation.results import Result
from app.settings import Settings
from app.ui.quality.page import headline
from tests.app.report_builder import make_change, make_place, make_report, make_result
from tests.conftest import PATIENCE

GOOD = {"nDCG@10": Difference(0.1, 0.05, 0.15, 0.001)}
CHANGES = (
    make_change("how many *days*?", 0.25, 1.0, make_place("First"), make_place("Second", "By train.", relevant=True)),
    make_change("lost one?", 1.0, 0.5),
)


def quality() -> None:
    from app.ui.quality import page as quality_page

    quality_page.show()


@pytest.fixture
def home(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CITELOOP_HOME", str(settings.home))
    return settings.home


def shown() -> AppTest:
    page = AppTest.from_function(quality, default_timeout=PATIENCE).run()
    assert not page.exception
    return page


def texts(page: AppTest) -> str:
    return "\n".join(element.value for element in page.markdown)


def test_without_a_report_the_page_leads_to_what_comes_next(home: Path) -> None:
    page = shown()
    assert "No report yet" in page.info[0].value
    assert "citeloop" not in page.info[0].value
    assert [link.proto.page for link in page.get("page_link")] == ["feedback"]
    assert "citeloop evaluate questions.csv" in page.expander[0].markdown[0].value
    assert not page.selectbox


def test_the_verdict_stands_above_charts_and_table(home: Path) -> None:
    write_report(make_report(make_result(), make_result("ours", quality=0.6, gain=GOOD, changes=CHANGES)), home)
    page = shown()
    assert page.success[0].value == (
        "Answers are better with reranking\\: for 60 of 100 questions, a source that answers is among the first five, "
        "instead of 50."
    )
    assert page.expander[-1].caption[0].value.startswith("Reranking pays here")
    assert len(page.get("vega_lite_chart")) == 3
    table = page.dataframe[0].value
    assert list(table["Reranker"]) == ["search alone", "ours"]
    assert list(table["nDCG@10"]) == ["0.500", "0.600"]
    assert list(table["Times as long"]) == ["", "3.0"]
    assert "Retriever" not in table  # the same in every row


def test_what_does_not_pay_is_not_shown_as_a_success(home: Path) -> None:
    write_report(make_report(make_result(), make_result("ours")), home)
    page = shown()
    assert not page.success
    assert page.info[0].value.startswith("Answers are not better with reranking")
    assert page.expander[-1].caption[0].value.startswith("Reranking does not pay here")


@pytest.mark.parametrize(
    ("results", "num_queries", "words"),
    [
        ((make_result(), make_result("ours", gain=GOOD)), 100, "sources that answer stand higher up"),
        ((make_result(), make_result("ours", gain=GOOD)), 10, "The 10 questions are too few to tell"),
        ((make_result(quality=1), make_result("ours", quality=1)), 100, "Search alone already puts"),
        ((make_result(),), 100, "Nothing to compare"),
    ],
)
def test_the_headline_needs_no_measure(results: tuple[Result, ...], num_queries: int, words: str) -> None:
    report = make_report(*results, num_queries=num_queries)
    said = headline(report, verdict(report))
    assert words in said
    assert "nDCG" not in said


def test_the_newest_report_is_shown_first_and_another_can_be_picked(home: Path) -> None:
    for time, questions in (("2026-11-01T10:00:00+00:00", 30), ("2026-11-05T10:00:00+00:00", 40)):
        write_report(make_report(make_result(), make_result("ours"), num_queries=questions, evaluated_at=time), home)
    page = shown()
    assert page.selectbox(key="quality-report").options == [
        "our questions, 5 Nov 2026, 10:00 UTC, 40 questions",
        "our questions, 1 Nov 2026, 10:00 UTC, 30 questions",
    ]
    assert page.caption[0].value.startswith("40 questions")
    page.selectbox(key="quality-report").select_index(1).run()
    assert page.caption[0].value.startswith("30 questions")


def test_questions_that_changed_are_shown_with_both_orders_side_by_side(home: Path) -> None:
    write_report(make_report(make_result(), make_result("ours", changes=CHANGES)), home)
    page = shown()
    assert [tab.label for tab in page.tabs] == ["Gained (1)", "Lost (1)"]
    (gained,) = page.tabs[0].expander
    assert gained.label == r"**+0.75** · how many \*days\*?"
    before, after = (column.markdown[0].value for column in gained.columns)
    mark = ":green-background[✓ relevant]"
    assert before.startswith("**Before**")
    assert after.startswith("**After**")
    assert before.index("First") < before.index("Second")
    assert after.index("Second") < after.index("First")
    assert f"2. {mark} **Second" in before
    assert f"1. {mark} **Second" in after
    assert page.tabs[1].expander[0].label == "**-0.50** · lost one?"


def test_candidates_and_reranker_can_be_chosen(home: Path) -> None:
    results = [
        make_result(name, depth=depth, quality=depth / 1000 + (name == "good") / 10, changes=changes)
        for depth in (20, 50)
        for name, changes in (("none", ()), ("plain", CHANGES[1:]), ("good", CHANGES[:1]))
    ]
    write_report(make_report(*results), home)
    page = shown()
    assert list(page.dataframe[0].value["nDCG@10"]) == ["0.050", "0.050", "0.150"]
    assert page.selectbox(key="quality-changes").value == "good on hybrid search"
    page.selectbox(key="quality-changes").set_value("plain on hybrid search").run()
    assert [tab.label for tab in page.tabs] == ["Gained (0)", "Lost (1)"]
    page.button_group[0].set_value(20).run()
    assert not page.exception
    assert list(page.dataframe[0].value["nDCG@10"]) == ["0.020", "0.020", "0.120"]


def test_text_of_documents_is_shown_as_it_stands(home: Path) -> None:
    nasty = make_place("![x](http://evil.example/x.png)", "<b>bold</b> [link](http://evil.example)")
    write_report(make_report(make_result(), make_result("ours", changes=(make_change("q?", 0, 1, nasty),))), home)
    value = shown().tabs[0].expander[0].columns[0].markdown[0].value
    assert r"\!\[x\]" in value
    assert r"\<b\>" in value
    assert r"\[link\]" in value


def test_what_was_left_out_is_told(home: Path) -> None:
    write_report(make_report(make_result(), make_result("ours")), home)
    assert "left out: row 7" in texts(shown())


def test_judgements_that_fit_no_candidate_are_told_and_no_success(home: Path) -> None:
    write_report(make_report(make_result(best=0.0), make_result("ours", best=0.0)), home)
    assert shown().info[0].value.startswith("None of the 50 candidates")
