"""question -> candidates: the passages worth reranking.

follow_up            a question and those before it -> a question that stands alone
filters   Filter     collection, type, document, date -> the documents to search
search    Candidate  question -> candidates of two lists
fusion               similarity and BM25 -> one score
"""
