"""question -> votes: what people said of passages for the same question and for like ones.

    wording    Wording    a question -> what decides whether another one has the same need
    votes      Recall     a vote, and how likely its question has the need of the one asked; a curator's Statement
    questions  Questions  remembered questions, and the nearest of them to a query
    reach      Reach      how far votes act on like questions in this home, learned from its log

None of them knows how votes were made; app/feedback/recall.py does.
"""
