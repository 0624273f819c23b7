"""what people said, or files of questions and passages -> what a training learns from.

from_feedback  FeedbackExamples  labelled passages -> examples, and the questions of the gate
pairs          Pair              files of questions and the passages that answer them
examples       TrainingExample   a question, the passage that answers it, and hard negatives
material       Material          the feedback of a home folder, ready for a training and its card
split          Part              which questions are trained on, and which compare models
"""
