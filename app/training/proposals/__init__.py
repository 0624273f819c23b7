"""passages without questions -> Proposals by a language model, checked, for a curator to decide on.

propose  Refusal      asks a language model for questions; refuses those that their passages do not answer
store    Proposal     stores them; those that a curator accepts become judgements
jobs     ProposalJob  runs it with progress and stop
"""

from app.training.proposals.jobs import ProposalJob, ProposalJobStore, run
from app.training.proposals.propose import (
    NO_LANGUAGE_MODEL,
    Refusal,
    pick,
    propose,
    refusal_counts,
    refusal_words,
)
from app.training.proposals.store import MAX_CHARACTERS, STATES, Proposal, ProposalError, ProposalStore

__all__ = [
    "MAX_CHARACTERS",
    "NO_LANGUAGE_MODEL",
    "STATES",
    "Proposal",
    "ProposalError",
    "ProposalJob",
    "ProposalJobStore",
    "ProposalStore",
    "Refusal",
    "pick",
    "propose",
    "refusal_counts",
    "refusal_words",
    "run",
]
