"""PDF -> pages of text: reader.py, using sheet, layout, tables, prose, annotations and others; ocr.py reads scans."""
