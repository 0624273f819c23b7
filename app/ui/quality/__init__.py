"""Quality: does reranking pay on these documents, and which questions does it help and hurt?"""
