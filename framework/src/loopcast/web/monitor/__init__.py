"""The page of a logical model in the world."""
