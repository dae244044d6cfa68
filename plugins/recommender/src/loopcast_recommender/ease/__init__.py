"""EASE: its weights in closed form."""
