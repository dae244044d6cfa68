"""Features of a site: calendar, holidays and weather, the same for all its series."""

from loopcast_forecasting.features.site import FeatureSpec, feature_matrix, feature_spec

__all__ = ["FeatureSpec", "feature_matrix", "feature_spec"]
