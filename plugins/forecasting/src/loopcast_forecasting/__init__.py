"""Forecasting for loopcast: additive models, residual models, reconciliation."""

LOOPCAST_CONTRACT = (1, 0)
