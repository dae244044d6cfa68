"""The page of a dossier: what an auditor asks about one version."""
