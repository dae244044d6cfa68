"""What data must satisfy before anything is trained on it: one file for each kind of check."""
