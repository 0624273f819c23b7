"""The trained models of a home folder: which there are, which one is live, and who made it so.

    entries  TrainedModel, Promotion, Verdict   what is said of them
    files    fingerprint                        the files of a model: are they as they were?
    store    Registry                           keeps and returns them, each act one transaction

Each model lies in HOME/models/NAME, its row in HOME/models.sqlite3. A model without a row is none, and a row never
lacks its folder. Nothing here loads a model: whoever uses one asks `Registry.check` first.
"""

from app.registry.entries import (
    EMBEDDER,
    RERANKER_KINDS,
    SHIPPED,
    Action,
    Decision,
    Promotion,
    RegistryError,
    TrainedModel,
    Verdict,
    how_to_embed,
)
from app.registry.files import fingerprint
from app.registry.store import Registry

__all__ = [
    "EMBEDDER",
    "RERANKER_KINDS",
    "SHIPPED",
    "Action",
    "Decision",
    "Promotion",
    "Registry",
    "RegistryError",
    "TrainedModel",
    "Verdict",
    "fingerprint",
    "how_to_embed",
]
