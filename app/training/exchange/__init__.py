"""Labeled passages <-> files of other libraries.

    exports  ExportFormat  LabeledPassage -> triplets, pairs, BEIR
    imports  Judgement     the same files, and a CSV of questions and answers -> Judgement
    places   Judgement     judgements of foreign passages -> of the same passages in the documents

The meaning of feedback is defined in `app.feedback.rules`.
"""
