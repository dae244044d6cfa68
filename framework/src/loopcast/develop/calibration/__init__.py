"""Calibration: from a scorer's probabilities to ones that come true as often as they say.

A map is learned from probabilities of rows that their model had not seen, and keeps the ranking.
"""
