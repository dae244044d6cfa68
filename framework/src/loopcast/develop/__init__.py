"""Develop: from a table to an evaluated version."""
