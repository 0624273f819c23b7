"""PDF -> pages of text: reader.py, using sheet, layout, unseen, tables, prose, annotations; ocr.py reads scans."""
