"""PDF -> pages of text: reader.py, using sheet, layout, justified, unseen, tables, prose, annotations; ocr.py reads scans."""
