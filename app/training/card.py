"""training.json of a model -> its card, README.md: written with the model, so that nobody has to remember."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def card(name: str, record: Mapping[str, Any]) -> str:
    """Markdown: where the model comes from, what it was trained on, how, and what it is not for."""
    said = record["feedback"]
    noun, article = ("embedder", "An") if record["plan"]["kind"] == "embedder" else ("reranker", "A")
    return f"""---
library_name: sentence-transformers
tags: [{noun}, citeloop]
---

# {name}

{article} {noun} made from the feedback of this installation on {record["made_at"][:10]} by {record["made_by"]},
trained from `{record["base"]}`. It may hold traces of the documents and questions that it was trained on: handle it as
you handle these.

## Data

{said["num_questions"]} questions by {said["num_users"]} people: {said["num_positives"]} passages that answer and
{said["num_negatives"]} that do not; on {said["num_contradictions"]} people disagree. Of these,
{record["num_examples"]} examples to train on, {record["num_validation"]} to stop by, and
{record["num_gate_questions"]} questions set aside to compare models. {record["num_replayed"]} more examples, made from
the documents themselves, keep it at what it knew.

{_table("where they come from", "examples", record["evidence"])}

## Recipe

{_table("setting", "value", {**record["plan"], **record["recipe"]})}

## Results

`gate.json` beside this file compares it with the model that was live then, and with search alone.

## Limits

Made for the questions and documents of this installation; what nobody judged there it has not learned.
"""


def _table(first: str, second: str, rows: Mapping[Any, Any]) -> str:
    return "\n".join([f"| {first} | {second} |", "|---|---|", *(f"| {one} | {other} |" for one, other in rows.items())])
