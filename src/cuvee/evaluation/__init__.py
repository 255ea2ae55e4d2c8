"""The trial, and one file per metric."""
