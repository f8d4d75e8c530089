"""Arrays made visible: brightness, pictures and tables."""
