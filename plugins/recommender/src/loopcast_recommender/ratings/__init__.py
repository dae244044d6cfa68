"""Ratings: biases and Bayesian factors."""
