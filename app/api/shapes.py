"""What is sent to the API and what comes back. Fields that nobody knows are refused, so that a slip is noticed."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator

from app.answer import CitedSentence
from app.feedback import Action, Reason
from app.search.filters import Filter

MAX_DOCUMENTS = 1000
"""How many texts one request may have scored, as with Cohere."""
MAX_CHARACTERS = 2_000_000
"""How long these texts may be together."""

Question = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2000)]
User = Annotated[
    str | None,
    Field(max_length=100, pattern=r"^[\w@.+-]+$", description="Who asks, by your own name for them; one word."),
]
RerankerName = Annotated[
    str | None,
    Field(
        description="live, none, shipped, late-interaction or trained:NAME; left out: the server's own. "
        "Where it fails, the ranking is that of search, and `note` says why."
    ),
]


class _Sent(BaseModel):
    model_config = ConfigDict(extra="forbid")


class FilterBody(_Sent):
    """Which documents to look at: any value of a field will do, and every field that has one has to fit."""

    collections: Annotated[
        tuple[str, ...], Field(max_length=100, description="Folders, as the Documents page names them.")
    ] = ()
    documents: Annotated[tuple[str, ...], Field(max_length=100, description="Names or ids.")] = ()
    types: Annotated[tuple[str, ...], Field(max_length=100, description="Endings of files.", examples=[["pdf"]])] = ()
    since: Annotated[date | None, Field(description="The first day, UTC, on which a document went in.")] = None
    until: date | None = None

    def as_filter(self) -> Filter:
        return Filter(**dict(self))


class SearchBody(_Sent):
    """What to search for."""

    query: Annotated[Question, Field(examples=["How many days of leave are there?"])]
    within: FilterBody = FilterBody()
    num_results: Annotated[int, Field(ge=1, le=100)] = 10
    reranker: RerankerName = None


class Passage(BaseModel):
    """A passage in its place. Ranks count from 1; scores compare within one ranking only, higher is better."""

    chunk_id: str
    document: str
    title: str
    heading: str
    page: int | None
    rank: int
    score: float
    reranker_score: float | None
    fused_rank: int = Field(description="Where it stood before the reranker.")
    fused_score: float
    vector_rank: int | None
    vector_score: float | None
    text_rank: int | None
    text_score: float | None
    rank_change: int = Field(description="Places won by the reranker; negative: lost.")
    text: str


class SearchResult(BaseModel):
    """Passages, best first."""

    query: str
    reranker: str
    ranking: list[Passage]
    timings_ms: dict[str, float]
    note: str = Field(description="What went wrong on the way; '' for nothing.")


class AskBody(_Sent):
    """A question, and how its answer shall come."""

    question: Annotated[Question, Field(examples=["How many days of leave are there?"])]
    within: FilterBody = FilterBody()
    reranker: RerankerName = None
    conversation_id: Annotated[
        str | None,
        Field(
            max_length=64,
            description="As an earlier answer to you had it, from which the question may take its meaning; left out: "
            "a new one.",
        ),
    ] = None
    user: User = None
    stream: Annotated[bool, Field(description="true: server-sent events; false: one JSON object at the end.")] = True


class CitedPassage(BaseModel):
    """The passage behind [number]; used: the answer's text has this number."""

    number: int
    chunk_id: str
    document: str
    title: str
    heading: str
    page: int | None
    used: bool
    text: str


class AskResult(BaseModel):
    """An answer with all that it rests on."""

    answer_id: str = Field(description="What feedback refers to.")
    conversation_id: str
    question: str
    answer: str = Field(description="With [n] where citation n says so.")
    answered_by: str = Field(description="'extractive' (sentences word for word), or the language model's name.")
    found: bool = Field(description="false: the documents do not seem to say.")
    complete: bool = Field(description="false: it was cut off.")
    stopped: bool = Field(description="true: it was cut off as asked.")
    struck_out: list[str] = Field(description="Ids of the chunks that it was written without.")
    query: str = Field(description="What was searched: the question in full.")
    within: FilterBody = Field(description="In which documents it was searched.")
    num_dropped_citations: int = Field(description="Numbers that a language model made up; they were taken out.")
    sentences: list[CitedSentence] = Field(description="Of a written answer, and how far its citations say each.")
    note: str
    citations: list[CitedPassage]
    ranking: list[Passage]
    reranker: str
    reranker_version: str
    embedder: str
    timings_ms: dict[str, float]


class FeedbackBody(_Sent):
    """What a user did with one passage of an answer; say which by its number or by its chunk_id."""

    answer_id: Annotated[str, Field(max_length=64)]
    number: Annotated[int | None, Field(ge=1, description="Of the citation.", examples=[1])] = None
    chunk_id: Annotated[str | None, Field(max_length=64, examples=[None])] = None
    action: Action = Field(
        description="deleted: struck out; undone: taken back; kept: read and left; opened: looked up in its document.",
        examples=["deleted"],
    )
    reason: Annotated[Reason | None, Field(description="Of a deletion.", examples=["outdated"])] = None
    user: User = None


class FeedbackResult(BaseModel):
    """recorded: false when it stood so already, and then event is null: sending twice counts once."""

    recorded: bool
    event: dict[str, Any] | None


class TextDocument(BaseModel):
    """A text in an object, as Cohere and Jina also take it; its other fields are not read."""

    text: str


class RerankBody(BaseModel):
    """A request as Cohere (v1, v2), Jina, vLLM and others take it; what else such requests have is not read."""

    model: Annotated[
        str | None,
        Field(
            description="live, shipped, late-interaction or trained:NAME; left out, or 'default': the live one.",
            examples=["live"],
        ),
    ] = None
    query: Annotated[str, Field(min_length=1, max_length=20_000, examples=["How many days of leave are there?"])]
    documents: Annotated[
        list[str | TextDocument],
        Field(min_length=1, max_length=MAX_DOCUMENTS, examples=[["A hotel costs 150 euros.", "There are 30 days."]]),
    ]
    top_n: Annotated[int | None, Field(ge=1, description="How many results; left out: all.")] = None
    return_documents: bool = False

    @field_validator("documents")
    @classmethod
    def _together_not_too_long(cls, documents: list[str | TextDocument]) -> list[str | TextDocument]:
        num_characters = sum(map(len, _texts(documents)))
        if num_characters > MAX_CHARACTERS:
            raise ValueError(
                f"expected at most {MAX_CHARACTERS:,} characters in all documents together, got {num_characters:,}; "
                "send them in several requests"
            )
        return documents

    @property
    def texts(self) -> list[str]:
        return _texts(self.documents)


def _texts(documents: list[str | TextDocument]) -> list[str]:
    return [each if isinstance(each, str) else each.text for each in documents]


class RerankResult(BaseModel):
    """One document by its place in the request, from 0."""

    index: int
    relevance_score: float
    document: TextDocument | None = None


class Usage(BaseModel):
    """Word pieces of query and documents by the embedder's tokenizer, of each text at most what the embedder reads."""

    total_tokens: int


class ApiVersion(BaseModel):
    version: str = "1"


class Meta(BaseModel):
    api_version: ApiVersion = ApiVersion()


class RerankAnswer(BaseModel):
    """The documents, best first; ties as they were sent.

    relevance_score: the logistic function of the model's raw score, between 0 and 1. It keeps the order and is not
    calibrated: it compares within one answer only.
    """

    id: str
    model: str
    results: list[RerankResult]
    usage: Usage
    meta: Meta = Meta()


class ErrorMessage(BaseModel):
    message: str


class ErrorAnswer(BaseModel):
    """What every error looks like."""

    error: ErrorMessage
