"""What is asked for, as checked values: layers, networks, kernels, settings."""
