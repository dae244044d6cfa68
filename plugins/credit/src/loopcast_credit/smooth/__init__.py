"""Logistic regression on bins, whose smoothness is estimated from the data."""
