"""Calibrations in the languages of production, around the export of the scorer they belong to."""
