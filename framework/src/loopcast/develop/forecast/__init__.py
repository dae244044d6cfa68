"""The task *forecast*: panels, rolling-origin backtest, reconciliation, intervals, training."""
