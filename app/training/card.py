"""training.json of a model -> its model card, README.md."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def card(name: str, record: Mapping[str, Any]) -> str:
    """Return Markdown on the model's origin, data, recipe and limits."""
    feedback = record["feedback"]
    return f"""---
library_name: sentence-transformers
tags: [reranker, citeloop]
---

# {name}

A reranker trained from `{record["base"]}` on the feedback of this installation on {record["made_at"][:10]} by
{record["made_by"]}. It may contain traces of its training documents and questions: protect it like these.

## Data

{feedback["num_questions"]} questions by {feedback["num_users"]} people: {feedback["num_positives"]} passages that
answer and {feedback["num_negatives"]} that do not; people disagree on {feedback["num_contradictions"]}. They give
{record["num_examples"]} training examples, {record["num_validation"]} validation examples, and
{record["num_gate_questions"]} questions to compare models. {record["num_replayed"]} more examples, made from the
documents, prevent forgetting.

{_table("evidence", "examples", record["evidence"])}

## Recipe

{_table("setting", "value", {**record["plan"], **record["recipe"]})}

## Results

See `gate.json` for the comparison with the model that was live then, and with search alone.

## Limits

For the questions and documents of this installation; it has learned only from what people judged.
"""


def _table(first: str, second: str, rows: Mapping[Any, Any]) -> str:
    return "\n".join([f"| {first} | {second} |", "|---|---|", *(f"| {key} | {value} |" for key, value in rows.items())])
