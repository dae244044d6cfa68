"""Bins of a characteristic: where values are cut and how categories are grouped."""
