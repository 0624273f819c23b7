"""Source: a passage in its document, as a page of the file or as text."""
