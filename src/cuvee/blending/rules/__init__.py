"""One file per resolution rule."""
