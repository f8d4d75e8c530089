"""Provide values for Python users that show and save themselves."""
