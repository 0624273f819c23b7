"""TrainingExamples -> a model.

trainer           Recipe, Loss   one trainer for every kind, watched step by step
kinds                            kind of a model -> the function below that trains it
late_interaction, cross_encoder, embedder
blend             ScoredQuery    a reranker's scores -> how much each score counts
"""
