"""passages without questions -> Proposals by a language model, checked, for a curator to decide on.

propose  Refusal      asks a language model for questions; refuses those that their passages do not answer
store    Proposal     stores them; those that a curator accepts become judgements
jobs     ProposalJob  runs it with progress and stop
"""
