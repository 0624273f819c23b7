"""TrainingExamples -> a model.

trainer           Recipe, Loss   one trainer for every kind, watched step by step
kinds                            kind of a model -> the function that trains it: cross-encoders and embedders here
late_interaction
blend             ScoredQuery    scores of judged queries -> weights of a blend
"""
