"""DOCX, PPTX and XLSX -> text: word (with numbering), slides and sheets; cells formats numbers, dates and times."""
