"""Feedback on passages by question, by document, as a log, and in files."""
