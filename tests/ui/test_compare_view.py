from __future__ import annotations

from tests.ui.conftest import Run


def comparing() -> None:
    from dataclasses import replace
    from datetime import UTC, datetime

    from app.feedback import StoredAnswer
    from app.ui.ask.compare import compare
    from tests.app.builders import make_answer

    answer = replace(make_answer(), reranker="[free](http://evil.example)")
    compare(StoredAnswer("a", "c", "ann", datetime.now(UTC), answer))


def test_the_name_of_a_reranker_makes_no_link(run_page: Run) -> None:
    page = run_page(comparing)
    assert not page.exception
    assert [title.value for title in page.header] == [
        r"Reranked (\[free\](http\://evil.example))",
        "Not reranked",
    ]


def test_citations_and_sources_lead_to_the_page_of_the_passage(run_page: Run) -> None:
    page = run_page(comparing)
    shown = [element.value for element in page.markdown]
    assert all("](source?chunk=" in text for text in shown if "[\\[1\\]" in text)
    assert sum(text.startswith("[\\[") and "](source?chunk=" in text for text in shown) >= 2
    assert not any("#compared" in text for text in shown)
