"""The page of what a batch run answered."""
