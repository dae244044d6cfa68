"""Govern: what the policy demands of a move, and whether it was done."""
