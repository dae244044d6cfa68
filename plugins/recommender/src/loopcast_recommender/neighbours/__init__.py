"""Nearest items: how often two items were chosen by the same entities."""
