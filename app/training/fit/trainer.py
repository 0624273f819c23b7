"""model + TrainingExamples -> the same model, better: one trainer for every kind, watched step by step."""

from __future__ import annotations

import ctypes
import os
import re
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from app.training.labels.examples import TrainingExample

if TYPE_CHECKING:
    from datasets import DatasetDict

NUM_VALIDATIONS = 10
"""How often a training looks at its validation examples."""
_PATIENCE = 3
"""Validations without gain after which it stops."""
_MIN_VALIDATION = 8
"""With fewer validation examples, chance alone would say when to stop."""

_MALLOC_OPTIONS = ((-4, 0), (-1, -1), (-2, 2**28))
"""Of malloc.h: M_MMAP_MAX, no block of its own for anything; M_TRIM_THRESHOLD, never; M_TOP_PAD, in bytes."""


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


@dataclass(frozen=True, slots=True)
class Loss:
    """How far a training is: step of num_steps, the loss, and that on the validation examples where it was measured."""

    step: int
    num_steps: int
    training: float | None = None
    validation: float | None = None


OnLoss = Callable[[Loss], None]
ShouldStop = Callable[[], bool]


@dataclass(frozen=True, slots=True)
class Watch:
    """Who is told how far a training is, and may stop it."""

    on_loss: OnLoss = lambda _: None
    should_stop: ShouldStop = lambda: False


def fit(
    kind: str,
    model: Any,
    loss: Any,
    examples: Sequence[TrainingExample],
    recipe: Recipe,
    validation: Sequence[TrainingExample] = (),
    watch: Watch = Watch(),  # frozen, and its functions do nothing
    **options: Any,
) -> None:
    """Train a model in place. kind: of the sentence-transformers trainer. options: for its arguments.

    loss: one for all, or by the origin of the examples.

    An example of half the weight is seen half as often. With enough validation examples, the training stops when
    their loss (they are of one origin) no longer falls, and the weights of the best moment stay. Deterministic with the
    seed, on the same machine. Under torchrun, each process takes its part of every batch.
    """
    import sentence_transformers
    from transformers import EarlyStoppingCallback, PrinterCallback, set_seed

    set_seed(recipe.seed)
    _keep_freed_memory()
    is_validated = len(validation) >= _MIN_VALIDATION
    rows = drawn(examples, recipe.num_epochs, recipe.seed)
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
            callbacks=[_told(watch), *([EarlyStoppingCallback(_PATIENCE)] if is_validated else [])],
        )
        for unwanted in (PrinterCallback, trainer.model_card_callback_class):  # standard output is for results
            trainer.remove_callback(unwanted)
        trainer.train()


@contextmanager
def cut_at(num_tokens: int, model: Any) -> Iterator[None]:
    """Within, the model reads at most so many word pieces (of a cross-encoder: of a pair); then as many as before."""
    usual = model.max_seq_length
    model.max_seq_length = min(usual or num_tokens, num_tokens)
    try:
        yield
    finally:
        model.max_seq_length = usual


def _settings(recipe: Recipe, scratch: str) -> dict[str, Any]:
    """The trainer's arguments. scratch: folder for what it writes on the way."""
    import torch
    from sentence_transformers.base.sampler import BatchSamplers, MultiDatasetBatchSamplers

    from ingest.embed.embedder import preferred_dtype

    return {
        "output_dir": scratch,
        "num_train_epochs": 1,  # the rows hold every epoch's
        "per_device_train_batch_size": recipe.batch_size,
        "per_device_eval_batch_size": recipe.batch_size,
        "learning_rate": recipe.learning_rate,
        "warmup_steps": 0.1,
        "lr_scheduler_type": "cosine",
        "bf16": preferred_dtype() == torch.bfloat16,
        "use_cpu": not torch.cuda.is_available(),
        "batch_sampler": BatchSamplers.NO_DUPLICATES,
        "multi_dataset_batch_sampler": MultiDatasetBatchSamplers.PROPORTIONAL,
        "seed": recipe.seed,
        "save_strategy": "no",
        "report_to": "none",
        "disable_tqdm": True,
    }


def _validation_settings(origin: str, every: int) -> dict[str, Any]:
    """What makes the trainer look at the validation examples, and keep the weights of the best moment."""
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


def _keep_freed_memory() -> None:
    """Let the C library keep what a step frees for the next one, where it is glibc, for as long as the process lives.

    As it comes, it hands large blocks back to the system at once, and a step asks for gigabytes anew, page by page.
    """
    set_option = getattr(ctypes.CDLL(None), "mallopt", None)
    if set_option:
        for option, value in _MALLOC_OPTIONS:
            set_option(option, value)


def drawn(examples: Sequence[TrainingExample], num_epochs: int, seed: int) -> list[TrainingExample]:
    """Each example as often as its weight says: num_epochs times for weight 1, at random rounded up or down."""
    chance = np.random.default_rng(seed)
    times = [int(example.weight * num_epochs + chance.random()) for example in examples]
    return list(chain.from_iterable([example] * number for example, number in zip(examples, times, strict=True)))


def _told(watch: Watch) -> Any:
    from transformers import TrainerCallback

    class Told(TrainerCallback):
        def on_log(self, args: Any, state: Any, control: Any, **found: Any) -> None:  # noqa: ARG002
            logged = found["logs"]
            training = logged.get("loss")
            validation = next((logged[name] for name in logged if _VALIDATION_LOSS.fullmatch(name)), None)
            if training is not None or validation is not None:
                watch.on_loss(Loss(state.global_step, state.max_steps, _number(training), _number(validation)))

        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:  # noqa: ARG002
            if _anywhere(watch.should_stop()):
                control.should_training_stop = True

    return Told()


def _anywhere(said: bool) -> bool:
    """Whether any of the processes that train together says so: the others would wait for one that stops alone."""
    from torch import distributed, tensor

    if not distributed.is_initialized():
        return said
    flag = tensor(float(said))
    distributed.all_reduce(flag, distributed.ReduceOp.MAX)
    return bool(flag)


def is_main_process() -> bool:
    """Whether this process is the only one or, under torchrun, the one that writes what is made."""
    return int(os.environ.get("RANK", "0")) == 0


def save(model: Any, output: Path) -> None:
    """Write a trained model to a folder; under torchrun, one process does."""
    if is_main_process():
        model.save_pretrained(str(output), create_model_card=False)


def _number(value: Any) -> float | None:
    return None if value is None else float(value)


def _validation_loss(origin: str) -> str:
    """What the trainer calls the loss on the validation examples of an origin."""
    return f"eval_{origin}_loss"


_VALIDATION_LOSS = re.compile(_validation_loss(".+"))


def _datasets(examples: Sequence[TrainingExample], num_negatives: int) -> DatasetDict:
    """The examples as columns, by origin: a batch is of one origin, whose passages are the harder to tell apart.

    Examples of an origin either all have a teacher's scores or none has.
    """
    from datasets import DatasetDict

    by_origin: dict[str, list[TrainingExample]] = {}
    for each in examples:
        by_origin.setdefault(each.origin, []).append(each)
    return DatasetDict({origin: _dataset(same, num_negatives) for origin, same in by_origin.items()})


def _dataset(examples: Sequence[TrainingExample], num_negatives: int) -> Any:
    from datasets import Dataset

    rows = []
    for each in examples:
        row: dict[str, Any] = {"query": each.query, "positive": each.positives[0]}
        row |= {f"negative_{number}": each.negatives[number] for number in range(num_negatives)}
        rows.append(row | ({"label": list(each.scores)} if each.scores else {}))
    return Dataset.from_list(rows)
