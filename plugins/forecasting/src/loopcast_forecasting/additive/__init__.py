"""The additive model of calendar and weather, and hybrids of it with a model of its residuals."""
