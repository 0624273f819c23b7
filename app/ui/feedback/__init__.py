"""Feedback: what people said of passages, by question, by document, as a log, and in files."""
