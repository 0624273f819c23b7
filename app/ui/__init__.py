"""The pages, in a browser. main.py = page settings and navigation; resources.py = everything cached.

    server          the web server, with headers that keep the browser from calling out
    ask_page        a question, its answer, its sources
    source_cards    one card for each citation: read it, strike it out, undo
    ranking_view    the order before and after the reranker, side by side
    documents_page  what is in, upload, remove
    feedback_page   the log of what people struck out
    markup          text of documents and models -> Markdown that shows words and nothing else

The folder is first on sys.path when streamlit runs main.py: nothing here is named like a dependency.
"""
