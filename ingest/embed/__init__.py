"""passages -> unit vectors.

embedder     Embedder    the protocol, and the embedder that comes with the package
packed_bert  PackedBert  the quick way to compute them
readable                 a text cut to what a model can read
"""
