"""Office files -> text: word (with numbering, runs), slides, sheets; cells, charts, formulas, parts; opendocument."""
