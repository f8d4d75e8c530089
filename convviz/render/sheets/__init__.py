"""Draw sheets of tiles with captions."""
