"""Fitted models as graphs of blocks, for devices."""
