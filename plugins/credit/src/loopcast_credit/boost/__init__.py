"""Gradient boosting by LightGBM, whose trees are kept as numbers of our own."""
