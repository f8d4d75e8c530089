"""What a Python user holds: values that show and save themselves."""
