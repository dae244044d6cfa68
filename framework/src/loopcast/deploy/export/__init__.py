"""Versions in the languages of production, each compared with its model before anyone gets it."""
