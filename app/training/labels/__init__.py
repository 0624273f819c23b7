"""feedback, or files of questions and passages -> training examples.

from_feedback  FeedbackExamples  labeled passages -> examples, and the questions of the gate
pairs          Pair              files of questions and answering passages
examples       TrainingExample   a question, its answering passage, and hard negatives
material       Material          the feedback of a home folder, ready for a training and its card
split          Part              which questions train, and which compare models
"""
