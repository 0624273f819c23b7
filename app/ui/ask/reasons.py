"""two neighbors in a ranking -> why one stands above the other, in one sentence made from their scores."""

from __future__ import annotations

from app.memory.votes import Recall
from app.reranking.rerank import RankedChunk
from app.translation import N_
from app.translation import gettext as _
from app.ui.words import people

_DONE = {"kept": N_("kept"), "struck out": N_("struck out")}


def why_above(upper: RankedChunk, lower: RankedChunk) -> str:
    """Return why the upper passage stands above the lower one; both next to each other in one ranking."""
    voted = upper.vote is not None or lower.vote is not None
    if voted and (upper.unvoted_rank or 0) > (lower.unvoted_rank or 0):
        if upper.vote and upper.vote.vote.is_for:
            return _("above the next one because it was {vote}", vote=vote_words(upper.vote))
        if lower.vote and not lower.vote.vote.is_for:
            return _("above the next one because that was {vote}", vote=vote_words(lower.vote))
    if lower.candidate.superseded_by and not upper.candidate.superseded_by:
        return _("above the next one because that is of an older version")
    if upper.ranks and lower.ranks and upper.ranks[0] > lower.ranks[0]:
        return _("above the next one because a model on trial ranks it higher")
    if upper.reranker_score is None or lower.reranker_score is None:
        return _by_search(upper, lower)
    reads_better = upper.reranker_score >= lower.reranker_score
    found_first = upper.candidate.fused_rank < lower.candidate.fused_rank
    if reads_better and found_first:
        return _("above the next one because search and the reranker agree on it")
    if reads_better:
        return _("above the next one because the reranker finds that it answers better, though search ranked it lower")
    return _("above the next one because search ranks it higher, and the reranker sees little difference")


def vote_words(recall: Recall) -> str:
    """Return the vote in words: `struck out for "..." by 3 people`."""
    vote = recall.vote
    question = _("“{question}”", question=vote.question) if vote.question else _("a question like this one")
    question = _("this question") if recall.is_same else question
    if vote.curator:
        said = _("named as the answer") if vote.is_for else _("rejected")
        return _("{said} by a curator for {question}", said=said, question=question)
    by = _("by you") if vote.own else _("by {name}", name=people(vote.num_people))
    return _("{done} for {question} {by}", done=_(_DONE[vote.kind]), question=question, by=by)


def _by_search(upper: RankedChunk, lower: RankedChunk) -> str:
    """Return why search ranks one above the other."""
    pairs = [
        (_("meaning"), upper.candidate.vector_score, lower.candidate.vector_score),
        (_("words"), upper.candidate.text_score, lower.candidate.text_score),
    ]
    better = [name for name, mine, other in pairs if mine is not None and mine > (other or 0.0)]
    if not better:
        return _("above the next one by the order of search")
    names = _(" and ").join(better)
    return _("above the next one because it is nearer to the question by {names}", names=names)
