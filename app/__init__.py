"""The question side and the loop, in the order in which a question passes through it.

    settings        Settings          environment -> what this installation uses
    access          ApiKey            who may ask, how often, and who has to wait
    language_model  LanguageModel     messages -> text
    search          Candidate         question -> candidates of two lists, fused
    memory          Memory            what people said of a passage for like questions
    registry        Registry          the trained models of a home folder, and which one is live
    reranking       RankedChunk       candidates -> ranking, with who moved where
    answer          Answer            ranking -> text with citations, quoted or written, and checked
    feedback        FeedbackEvent     what was shown, what people did with it, and what that means
    evaluation      EvaluationReport  judged questions -> is the ranking good, does the reranker pay?
    pipeline        Pipeline          search, rerank and write on one table, with loaded models and timings
    answering       Answerer          question -> answer in the store, made outside the page
    training        TrainingExample   feedback, or files of pairs -> a candidate, and the gate it has to pass
    api                               the same for programs: HTTP below /v1, tools for agents
    ui                                the same in a browser; the only package that imports streamlit
    commands        `citeloop`        the same from the command line

Imports point upstream, from the bottom of this list to its top.
"""
