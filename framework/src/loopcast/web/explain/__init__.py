"""The page of explanations: what a score does overall, and why single rows are scored so."""
