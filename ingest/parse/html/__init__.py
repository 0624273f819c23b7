"""HTML, Markdown and EPUB -> Markdown text: markup.py converts; boilerplate.py removes menus and banners."""
