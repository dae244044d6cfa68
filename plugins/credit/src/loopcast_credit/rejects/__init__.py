"""Reject inference: applicants whom an earlier decision refused have no outcome."""
