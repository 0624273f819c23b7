"""candidates -> ranking: who scores a passage, how scores are blended, and what moved where.

rerank            RankedChunk    candidates and a reranker's scores -> the ranking; the protocol of rerankers
names             load_reranker  name -> a loaded reranker
live              LiveReranker   ranks with the live model, else with the one before it
cross_encoder                    any sequence classification model
late_interaction                 any model with a vector for each token
http                             a reranking service
"""
