"""passages -> unit vectors.

embedder     Embedder    the protocol and the default embedder
packed_bert  PackedBert  fast computation without padding
model_files              refuses folders that could run code, read elsewhere or take all memory
readable                 a text cut to what a model can read
"""
