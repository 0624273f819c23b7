"""Answers as shown, what people did with them, and what that means. The log only grows.

    events                 StoredAnswer, FeedbackEvent   an answer as shown, one act on one of its passages
    judgements             Judgement                     what a curator says of a passage for a question
    answers                Conversation                  answers by conversation: list, search, rename, remove, share
    unsaved                UnsavedAnswers                answers that the disk has not taken yet
    store                  FeedbackStore                 keeps and returns all of them, each act one transaction
    rules                  LabeledPassage                events and judgements -> what they mean for training
    deletion_rates         DeletionRates                 do people strike out more since another model is live?
    conversation_markdown                                a conversation -> Markdown
"""

from app.access.users import earlier_name, user_of_cookie
from app.feedback.answers import Conversation, FeedbackError, NotSavedError, new_id
from app.feedback.events import ACTIONS, REASONS, Action, FeedbackEvent, Reason, ShownAnswer, StoredAnswer
from app.feedback.judgements import IMPORTED, LABELS, Judgement, Label, is_imported, question_key
from app.feedback.store import FeedbackStore

__all__ = [
    "ACTIONS",
    "IMPORTED",
    "LABELS",
    "REASONS",
    "Action",
    "Conversation",
    "FeedbackError",
    "FeedbackEvent",
    "FeedbackStore",
    "Judgement",
    "Label",
    "NotSavedError",
    "Reason",
    "ShownAnswer",
    "StoredAnswer",
    "earlier_name",
    "is_imported",
    "new_id",
    "question_key",
    "user_of_cookie",
]
