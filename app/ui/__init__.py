"""The pages, in a browser. main.py = page settings and navigation; resources.py = everything cached.

    server          the web server, with headers that keep the browser from calling out
    own_site        refuses requests to other hosts and from other sites
    streamlit_options   the options of the pages, whatever the current folder
    ask_page        a question, its answer, its sources
    source_cards    one card for each citation: read it, strike it out, undo
    ranking_view    the order before and after the reranker, side by side
    source_page     a passage where it stands in its document, opened from a citation
    page_view       there: the page of the kept file, the passage marked
    text_view       there: the text, for formats without pages
    page_picture    a PDF or picture -> that page as PNG, drawn by a process of its own
    documents_page  what is in, upload, open, remove
    job_list        the ingest jobs: how far they are, how they ended, cancel, resume
    feedback_page   what people say of passages, in four views:
    feedback_questions  by question, with a curator's word on each passage
    answer_search   there: search for the passage that answers a question
    feedback_documents  by document: whose passages are struck out, and why
    feedback_log    every act, to filter and export
    feedback_files  to and from files of other libraries
    feedback_counts what these views count
    training_page   what there is to learn from, train, and all of the next three:
    training_progress   the trainings: how far they are, their curves, how they ended
    comparison_view a new model against the live one, in words and charts
    model_list      which model is live, the others, promote, roll back, remove
    quality_page    does reranking pay? a report with its charts
    changes_view    the questions that an order helped and hurt, with both orders
    links           links from one page to another
    markup          text of documents and models -> Markdown that shows words and nothing else
    words           numbers, times and names -> words
    messages        what an act came to, said on the page that is drawn after it
    paging          a long list, page by page
    uploads         the name of an upload -> one under which it can be kept
    scroll          brings a place of the page into view

The folder is first on sys.path when streamlit runs main.py: nothing here is named like a dependency.
"""
