"""DOCX, PPTX and XLSX -> text: word (with numbering, runs), slides, sheets; cells, charts, formulas, parts."""
