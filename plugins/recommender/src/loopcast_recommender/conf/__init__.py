"""Configuration that the plugin brings: a logical model and its data."""
