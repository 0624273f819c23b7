"""judged questions -> EvaluationReport: ranking quality, and whether the reranker pays.

    beir_files    Row               the files of a BEIR folder -> rows, each checked
    benchmark     Benchmark         a BEIR folder -> documents, queries, judgements
    tables        JudgedTable       a benchmark -> a table of its documents, with judgements
    judgements    JudgedTable       a CSV of your own questions -> the same on the ingested documents
    csv_rows                        spreadsheet CSV -> rows by column name
    metrics       Interval          qrels + run -> standard measures, intervals and paired differences
    changes       QuestionChange    the questions that a reranker helped and hurt most
    results       Result            one retriever with one reranker: quality, milliseconds, changes
    kept_results  KeptResults       finished results of a stopped run, for the next run
    report        EvaluationReport  every retriever, reranker and depth on the same candidates
    decision      Verdict           the report in one sentence
    abstention    Abstention        whether a low score predicts a missing answer
    charts                          the report as charts
    report_text                     the report as Markdown
    report_files  SavedReport       the report as a folder, with TREC runs
    slices        Slice             the gain on questions asked before, and on new ones
    replay        Replay            the log of feedback -> what votes were worth to later questions
    trial         Tally             a model on trial and the log -> which model is better
    progress                        progress on stderr

Candidates are searched once per query and ranked by every reranker, so that comparisons are paired.
"""
