"""Answers of any OpenAI-compatible endpoint.

client      Endpoint -> a client that asks it alone
model       messages -> pieces of text, within one deadline, to be stopped at any moment
failures    what went wrong -> what to tell the person who asked
connection  Endpoint -> ConnectionReport: does it answer?
"""

from app.language_model.connection import ConnectionReport, try_connection
from app.language_model.model import OpenAILanguageModel

__all__ = ["ConnectionReport", "OpenAILanguageModel", "try_connection"]
