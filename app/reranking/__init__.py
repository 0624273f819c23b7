"""candidates -> ranking: rerankers score passages, a blend combines the scores.

rerank            RankedChunk    candidates and a reranker's scores -> the ranking; the protocol of rerankers
names             load_reranker  name -> a loaded reranker
model_files                      folder or hub id -> is it here, and has it a vector per token?
live              LiveReranker   ranks with the live model and one on trial, else with its predecessor
cross_encoder                    any sequence classification model
late_interaction                 any model with a vector per token
packing                          token vectors <-> bytes, four bits a number
kept_vectors      KeptVectors    the packed vectors of a home's passages, on disk
prepare           Preparer       documents -> kept vectors, before anybody asks
similarity        Similarity     what late interaction can do besides
any_language      AnyLanguage    both in languages that the reranker cannot read
draft             drafted        ranking + that of a model on trial -> ranking
votes             with_votes     ranking + what people said -> ranking
statements        with_statement ranking + what a curator said of the question -> ranking, and does it still hold?
newest            newest_first   ranking -> superseded passages marked, and last where a newer version covers them
http                             a reranking service
"""
