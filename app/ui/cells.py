"""Tables that people open in a spreadsheet."""

from __future__ import annotations

import pandas as pd

_FORMULA = r"^(?=[=+\-@\t\r])"
"""Matches before a formula, which a spreadsheet computes: it can send the other cells elsewhere."""


def as_text(table: pd.DataFrame, *columns: str) -> pd.DataFrame:
    """Return the table with an apostrophe before each text of these columns that looks like a formula.

    Streamlit offers each table on a page as a CSV file.
    """
    texts = {name: table[name].astype(object) for name in columns}  # a column without rows has numbers
    return table.assign(**{name: text.str.replace(_FORMULA, "'", regex=True) for name, text in texts.items()})
