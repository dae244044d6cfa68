"""One model for each series, by statsmodels: exponential smoothing and SARIMAX."""
