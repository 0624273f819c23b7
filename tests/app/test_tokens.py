from __future__ import annotations

import pytest

from app.language_model.tokens import estimate_tokens

TEXT = "Everybody has 30 days of leave."


@pytest.mark.parametrize(
    ("text", "num_tokens"),  # counted by SmolLM2's tokenizer
    [
        ("", 0),
        (TEXT, 10),
        ("Jede Mitarbeiterin und jeder Mitarbeiter hat dreißig Tage Jahresurlaub.", 27),
        ("每位员工每年有三十天的带薪假期。", 31),
        ("| TB-7919 | 31337 | 1.37 EUR |", 22),
        ("a b c d", 4),
    ],
)
def test_an_estimate_is_near_or_rather_too_much(text: str, num_tokens: int) -> None:
    assert 0.9 * num_tokens <= estimate_tokens(text) <= 1.5 * num_tokens
