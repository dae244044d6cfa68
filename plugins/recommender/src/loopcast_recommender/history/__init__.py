"""Models that score items by what an entity has chosen: one way to tune, keep and ask them."""
