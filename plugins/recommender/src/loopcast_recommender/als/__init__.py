"""Alternating least squares: item factors, and the factors that a history gives."""
