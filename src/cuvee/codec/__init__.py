"""Columns to arrays and back, one file a kind."""
