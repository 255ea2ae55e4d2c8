"""Fixtures of the whole suite."""

from postgres import postgres, postgres_server  # noqa: F401 (fixtures are found by name)
