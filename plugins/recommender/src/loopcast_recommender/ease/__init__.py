"""EASE: its weights in closed form, the choice of its hyperparameters, its model."""
