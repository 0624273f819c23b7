"""candidate and live model -> promote, keep, or too little data to tell.

questions   GateQuestions    the questions that compare models
compare     Contender        measures both models on them, with intervals and paired tests
decision    GateReport       comparison -> decision and reasons
"""
