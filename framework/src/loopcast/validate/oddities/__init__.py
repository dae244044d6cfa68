"""Odd inputs, made from the schema and the test scenarios: what a model may meet but never saw."""
