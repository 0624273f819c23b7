"""PDF -> pages of text: reader.py, using layout, tables and prose; ocr.py reads pictures of pages."""
