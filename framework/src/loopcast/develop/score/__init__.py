"""What only the task *score* needs: preparation, holdout, metrics, training."""
