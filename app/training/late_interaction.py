"""TrainingExamples -> a late-interaction model: a folder that plain sentence-transformers loads."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.training.examples import TrainingExample

if TYPE_CHECKING:
    from datasets import DatasetDict
    from sentence_transformers import MultiVectorEncoder


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a model is trained.

    temperature: the scores of a batch are divided by it before the softmax. max_tokens: passages are cut there,
    in training only.
    """

    num_epochs: int = 1
    batch_size: int = 16
    num_negatives: int = 5
    learning_rate: float = 3e-5
    temperature: float = 0.03
    max_tokens: int = 128
    seed: int = 0


def untrained(base: Path, **transformer_options: Any) -> MultiVectorEncoder:
    """Late interaction over the token vectors of a text embedder, as they are."""
    from sentence_transformers import MultiVectorEncoder
    from sentence_transformers.base.modules import Normalize, Transformer
    from sentence_transformers.multi_vector_encoder.modules import MultiVectorMask

    # MultiVectorEncoder(folder) would put a random projection on top of a plain encoder: build it by hand.
    transformer = Transformer(str(base), **transformer_options)
    modules = [transformer, MultiVectorMask(), Normalize(module_input_name="token_embeddings")]
    return MultiVectorEncoder(modules=modules)


def train(
    examples: Sequence[TrainingExample],
    base: Path,
    output: Path,
    recipe: Recipe,
    on_loss: Callable[[int, int, float], None] = lambda *_: None,
) -> None:
    """Train on the examples and save to the output folder, in half precision.

    The model learns to tell a question's own passage from all other passages of the batch (InfoNCE; van den
    Oord et al., 2018), scored by MaxSim. A batch is of one origin, whose passages are the harder to tell apart.
    on_loss: told step, number of steps and loss. Deterministic with the seed.
    """
    import torch
    from sentence_transformers import MultiVectorEncoderTrainer, MultiVectorEncoderTrainingArguments
    from sentence_transformers.base.sampler import BatchSamplers, MultiDatasetBatchSamplers
    from sentence_transformers.multi_vector_encoder.losses import MultiVectorMultipleNegativesRankingLoss
    from sentence_transformers.multi_vector_encoder.scoring import mean_colbert_scores
    from transformers import TrainerCallback

    from ingest.embed import preferred_dtype

    class Told(TrainerCallback):
        def on_log(self, args: Any, state: Any, control: Any, **found: Any) -> None:  # noqa: ARG002
            if "loss" in found["logs"]:
                on_loss(state.global_step, state.max_steps, found["logs"]["loss"])

    model = untrained(base)
    with tempfile.TemporaryDirectory() as scratch:
        arguments = MultiVectorEncoderTrainingArguments(
            output_dir=scratch,
            num_train_epochs=recipe.num_epochs,
            per_device_train_batch_size=recipe.batch_size,
            learning_rate=recipe.learning_rate,
            warmup_ratio=0.1,
            lr_scheduler_type="cosine",
            bf16=preferred_dtype() == torch.bfloat16,
            use_cpu=not torch.cuda.is_available(),
            max_length={"query": 64, "document": recipe.max_tokens},
            batch_sampler=BatchSamplers.NO_DUPLICATES,
            multi_dataset_batch_sampler=MultiDatasetBatchSamplers.PROPORTIONAL,
            seed=recipe.seed,
            logging_steps=10,
            save_strategy="no",
            report_to="none",
            disable_tqdm=True,
        )
        trainer = MultiVectorEncoderTrainer(
            model=model,
            args=arguments,
            train_dataset=_datasets(examples, recipe.num_negatives),
            loss=MultiVectorMultipleNegativesRankingLoss(
                model, scale=1 / recipe.temperature, similarity_fct=mean_colbert_scores
            ),
            callbacks=[Told()],
        )
        trainer.train()
    model.half().save_pretrained(str(output), create_model_card=False)


def _datasets(examples: Sequence[TrainingExample], num_negatives: int) -> DatasetDict:
    """The examples as columns, by origin."""
    from datasets import Dataset, DatasetDict

    by_origin: dict[str, list[dict[str, str]]] = {}
    for each in examples:
        row = {"query": each.query, "positive": each.positives[0]}
        row |= {f"negative_{number}": each.negatives[number] for number in range(num_negatives)}
        by_origin.setdefault(each.origin, []).append(row)
    return DatasetDict({origin: Dataset.from_list(rows) for origin, rows in by_origin.items()})
