"""Direct ridge regressions of the curves of residuals, one for each day of a horizon."""
