"""model and TrainingExamples -> trained model: one trainer for every kind, watched step by step."""

from __future__ import annotations

import os
import re
import tempfile
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from app.training.labels.examples import TrainingExample
from ingest.extras import needs_extra

if TYPE_CHECKING:
    from datasets import DatasetDict

PASSAGES_AT_ONCE = 8
"""Of a batch, for the model; all 96 at once take another gigabyte."""
NUM_VALIDATIONS = 10
"""Number of validations per training."""
_PATIENCE = 3
"""Validations without gain before it stops."""
_MIN_VALIDATION = 8
"""With fewer validation examples, the stopping point would be random."""


def require_libraries() -> None:
    """Raise CiteloopError if the libraries that only training needs are not installed."""
    with needs_extra("train", "training"):
        import accelerate  # type: ignore[import-untyped]  # noqa: F401
        import datasets  # noqa: F401


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a model is trained.

    temperature: divides the scores of a batch before the softmax. max_tokens: passages are cut to this in training.
    """

    num_epochs: int = 1
    batch_size: int = 16
    num_negatives: int = 5
    learning_rate: float = 3e-5
    temperature: float = 0.03
    max_tokens: int = 128
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Loss:
    """The progress of a training: step of num_steps, training loss, and validation loss if measured."""

    step: int
    num_steps: int
    training: float | None = None
    validation: float | None = None


@dataclass(frozen=True, slots=True)
class Watch:
    """Callbacks that receive the progress of a training and may stop it."""

    on_loss: Callable[[Loss], None] = lambda _: None
    should_stop: Callable[[], bool] = lambda: False


@dataclass(frozen=True, slots=True)
class Training:
    """What a model is trained on, and how. validation: examples that decide when it stops."""

    examples: Sequence[TrainingExample]
    recipe: Recipe
    validation: Sequence[TrainingExample] = ()
    watch: Watch = Watch()


def fit(kind: str, model: Any, loss: Any, training: Training, **options: Any) -> None:
    """Train a model in place. kind: of the sentence-transformers trainer. options: its further arguments.

    loss: one for all, or by origin of the examples.

    An example with half the weight is seen half as often. With enough validation examples (of one origin), training
    stops when their loss no longer falls, and the best weights are kept. Deterministic with the seed on the same
    machine. Under torchrun, each process takes its part of every batch.
    """
    import sentence_transformers
    from transformers import EarlyStoppingCallback, PrinterCallback, set_seed

    recipe, validation = training.recipe, training.validation
    set_seed(recipe.seed)
    is_validated = len(validation) >= _MIN_VALIDATION
    rows = drawn(training.examples, recipe.num_epochs, recipe.seed)
    every = max(1, len(rows) // recipe.batch_size // NUM_VALIDATIONS)
    with tempfile.TemporaryDirectory() as scratch:
        settings = _settings(recipe, scratch) | {"logging_steps": min(10, every)}
        if is_validated:
            settings |= _validation_settings(validation[0].origin, every)
        trainer = getattr(sentence_transformers, f"{kind}Trainer")(
            model=model,
            args=getattr(sentence_transformers, f"{kind}TrainingArguments")(**settings, **options),
            train_dataset=_datasets(rows, recipe.num_negatives),
            eval_dataset=_datasets(validation, recipe.num_negatives) if is_validated else None,
            loss=loss,
            callbacks=[_callback(training.watch), *([EarlyStoppingCallback(_PATIENCE)] if is_validated else [])],
        )
        for unwanted in (PrinterCallback, trainer.model_card_callback_class):  # standard output is for results
            trainer.remove_callback(unwanted)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # how one library calls the other is not for our users
            trainer.train()


@contextmanager
def cut_at(num_tokens: int, model: Any) -> Iterator[None]:
    """Temporarily limit max_seq_length, in word pieces (for a cross-encoder: of a pair)."""
    usual = model.max_seq_length
    model.max_seq_length = min(usual or num_tokens, num_tokens)
    try:
        yield
    finally:
        model.max_seq_length = usual


def _settings(recipe: Recipe, scratch: str) -> dict[str, Any]:
    """Return the trainer's arguments. scratch: folder for its temporary files."""
    import torch
    from sentence_transformers.base.sampler import BatchSamplers, MultiDatasetBatchSamplers

    from ingest.embed.embedder import preferred_dtype

    return {
        "output_dir": scratch,
        "num_train_epochs": 1,  # the rows repeat the examples of all epochs
        "per_device_train_batch_size": recipe.batch_size,
        "per_device_eval_batch_size": recipe.batch_size,
        "learning_rate": recipe.learning_rate,
        "warmup_steps": 0.1,
        "lr_scheduler_type": "cosine",
        "bf16": preferred_dtype() == torch.bfloat16,
        "activation_checkpointing": True,  # half the memory for a fifth more time
        "use_cpu": not torch.cuda.is_available(),
        "batch_sampler": BatchSamplers.NO_DUPLICATES,
        "multi_dataset_batch_sampler": MultiDatasetBatchSamplers.PROPORTIONAL,
        "seed": recipe.seed,
        "save_strategy": "no",
        "report_to": "none",
        "disable_tqdm": True,
    }


def _validation_settings(origin: str, every: int) -> dict[str, Any]:
    """Return arguments that make the trainer validate and keep the best weights."""
    return {
        "eval_strategy": "steps",
        "eval_steps": every,
        "save_strategy": "steps",
        "save_steps": every,
        "save_total_limit": 1,
        "save_only_model": True,
        "load_best_model_at_end": True,
        "metric_for_best_model": _validation_loss(origin),
    }


def drawn(examples: Sequence[TrainingExample], num_epochs: int, seed: int) -> list[TrainingExample]:
    """Repeat each example weight * num_epochs times, randomly rounded up or down."""
    rng = np.random.default_rng(seed)
    times = [int(example.weight * num_epochs + rng.random()) for example in examples]
    return list(chain.from_iterable([example] * number for example, number in zip(examples, times, strict=True)))


def _callback(watch: Watch) -> Any:
    from transformers import TrainerCallback

    class WatchCallback(TrainerCallback):
        def on_log(self, args: Any, state: Any, control: Any, **found: Any) -> None:  # noqa: ARG002
            logged = found["logs"]
            training = logged.get("loss")
            validation = next((logged[name] for name in logged if _VALIDATION_LOSS.fullmatch(name)), None)
            if training is not None or validation is not None:
                watch.on_loss(Loss(state.global_step, state.max_steps, _number(training), _number(validation)))

        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:  # noqa: ARG002
            if _any_process(watch.should_stop()):
                control.should_training_stop = True

    return WatchCallback()


def _any_process(flag: bool) -> bool:
    """Return whether the flag is set in any process of this training: all must stop together."""
    from torch import distributed, tensor

    if not distributed.is_initialized():
        return flag
    combined = tensor(float(flag))
    distributed.all_reduce(combined, distributed.ReduceOp.MAX)
    return bool(combined)


def is_main_process() -> bool:
    """Return whether this process is the only one or, under torchrun, the one that writes the results."""
    return int(os.environ.get("RANK", "0")) == 0


def save(model: Any, output: Path) -> None:
    """Write a trained model to a folder; under torchrun, only the main process does."""
    if is_main_process():
        model.save_pretrained(str(output), create_model_card=False)


def _number(value: Any) -> float | None:
    return None if value is None else float(value)


def _validation_loss(origin: str) -> str:
    """Return the trainer's name for the validation loss of an origin."""
    return f"eval_{origin}_loss"


_VALIDATION_LOSS = re.compile(_validation_loss(".+"))


def _datasets(examples: Sequence[TrainingExample], num_negatives: int) -> DatasetDict:
    """Return the examples as columns, by origin: passages of one origin are harder to distinguish in a batch.

    Either all or no examples of an origin have a teacher's scores.
    """
    from datasets import DatasetDict

    by_origin: dict[str, list[TrainingExample]] = {}
    for example in examples:
        by_origin.setdefault(example.origin, []).append(example)
    return DatasetDict({origin: _dataset(same, num_negatives) for origin, same in by_origin.items()})


def _dataset(examples: Sequence[TrainingExample], num_negatives: int) -> Any:
    from datasets import Dataset

    rows = []
    for example in examples:
        row: dict[str, Any] = {"query": example.query, "positive": example.positive}
        row |= {f"negative_{number}": example.negatives[number] for number in range(num_negatives)}
        rows.append(row | ({"label": list(example.scores)} if example.scores else {}))
    return Dataset.from_list(rows)
