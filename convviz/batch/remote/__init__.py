"""Run a batch on the workers of a cluster."""
