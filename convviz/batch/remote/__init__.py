"""A batch on the workers of a cluster."""
