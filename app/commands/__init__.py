"""`citeloop`: one file for each group of commands.

main      search, ask, serve, and the command line as a whole
doctor    is everything at hand, and does it work?
evaluate  does reranking pay on these questions?
train     feedback or files of pairs -> a trained model
feedback  what people said of passages: list, export, import, propose
models    models, promote, rollback
keys      keys of programs; mcp
"""
