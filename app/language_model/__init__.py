"""messages -> text, by any OpenAI-compatible endpoint.

protocol      LanguageModel     the protocol and its error
endpoint      Endpoint          address, model and key
tokens                          text -> an estimate of its tokens
client                          Endpoint -> a client for only this server
openai_model                    messages -> pieces of text, within a deadline, cancellable at any moment
failures                        errors -> messages for the user
vision        VisionModel       a picture -> its description
connection    ConnectionReport  whether the endpoint answers, and how quickly
"""
