"""The additive model of calendar and weather with a direct ridge on its residuals."""
