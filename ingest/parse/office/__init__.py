"""DOCX, PPTX and XLSX -> text: word, slides and sheets; cells formats numbers, dates and times."""
