"""What compressed files of a version cost and are worth."""
