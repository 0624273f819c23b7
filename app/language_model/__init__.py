"""messages -> text, by any endpoint that speaks as OpenAI's does.

protocol      LanguageModel     what writes text, and how it fails
endpoint      Endpoint          where the language model is, and what it may be told
tokens                          how many tokens a text has for it
client                          Endpoint -> a client that asks it alone
openai_model                    messages -> pieces of text, within one deadline, to be stopped at any moment
failures                        what went wrong -> what to tell the person who asked
connection    ConnectionReport  does the endpoint answer, and how quickly?
"""
