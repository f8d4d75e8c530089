"""Sheets of tiles with captions."""
