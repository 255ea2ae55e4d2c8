"""Mixing real and synthetic rows."""
