"""One module per command; the heavy imports stand in the bodies."""
