"""Documents: what is in, uploads, and the ingest jobs."""
