"""The questions about public handbooks: what they name is listed, and no sentence of the handbooks is among them."""

from __future__ import annotations

import gzip
import json
import re
from typing import Any

from tests.benchmarks.handbooks import DATA, digest, questions_about


def rows() -> list[dict[str, Any]]:
    with gzip.open(DATA / "questions.jsonl.gz", "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def test_answers_are_digests_in_documents_of_the_source() -> None:
    sources = json.loads((DATA / "sources.json").read_text(encoding="utf-8"))
    for row in rows():
        for document, text, *of_list in row["answers"] + row["partial"]:
            assert document in sources[row["source"]]["documents"]
            assert re.fullmatch(r"[0-9a-f]{16}", text)
            assert of_list in ([], ["list"])


def test_questions_without_an_answer_are_told_from_those_that_need_several_texts() -> None:
    about = [row for row in rows() if row["source"] == "artsy/README"]
    asked = questions_about("artsy/README")
    several = [row for row in about if row["partial"] and not row["answers"]]
    assert several
    assert len(asked) == len(about) - len(several)
    assert 0 < sum(not question.answers for question in asked) < len(asked) / 4


def test_a_digest_is_of_the_words_alone() -> None:
    assert digest("**Ten** days,\nat most.") == digest("ten days at most") != digest("ten days at least")
