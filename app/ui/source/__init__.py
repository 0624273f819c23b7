"""Source: a passage where it stands in its document, as a page of the file or as text."""
