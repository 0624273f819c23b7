"""question -> candidates: the passages worth reranking.

follow_up            a follow-up and the questions before it -> a full question
spelling             typos -> words of the documents
filters   Filter     collection, type, document, date -> the documents to search
search    Candidate  query -> candidates from two lists
fusion               similarity and BM25 -> one score
"""
