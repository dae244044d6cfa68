"""Online comparisons: how large, what came of them, what follows; and bandits."""
