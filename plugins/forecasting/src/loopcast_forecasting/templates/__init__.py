"""The templates of the forecasting plugin."""
