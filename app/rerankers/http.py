"""A reranking service as a Reranker."""

from __future__ import annotations

from collections.abc import Sequence

from app.rerank import RerankerError


class HttpReranker:
    """A reranking service with the request that Cohere, Jina and vLLM share."""

    blend = None

    def __init__(self, url: str, model: str, api_key: str | None, timeout_seconds: float = 10.0) -> None:
        import httpx2

        self.name = f"http:{model}"
        self._model = model
        self._url = url.rstrip("/").removesuffix("/v1/rerank") + "/v1/rerank"
        headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        self._client = httpx2.Client(timeout=timeout_seconds, headers=headers)

    def score(self, query: str, passages: Sequence[str]) -> list[float]:
        import httpx2

        body = {"model": self._model, "query": query, "documents": list(passages), "top_n": len(passages)}
        try:
            response = self._client.post(self._url, json=body).raise_for_status().json()
            found = {result["index"]: float(result["relevance_score"]) for result in response["results"]}
            return [found[index] for index in range(len(passages))]
        except httpx2.HTTPError as error:
            raise RerankerError(f"the reranking service at {self._url} did not answer: {error}") from error
        except (ValueError, KeyError, TypeError) as error:
            raise RerankerError(
                f"expected results with index and relevance_score for each passage from {self._url}: {error!r}"
            ) from error
