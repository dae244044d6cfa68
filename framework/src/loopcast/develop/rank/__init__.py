"""What only the task *rank* needs: preparation, holdout, metrics, training."""
