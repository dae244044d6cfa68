"""Gates: what the policy demands of a version before it moves along."""
