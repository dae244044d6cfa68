"""The page of vintages."""
