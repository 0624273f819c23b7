"""The question side and the loop.

    settings    Settings          environment -> what this installation uses
    filters     Filter            collection, type, document, date -> the documents to search
    search      Candidate         question -> candidates of two lists, fused
    memory      Memory            what people said of a passage for like questions, kept beside a reranker
    rerank      RankedChunk       candidates -> ranking, with who moved where
    registry    Registry          the trained models of a home folder, which one is live, and the history
    rerankers   Reranker          name -> a loaded reranker
    live        LiveReranker      candidates -> ranking by the live model, else by the one before it
    answer      Answer            ranking -> text with citations, quoted or written, and checked
    endpoint, tokens              where the language model is, and how it counts
    language_model                messages -> text, from that endpoint
    follow_up                     a question and those before it -> a full question
    prompts     Prompts           what language models are told
    writing     Writer            ranked answer -> the same with its text, as it grows
    pipeline    Pipeline          search, rerank and write on one table, with loaded models and timings
    feedback    FeedbackEvent     what was shown and what people did with it, kept in SQLite
    answering   Answerer          question -> answer in the store, made outside the page
    conversation_export           a conversation -> Markdown
    deletion_rates                do people strike out more since another model is live?
    training    TrainingExample   feedback, or files of questions -> a candidate, and the gate it has to pass
    evaluation  EvaluationReport  judged questions -> is the ranking good, does the reranker pay?
    registry_commands             promote, rollback, models
    doctor      Check             is everything at hand, and does it work?
    api                           the same for programs: HTTP below /v1, tools for agents
    cli         `citeloop`        all of it from the command line
    ui          the pages         all of it in a browser; the only package that imports streamlit

Imports point upstream:
ui and cli -> training -> evaluation -> pipeline, feedback -> answer -> rerank -> search -> ingest.
"""
