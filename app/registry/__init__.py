"""The models of a home folder, trained or downloaded, which one is live, and who promoted it.

    entries  TrainedModel, Promotion, Trial, Verdict   the types
    files    fingerprint                        checks that a model's files are unchanged
    going_live  objection                       why a model should not replace the live one
    rows                                        a transaction -> rows of models, their history and trials
    names                                       names of models that are used or free
    store    Registry                           stores and returns them, one transaction per action

Each model is in HOME/models/NAME, its row in the database. A folder without a row does not count as a model,
and a row never lacks its folder. Nothing here loads a model: call `Registry.check` before loading one.
"""

from app.registry.entries import (
    RERANKER_KINDS,
    SHIPPED,
    Action,
    Decision,
    Promotion,
    RegistryError,
    TrainedModel,
    Trial,
    TrialOutcome,
    Verdict,
)
from app.registry.files import fingerprint, loaded_files
from app.registry.store import Registry

__all__ = [
    "RERANKER_KINDS",
    "SHIPPED",
    "Action",
    "Decision",
    "Promotion",
    "Registry",
    "RegistryError",
    "TrainedModel",
    "Trial",
    "TrialOutcome",
    "Verdict",
    "fingerprint",
    "loaded_files",
]
