"""Synthesizers, one file each."""
