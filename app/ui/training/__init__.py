"""Training: models, trainings in progress, and how a candidate compares with the live model."""
