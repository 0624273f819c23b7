"""PDF -> pages of text: reader.py, using layout, unseen, tables, prose, annotations; ocr.py reads pictures of pages."""
