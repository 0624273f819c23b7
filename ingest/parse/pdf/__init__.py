"""PDF -> pages of text: reader.py, using layout, tables, prose and annotations; ocr.py reads pictures of pages."""
