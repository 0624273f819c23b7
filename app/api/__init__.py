"""The same pipeline for programs: over HTTP below /v1, and as tools of agents (MCP).

    keys      KeyStore   who may ask, and what: names, limits, and digests of keys, in SQLite
    rates     Rates      how often each key may ask
    shapes               what is sent and what comes back; OpenAPI and the agents' schemas are made of it
    answers              question -> events of its answer; texts -> scores
    guard                keys, sizes and errors of requests
    streams              blocking work -> what an event loop can wait for, and stop
    web       FastAPI    the paths below /v1
    agents    MCPServer  search and ask as tools
    commands             citeloop keys, citeloop mcp

Pipeline and feedback store are handed in by whoever serves, so that pages and programs share them.
"""
