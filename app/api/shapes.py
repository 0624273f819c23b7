"""Request and response types of the API. Unknown fields are refused, so that typing errors are noticed."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from app.answer import CitedSentence
from app.feedback import Action, Reason
from app.memory.votes import Kind
from app.search.filters import Filter

Question = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2000)]
User = Annotated[
    str | None,
    Field(max_length=100, pattern=r"^[\w@.+-]+$", description="The user who asks, by your own name; one word."),
]
RerankerName = Annotated[
    str | None,
    Field(
        description="live, none, shipped, late-interaction or trained:NAME; default: the server's setting. "
        "If it fails, search alone ranks, and `note` says why."
    ),
]

IgnoreVotes = Annotated[
    bool, Field(description="true: rank as if nobody had struck out, kept or named a passage for such a question.")
]


class _RequestBody(BaseModel):
    model_config = ConfigDict(extra="forbid")


class FilterBody(_RequestBody):
    """Documents to search: those that match one value of every field that is set."""

    collections: Annotated[
        tuple[str, ...], Field(max_length=100, description="Folders, as the Documents page names them.")
    ] = ()
    documents: Annotated[tuple[str, ...], Field(max_length=100, description="Names or ids.")] = ()
    types: Annotated[tuple[str, ...], Field(max_length=100, description="File name endings.", examples=[["pdf"]])] = ()
    since: Annotated[date | None, Field(description="First day of ingest, UTC.")] = None
    until: date | None = None

    def as_filter(self) -> Filter:
        return Filter(**dict(self))


AsTyped = Annotated[bool, Field(description="true: search the words as typed; false: correct typos first.")]
CorrectedFrom = Annotated[str, Field(description="The query before its typos were corrected; '' if it had none.")]


class RankingOptions(_RequestBody):
    """How passages are found and ranked."""

    within: FilterBody = FilterBody()
    reranker: RerankerName = None
    as_typed: AsTyped = False
    ignore_votes: IgnoreVotes = False


class SearchBody(RankingOptions):
    """A search request."""

    query: Annotated[Question, Field(examples=["How many days of leave are there?"])]
    num_results: Annotated[int, Field(ge=1, le=100)] = 10


DescribedBy = Annotated[
    str, Field(description="The vision model that wrote the text about a picture; '' for the document's own words.")
]


class PassageVote(BaseModel):
    """What people said of a passage for the same question or for a like one."""

    question: str = Field(description="The question that it was said for.")
    kind: Kind = Field(description="named, rejected: by a curator; kept, struck out: by people who asked.")
    likeness: float = Field(description="Probability that both questions have the same need, 0 to 1.")
    same_question: bool
    own: bool = Field(description="Said by the user who asks.")
    num_people: int
    by_curator: bool
    since: str


class Passage(BaseModel):
    """A ranked passage. Ranks start at 1; scores are comparable only within one ranking, higher is better."""

    chunk_id: str
    document: str
    title: str
    heading: str
    page: int | None
    rank: int
    score: float
    reranker_score: float | None
    fused_rank: int = Field(description="Rank before reranking.")
    fused_score: float
    vector_rank: int | None
    vector_score: float | None
    text_rank: int | None
    text_score: float | None
    rank_change: int = Field(description="Ranks gained since search; negative: lost.")
    unvoted_rank: int = Field(description="Rank without what people said.")
    vote: PassageVote | None = Field(description="The vote that acts on this passage.")
    superseded_by: str = Field(description="Title of the newest version of its document; '' if it is the newest.")
    text: str
    described_by: DescribedBy


class SearchResult(BaseModel):
    """Passages, best first."""

    query: str = Field(description="As searched, without typos.")
    corrected_from: CorrectedFrom
    reranker: str
    ranking: list[Passage]
    timings_ms: dict[str, float]
    note: str = Field(description="A problem on the way, or ''.")


class AskBody(RankingOptions):
    """A question and options for its answer."""

    question: Annotated[Question, Field(examples=["How many days of leave are there?"])]
    conversation_id: Annotated[
        str | None,
        Field(
            max_length=64,
            description="From an earlier answer, for a follow-up question; default: a new conversation.",
        ),
    ] = None
    user: User = None
    stream: Annotated[bool, Field(description="true: server-sent events; false: one JSON object at the end.")] = True


class CitedPassage(BaseModel):
    """The passage cited as [number]; used: the answer's text has this number; also_in: documents with the same text.

    superseded_by: title of the newest version of its document, '' if it is the newest.
    """

    number: int
    chunk_id: str
    document: str
    title: str
    heading: str
    page: int | None
    used: bool
    also_in: list[str]
    superseded_by: str
    text: str
    described_by: DescribedBy


class CuratorStatement(BaseModel):
    """A curator's statement that the answer shows: a written answer, or that nothing answers the question."""

    kind: Literal["answer", "unanswered"]
    question: str = Field(description="The question that it was said for.")
    by: str
    at: str = Field(description="ISO 8601 in UTC.")


class AskResult(BaseModel):
    """An answer with its sources."""

    answer_id: str = Field(description="For feedback.")
    conversation_id: str
    question: str
    answer: str = Field(description="With [n] where citation n supports it.")
    answered_by: str = Field(
        description="'extractive' (sentences word for word), 'curator', or the language model's name."
    )
    found: bool = Field(description="false: the documents do not seem to answer.")
    complete: bool = Field(description="false: it was cut off.")
    stopped: bool = Field(description="true: it was stopped on request.")
    struck_out: list[str] = Field(description="Ids of the chunks that were excluded.")
    query: str = Field(description="The query as searched: the full question, without typos.")
    corrected_from: CorrectedFrom
    within: FilterBody = Field(description="The documents that were searched.")
    num_dropped_citations: int = Field(description="Numbers that a language model made up; they were removed.")
    sentences: list[CitedSentence] = Field(description="Of a written answer, with the support by its citations.")
    note: str
    ignores_votes: bool = Field(description="true: it was ranked as if nobody had said anything of the passages.")
    said_unanswered: bool = Field(description="true: a curator says that the documents do not answer this question.")
    statement: CuratorStatement | None
    citations: list[CitedPassage]
    ranking: list[Passage]
    reranker: str
    reranker_version: str
    embedder: str
    timings_ms: dict[str, float]


class FeedbackBody(_RequestBody):
    """A user's action on one passage of an answer, named by number or chunk_id."""

    answer_id: Annotated[str, Field(max_length=64)]
    number: Annotated[int | None, Field(ge=1, description="The citation's number.", examples=[1])] = None
    chunk_id: Annotated[str | None, Field(max_length=64, examples=[None])] = None
    action: Action = Field(
        description="deleted: struck out; undone: restored; kept: read, not struck out; opened: its document opened.",
        examples=["deleted"],
    )
    reason: Annotated[Reason | None, Field(description="Only for deleted.", examples=["outdated"])] = None
    user: User = None


class FeedbackResult(BaseModel):
    """recorded: false, with event null, if nothing changed: sending twice counts once."""

    recorded: bool
    event: dict[str, Any] | None


class ErrorMessage(BaseModel):
    message: str
    type: str
    param: None = None
    code: None = None


class ErrorAnswer(BaseModel):
    """The shape of every error, as with OpenAI."""

    error: ErrorMessage
