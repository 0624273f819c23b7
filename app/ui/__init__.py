"""The web pages: one folder per page, and shared modules.

    main               page settings and navigation
    ask                a question, its answer, its sources, and the ranking before and after the reranker
    source             a passage in its document
    documents          the list, upload, remove, and the ingest jobs
    feedback           feedback on passages, and a curator's decisions
    training           models, trainings, and a candidate against the live model
    quality            does reranking pay? a report with its charts
    settings_page      the language model and its instructions
    resources          objects shared by the whole server, and what the current user may read of them
    server             the web server, with headers that block requests to other sites
    own_site           refuses requests to other hosts and from other sites
    upload_limit       takes files only from pages that show an uploader
    streamlit_options  the options of the pages, whatever the current folder
    style              what the theme cannot express
    links              links from one page to another
    markup             text of documents and models -> safe Markdown
    cells              tables without formulas, since pages offer them as CSV
    readers_language   messages of other layers -> the reader's language; texts in ingest_messages, answer_messages
    words              numbers, times and names -> words
    language           the language of the pages
    messages           outcomes of actions, shown on the next run
    paging             a long list, page by page
    scroll             scrolls to a position on the page
    sidebar            closes the sidebar on a phone

Streamlit puts this folder first on sys.path, so no module here is named like a dependency.
"""
