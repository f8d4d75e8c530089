"""Channels become feature maps."""
