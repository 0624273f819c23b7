"""HTML, Markdown and EPUB -> Markdown text: markup.py converts, boilerplate.py and hidden.py leave out."""
