"""Documents: the list, uploads, and the ingest jobs."""
