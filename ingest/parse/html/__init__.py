"""HTML, Markdown, DOCX and EPUB -> Markdown text: markup.py converts; boilerplate.py leaves out menus and banners."""
