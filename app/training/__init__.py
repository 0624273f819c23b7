"""Feedback, or files of questions and passages -> a model that must pass a gate before it goes live.

    labels        TrainingExample  feedback or files -> examples with hard negatives, split by question
    fit           Recipe, Loss     examples -> model, and a blend of its scores
    gate          GateReport       candidate and live model -> promote, keep, or too little data to tell
    plan, card                     what to train; the model card
    candidate     Candidate        all of the above on the feedback of a home folder
    from_pairs                     the same from files, for the reranker that ships
    charts                         curves of a training, bars of a comparison
    jobs, worker  TrainingJob      a training in a separate process that a page can follow
    proposals     Proposal         a language model's questions about passages, for a curator to decide on
    exchange                       labeled passages <-> the files of other tools

`app/evaluation` measures models; `app/registry` knows which one is live.
"""
