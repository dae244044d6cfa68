"""The page that sets versions side by side."""
