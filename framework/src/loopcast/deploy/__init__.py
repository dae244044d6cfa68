"""Bundles and releases: how versions travel."""
