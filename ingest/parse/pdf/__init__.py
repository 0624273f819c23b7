"""PDF -> pages of text: reader.py, using sheet, layout, tables, outline, prose and others; ocr.py reads scans."""
