"""The pipeline for programs: HTTP below /v1, and tools for agents (MCP) at /mcp.

    shapes               request and response types, also for OpenAPI and the agents' schemas
    rerank_shapes        those of /v1/rerank, as with Cohere
    answers              question -> events of its answer; texts -> scores
    guard                keys, sizes and errors of requests
    streams              blocking work -> awaitable and stoppable
    asking    Asking     a question of a program -> events of its answer
    chat                 OpenAI's chat completions, with chat_shapes and chat_text
    web       FastAPI    the paths below /v1
    health               whether the server is alive, and ready
    agents    MCPServer  search and ask as tools, over standard input and output or at /mcp

The server passes in pipeline and feedback store, so that pages and programs share them.
"""
