"""The centre of the fleet: devices, packages, rollouts, and what devices send back."""
