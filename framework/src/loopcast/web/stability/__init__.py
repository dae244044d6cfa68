"""The page of the stability of scores and characteristics."""
