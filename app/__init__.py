"""The question side and the training loop, in the order of a question's path.

    translation     _()               texts of the pages -> the reader's language
    settings        Settings          environment -> settings of this installation
    telemetry       stage()           what the server says of its work
    access          ApiKey            permissions, rate limits and waiting
    language_model  LanguageModel     messages -> text
    search          Candidate         question -> fused candidates from two lists
    memory          Memory            feedback on a passage for similar questions
    registry        Registry          trained models, and which one is live
    reranking       RankedChunk       candidates -> ranking, with changes of rank
    answer          Answer            ranking -> text with citations, quoted or written, and checked
    feedback        FeedbackEvent     answers shown, users' actions, and their meaning
    evaluation      EvaluationReport  judged questions -> ranking quality, and whether the reranker pays
    models          Models            the table, rerankers and language model of a home, each loaded once
    writing         Writing           ranked answer -> its text: a curator's, a language model's, or quotes
    pipeline        Pipeline          search, rerank and write, each step timed
    answering       Answerer          question -> stored answer, made outside the page
    training        TrainingExample   feedback or files of pairs -> a candidate that must pass a gate
    downloads       CatalogModel      published models -> models of this home, checked and tried before use
    api                               the same for programs: HTTP below /v1, tools for agents
    ui                                the same in a browser; only it imports streamlit
    ingest_worker                     the worker of `ingest`, with the vision model
    commands        `citeloop`        the same from the command line

Imports point upstream, from the bottom of this list to its top.
"""
