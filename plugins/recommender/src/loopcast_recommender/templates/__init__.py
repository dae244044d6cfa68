"""The templates of the recommender plugin."""
