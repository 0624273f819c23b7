"""The pages, in a browser. main.py = page settings and navigation; resources.py = everything cached.

    server          the web server, with headers that keep the browser from calling out
    ask_page        a question, its answer, its sources
    source_cards    one card for each citation: read it, strike it out, undo
    ranking_view    the order before and after the reranker, side by side
    source_page     a passage where it stands in its document, opened from a citation
    page_view       there: the page of the kept file, the passage marked
    text_view       there: the text, for formats without pages
    page_picture    a PDF or picture -> that page as PNG, drawn by a process of its own
    documents_page  what is in, upload, open, remove
    job_list        the ingest jobs: how far they are, how they ended, cancel, resume
    feedback_page   the log of what people struck out
    links           links from one page to another, to be shared
    markup          text of documents and models -> Markdown that shows words and nothing else
    scroll          brings a place of the page into view

The folder is first on sys.path when streamlit runs main.py: nothing here is named like a dependency.
"""
