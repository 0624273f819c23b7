"""candidate and live model -> promote, keep, or too little data to tell.

questions   GateQuestions    the questions that compare models
compare     Contender        both models on them, with intervals and paired tests
reembedded                   what search would find if the documents were embedded with another embedder
decision    GateReport       what was found -> the decision and its reasons
"""
