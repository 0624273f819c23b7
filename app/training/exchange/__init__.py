"""Labelled passages to and from the files that other libraries read.

    exports  ExportFormat  LabeledPassage -> triplets, pairs, BEIR, FlagEmbedding, Argilla
    imports  Judgement     the same files, and a CSV of questions and answers
    places   Judgement     of passages from elsewhere -> of those of the documents that are in

It does not know what people's acts mean: that stands in `app.feedback.rules`.
"""
