"""The page of cut-offs: what a score decides."""
