"""Request and response types of /v1/chat/completions and /v1/models, as OpenAI publishes them.

Unlike elsewhere in the API, unknown fields are ignored: clients send settings of language models, such as temperature.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, Field, TypeAdapter, ValidationError, model_validator

from app.api.shapes import Question, User

_QUESTION: TypeAdapter[str] = TypeAdapter(Question)


class ContentPart(BaseModel):
    """A part of a message; only parts of the type text are read."""

    type: str
    text: str = ""


class ChatMessage(BaseModel):
    """A message of the conversation; only those of the role user are read."""

    role: str
    content: str | list[ContentPart] | None = None

    @property
    def text(self) -> str:
        if isinstance(self.content, str):
            return self.content
        return "\n".join(part.text for part in self.content or () if part.type == "text")


class StreamOptions(BaseModel):
    include_usage: bool = False


class ChatBody(BaseModel):
    """A conversation; its last message of the role user is the question, the earlier ones give it its meaning."""

    model: Annotated[str, Field(description="citeloop, or citeloop-no-rerank.", examples=["citeloop"])]
    messages: Annotated[
        list[ChatMessage],
        Field(min_length=1, examples=[[{"role": "user", "content": "How many days of leave are there?"}]]),
    ]
    stream: bool = False
    stream_options: StreamOptions | None = None
    n: Annotated[int | None, Field(ge=1, le=1, description="One answer only.")] = None
    user: User = None

    @model_validator(mode="after")
    def _check_question(self) -> Self:
        if not self.questions:
            raise ValueError("expected a message of the role user")
        try:
            _QUESTION.validate_python(self.questions[-1])
        except ValidationError as error:
            raise ValueError(f"the last message of the role user: {error.errors()[0]['msg']}") from error
        return self

    @property
    def questions(self) -> list[str]:
        """Texts of the user, oldest first; the last is the question."""
        return [message.text for message in self.messages if message.role == "user"]

    @property
    def wants_usage(self) -> bool:
        """Whether the stream should end with the numbers of tokens."""
        return self.stream_options is not None and self.stream_options.include_usage


class UrlCitation(BaseModel):
    """A source behind content[start_index:end_index], a number such as [1]."""

    start_index: int
    end_index: int
    title: str
    url: str


class Annotation(BaseModel):
    type: Literal["url_citation"] = "url_citation"
    url_citation: UrlCitation


class AssistantMessage(BaseModel):
    """The answer, with [n] where source n supports it, and the list of sources at its end."""

    role: Literal["assistant"] = "assistant"
    content: str
    refusal: None = None
    annotations: list[Annotation]


class Choice(BaseModel):
    index: int = 0
    message: AssistantMessage
    logprobs: None = None
    finish_reason: str = Field(description="stop; length: the answer was cut off, and its text says why.")


class ChatUsage(BaseModel):
    """Estimated tokens of the messages and of the answer. Without a language model none are billed anywhere."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class ChatCompletion(BaseModel):
    """An answer; id: the answer_id for /v1/feedback."""

    id: str
    object: Literal["chat.completion"] = "chat.completion"
    created: int
    model: str
    choices: list[Choice]
    usage: ChatUsage


class ModelCard(BaseModel):
    id: str
    object: Literal["model"] = "model"
    created: int
    owned_by: str = "citeloop"


class ModelList(BaseModel):
    object: Literal["list"] = "list"
    data: list[ModelCard]
