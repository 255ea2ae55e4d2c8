"""Pure torch: blocks, networks and losses. Imported only by the synthesizers that need it."""
