"""passages -> unit vectors.

embedder     Embedder    the protocol and the default embedder
packed_bert  PackedBert  fast computation without padding
multilingual             the weights of multilingual-e5-small for it
readable                 a text cut to what a model can read
"""
