"""The page of a round of retraining."""
