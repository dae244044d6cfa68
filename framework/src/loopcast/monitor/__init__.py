"""Measure what a version does in the world: drift, performance against the truth, alerts."""
