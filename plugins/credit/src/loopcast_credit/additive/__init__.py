"""Models that add up: a number for the bin of each characteristic."""
