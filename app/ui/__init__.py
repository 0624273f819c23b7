"""The pages, in a browser: one folder for each page, and what they share.

    main               page settings and navigation
    ask                a question, its answer, its sources, and the ranking before and after the reranker
    source             a passage where it stands in its document
    documents          what is in, upload, remove, and the ingest jobs
    feedback           what people said of passages, and a curator's decisions
    training           models, trainings, and a candidate against the live model
    quality            does reranking pay? a report with its charts
    settings_page      which language model writes answers
    resources          what is loaded once for the whole server; the only caches of the pages
    server             the web server, with headers that keep the browser from calling out
    own_site           refuses requests to other hosts and from other sites
    streamlit_options  the options of the pages, whatever the current folder
    links              links from one page to another
    markup             text of documents and models -> Markdown that shows words and nothing else
    words              numbers, times and names -> words
    messages           the outcome of an act, shown on the page that is drawn after it
    paging             a long list, page by page
    scroll             brings a place of the page into view

The folder is first on sys.path when streamlit runs main.py: nothing here is named like a dependency.
"""
