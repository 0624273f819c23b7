"""TrainingExamples -> a model.

trainer           Recipe, Loss   one trainer for every kind, watched step by step
kinds                            kind of a model -> the function that trains it
late_interaction, cross_encoder, embedder
blend             ScoredQuery    scores of judged queries -> weights of a blend
"""
