"""Retraining: what is due and why, by which remedy, and what became of it."""
