"""The people and programs of a scenario: plain functions that call the simulated services."""
