"""Pure mathematics on arrays: no frames, no schema, no randomness of its own."""
