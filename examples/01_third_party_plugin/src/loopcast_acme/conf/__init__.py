"""Configuration that the plugin brings; a package, so that it works from a wheel."""
