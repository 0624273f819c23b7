"""Answers as shown, feedback on them, and labels for training. The log is append-only.

events                 StoredAnswer, FeedbackEvent   an answer as shown, one act on one of its passages
judgements             Judgement                     a curator's decision on a passage for a question
answers                AnswerStore                   answers as shown, with those not saved yet
conversations          Conversation                  answers by conversation: list, search, rename, remove, share
unsaved                UnsavedAnswers                answers not written to disk yet
curators               CuratorStore                  who is ignored, and what curators say of questions
statements                                           which of these statements hold
store                  FeedbackStore                 stores all of them, one transaction per action
rules                  LabeledPassage                events and judgements -> labels for training
votes                  QuestionVotes                 feedback on a question's passages -> votes for one person
recall                 Memory                        the log, read on as it grows -> votes for a question
asker                  Asker                         ranking -> moved by votes that the asker may know of
question_vectors                                     questions -> their vectors, kept in the store
changed                Changed                       what waits since the documents have changed
inbox                  InboxItem                     what a curator should decide next, best first
unanswered             Week                          how many questions were not answered, by week
people                 Voter                         whose votes move most
deletion_rates         DeletionRates                 strike-out rates before and after a change of the live model
reading                ReadableAnswers               answers as somebody may read them now
conversation_markdown                                a conversation -> Markdown
"""

from app.access.users import earlier_name, user_of_cookie
from app.feedback.answers import FeedbackError, NotSavedError, new_id
from app.feedback.conversations import Conversation
from app.feedback.events import ACTIONS, REASONS, Action, FeedbackEvent, Reason, ShownAnswer, StoredAnswer
from app.feedback.judgements import IMPORTED, Judgement, Label, is_imported, question_key
from app.feedback.store import FeedbackStore

__all__ = [
    "ACTIONS",
    "IMPORTED",
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
