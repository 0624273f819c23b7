"""A text embedder of 64 dimensions with random weights, which loads and trains in a second or two."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from ingest.embed.embedder import default_embedder_path

_CONFIG = {
    "hidden_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 128,
    "hidden_dropout_prob": 0.0,  # it learns faster without
    "attention_probs_dropout_prob": 0.0,
}


def write_tiny_embedder(folder: Path) -> Path:
    """Write one with the default embedder's vocabulary, to which texts with the same words are similar."""
    import torch
    from safetensors.torch import save_file
    from transformers import BertConfig, BertModel

    large = ("*.safetensors", "vocab.txt", "README.md", "data_config.json")
    shutil.copytree(default_embedder_path(), folder, ignore=shutil.ignore_patterns(*large))
    config = json.loads((folder / "config.json").read_text()) | _CONFIG
    (folder / "config.json").write_text(json.dumps(config))
    pooling = json.loads((folder / "1_Pooling" / "config.json").read_text())
    (folder / "1_Pooling" / "config.json").write_text(
        json.dumps(pooling | {"word_embedding_dimension": config["hidden_size"]})
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = BertModel(BertConfig(**config))
    with torch.no_grad():
        model.embeddings.word_embeddings.weight *= 5  # words outweigh their positions
    save_file(model.state_dict(), folder / "model.safetensors")
    return folder
