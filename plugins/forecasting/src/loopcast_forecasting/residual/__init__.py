"""Short-term models of what the additive model leaves over."""
