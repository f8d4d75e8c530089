"""Compute feature maps from channels."""
