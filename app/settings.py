"""environment -> Settings: what this installation uses."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from ingest.home.environment import read_environment
from ingest.home.folder import DEFAULT_HOME

RerankShape = Literal["cohere", "jina", "voyage", "tei", "vllm"]
"""The kinds of reranking service whose requests and answers `app/reranking/http.py` knows."""


DEFAULT_CONTEXT_TOKENS = 8192
MIN_CONTEXT_TOKENS = 1024
"""Below this, instructions, a question and one passage do not leave room for an answer."""


class Settings(BaseSettings):
    """Read from environment variables: CITELOOP_ and the field's name, or its alias; an empty one counts as unset."""

    model_config = SettingsConfigDict(
        env_prefix="CITELOOP_", env_ignore_empty=True, extra="ignore", populate_by_name=True
    )

    home: Path = DEFAULT_HOME
    """Folder of the table, the feedback database and everything else made at run time."""
    embedder: str = ""
    """Name or folder of the embedder; empty: the one that made the table, and all-MiniLM-L6-v2 for a new one."""
    reranker: str = "live"
    """The reranker used where a command or a page names none; `live`: the one that was promoted last."""
    rerank_budget_ms: float = Field(default=3000, gt=0)
    """The most that a trained reranker may take for a question, so that the gate lets it pass."""
    num_candidates: int = Field(default=50, ge=1, le=1000)
    """How many fused candidates the reranker scores."""
    num_citations: int = Field(default=5, ge=1, le=20)
    """How many of the best passages are shown and may be cited."""

    openai_api_key: SecretStr | None = Field(default=None, validation_alias="OPENAI_API_KEY")
    openai_base_url: str | None = Field(default=None, validation_alias="OPENAI_BASE_URL")
    openai_model: str = Field(default="gpt-4o-mini", validation_alias="OPENAI_MODEL")
    """The model that writes answers, used when a key or a base URL is set; of Azure, the name of the deployment."""
    azure_openai_endpoint: str | None = Field(default=None, validation_alias="AZURE_OPENAI_ENDPOINT")
    """Address of an Azure resource, used where no OPENAI_BASE_URL is set."""
    azure_openai_api_key: SecretStr | None = Field(default=None, validation_alias="AZURE_OPENAI_API_KEY")
    openai_api_version: str = Field(default="", validation_alias="OPENAI_API_VERSION")
    """Of Azure's older addresses, such as 2024-10-21; empty: the newer one, which has no version."""
    context_tokens: int = Field(default=DEFAULT_CONTEXT_TOKENS, ge=MIN_CONTEXT_TOKENS)
    """How many tokens the language model reads and writes at once."""
    lock_settings: bool = False
    """Whether the Settings page only shows what is set."""

    rerank_url: str | None = None
    """Base URL of a reranking service, for the `http` reranker: the path of its shape is added."""
    rerank_shape: RerankShape | None = None
    """What the service speaks; None: guessed from its host, else `vllm`, which most understand."""
    rerank_model: str = "default"
    rerank_api_key: SecretStr | None = None

    @property
    def writes_answers(self) -> bool:
        """Whether the variables name a language model; without one, answers are extractive."""
        return bool(self.openai_api_key or self.openai_base_url or self.azure_openai_endpoint)


def read_settings(home: Path | None = None) -> Settings:
    """The settings of this process; home, if given, instead of the configured one.

    Raises CiteloopError naming each variable whose value does not fit.
    """
    settings = read_environment(Settings)
    return settings.model_copy(update={"home": home}) if home else settings
