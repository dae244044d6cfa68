"""Alembic's scripts: one for each revision of the catalog's schema."""
