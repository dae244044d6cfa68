"""loopcast: carries many related models round one loop."""
