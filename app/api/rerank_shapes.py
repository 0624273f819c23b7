"""Request and response types of /v1/rerank, as Cohere publishes them. Other fields are ignored."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, Field, field_validator

MAX_DOCUMENTS = 1000
"""Maximum texts per rerank request, as with Cohere."""
MAX_CHARACTERS = 2_000_000
"""Maximum total length of these texts."""


class TextDocument(BaseModel):
    """A text in an object, as with Cohere and Jina; other fields are ignored."""

    text: str


class RerankBody(BaseModel):
    """A request as for Cohere (v1, v2), Jina, vLLM and others; other fields are ignored."""

    model: Annotated[
        str | None,
        Field(
            description="live, shipped, late-interaction or trained:NAME; default: the live one.",
            examples=["live"],
        ),
    ] = None
    query: Annotated[str, Field(min_length=1, max_length=20_000, examples=["How many days of leave are there?"])]
    documents: Annotated[
        list[str | TextDocument],
        Field(min_length=1, max_length=MAX_DOCUMENTS, examples=[["A hotel costs 150 euros.", "There are 30 days."]]),
    ]
    top_n: Annotated[int | None, Field(ge=1, description="Number of results; default: all.")] = None
    return_documents: bool = False

    @field_validator("documents")
    @classmethod
    def _check_total_length(cls, documents: list[str | TextDocument]) -> list[str | TextDocument]:
        num_characters = sum(map(len, _texts(documents)))
        if num_characters > MAX_CHARACTERS:
            raise ValueError(
                f"expected at most {MAX_CHARACTERS:,} characters in all documents, got {num_characters:,}; "
                "send them in several requests"
            )
        return documents

    @property
    def texts(self) -> list[str]:
        return _texts(self.documents)


def _texts(documents: list[str | TextDocument]) -> list[str]:
    return [document if isinstance(document, str) else document.text for document in documents]


class RerankResult(BaseModel):
    """One document by its index in the request, from 0."""

    index: int
    relevance_score: float
    document: TextDocument | None = None


class Usage(BaseModel):
    """Word pieces of query and documents by the embedder's tokenizer, up to its maximum per text."""

    total_tokens: int


class ApiVersion(BaseModel):
    version: str = "1"


class Meta(BaseModel):
    api_version: ApiVersion = ApiVersion()


class RerankAnswer(BaseModel):
    """The documents, best first; ties in the given order.

    relevance_score: the logistic function of the model's raw score, between 0 and 1. It is not calibrated: compare it
    only within one response.
    """

    id: str
    model: str
    results: list[RerankResult]
    usage: Usage
    meta: Meta = Meta()
