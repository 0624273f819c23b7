"""`citeloop`: one file per group of commands.

main      serve, and the command line itself
ask       ask, search
doctor    checks the installation
documents list, move to another collection
sources   websites, repositories and storage that are kept up to date
evaluate  measures whether reranking pays on judged questions
replay    what votes were worth to later questions
train     feedback or files of pairs -> a trained model
feedback  labels of passages: list, export, import, propose
models    models, promote, rollback
backup    home folder -> one file, and back
keys      API keys; mcp
access    who may do what and why; the audit log
recorded  commands that change something -> the same, with an entry in the audit log
"""
