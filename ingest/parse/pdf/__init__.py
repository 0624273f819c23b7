"""PDF and pictures of pages -> pages of text: reader.py by way of layout, tables and prose; ocr.py for pictures."""
