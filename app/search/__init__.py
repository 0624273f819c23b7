"""question -> candidates: the passages worth reranking.

follow_up            a follow-up and the questions before it -> a full question
spelling             typos -> words of the documents
languages            a question in another language than the documents -> a note
filters   Filter     what may be read, collection, type, document, date -> the documents to search
search    Candidate  query -> candidates from two lists
fusion               similarity and BM25 -> one score
passages             passages as they were kept -> the chunks that hold them now
words                how each language words what search and answers look for
dates                text -> the days, months and years that it names
versions  Version    document -> what it says of its version and of those that it replaces
families  Families   versions, corrections -> which document replaces which
corrections          what curators say of it, in SQLite
"""
