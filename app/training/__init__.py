"""what people did, or files of questions and passages -> a reranker that has to prove itself before it goes live.

    rules             LabeledPassage    events and judgements -> what they mean, by rules in one place
    split             Part              which questions train, which stop the training, which only compare
    from_feedback     FeedbackExamples  labelled passages -> examples with mined negatives, and what is missing
    pairs             Pair              JSON lines -> pairs, split so that a source is on one side only
    examples          TrainingExample   judged queries -> hard negatives that are hardly answers themselves
    fit               Recipe, Loss      one trainer for every kind of model, watched step by step
    late_interaction, cross_encoder, embedder    examples -> weights, by sentence-transformers; trainers: by kind
    blend             ScoredQuery       judged queries and scores -> Blend and what its score means
    charts                              curves of a training, bars of a comparison
    plan, material                      what to train, and what of people's feedback goes into it
    gate_questions    GateQuestions     the questions that only compare -> what answers them in the documents now
    compare           Contender         candidate, live and no reranker on the gate's questions -> what is found
    gate              GateReport        what is found -> promote, keep, or too little data to tell
    card                                what was done -> the model card
    candidate         Candidate         all of the above on the feedback of a home folder
    from_pairs                          the same from files, for the reranker that ships
    jobs, worker      TrainingJob       a training as a process of its own that a page can follow
    proposals         Proposal          a language model's questions about passages, for a curator to decide on
    exchange                            labelled passages <-> the files of other tools
    commands, feedback_commands         `citeloop train`, `citeloop feedback`

What a model is worth is said by `app/evaluation`; which one is live, by `app/registry`.
"""
