"""questions and the passages that answer them -> a reranker in a folder of its own.

    pairs             Pair             JSON lines -> pairs, split so that a source is on one side only
    examples          TrainingExample  judged queries -> hard negatives that are hardly answers themselves
    late_interaction  Recipe           examples -> weights, by sentence-transformers' own trainer
    blend             ScoredQuery      judged queries and scores -> Blend and what its score means
    from_pairs                         all of the above, and what the card has to say
    commands                           `citeloop train`

It knows nothing of feedback yet: what people strike out does not train anything so far.
"""
