"""Words of each language for what search and answers look for. A language is a line in each of these.

dates       months, and words before and behind a date
quantities  numbers, units and ranges of them
questions   question words, and how the values look that they ask for
sentences   what ends a sentence
turns       follow-ups, corrections and greetings
versions    what documents say of their version and of those that they replace
languages   patterns of several languages to one
"""
