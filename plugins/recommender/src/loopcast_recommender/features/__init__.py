"""Features of entities, items and the moment: cold starts, and a second look at candidates."""
