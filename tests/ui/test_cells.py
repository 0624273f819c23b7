from __future__ import annotations

import pandas as pd
import pytest

from app.ui.cells import as_text


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(1)", "\t=1", "\r=1"])
def test_no_text_of_a_table_is_a_formula(text: str) -> None:
    shown = as_text(pd.DataFrame({"Question": [text, "How?", ""], "Rank": [-1, 2, 3]}), "Question")
    assert shown["Question"].tolist() == [f"'{text}", "How?", ""]
    assert shown["Rank"].tolist() == [-1, 2, 3]


def test_a_table_without_rows_stays_one() -> None:
    assert as_text(pd.DataFrame({"Question": []}, dtype=object), "Question").empty


def test_a_column_without_rows_is_shown() -> None:
    assert as_text(pd.DataFrame({"Question": pd.Series([], dtype=float)}), "Question").empty
