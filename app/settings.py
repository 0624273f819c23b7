"""environment -> Settings."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from app.translation import Language
from ingest.home.environment import read_environment
from ingest.home.folder import DEFAULT_HOME

RerankShape = Literal["cohere", "jina", "voyage", "tei", "vllm"]
"""Kinds of reranking services that `app/reranking/http.py` supports."""


DEFAULT_CONTEXT_TOKENS = 8192
MIN_CONTEXT_TOKENS = 1024
"""Less leaves no room for an answer after instructions, question and one passage."""


class Settings(BaseSettings):
    """Settings from environment variables, named CITELOOP_ and the field, or by its alias; empty means unset."""

    model_config = SettingsConfigDict(
        env_prefix="CITELOOP_", env_ignore_empty=True, extra="ignore", populate_by_name=True
    )

    home: Path = DEFAULT_HOME
    """Folder with the table, the feedback database and everything else created at run time."""
    embedder: str = ""
    """Name or folder of the embedder; empty: the table's embedder, or all-MiniLM-L6-v2 for a new table."""
    reranker: str = "live"
    """The reranker if a command or page names none; `live`: the one promoted last."""
    rerank_budget_ms: float = Field(default=3000, gt=0)
    """Maximum time per question for a trained reranker to pass the gate."""
    num_candidates: int = Field(default=50, ge=1, le=1000)
    """Number of fused candidates that the reranker scores."""
    num_citations: int = Field(default=5, ge=1, le=20)
    """Number of best passages that are shown and may be cited."""
    min_agreeing: int = Field(default=2, ge=1)
    """People who must agree before what they say of a passage moves it for others; what you say acts for you alone."""

    openai_api_key: SecretStr | None = Field(default=None, validation_alias="OPENAI_API_KEY")
    openai_base_url: str | None = Field(default=None, validation_alias="OPENAI_BASE_URL")
    openai_model: str = Field(default="gpt-4o-mini", validation_alias="OPENAI_MODEL")
    """The model that writes answers if a key or base URL is set; for Azure, the deployment's name."""
    azure_openai_endpoint: str | None = Field(default=None, validation_alias="AZURE_OPENAI_ENDPOINT")
    """Address of an Azure resource, used if OPENAI_BASE_URL is not set."""
    azure_openai_api_key: SecretStr | None = Field(default=None, validation_alias="AZURE_OPENAI_API_KEY")
    openai_api_version: str = Field(default="", validation_alias="OPENAI_API_VERSION")
    """For Azure's older API, such as 2024-10-21; empty: the newer API, without versions."""
    context_tokens: int = Field(default=DEFAULT_CONTEXT_TOKENS, ge=MIN_CONTEXT_TOKENS)
    """Context size of the language model in tokens, input and output together."""
    vision_model: str = ""
    """A model at the same endpoint that sees: pictures of documents are sent to it and described as they are added."""
    lock_settings: bool = False
    """Whether the Settings page is read-only."""
    language: Language | None = None
    """Language of the pages; None: that of each browser."""

    rerank_url: str | None = None
    """Base URL of a reranking service for the `http` reranker; the path of its shape is appended."""
    rerank_shape: RerankShape | None = None
    """The service's API; None: guessed from its host, else `vllm`, which most services support."""
    rerank_model: str = "default"
    rerank_api_key: SecretStr | None = None

    @property
    def writes_answers(self) -> bool:
        """Return whether the variables name a language model; without one, answers are extractive."""
        return bool(self.openai_api_key or self.openai_base_url or self.azure_openai_endpoint)


def read_settings(home: Path | None = None) -> Settings:
    """Return the settings of this process; home, if given, replaces the configured one.

    Raises CiteloopError that names each invalid variable.
    """
    settings = read_environment(Settings)
    return settings.model_copy(update={"home": home}) if home else settings
