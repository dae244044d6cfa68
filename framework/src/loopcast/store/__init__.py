"""The three stores that hold all state: catalog, artifacts and events."""
