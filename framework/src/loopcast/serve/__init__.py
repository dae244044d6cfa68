"""Serve: predictions of released versions."""
