"""Expert rules."""
