"""Scorecards: bins, the weight of each, and points."""
