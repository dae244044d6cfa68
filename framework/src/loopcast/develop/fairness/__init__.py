"""Whom a score serves how well: rates by group with intervals, and what evening them costs."""
