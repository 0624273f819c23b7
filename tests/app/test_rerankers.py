from __future__ import annotations

import json
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import SecretStr
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from app.rerank import Blend, Reranker, RerankerError, rerank
from app.rerankers import (
    DESCRIPTIONS,
    RERANKERS,
    CrossEncoderReranker,
    HttpReranker,
    LateInteractionReranker,
    cross_encoder,
    late_interaction,
    load_reranker,
)
from app.settings import Settings
from tests.app.builders import make_candidates

if TYPE_CHECKING:
    import torch

QUESTION = "When is the harbour gate closed?"
PASSAGES = [
    "The canteen serves soup on Mondays.",
    "The harbour gate is closed from ten at night until six in the morning.",
    "Printers are on the second floor.",
]


def must_load(name: str, settings: Settings) -> Reranker:
    reranker = load_reranker(name, settings)
    assert reranker is not None
    return reranker


# Names -----------------------------------------------------------------------------------------------


def test_none_is_no_reranker(settings: Settings) -> None:
    assert load_reranker("none", settings) is None


def test_an_unknown_name_lists_the_known_ones(settings: Settings) -> None:
    with pytest.raises(RerankerError) as caught:
        load_reranker("shiped", settings)
    assert "'shiped'" in str(caught.value)
    for name in ("none", "shipped", "late-interaction", "cross-encoder", "http"):
        assert name in str(caught.value)


def test_every_kind_is_described() -> None:
    assert list(DESCRIPTIONS) == list(RERANKERS)


@pytest.mark.parametrize(
    ("name", "what_to_do"), [("cross-encoder", "cross-encoder:PATH_OR_ID"), ("http", "CITELOOP_RERANK_URL")]
)
def test_a_kind_that_needs_a_target_says_so(name: str, what_to_do: str, settings: Settings) -> None:
    with pytest.raises(RerankerError, match=what_to_do):
        load_reranker(name, settings)


def test_an_empty_name_is_unknown(settings: Settings) -> None:
    with pytest.raises(RerankerError, match="unknown reranker"):
        load_reranker("", settings)


# HTTP ------------------------------------------------------------------------------------------------


def results(*scores: tuple[int, Any]) -> dict[str, Any]:
    return {"results": [{"index": index, "relevance_score": score} for index, score in scores]}


def test_the_http_request_has_the_shape_that_services_share(httpserver: HTTPServer) -> None:
    body = {"model": "fast", "query": "q", "documents": ["a", "b", "c"], "top_n": 3}
    httpserver.expect_request("/v1/rerank", method="POST", json=body).respond_with_json(results((0, 1), (1, 2), (2, 3)))
    assert HttpReranker(httpserver.url_for(""), "fast", None).score("q", ["a", "b", "c"]) == [1.0, 2.0, 3.0]


def test_http_results_come_back_in_the_order_of_the_passages(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/v1/rerank").respond_with_json(results((2, 0.9), (0, 0.5), (1, -0.1)))
    assert HttpReranker(httpserver.url_for(""), "m", None).score("q", ["a", "b", "c"]) == [0.5, -0.1, 0.9]


@pytest.mark.parametrize("end", ["", "/", "/v1/rerank", "/v1/rerank/"])
def test_the_address_may_hold_the_endpoint_already(end: str, httpserver: HTTPServer, settings: Settings) -> None:
    httpserver.expect_request("/v1/rerank").respond_with_json(results((0, 1.0)))
    reranker = must_load(f"http:{httpserver.url_for('')}{end}", settings)
    assert reranker.score("q", ["a"]) == [1.0]


def test_address_model_and_key_come_from_the_settings(httpserver: HTTPServer, settings: Settings) -> None:
    httpserver.expect_request(
        "/v1/rerank",
        headers={"Authorization": "Bearer secret"},
        json={"model": "big", "query": "q", "documents": ["a"], "top_n": 1},
    ).respond_with_json(results((0, 4.5)))
    configured = settings.model_copy(
        update={"rerank_url": httpserver.url_for(""), "rerank_model": "big", "rerank_api_key": SecretStr("secret")}
    )
    reranker = must_load("http", configured)
    assert reranker.score("q", ["a"]) == [4.5]
    assert (reranker.name, reranker.blend) == ("http:big", None)


def test_without_a_key_no_authorization_is_sent(httpserver: HTTPServer) -> None:
    seen: list[Request] = []

    def answer(request: Request) -> Response:
        seen.append(request)
        return Response(json.dumps(results((0, 1.0))), content_type="application/json")

    httpserver.expect_request("/v1/rerank").respond_with_handler(answer)
    HttpReranker(httpserver.url_for(""), "m", None).score("q", ["a"])
    assert "Authorization" not in seen[0].headers


@pytest.mark.parametrize("status", [302, 401, 404, 500, 503])
def test_an_http_failure_names_the_address_and_the_status(status: int, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/v1/rerank").respond_with_data("no", status=status)
    with pytest.raises(
        RerankerError, match=rf"service at {httpserver.url_for('/v1/rerank')} did not answer: .*{status}"
    ):
        HttpReranker(httpserver.url_for(""), "m", None).score("q", ["a"])


@pytest.mark.parametrize(
    "body",
    [
        "not json",
        "<html>Sign in</html>",
        "null",
        "[]",
        "{}",
        '{"results": null}',
        '{"results": [1, 2]}',
        json.dumps(results((0, 1.0))),
        json.dumps(results((0, 1.0), (2, 1.0))),
        json.dumps(results((0, 1.0), (1, None))),
        json.dumps(results((0, 1.0), (1, "high"))),
        '{"results": [{"index": 0, "score": 1}, {"index": 1, "score": 1}]}',
    ],
)
def test_an_http_answer_that_lacks_a_score_is_shown_with_what_was_expected(body: str, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/v1/rerank").respond_with_data(body, content_type="application/json")
    with pytest.raises(RerankerError, match="expected results with index and relevance_score"):
        HttpReranker(httpserver.url_for(""), "m", None).score("q", ["a", "b"])


def test_an_http_score_that_is_no_number_does_not_reach_the_ranking(httpserver: HTTPServer) -> None:
    body = '{"results": [{"index": 0, "relevance_score": NaN}, {"index": 1, "relevance_score": 1}]}'
    httpserver.expect_request("/v1/rerank").respond_with_data(body, content_type="application/json")
    with pytest.raises(RerankerError, match="http:m must return 2 finite scores"):
        rerank("q", make_candidates("a", "b"), HttpReranker(httpserver.url_for(""), "m", None))


def test_a_slow_http_service_is_not_waited_for(httpserver: HTTPServer) -> None:
    def answer(_request: Request) -> Response:
        time.sleep(0.5)
        return Response("{}")

    httpserver.expect_request("/v1/rerank").respond_with_handler(answer)
    with pytest.raises(RerankerError, match="did not answer: timed out"):
        HttpReranker(httpserver.url_for(""), "m", None, timeout_seconds=0.1).score("q", ["a"])


def test_a_refused_connection_is_a_reranker_error(settings: Settings) -> None:
    with pytest.raises(RerankerError, match=r"http://127\.0\.0\.1:1/v1/rerank did not answer"):
        must_load("http:http://127.0.0.1:1", settings).score("q", ["a"])


# Cross-encoder ---------------------------------------------------------------------------------------

VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "gold", "silver", "iron", "is", "##s", "where"]


def save_bert(folder: Path, *, bias: float = 0.0, num_labels: int = 1, headless: bool = False) -> Path:
    """A BERT of two layers with random weights and the vocabulary above; bias is added to every output."""
    import torch
    from transformers import BertConfig, BertForSequenceClassification, BertModel, BertTokenizer

    folder.mkdir()
    (folder / "vocab.txt").write_text("\n".join(VOCABULARY))
    BertTokenizer(vocab=str(folder / "vocab.txt")).save_pretrained(folder)
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(VOCABULARY),
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=16,
        max_position_embeddings=32,
        initializer_range=1.0,  # outputs far apart, so that an order can be told from rounding
    )
    config.num_labels = num_labels
    if headless:
        BertModel(config).save_pretrained(folder)
        return folder
    model = BertForSequenceClassification(config)
    with torch.no_grad():
        model.classifier.bias.fill_(bias)
    model.save_pretrained(folder)
    return folder


@pytest.fixture
def float32(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.setattr(cross_encoder, "preferred_dtype", lambda: torch.float32)


def logits(folder: Path, query: str, passages: Sequence[str]) -> list[float]:
    """What transformers itself computes for (query, passage)."""
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    tokens = AutoTokenizer.from_pretrained(folder)(
        [query] * len(passages), list(passages), padding=True, return_tensors="pt"
    )
    with torch.no_grad():
        model = AutoModelForSequenceClassification.from_pretrained(folder)
        return [float(value) for value in model.eval()(**tokens).logits[:, 0]]


@pytest.mark.usefixtures("float32")
def test_a_cross_encoder_returns_the_models_own_logits_in_the_order_of_the_passages(
    tmp_path: Path, settings: Settings
) -> None:
    folder = save_bert(tmp_path / "model")
    passages = ["iron", "gold is gold", "silvers is where gold is", "gold"]
    scores = must_load(str(folder), settings).score("where is gold", passages)
    assert scores == pytest.approx(logits(folder, "where is gold", passages), abs=1e-4)
    assert len({round(score, 3) for score in scores}) == 4


@pytest.mark.parametrize("bias", [8.0, -8.0])
def test_logits_are_not_squeezed_into_0_to_1(bias: float, tmp_path: Path, settings: Settings) -> None:
    folder = save_bert(tmp_path / "model", bias=bias)
    (score,) = must_load(f"cross-encoder:{folder}", settings).score("where is gold", ["gold"])
    assert score > 1 if bias > 0 else score < 0


def test_a_cross_encoder_is_named_after_its_folder_and_brings_its_blend(tmp_path: Path, settings: Settings) -> None:
    folder = save_bert(tmp_path / "model")
    assert must_load(str(folder), settings).blend is None
    (folder / "blend.json").write_text('{"weights": {"reranker": 1, "vector": 2, "text": 3}}')
    reranker = must_load(str(folder), settings)
    assert (reranker.name, reranker.blend) == (f"cross-encoder:{folder}", Blend(1, 2, 3))


def test_a_model_with_several_outputs_is_no_reranker(tmp_path: Path) -> None:
    with pytest.raises(RerankerError, match="has 3 outputs, a reranker must have one"):
        CrossEncoderReranker(str(save_bert(tmp_path / "model", num_labels=3)))


def test_an_encoder_without_a_head_is_no_reranker(tmp_path: Path) -> None:
    folder = save_bert(tmp_path / "model", headless=True)
    with pytest.raises(RerankerError):
        CrossEncoderReranker(str(folder))


@pytest.mark.parametrize("kind", ["cross-encoder", "late-interaction"])
@pytest.mark.parametrize("missing", ["config.json", "model.safetensors"])
def test_a_folder_without_a_file_of_the_model_is_named(
    kind: str, missing: str, tmp_path: Path, settings: Settings
) -> None:
    folder = save_bert(tmp_path / "model")
    (folder / missing).unlink()
    with pytest.raises(RerankerError, match=f"cannot load {folder}: it is neither a folder with config.json and"):
        load_reranker(f"{kind}:{folder}", settings)


def test_pickled_weights_are_not_loaded(tmp_path: Path, settings: Settings) -> None:
    import torch

    folder = save_bert(tmp_path / "model")
    (folder / "model.safetensors").unlink()
    torch.save({}, folder / "pytorch_model.bin")
    with pytest.raises(RerankerError, match=r"no file named model\.safetensors"):
        load_reranker(str(folder), settings)


def test_a_pickled_module_behind_the_transformer_is_refused(tmp_path: Path, settings: Settings) -> None:
    import torch

    folder = save_bert(tmp_path / "model")
    (folder / "1_Dense").mkdir()
    torch.save({}, folder / "1_Dense" / "pytorch_model.bin")
    with pytest.raises(RerankerError, match=r"pickled weights \(pytorch_model\.bin\)"):
        load_reranker(f"late-interaction:{folder}", settings)


def test_code_that_comes_with_a_model_is_not_run(tmp_path: Path, settings: Settings) -> None:
    folder = save_bert(tmp_path / "model")
    ran = tmp_path / "ran"
    (folder / "evil.py").write_text(f"open({str(ran)!r}, 'w')\nclass EvilConfig: pass\nclass EvilModel: pass\n")
    classes = {"AutoConfig": "evil.EvilConfig", "AutoModelForSequenceClassification": "evil.EvilModel"}
    (folder / "config.json").write_text(json.dumps({"model_type": "evil", "auto_map": classes}))
    with pytest.raises(RerankerError, match="cannot load"):
        load_reranker(str(folder), settings)
    assert not ran.exists()


@pytest.mark.parametrize("kind", ["cross-encoder", "late-interaction"])
def test_weights_cut_short_by_a_broken_download_are_a_reranker_error(
    kind: str, tmp_path: Path, settings: Settings
) -> None:
    weights = save_bert(tmp_path / "model") / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(RerankerError, match="cannot load"):
        load_reranker(f"{kind}:{weights.parent}", settings)


@pytest.mark.parametrize("name", ["nobody/nothing", "cross-encoder:nobody/nothing", "late-interaction:nobody/nothing"])
def test_a_hub_id_that_cannot_be_had_says_to_download_it(name: str, settings: Settings) -> None:
    with pytest.raises(RerankerError, match=r"cannot load nobody/nothing: .*download it and name its folder"):
        load_reranker(name, settings)


# Late interaction ------------------------------------------------------------------------------------


class TokenEncoder:
    """Token vectors by hand: one of two axes, or between them."""

    def __init__(self, encoded: dict[str, list[list[float]]]) -> None:
        self._encoded = encoded
        self.calls: list[list[str]] = []

    def encode_document(self, passages: list[str], **_options: object) -> list[torch.Tensor]:
        import torch

        self.calls.append(list(passages))
        return [torch.tensor(self._encoded[passage]) for passage in passages]

    def encode_query(self, query: str, **_options: object) -> torch.Tensor:
        import torch

        return torch.tensor(self._encoded[query])


@pytest.fixture
def encoder(monkeypatch: pytest.MonkeyPatch) -> TokenEncoder:
    encoder = TokenEncoder(
        {
            "query": [[1.0, 0.0], [0.0, 1.0]],
            "one side": [[1.0, 0.0]],
            "both": [[0.6, 0.8], [1.0, 0.0], [-1.0, 0.0]],
            "against": [[-0.6, -0.8]],
        }
    )
    monkeypatch.setattr(late_interaction, "_embedder_tokens", lambda: encoder)
    return encoder


@pytest.mark.usefixtures("encoder")
def test_late_interaction_is_the_mean_of_each_query_tokens_best_match() -> None:
    scores = LateInteractionReranker().score("query", ["one side", "both", "against"])
    assert scores == pytest.approx([0.5, 0.9, -0.7])  # (1 + 0) / 2, (1 + 0.8) / 2, (-0.6 - 0.8) / 2


def test_a_passage_is_encoded_once(encoder: TokenEncoder) -> None:
    reranker = LateInteractionReranker()
    first = reranker.score("query", ["both", "one side", "both"])
    second = reranker.score("query", ["one side", "against", "both"])
    assert encoder.calls == [["both", "one side"], ["against"]]
    assert second == pytest.approx([first[1], -0.7, first[0]])


def test_more_passages_than_the_cache_holds_are_scored_all_the_same(
    encoder: TokenEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(late_interaction, "_CACHE_BYTES", 24)  # three vectors of two float32
    reranker = LateInteractionReranker()
    passages = ["one side", "both", "against"]
    assert reranker.score("query", passages) == reranker.score("query", passages) == pytest.approx([0.5, 0.9, -0.7])
    assert len(encoder.calls) == 2


class PatientText(str):
    """Lets other threads run whenever it is looked up."""

    __slots__ = ()

    def __hash__(self) -> int:
        time.sleep(1e-5)
        return super().__hash__()


def test_threads_share_a_full_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    passages = [PatientText(f"passage {number}") for number in range(20)]
    encoder = TokenEncoder({text: [[1.0, 0.0]] for text in ("query", *passages)})
    monkeypatch.setattr(late_interaction, "_embedder_tokens", lambda: encoder)
    monkeypatch.setattr(late_interaction, "_CACHE_BYTES", 8 * 10)
    reranker = LateInteractionReranker()
    errors: list[Exception] = []

    def ask(first: int) -> None:
        try:
            for turn in range(15):
                reranker.score("query", [passages[(first + turn * 3 + step) % 20] for step in range(8)])
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=ask, args=(number * 5,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []


@pytest.mark.slow
def test_the_shipped_reranker_puts_the_obvious_passage_first(settings: Settings) -> None:
    reranker = must_load("shipped", settings)
    scores = reranker.score(QUESTION, PASSAGES)
    assert max(range(3), key=scores.__getitem__) == 1
    ranking = rerank(QUESTION, make_candidates(*PASSAGES), reranker)
    assert ranking[0].chunk.text == PASSAGES[1]
    assert (reranker.name, ranking[0].rank_change) == ("shipped", 1)
    assert reranker.blend is not None


@pytest.mark.slow
def test_the_embedders_own_token_vectors_rank_without_a_blend(settings: Settings) -> None:
    reranker = must_load("late-interaction", settings)
    first, second = reranker.score(QUESTION, PASSAGES), reranker.score(QUESTION, PASSAGES)
    assert max(range(3), key=first.__getitem__) == 1
    assert all(-1 <= score <= 1 for score in first)
    assert first == pytest.approx(second)
    assert reranker.blend is None
