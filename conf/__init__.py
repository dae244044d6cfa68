"""The configuration tree that runs read; a package, so that it works from a wheel too."""
