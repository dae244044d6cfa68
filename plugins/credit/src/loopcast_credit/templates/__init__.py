"""The templates of the credit plugin."""
