"""The hybrid of an additive model of calendar and weather and an ARIMA of its residuals."""
