"""passages -> unit vectors.

embedder     Embedder    the protocol and the default embedder
deferred                 an embedder that is loaded when it is first used
packed_bert  PackedBert  fast computation without padding
model_files              refuses folders that could run code, read elsewhere or take all memory
multilingual             the weights of multilingual-e5-small for it
readable                 a text cut to what a model can read
vocabulary               whether a model with an English vocabulary reads a text's language
"""
