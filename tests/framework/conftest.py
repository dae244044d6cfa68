from __future__ import annotations

from .develop.conftest import course, panel, schema, table

__all__ = ["course", "panel", "schema", "table"]
