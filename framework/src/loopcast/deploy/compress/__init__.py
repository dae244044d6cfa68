"""Files made smaller: fewer knots, fewer terms, weights of fewer bits, within a budget."""
