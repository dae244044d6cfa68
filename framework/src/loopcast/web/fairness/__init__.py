"""The page of fairness: decisions by group with intervals, trade-offs and alternatives."""
