"""Iterate: when a model is trained again."""
